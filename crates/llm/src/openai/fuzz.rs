//! Spoilt answers, for a fixed time: whatever a server sends, nothing panics, nothing takes for ever, what is
//! kept has its bounds, and where it was cut into pieces makes no difference.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use fleet_deliberation::Generation;
use fleet_orchestrator::port::{ModelRequest, Tokens};
use fleet_scripted::{Chance, fuzz};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::time::Instant;

use super::answer::{ANSWER_BYTES_MAX, BadAnswer, NAME_BYTES_MAX, Reading};
use super::{fault, test_call};
use crate::reasoning::Splitter;
use crate::sse::{EVENT_BYTES_MAX, SseParser, TooLong};
use crate::wire::ServerFault;

const CORPUS: [&[u8]; 6] = [
    include_bytes!("fuzz/corpus/plain.sse"),
    include_bytes!("fuzz/corpus/reasoning.sse"),
    include_bytes!("fuzz/corpus/think.sse"),
    include_bytes!("fuzz/corpus/fault.sse"),
    include_bytes!("fuzz/corpus/lines.sse"),
    include_bytes!("fuzz/corpus/whole.json"),
];

const REFUSALS: [&[u8]; 1] = [include_bytes!("fuzz/corpus/refusals.txt")];

const WORDS: [&[u8]; 30] = [
    b"data: ",
    b"data:",
    b"\n\n",
    b"\r\n\r\n",
    b"\r",
    b"[DONE]",
    b"error: ",
    b"event: x\n",
    b": \n",
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b"null",
    b"-1",
    b"1e999",
    b"18446744073709551616",
    b"<think>",
    b"</think>",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\"choices\":",
    b"\"delta\":{\"content\":\"",
    b"\"finish_reason\":\"",
    b"\"usage\":{\"completion_tokens\":",
    b"\xc3",
];

fn request() -> ModelRequest {
    test_call::request("tiny", Arc::default(), 60_000).expect("a request")
}

/// What is made of an answer that comes in these pieces, as the call that reads it does.
fn read(request: &ModelRequest, pieces: &[&[u8]]) -> (Result<Generation, BadAnswer>, String) {
    let heard = Mutex::new((String::new(), 0));
    let hear = |tokens: Tokens<'_>| {
        let mut heard = heard.lock().expect("no panic");
        heard.0.push_str(tokens.text);
        assert!(tokens.written >= heard.1, "tokens only become more");
        heard.1 = tokens.written;
    };
    let mut reading = Reading::new(request, &hear, Instant::now());
    let result = (|| {
        for piece in pieces {
            reading.take(&Bytes::copy_from_slice(piece))?;
            if reading.is_done() {
                return reading.finish();
            }
        }
        reading.end()?;
        reading.finish()
    })();
    (result, heard.into_inner().expect("no panic").0)
}

/// What counts of a result; how long the first token took is chance.
fn told(result: &Result<Generation, BadAnswer>) -> String {
    match result {
        Ok(generation) => format!("{:?}", Generation { first_token_ms: 0, ..generation.clone() }),
        Err(bad) => format!("{bad:?}"),
    }
}

#[test]
fn whatever_comes_as_an_answer_is_one_or_is_none() {
    let request = request();
    fuzz("answers", &CORPUS, &WORDS, |input, chance| {
        let (whole, heard) = read(&request, &[input]);
        let (cut, heard_cut) = read(&request, &chance.cut(input, 9));
        assert_eq!(told(&whole), told(&cut), "where it is cut does not matter");
        if whole.is_ok() {
            assert_eq!(heard, heard_cut);
        }
        assert!(heard.len() <= input.len());
        if let Ok(answer) = whole {
            assert!(!answer.text.is_empty() && answer.text.trim() == answer.text);
            assert!(answer.text.len() + answer.reasoning.len() <= ANSWER_BYTES_MAX);
            assert!(answer.model.len() <= NAME_BYTES_MAX.max(request.model.len()));
        }
    });
}

fn events(pieces: &[&[u8]]) -> (Vec<Vec<u8>>, bool) {
    let (mut parser, mut events) = (SseParser::default(), Vec::new());
    let mut keep = |data: &[u8]| {
        assert!(data.len() <= EVENT_BYTES_MAX + 16);
        events.push(data.to_vec());
        Ok::<(), TooLong>(())
    };
    let fed = pieces.iter().try_for_each(|piece| parser.feed(piece, &mut keep));
    let ended = fed.and_then(|()| parser.finish(&mut keep));
    (events, ended.is_ok())
}

#[test]
fn whatever_comes_as_events_is_taken_apart_the_same_wherever_it_is_cut() {
    fuzz("events", &CORPUS, &WORDS, |input, chance| {
        let (whole, ended) = events(&[input]);
        assert!(ended, "no input here is too long");
        assert_eq!(events(&chance.cut(input, 9)), (whole.clone(), ended));
        // An error in a field of its own gets a frame of ten bytes.
        let bytes: usize = whole.iter().map(Vec::len).sum();
        assert!(bytes <= input.len() * 3 + 16, "{bytes} of {}", input.len());
    });
}

#[test]
fn whatever_comes_as_text_is_split_the_same_wherever_it_is_cut() {
    fuzz("reasoning", &CORPUS, &WORDS, |input, chance| {
        let text = String::from_utf8_lossy(input);
        let split = |pieces: &[&str]| {
            let mut splitter = Splitter::default();
            pieces.iter().for_each(|piece| splitter.content(piece));
            assert_eq!(splitter.bytes(), text.len());
            splitter.finish()
        };
        let whole = split(&[&text]);
        assert_eq!(split(&pieces(&text, chance)), whole);
        assert!(whole.0.len() + whole.1.len() <= text.len());
    });
}

/// A text in pieces, of which none ends within a letter.
fn pieces<'a>(text: &'a str, chance: &mut Chance) -> Vec<&'a str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    for _ in 0..8 {
        let at = (chance.below(rest.len() + 1)..=rest.len()).find(|at| rest.is_char_boundary(*at));
        let (head, tail) = rest.split_at(at.unwrap_or(rest.len()));
        pieces.push(head);
        rest = tail;
    }
    pieces.push(rest);
    pieces
}

#[test]
fn whatever_comes_as_a_refusal_gives_a_message_within_bounds() {
    fuzz("refusals", &REFUSALS, &WORDS, |input, chance| {
        for line in input.split(|byte| *byte == b'\n').take(64) {
            let fault = ServerFault::read(line);
            let _ = fault.is_context_too_long();
            assert!(fault.status().is_none_or(|code| (400..600).contains(&code)));
        }
        let (from, to) = chance.range(input.len().min(64));
        let headers = ["retry-after", "retry-after-ms", "date"].into_iter().filter_map(|name| {
            let value = HeaderValue::from_bytes(&input[from..to]).ok()?;
            Some((HeaderName::from_static(name), value))
        });
        let wait = fault::retry_after_ms(&headers.collect::<HeaderMap>());
        assert!(wait.is_none_or(|ms| ms <= 24 * 60 * 60 * 1000));
    });
}
