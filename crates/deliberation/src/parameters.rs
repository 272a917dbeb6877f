//! What may be sent with every request besides, by the names the server knows: `top_p`, `seed` and so on.

use std::collections::BTreeMap;

use serde_json::Value;

/// Parameters of a request by name.
pub type Parameters = BTreeMap<String, Value>;

/// The most parameters of one profile.
pub const PARAMETERS_MAX: usize = 64;
/// The most bytes of all of them together, as JSON.
pub const PARAMETERS_BYTES_MAX: usize = 16 << 10;
/// The most texts at which an answer is to stop.
pub const STOPS_MAX: usize = 16;
/// The most bytes of one of them.
pub const STOP_BYTES_MAX: usize = 256;
/// The most bytes of a parameter's name.
const NAME_BYTES_MAX: usize = 64;

/// Why parameters cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadParameter {
    /// There are too many.
    #[error("there are {0} parameters, and at most {PARAMETERS_MAX} are sent")]
    TooMany(usize),
    /// Together they are too long.
    #[error("the parameters have {0} bytes as JSON, and at most {PARAMETERS_BYTES_MAX} are sent")]
    TooLarge(usize),
    /// The name is none.
    #[error("{0:?} is no name of a parameter: 1 to {NAME_BYTES_MAX} letters, digits, '_', '-' and '.'")]
    Name(String),
    /// The program sets it by itself.
    #[error("the parameter {name} is not taken: {why}")]
    Ours {
        /// The parameter.
        name: String,
        /// What sets it instead.
        why: &'static str,
    },
    /// The value is out of its bounds.
    #[error("the parameter {name} must be {bound}")]
    Value {
        /// The parameter.
        name: String,
        /// What it must be.
        bound: String,
    },
}

impl BadParameter {
    /// The parameter it is about; empty when it is about all of them.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            BadParameter::TooMany(_) | BadParameter::TooLarge(_) => "",
            BadParameter::Name(name) | BadParameter::Ours { name, .. } | BadParameter::Value { name, .. } => {
                name
            }
        }
    }

    /// What it must be, to follow on its name: "be a number from 0 to 1".
    #[must_use]
    pub fn must(&self) -> String {
        match self {
            BadParameter::TooMany(_) => format!("be one of at most {PARAMETERS_MAX}"),
            BadParameter::TooLarge(_) => {
                format!("have, with all others, at most {PARAMETERS_BYTES_MAX} bytes as JSON")
            }
            BadParameter::Name(_) => {
                format!("have a name of 1 to {NAME_BYTES_MAX} letters, digits, '_', '-' and '.'")
            }
            BadParameter::Ours { why, .. } => format!("be left out: {why}"),
            BadParameter::Value { bound, .. } => format!("be {bound}"),
        }
    }
}

/// What the program sets by itself, or what would not come to any good, and why.
const OURS: [(&str, &str); 20] = [
    ("api_base", "a profile names its servers by url"),
    ("api_key", "a key belongs into the file that api_key_file names, not into records"),
    ("base_url", "a profile names its servers by url"),
    ("best_of", "each agent gives one answer"),
    ("echo", "an answer must not repeat its prompt"),
    ("extra_body", "write what it holds beside the other parameters"),
    ("function_call", "agents answer in words, functions are not called"),
    ("functions", "agents answer in words, functions are not called"),
    ("max_completion_tokens", "tokens_max says it"),
    ("max_tokens", "tokens_max says it"),
    ("messages", "they are made from the task"),
    ("model", "a profile names its model"),
    ("n", "each agent gives one answer"),
    ("response_format", "each kind of job asks for the form it needs"),
    ("stream", "answers are always streamed"),
    ("stream_options", "answers are always streamed"),
    ("temperature", "a profile has a temperature of its own"),
    ("tool_choice", "agents answer in words, tools are not called"),
    ("tools", "agents answer in words, tools are not called"),
    ("user", "it names the job that is worked on"),
];

/// Checks what a configuration or a request would like to send with every call.
pub fn check_parameters(parameters: &Parameters) -> Result<(), BadParameter> {
    if parameters.is_empty() {
        return Ok(());
    }
    if parameters.len() > PARAMETERS_MAX {
        return Err(BadParameter::TooMany(parameters.len()));
    }
    for (name, value) in parameters {
        check_name(name)?;
        check_value(name, value)?;
    }
    // A map of JSON values can always be written.
    let bytes = serde_json::to_vec(parameters).map_or(usize::MAX, |json| json.len());
    if bytes > PARAMETERS_BYTES_MAX { Err(BadParameter::TooLarge(bytes)) } else { Ok(()) }
}

fn check_name(name: &str) -> Result<(), BadParameter> {
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.bytes().all(sound) {
        return Err(BadParameter::Name(name.chars().take(NAME_BYTES_MAX).collect()));
    }
    match OURS.iter().find(|(ours, _)| *ours == name) {
        Some((_, why)) => Err(BadParameter::Ours { name: name.into(), why }),
        None => Ok(()),
    }
}

/// Checks the values whose meaning all servers share; what others mean is between the user and the server.
fn check_value(name: &str, value: &Value) -> Result<(), BadParameter> {
    let number = |within: fn(f64) -> bool| value.as_f64().is_some_and(within);
    let (sound, bound) = match name {
        _ if value.is_null() => (false, "a value, or not there at all".to_owned()),
        "top_p" => (number(|n| n > 0.0 && n <= 1.0), "a number above 0 and up to 1".into()),
        "min_p" => (number(|n| (0.0..=1.0).contains(&n)), "a number from 0 to 1".into()),
        "top_k" => (value.as_i64().is_some_and(|n| n >= -1), "an integer from -1".into()),
        "seed" => (value.as_i64().is_some(), "an integer of 64 bits".into()),
        "min_tokens" => (value.as_u64().is_some(), "an integer from 0".into()),
        "frequency_penalty" | "presence_penalty" => {
            (number(|n| (-2.0..=2.0).contains(&n)), "a number from -2 to 2".into())
        }
        "repetition_penalty" | "repeat_penalty" => {
            (number(|n| n > 0.0 && n <= 10.0), "a number above 0 and up to 10".into())
        }
        "stop" => (
            is_stop(value),
            format!("a text, or a list of 1 to {STOPS_MAX}, each of 1 to {STOP_BYTES_MAX} bytes"),
        ),
        _ => return Ok(()),
    };
    if sound { Ok(()) } else { Err(BadParameter::Value { name: name.into(), bound }) }
}

fn is_stop(value: &Value) -> bool {
    let text = |value: &Value| value.as_str().is_some_and(|text| (1..=STOP_BYTES_MAX).contains(&text.len()));
    match value {
        Value::Array(list) => (1..=STOPS_MAX).contains(&list.len()) && list.iter().all(text),
        one => text(one),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(value: Value) -> Result<(), BadParameter> {
        let Value::Object(map) = value else { panic!("an object") };
        check_parameters(&map.into_iter().collect())
    }

    #[test]
    fn what_servers_know_is_passed_on_within_its_bounds() {
        for good in [
            json!({}),
            json!({"top_p": 1, "seed": -7, "stop": "END", "top_k": -1, "min_p": 0, "min_tokens": 0}),
            json!({"top_p": 0.05, "stop": ["a", "b"], "presence_penalty": -2, "repetition_penalty": 1.1}),
            json!({"chat_template_kwargs": {"enable_thinking": false}, "logit_bias": {"7": -100}}),
        ] {
            assert_eq!(check(good.clone()), Ok(()), "{good}");
        }
        for bad in [
            json!({"top_p": 0}),
            json!({"top_p": 1.01}),
            json!({"top_p": "0.9"}),
            json!({"min_p": -0.1}),
            json!({"top_k": 1.5}),
            json!({"top_k": -2}),
            json!({"seed": 1.5}),
            json!({"seed": 18446744073709551615u64}),
            json!({"seed": true}),
            json!({"min_tokens": -1}),
            json!({"frequency_penalty": 2.1}),
            json!({"repeat_penalty": 0}),
            json!({"stop": ""}),
            json!({"stop": []}),
            json!({"stop": ["a", 7]}),
            json!({"stop": vec!["x"; STOPS_MAX + 1]}),
            json!({"stop": "x".repeat(STOP_BYTES_MAX + 1)}),
            json!({"anything": null}),
        ] {
            assert!(matches!(check(bad.clone()), Err(BadParameter::Value { .. })), "{bad}");
        }
    }

    #[test]
    fn what_the_program_sets_is_refused_with_what_sets_it() {
        for (name, _) in OURS {
            let refused = check(json!({name: 1})).unwrap_err();
            assert!(matches!(&refused, BadParameter::Ours { .. }), "{refused}");
            assert!(refused.to_string().contains(name), "{refused}");
        }
        assert!(OURS.is_sorted(), "in order, to be read");
    }

    #[test]
    fn names_and_sizes_have_bounds() {
        for name in ["", "top p", "stöp", "a\nb", "\"", &"x".repeat(65)] {
            assert!(matches!(check(json!({name: 1})), Err(BadParameter::Name(_))), "{name}");
        }
        let many: serde_json::Map<_, _> = (0..=PARAMETERS_MAX).map(|n| (format!("p{n}"), json!(n))).collect();
        assert_eq!(check(Value::Object(many)), Err(BadParameter::TooMany(PARAMETERS_MAX + 1)));
        let long = json!({"x": "y".repeat(PARAMETERS_BYTES_MAX)});
        assert!(matches!(check(long), Err(BadParameter::TooLarge(_))));
    }
}
