//! What the environment says of traces, by the names of OpenTelemetry.

use std::time::Duration;

/// The most spans that wait for the collector, unless `OTEL_BSP_MAX_QUEUE_SIZE` says otherwise.
const WAITING_MAX: usize = 8_192;
/// The most spans that are sent at once, unless `OTEL_BSP_MAX_EXPORT_BATCH_SIZE` says otherwise.
const BATCH_MAX: usize = 512;
/// How long a span waits for others to be sent with, unless `OTEL_BSP_SCHEDULE_DELAY` says otherwise.
const DELAY_MS: u64 = 5_000;
/// How long the collector may take for a batch, unless `OTEL_BSP_EXPORT_TIMEOUT` says otherwise.
const EXPORT_MS: u64 = 30_000;

/// How traces are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceSettings {
    /// Whether prompts and answers are in spans.
    pub content: bool,
    /// Whether the collector is reached over TLS.
    pub tls: bool,
    /// The most spans that wait.
    pub waiting_max: usize,
    /// The most spans that are sent at once.
    pub batch_max: usize,
    /// How long a span waits for others.
    pub delay: Duration,
    /// How long the collector may take.
    pub export_max: Duration,
}

/// A variable that asks for something that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} is {value:?}; it must be {expected}")]
pub struct BadSetting {
    /// The variable.
    pub name: &'static str,
    /// What it says.
    pub value: String,
    /// What it could say.
    pub expected: &'static str,
}

impl TraceSettings {
    /// What the variables that `get` gives say: `None` where nobody asked for traces.
    pub fn read(get: impl Fn(&str) -> Option<String>) -> Result<Option<TraceSettings>, BadSetting> {
        let get =
            |name: &'static str| get(name).map(|value| value.trim().to_owned()).filter(|v| !v.is_empty());
        // A slip in what is private is found even where nothing is traced.
        let content = content(get(CAPTURE))?;
        if flag("OTEL_SDK_DISABLED", get("OTEL_SDK_DISABLED"))? {
            return Ok(None);
        }
        match get("OTEL_TRACES_EXPORTER").as_deref() {
            None | Some("otlp") => {}
            Some("none") => return Ok(None),
            Some(other) => return Err(bad("OTEL_TRACES_EXPORTER", other, "otlp or none")),
        }
        let endpoint =
            get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").or_else(|| get("OTEL_EXPORTER_OTLP_ENDPOINT"));
        let Some(endpoint) = endpoint else { return Ok(None) };
        for name in ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"] {
            if let Some(protocol) = get(name)
                && protocol != "grpc"
            {
                return Err(bad(name, &protocol, "grpc, the only protocol that is spoken"));
            }
        }
        sampler(get("OTEL_TRACES_SAMPLER"), get("OTEL_TRACES_SAMPLER_ARG"))?;
        let ms = |name, default| number(name, get(name), default).map(Duration::from_millis);
        let count = |name, default: usize| {
            let n = number(name, get(name), default as u64)?;
            Ok(usize::try_from(n).unwrap_or(usize::MAX))
        };
        let waiting_max = count("OTEL_BSP_MAX_QUEUE_SIZE", WAITING_MAX)?;
        Ok(Some(TraceSettings {
            content,
            // An address without a scheme is one of TLS, as the exporter takes it.
            tls: !endpoint.to_ascii_lowercase().starts_with("http:"),
            waiting_max,
            batch_max: count("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", BATCH_MAX)?.min(waiting_max),
            delay: ms("OTEL_BSP_SCHEDULE_DELAY", DELAY_MS)?,
            export_max: ms("OTEL_BSP_EXPORT_TIMEOUT", EXPORT_MS)?,
        }))
    }
}

/// The variable that lets prompts and answers into traces.
const CAPTURE: &str = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT";

fn content(value: Option<String>) -> Result<bool, BadSetting> {
    let Some(value) = value else { return Ok(false) };
    match value.to_ascii_lowercase().as_str() {
        "false" | "no_content" => Ok(false),
        "true" | "span_only" => Ok(true),
        // Content goes into spans or nowhere: nothing here writes events.
        _ => Err(bad(CAPTURE, &value, "true or SPAN_ONLY, or false or NO_CONTENT; events are not written")),
    }
}

fn flag(name: &'static str, value: Option<String>) -> Result<bool, BadSetting> {
    let Some(value) = value else { return Ok(false) };
    match value.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(bad(name, &value, "true or false")),
    }
}

/// The SDK would take another sampler without a word.
fn sampler(sampler: Option<String>, argument: Option<String>) -> Result<(), BadSetting> {
    const KINDS: &str = "always_on, always_off, traceidratio, parentbased_always_on, parentbased_always_off or \
                         parentbased_traceidratio";
    match sampler.as_deref() {
        None | Some("always_on" | "always_off" | "parentbased_always_on" | "parentbased_always_off") => {
            Ok(())
        }
        Some("traceidratio" | "parentbased_traceidratio") => {
            let ratio = argument.as_deref().map_or(Some(1.0), |ratio| ratio.parse::<f64>().ok());
            match ratio.filter(|ratio| (0.0..=1.0).contains(ratio)) {
                Some(_) => Ok(()),
                None => {
                    let value = argument.unwrap_or_default();
                    Err(bad("OTEL_TRACES_SAMPLER_ARG", &value, "a number from 0 to 1"))
                }
            }
        }
        Some(other) => Err(bad("OTEL_TRACES_SAMPLER", other, KINDS)),
    }
}

fn number(name: &'static str, value: Option<String>, default: u64) -> Result<u64, BadSetting> {
    let Some(value) = value else { return Ok(default) };
    match value.parse() {
        Ok(n @ 1..) => Ok(n),
        _ => Err(bad(name, &value, "a whole number of at least 1")),
    }
}

fn bad(name: &'static str, value: &str, expected: &'static str) -> BadSetting {
    BadSetting { name, value: value.to_owned(), expected }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317");

    fn read(variables: &[(&str, &str)]) -> Result<Option<TraceSettings>, BadSetting> {
        let get = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        TraceSettings::read(get)
    }

    #[test]
    fn nothing_is_traced_unless_a_collector_is_named() {
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")]), Ok(None));
        let on = read(&[ENDPOINT]).unwrap().unwrap();
        assert_eq!((on.content, on.tls, on.waiting_max), (false, false, WAITING_MAX));
        let other = read(&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://traces.example")]).unwrap();
        assert!(other.unwrap().tls);
        let bare = read(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "traces.example:4317")]).unwrap();
        assert!(bare.unwrap().tls);
        assert_eq!(read(&[ENDPOINT, ("OTEL_SDK_DISABLED", "TRUE")]), Ok(None));
        assert_eq!(read(&[ENDPOINT, ("OTEL_TRACES_EXPORTER", "none")]), Ok(None));
    }

    #[test]
    fn content_is_in_spans_only_where_it_is_asked_for() {
        let with = |value| read(&[ENDPOINT, (CAPTURE, value)]).map(|settings| settings.unwrap().content);
        for on in ["true", "True", "SPAN_ONLY", "span_only"] {
            assert_eq!(with(on), Ok(true), "{on}");
        }
        for off in ["", "false", "NO_CONTENT"] {
            assert_eq!(with(off), Ok(false), "{off}");
        }
        for odd in ["yes", "1", "EVENT_ONLY", "SPAN_AND_EVENT"] {
            assert_eq!(with(odd).unwrap_err().name, CAPTURE, "{odd}");
            assert!(read(&[(CAPTURE, odd)]).is_err(), "{odd}: even where nothing is traced");
        }
    }

    #[test]
    fn what_cannot_be_is_refused_and_named() {
        for (name, value) in [
            ("OTEL_SDK_DISABLED", "perhaps"),
            ("OTEL_TRACES_EXPORTER", "zipkin"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
            ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json"),
            ("OTEL_TRACES_SAMPLER", "xray"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "0"),
            ("OTEL_BSP_SCHEDULE_DELAY", "soon"),
        ] {
            let refused = read(&[ENDPOINT, (name, value)]).unwrap_err();
            assert_eq!((refused.name, refused.value.as_str()), (name, value));
        }
        let ratio = |ratio| {
            read(&[ENDPOINT, ("OTEL_TRACES_SAMPLER", "traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", ratio)])
        };
        assert!(ratio("0.25").is_ok());
        for odd in ["2", "-1", "NaN", "half"] {
            assert_eq!(ratio(odd).unwrap_err().name, "OTEL_TRACES_SAMPLER_ARG", "{odd}");
        }
    }
}
