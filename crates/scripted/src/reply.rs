//! What the server answers to a call, piece by piece.

use bytes::Bytes;
use fleet_llm::wire::{Chunk, ChunkChoice, Completion, CompletionChoice, ErrorBody, Said, Text, WireUsage};
use serde::Serialize;

use crate::{Call, Gate};

/// How a reply ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Whole,
    Cut,
    Silence,
    Never,
}

/// What the server answers to a call.
#[derive(Debug, Clone)]
pub struct Reply {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) gate: Option<Gate>,
    pub(crate) wait_ms: u64,
    pub(crate) between_ms: u64,
    pub(crate) pieces: Vec<Bytes>,
    pub(crate) end: End,
    /// No status is sent either: the end comes first.
    pub(crate) without_status: bool,
}

impl Reply {
    /// A body in the given pieces.
    #[must_use]
    pub fn pieces(status: u16, content_type: &'static str, pieces: Vec<Bytes>) -> Reply {
        Reply {
            status,
            content_type,
            headers: Vec::new(),
            gate: None,
            wait_ms: 0,
            between_ms: 0,
            pieces,
            end: End::Whole,
            without_status: false,
        }
    }

    /// A body of any kind.
    #[must_use]
    pub fn raw(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Reply {
        Reply::pieces(status, content_type, vec![body.into()])
    }

    /// A JSON body.
    #[must_use]
    pub fn json(status: u16, body: &impl Serialize) -> Reply {
        Reply::raw(status, "application/json", json(body))
    }

    /// An error as vLLM and llama.cpp write it.
    #[must_use]
    pub fn error(status: u16, kind: &str, message: &str) -> Reply {
        Reply::json(status, &ErrorBody::new(status, kind, message))
    }

    /// A stream of events with the given data, each a piece of its own.
    #[must_use]
    pub fn events<D: AsRef<str>>(data: impl IntoIterator<Item = D>) -> Reply {
        let pieces = data.into_iter().map(|data| event(data.as_ref().as_bytes())).collect();
        Reply::pieces(200, "text/event-stream", pieces)
    }

    /// An answer in the form the call asks for, streamed in `chunks` chunks.
    #[must_use]
    pub fn answer(call: &Call, text: &str, chunks: usize) -> Reply {
        if !call.stream {
            return Reply::json(200, &completion(&call.model, text));
        }
        Reply::pieces(200, "text/event-stream", stream(&call.model, text, chunks, call.include_usage))
    }

    /// The connection is closed before anything is answered.
    #[must_use]
    pub fn hang_up() -> Reply {
        let mut reply = Reply::pieces(200, "", Vec::new()).then_cut();
        reply.without_status = true;
        reply
    }

    /// Nothing is ever answered.
    #[must_use]
    pub fn silence() -> Reply {
        let mut reply = Reply::pieces(200, "", Vec::new()).then_silence();
        reply.without_status = true;
        reply
    }

    /// The same reply with a header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Reply {
        self.headers.push((name, value.into()));
        self
    }

    /// The same reply, begun when a gate is open; other waits come after that.
    #[must_use]
    pub fn behind(mut self, gate: &Gate) -> Reply {
        self.gate = Some(gate.clone());
        self
    }

    /// The same reply, begun after a wait.
    #[must_use]
    pub const fn after_ms(mut self, ms: u64) -> Reply {
        self.wait_ms = ms;
        self
    }

    /// The same reply with a wait between its pieces.
    #[must_use]
    pub const fn between_ms(mut self, ms: u64) -> Reply {
        self.between_ms = ms;
        self
    }

    /// Only the first pieces of the reply.
    #[must_use]
    pub fn first(mut self, pieces: usize) -> Reply {
        self.pieces.truncate(pieces);
        self
    }

    /// The same pieces, then the connection is cut.
    #[must_use]
    pub const fn then_cut(mut self) -> Reply {
        self.end = End::Cut;
        self
    }

    /// The same pieces over and over, as long as they are read.
    #[must_use]
    pub const fn then_again(mut self) -> Reply {
        self.end = End::Never;
        self
    }

    /// The same pieces, then nothing more, and no end.
    #[must_use]
    pub const fn then_silence(mut self) -> Reply {
        self.end = End::Silence;
        self
    }
}

/// A whole answer in one piece.
pub(crate) fn completion<'a>(model: &'a str, text: &'a str) -> Completion<'a> {
    let said = Said { role: Some("assistant".into()), content: Some(text.into()), ..Said::default() };
    let choice = CompletionChoice { index: 0, message: said, finish_reason: Some("stop".into()) };
    Completion { model: Some(model.into()), choice: Some(choice), usage: Some(usage(text)), error: None }
}

/// A whole answer as the events of a stream.
pub(crate) fn stream(model: &str, text: &str, chunks: usize, with_usage: bool) -> Vec<Bytes> {
    let size = text.len().div_ceil(chunks.max(1)).max(1);
    let mut pieces = Vec::with_capacity(chunks + 3);
    let mut rest = text;
    while !rest.is_empty() {
        let at = (size.min(rest.len())..=rest.len()).find(|at| rest.is_char_boundary(*at));
        let (head, tail) = rest.split_at(at.unwrap_or(rest.len()));
        pieces.push(chunk(model, Some(head), None));
        rest = tail;
    }
    pieces.push(chunk(model, None, Some("stop")));
    if with_usage {
        let last = Chunk { model: Some(model.into()), usage: Some(usage(text)), ..Chunk::default() };
        pieces.push(event(&json(&last)));
    }
    pieces.push(event(b"[DONE]"));
    pieces
}

fn chunk(model: &str, content: Option<&str>, finish_reason: Option<&str>) -> Bytes {
    let delta = Said { content: content.map(Text::from), ..Said::default() };
    let choice = ChunkChoice { index: 0, delta, finish_reason: finish_reason.map(Text::from) };
    event(&json(&Chunk { model: Some(model.into()), choice: Some(choice), ..Chunk::default() }))
}

fn usage(text: &str) -> WireUsage {
    let completion = u64::try_from(text.len().div_ceil(4)).unwrap_or(u64::MAX);
    WireUsage {
        prompt_tokens: Some(100),
        completion_tokens: Some(completion),
        total_tokens: Some(100 + completion),
    }
}

fn event(data: &[u8]) -> Bytes {
    [b"data: ", data, b"\n\n"].concat().into()
}

fn json(value: &impl Serialize) -> Vec<u8> {
    // Nothing that is served here can fail to be written.
    serde_json::to_vec(value).unwrap_or_default()
}
