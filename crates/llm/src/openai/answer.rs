//! An answer, put together from what a server sends, in whichever form it sends it.

use bytes::Bytes;
use fleet_deliberation::{FailureKind, Generation, Usage};
use fleet_orchestrator::port::{Heard, ModelError, ModelRequest, Tokens};
use tokio::time::Instant;

use super::{Server, error, fault};
use crate::reasoning::Splitter;
use crate::sse::{SseParser, TooLong};
use crate::wire::{Chunk, Completion, Said, ServerFault, Text, WireUsage};

/// The most bytes of an answer and its reasoning.
pub(super) const ANSWER_BYTES_MAX: usize = 4 << 20;
/// The most bytes of an answer that comes in one piece, as JSON.
const BODY_BYTES_MAX: usize = 16 << 20;
/// The most bytes of an answer that comes as a stream, with all that is around its words.
pub(super) const STREAM_BYTES_MAX: usize = 64 << 20;
/// The most bytes of a model's name that are kept.
pub(super) const NAME_BYTES_MAX: usize = 256;
/// How many times the tokens that were allowed a server may stream: some do not count reasoning.
const TOKENS_TIMES_MAX: u64 = 4;
/// And how many more: chunks are not quite tokens.
const TOKENS_MORE_MAX: u64 = 1024;

/// Why what a server sent is no answer.
#[derive(Debug)]
pub(super) enum BadAnswer {
    TooLarge,
    /// A stream without end, or nearly so: of bytes,
    Flood,
    /// or of tokens.
    TooMany {
        tokens: u64,
    },
    NotReadable(String),
    NeitherForm,
    Fault(ServerFault),
    /// The server gave up, with this reason for the end.
    GaveUp(String),
    CutOff {
        tokens: u64,
    },
    Empty {
        tokens: u64,
        truncated: bool,
        reasoned: bool,
    },
}

impl From<TooLong> for BadAnswer {
    fn from(_: TooLong) -> Self {
        BadAnswer::TooLarge
    }
}

impl BadAnswer {
    pub(super) fn into_error(self, server: &Server, request: &ModelRequest) -> ModelError {
        let (name, tokens_max) = (server.label(), request.tokens_max);
        let (kind, message) = match self {
            BadAnswer::TooLarge => (
                FailureKind::Unreadable,
                format!(
                    "{name} sent more than {ANSWER_BYTES_MAX} bytes of answer; lower the tokens it may write"
                ),
            ),
            BadAnswer::Flood => (
                FailureKind::Unreadable,
                format!("{name} sent more than {STREAM_BYTES_MAX} bytes for one answer and was given up"),
            ),
            BadAnswer::TooMany { tokens } => (
                FailureKind::Unreadable,
                format!("{name} streamed {tokens} tokens and no end, though {tokens_max} were allowed"),
            ),
            BadAnswer::NotReadable(why) => (
                FailureKind::Unreadable,
                format!("{name} sent something that is no part of a chat completion: {why}"),
            ),
            BadAnswer::NeitherForm => (
                FailureKind::Unreadable,
                format!(
                    "{name} answered with neither a stream of events nor JSON; is it an OpenAI-compatible server?"
                ),
            ),
            BadAnswer::Fault(fault) => return fault::in_answer(server, request, fault),
            BadAnswer::GaveUp(reason) => {
                (FailureKind::Server, format!("{name} gave the answer up (finish_reason {reason})"))
            }
            BadAnswer::CutOff { tokens } => (
                FailureKind::Connection,
                format!("{name} ended its answer after {tokens} tokens without saying that it was complete"),
            ),
            BadAnswer::Empty { truncated: true, reasoned: true, .. } => (
                FailureKind::Empty,
                format!("the model at {name} spent all {tokens_max} tokens on its reasoning; allow it more"),
            ),
            BadAnswer::Empty { tokens, .. } => {
                (FailureKind::Empty, format!("the model at {name} gave an empty answer ({tokens} tokens)"))
            }
        };
        error(kind, message)
    }
}

/// The form of an answer, known from its first byte.
enum Form {
    Unknown,
    /// One JSON object: the server does not stream.
    Json(Vec<u8>),
    Events(SseParser),
}

pub(super) struct Reading<'a> {
    form: Form,
    answer: Partial<'a>,
    bytes: usize,
}

/// What is known of an answer so far.
struct Partial<'a> {
    request: &'a ModelRequest,
    heard: Heard<'a>,
    started: Instant,
    splitter: Splitter,
    written: u64,
    events: u64,
    first_token_ms: Option<u64>,
    model: Option<String>,
    usage: Option<WireUsage>,
    finish_reason: Option<String>,
    done: bool,
}

impl<'a> Reading<'a> {
    pub(super) fn new(request: &'a ModelRequest, heard: Heard<'a>, started: Instant) -> Reading<'a> {
        let answer = Partial {
            request,
            heard,
            started,
            splitter: Splitter::default(),
            written: 0,
            events: 0,
            first_token_ms: None,
            model: None,
            usage: None,
            finish_reason: None,
            done: false,
        };
        Reading { form: Form::Unknown, answer, bytes: 0 }
    }

    /// Tokens written so far, as far as can be told.
    pub(super) const fn tokens(&self) -> u64 {
        self.answer.written
    }

    /// Events since the first token, that one included: signs of life.
    pub(super) const fn events(&self) -> u64 {
        self.answer.events
    }

    /// Whether the server said that nothing more comes.
    pub(super) const fn is_done(&self) -> bool {
        self.answer.done
    }

    /// Whether the answer is complete, though figures may follow.
    pub(super) const fn has_finished(&self) -> bool {
        self.answer.done || self.answer.finish_reason.is_some()
    }

    pub(super) fn take(&mut self, piece: &Bytes) -> Result<(), BadAnswer> {
        self.bytes = self.bytes.saturating_add(piece.len());
        if self.bytes > STREAM_BYTES_MAX {
            return Err(BadAnswer::Flood);
        }
        let mut piece = &piece[..];
        if matches!(self.form, Form::Unknown) {
            piece = piece.trim_ascii_start();
            match piece.first() {
                None => return Ok(()),
                Some(b'{') => self.form = Form::Json(Vec::new()),
                Some(_) => self.form = Form::Events(SseParser::default()),
            }
        }
        match &mut self.form {
            Form::Unknown => Ok(()),
            Form::Json(body) if body.len() + piece.len() > BODY_BYTES_MAX => Err(BadAnswer::TooLarge),
            Form::Json(body) => {
                body.extend_from_slice(piece);
                Ok(())
            }
            Form::Events(events) => events.feed(piece, |data| self.answer.event(data)),
        }
    }

    /// Says that the body is at its end.
    pub(super) fn end(&mut self) -> Result<(), BadAnswer> {
        match &mut self.form {
            Form::Unknown => Err(BadAnswer::NeitherForm),
            Form::Json(body) => {
                let body = std::mem::take(body);
                self.answer.completion(&body)
            }
            Form::Events(events) => {
                events.finish(|data| self.answer.event(data))?;
                match (events.recognised(), self.has_finished()) {
                    (false, _) => Err(BadAnswer::NeitherForm),
                    (true, false) => Err(BadAnswer::CutOff { tokens: self.answer.written }),
                    (true, true) => Ok(()),
                }
            }
        }
    }

    pub(super) fn finish(self) -> Result<Generation, BadAnswer> {
        self.answer.finish()
    }
}

impl Partial<'_> {
    fn event(&mut self, data: &[u8]) -> Result<(), BadAnswer> {
        if self.done || data.trim_ascii() == b"[DONE]" {
            self.done = true;
            return Ok(());
        }
        let chunk: Chunk<'_> = serde_json::from_slice(data).map_err(not_readable)?;
        if let Some(error) = &chunk.error {
            return Err(BadAnswer::Fault(ServerFault::from_value(error)));
        }
        if self.model.is_none() {
            self.model = chunk.model.and_then(name);
        }
        if chunk.usage.is_some() {
            self.usage = chunk.usage;
        }
        let Some(choice) = chunk.choice else { return Ok(()) };
        self.said(&choice.delta, 1)?;
        let allowed = u64::from(self.request.tokens_max);
        if self.written > allowed.saturating_mul(TOKENS_TIMES_MAX).saturating_add(TOKENS_MORE_MAX) {
            return Err(BadAnswer::TooMany { tokens: self.written });
        }
        if self.written > 0 {
            self.events += 1;
        }
        self.finished(choice.finish_reason.map(|reason| reason.0.into_owned()))
    }

    fn completion(&mut self, body: &[u8]) -> Result<(), BadAnswer> {
        let completion: Completion<'_> = serde_json::from_slice(body).map_err(not_readable)?;
        if let Some(error) = &completion.error {
            return Err(BadAnswer::Fault(ServerFault::from_value(error)));
        }
        let Some(choice) = completion.choice else {
            return Err(BadAnswer::NotReadable("it holds no choices".into()));
        };
        self.model = completion.model.and_then(name);
        self.usage = completion.usage;
        let tokens = self.usage.and_then(|usage| usage.completion_tokens).unwrap_or(1);
        self.said(&choice.message, tokens)?;
        self.finished(Some(
            choice.finish_reason.map_or_else(|| "stop".into(), |reason| reason.0.into_owned()),
        ))
    }

    fn said(&mut self, said: &Said<'_>, tokens: u64) -> Result<(), BadAnswer> {
        let (reasoning, content) = (said.reasoning(), said.content());
        if reasoning.is_empty() && content.is_empty() {
            return Ok(());
        }
        self.splitter.reasoning(reasoning);
        self.splitter.content(content);
        if self.splitter.bytes() > ANSWER_BYTES_MAX {
            return Err(BadAnswer::TooLarge);
        }
        self.written = self.written.saturating_add(tokens);
        if self.first_token_ms.is_none() {
            let ms = self.started.elapsed().as_millis();
            self.first_token_ms = Some(u64::try_from(ms).unwrap_or(u64::MAX));
        }
        let reasoning = self.splitter.is_reasoning();
        for text in [said.reasoning(), content].into_iter().filter(|text| !text.is_empty()) {
            (self.heard)(Tokens { written: self.written, reasoning, text });
        }
        Ok(())
    }

    fn finished(&mut self, reason: Option<String>) -> Result<(), BadAnswer> {
        match reason {
            Some(reason) if matches!(reason.as_str(), "error" | "abort") => Err(BadAnswer::GaveUp(reason)),
            Some(reason) if !reason.is_empty() => {
                self.finish_reason = Some(reason);
                Ok(())
            }
            Some(_) | None => Ok(()),
        }
    }

    fn finish(self) -> Result<Generation, BadAnswer> {
        let written_bytes = self.splitter.bytes();
        let (reasoning, text) = self.splitter.finish();
        let truncated = self.finish_reason.as_deref().is_some_and(|r| matches!(r, "length" | "max_tokens"));
        if text.is_empty() {
            let reasoned = !reasoning.is_empty();
            return Err(BadAnswer::Empty { tokens: self.written, truncated, reasoned });
        }
        Ok(Generation {
            text,
            reasoning,
            model: self.model.unwrap_or_else(|| self.request.model.to_string()),
            temperature: self.request.temperature,
            usage: usage(self.usage, self.request, written_bytes),
            truncated,
            first_token_ms: self.first_token_ms.unwrap_or_default(),
            calls_unknown: 0,
        })
    }
}

/// A model's name as far as it is one.
fn name(given: Text<'_>) -> Option<String> {
    (1..=NAME_BYTES_MAX).contains(&given.0.len()).then(|| given.0.into_owned())
}

/// The server's figures, or ours where it gave none: four bytes are about one token.
fn usage(given: Option<WireUsage>, request: &ModelRequest, written_bytes: usize) -> Usage {
    let tokens = |bytes: usize| u64::try_from(bytes.div_ceil(4)).unwrap_or(u64::MAX);
    let given = given.unwrap_or_default();
    // A server that counts nothing says 0; no answer has none.
    let known = |figure: Option<u64>| figure.filter(|figure| *figure > 0);
    let (prompt, completion) = (known(given.prompt_tokens), known(given.completion_tokens));
    Usage {
        prompt_tokens: prompt
            .unwrap_or_else(|| tokens(request.messages.iter().map(|message| message.text.len()).sum())),
        completion_tokens: completion.unwrap_or_else(|| tokens(written_bytes)),
        estimated: prompt.is_none() || completion.is_none(),
    }
}

fn not_readable(error: serde_json::Error) -> BadAnswer {
    // The text of the error may repeat the answer; its place and class do not.
    BadAnswer::NotReadable(format!("{:?} fault at column {}", error.classify(), error.column()))
}
