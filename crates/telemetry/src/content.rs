//! Prompts and answers in the form the conventions give them: JSON in the text of an attribute.

use fleet_deliberation::Generation;
use fleet_orchestrator::port::{Message, Speaker};
use serde_json::{Value, json};

/// The most bytes of one text; what is longer is cut, and says so.
const TEXT_BYTES_MAX: usize = 64 * 1024;

/// What was said to a model.
pub(crate) fn input(messages: &[Message]) -> String {
    let message = |message: &Message| {
        let role = match message.speaker {
            Speaker::System => "system",
            Speaker::User => "user",
        };
        json!({"role": role, "parts": [part("text", &message.text)]})
    };
    messages.iter().map(message).collect::<Value>().to_string()
}

/// A task, as what its submitter said.
pub(crate) fn task(description: &str) -> String {
    json!([{"role": "user", "parts": [part("text", description)]}]).to_string()
}

/// What a model said.
pub(crate) fn output(generation: &Generation) -> String {
    let mut parts = Vec::new();
    if !generation.reasoning.is_empty() {
        parts.push(part("reasoning", &generation.reasoning));
    }
    parts.push(part("text", &generation.text));
    let finish_reason = finish_reason(generation);
    json!([{"role": "assistant", "parts": parts, "finish_reason": finish_reason}]).to_string()
}

/// Why a model stopped.
pub(crate) fn finish_reason(generation: &Generation) -> &'static str {
    if generation.truncated { "length" } else { "stop" }
}

fn part(kind: &str, text: &str) -> Value {
    if text.len() <= TEXT_BYTES_MAX {
        return json!({"type": kind, "content": text});
    }
    let end = text.floor_char_boundary(TEXT_BYTES_MAX);
    let content = format!("{}… (cut; {} bytes in all)", &text[..end], text.len());
    json!({"type": kind, "content": content})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_have_the_form_of_the_conventions() {
        let said = |speaker, text: &str| Message { speaker, text: text.into() };
        let text = input(&[said(Speaker::System, "Be brief."), said(Speaker::User, "Sort \"a\".")]);
        assert_eq!(
            serde_json::from_str::<Value>(&text).unwrap(),
            json!([
                {"role": "system", "parts": [{"type": "text", "content": "Be brief."}]},
                {"role": "user", "parts": [{"type": "text", "content": "Sort \"a\"."}]},
            ])
        );
        let generation = Generation {
            text: "sorted".into(),
            reasoning: "hm".into(),
            truncated: true,
            ..Generation::default()
        };
        assert_eq!(
            serde_json::from_str::<Value>(&output(&generation)).unwrap(),
            json!([{
                "role": "assistant",
                "parts": [{"type": "reasoning", "content": "hm"}, {"type": "text", "content": "sorted"}],
                "finish_reason": "length",
            }])
        );
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let cut = task(&"é".repeat(TEXT_BYTES_MAX));
        assert!(cut.len() < TEXT_BYTES_MAX + 200);
        assert!(cut.contains("… (cut; 131072 bytes in all)"));
        let at_the_bound = task(&"x".repeat(TEXT_BYTES_MAX));
        assert!(!at_the_bound.contains("(cut;"));
    }
}
