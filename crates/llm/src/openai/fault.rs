//! What servers refuse and how connections break, as errors that say what to do.

use std::time::{Duration, SystemTime};

use fleet_deliberation::FailureKind;
use fleet_orchestrator::port::{ModelError, ModelRequest};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::header::{DATE, HeaderMap, HeaderName, LOCATION, RETRY_AFTER};
use reqwest::{Response, StatusCode};

use super::{Server, Timer};
use crate::wire::ServerFault;

/// The most of a refusal's body that is read.
const BODY_BYTES_MAX: usize = 64 << 10;
/// The most characters of a server's own words that a message repeats.
const WORDS_MAX: usize = 300;
/// The longest wait a server can ask for: a day.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// An answer whose status is not a success.
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) retry_after_ms: Option<u64>,
    pub(super) location: Option<String>,
    pub(super) fault: ServerFault,
}

/// Reads what a server says with a status that is not a success.
pub(super) async fn read(mut response: Response, timer: &mut Timer) -> Refusal {
    let mut body = Vec::new();
    while body.len() < BODY_BYTES_MAX {
        match timer.within(response.chunk()).await {
            Ok(Ok(Some(piece))) => body.extend_from_slice(&piece),
            // The status says enough.
            Ok(Ok(None) | Err(_)) | Err(_) => break,
        }
    }
    Refusal {
        status: response.status(),
        retry_after_ms: retry_after_ms(response.headers()),
        location: location(response.headers()),
        fault: ServerFault::read(&body),
    }
}

/// The error that a refusal is: of a request to a model, or of one that named none.
pub(super) fn refused(server: &Server, request: Option<&ModelRequest>, refusal: Refusal) -> ModelError {
    use FailureKind::{BadRequest, ContextTooLong, NotFound, RateLimited, Unauthorized};
    let Refusal { status, retry_after_ms, location, fault } = refusal;
    let words = words(&fault.message, server, request);
    let (server, code) = (server.label(), status.as_u16());
    let model = request.map_or("the model", |request| &request.model);
    let (kind, message) = match code {
        401 | 403 => (Unauthorized, format!("{server} refused access ({code}); check the API key")),
        408 | 429 => (RateLimited, format!("{server} refuses calls for now ({code})")),
        _ if fault.is_context_too_long() => (
            ContextTooLong,
            format!(
                "the prompt does not fit the context of {model} at {server} ({code}); shorten the task, ask \
                 for fewer tokens, or give the server a larger context"
            ),
        ),
        404 => (
            NotFound,
            format!(
                "{server} does not know {model}, or the path ({code}); check the model's name and the URL"
            ),
        ),
        300..=399 => {
            let to = location.map(|to| format!(" to {to}")).unwrap_or_default();
            (NotFound, format!("{server} redirects{to} ({code}); set the URL to where the server is"))
        }
        500.. => (FailureKind::Server, format!("{server} failed ({code})")),
        _ => (BadRequest, format!("{server} refused the request ({code})")),
    };
    let message = if words.is_empty() { message } else { format!("{message}: {words}") };
    ModelError { kind, message, retry_after_ms }
}

/// The error that a fault is which came without a status of its own, in the middle of an answer.
pub(super) fn in_answer(server: &Server, request: &ModelRequest, fault: ServerFault) -> ModelError {
    let status = fault.status().and_then(|code| StatusCode::from_u16(code).ok());
    let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    refused(server, Some(request), Refusal { status, retry_after_ms: None, location: None, fault })
}

/// A server's own words, shortened, without the key and without parts of the prompt.
fn words(text: &str, server: &Server, request: Option<&ModelRequest>) -> String {
    let mut words: String = text.chars().take(WORDS_MAX).collect();
    if words.len() < text.len() {
        words.push('…');
    }
    if let Some(key) = server.key() {
        words = words.replace(key, "[key]");
    }
    let prompts = request.map_or(&[][..], |request| &request.messages);
    if prompts.iter().any(|prompt| repeats(&words, &prompt.text)) {
        return "(the server's words repeat the prompt and are left out)".into();
    }
    words
}

/// Whether `words` hold a part of `prompt` that is too long to be there by chance.
fn repeats(words: &str, prompt: &str) -> bool {
    const PART: usize = 24;
    let words = words.as_bytes();
    words.windows(PART).step_by(4).any(|part| memchr::memmem::find(prompt.as_bytes(), part).is_some())
}

/// The innermost cause of an error: the part that says what happened.
pub(super) fn cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// Where a redirect leads to.
fn location(headers: &HeaderMap) -> Option<String> {
    let location = headers.get(LOCATION)?.to_str().ok()?;
    // A query may hold credentials.
    Some(location.split(['?', '#']).next().unwrap_or_default().chars().take(WORDS_MAX).collect())
}

/// How long a server asks to be left alone: `Retry-After` in seconds or as a date, or the
/// `retry-after-ms` that some servers send besides.
pub(super) fn retry_after_ms(headers: &HeaderMap) -> Option<u64> {
    const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");
    let text = |name: &HeaderName| headers.get(name)?.to_str().ok().map(str::trim);
    let number = |text: &str| text.parse::<f64>().ok().filter(|n| n.is_finite() && *n >= 0.0);
    let wait = if let Some(ms) = text(&RETRY_AFTER_MS).and_then(number) {
        Duration::try_from_secs_f64(ms / 1000.0).unwrap_or(RETRY_AFTER_MAX)
    } else if let Some(seconds) = text(&RETRY_AFTER).and_then(number) {
        Duration::try_from_secs_f64(seconds).unwrap_or(RETRY_AFTER_MAX)
    } else {
        let date = |text: &str| Some(DateTimeParser::new().parse_timestamp(text).ok()?.as_millisecond());
        let until = text(&RETRY_AFTER).and_then(date)?;
        // By the server's own clock, where it tells: ours may differ.
        let now = text(&DATE)
            .and_then(date)
            .or_else(|| Some(Timestamp::try_from(SystemTime::now()).ok()?.as_millisecond()))?;
        Duration::from_millis(u64::try_from(until - now).unwrap_or(0))
    };
    u64::try_from(wait.min(RETRY_AFTER_MAX).as_millis()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(headers: &[(&'static str, &'static str)]) -> Option<u64> {
        let headers = headers.iter().map(|(name, value)| {
            (HeaderName::from_static(name), reqwest::header::HeaderValue::from_static(value))
        });
        retry_after_ms(&headers.collect())
    }

    #[test]
    fn a_wait_is_read_in_every_form() {
        assert_eq!(wait(&[("retry-after", "7")]), Some(7_000));
        assert_eq!(wait(&[("retry-after", "0.25")]), Some(250));
        assert_eq!(wait(&[("retry-after-ms", "40"), ("retry-after", "1")]), Some(40));
        let date = ("date", "Sun, 06 Nov 1994 08:49:30 GMT");
        assert_eq!(wait(&[("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT"), date]), Some(7_000));
        assert_eq!(wait(&[("retry-after", "Sun, 06 Nov 1994 08:49:20 GMT"), date]), Some(0));
        assert_eq!(wait(&[("retry-after", "1e300")]), Some(86_400_000));
        assert_eq!(wait(&[("retry-after", "soon")]), None);
        assert_eq!(wait(&[]), None);
    }
}
