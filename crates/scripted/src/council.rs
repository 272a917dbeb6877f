//! The script of a whole council: proposals that differ by agent, reviews with findings.

use std::collections::BTreeMap;
use std::fmt::Write;

use bytes::Bytes;
use fleet_llm::wire::ErrorBody;
use serde_json::json;

use crate::reply::{completion, stream};
use crate::{Call, Gate, Reply, Script};

/// How many different answers of each kind there are.
const VARIANTS: usize = 64;

/// Answers the calls of a council: Markdown with a valid Python block for proposals and revisions,
/// a review with one or two findings where JSON is asked for. Everything is written once, when it is
/// made, so that answering costs as little as it can.
#[derive(Debug)]
pub struct Council {
    latency_ms: u64,
    review_latency_ms: u64,
    between_ms: u64,
    gates: BTreeMap<String, Gate>,
    model: String,
    proposals: Vec<Rendered>,
    reviews: Vec<Rendered>,
}

/// One answer in every form it can be asked for.
#[derive(Debug)]
struct Rendered {
    plain: Vec<Bytes>,
    with_usage: Vec<Bytes>,
    completion: Bytes,
}

impl Rendered {
    fn new(model: &str, text: &str, chunks: usize, in_one: bool) -> Rendered {
        let join = |pieces: Vec<Bytes>| if in_one { vec![pieces.concat().into()] } else { pieces };
        Rendered {
            plain: join(stream(model, text, chunks, false)),
            with_usage: join(stream(model, text, chunks, true)),
            completion: serde_json::to_vec(&completion(model, text)).unwrap_or_default().into(),
        }
    }
}

impl Council {
    /// A council behind `model` whose answers begin after `latency_ms`, are about `answer_bytes` long,
    /// and are streamed in `chunks` chunks, `between_ms` apart.
    #[must_use]
    pub fn new(model: &str, latency_ms: u64, answer_bytes: usize, chunks: usize, between_ms: u64) -> Council {
        let render = |text: String| Rendered::new(model, &text, chunks, between_ms == 0);
        Council {
            latency_ms,
            review_latency_ms: latency_ms,
            between_ms,
            gates: BTreeMap::new(),
            model: model.into(),
            proposals: (0..VARIANTS).map(|n| render(proposal(n, answer_bytes))).collect(),
            reviews: (0..VARIANTS).map(|n| render(review(n, answer_bytes))).collect(),
        }
    }

    /// The same council, whose reviews begin after a time of their own.
    #[must_use]
    pub const fn reviews_after_ms(mut self, ms: u64) -> Council {
        self.review_latency_ms = ms;
        self
    }

    /// The same council, whose answers to jobs of a kind, such as `critique`, wait behind a gate.
    #[must_use]
    pub fn behind(mut self, kind: &str, gate: &Gate) -> Council {
        self.gates.insert(kind.to_owned(), gate.clone());
        self
    }

    /// The model whose name the answers bear.
    #[must_use]
    pub fn model(&self) -> &str {
        &self.model
    }
}

impl Script for Council {
    fn reply(&self, call: &Call) -> Reply {
        // A job's id is `{deliberation}/{round}/{kind}/{agent}`; other callers may say anything.
        let mut parts = call.caller.rsplit('/');
        let (agent, kind) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let round = parts.next().unwrap_or_default();
        let variant = (number_at_end(agent) + 7 * number_at_end(round)) % VARIANTS;
        let wants_json = call.format.as_deref().is_some_and(|format| format.starts_with("json"));
        let (answers, latency_ms) = if wants_json || kind == "critique" {
            (&self.reviews, self.review_latency_ms)
        } else {
            (&self.proposals, self.latency_ms)
        };
        let Some(answer) = answers.get(variant) else {
            return Reply::json(500, &ErrorBody::new(500, "server_error", "no such answer"));
        };
        let reply = match (call.stream, call.include_usage) {
            (false, _) => Reply::raw(200, "application/json", answer.completion.clone()),
            (true, true) => Reply::pieces(200, "text/event-stream", answer.with_usage.clone()),
            (true, false) => Reply::pieces(200, "text/event-stream", answer.plain.clone()),
        };
        let reply = reply.after_ms(latency_ms).between_ms(self.between_ms);
        match self.gates.get(kind) {
            Some(gate) => reply.behind(gate),
            None => reply,
        }
    }
}

/// The number an agent's name ends with, or one made of its letters.
fn number_at_end(name: &str) -> usize {
    let digits = name.len() - name.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    match name[name.len() - digits..].parse::<usize>() {
        Ok(number) => number % VARIANTS,
        Err(_) => name.bytes().fold(0, |sum, byte| (sum * 31 + usize::from(byte)) % VARIANTS),
    }
}

const SENTENCES: [&str; 5] = [
    "The input is checked before anything else is done with it.",
    "Each step can be tested without the others.",
    "What cannot be computed is reported rather than guessed.",
    "The common case stays short, and the odd cases are named.",
    "Nothing is kept that can be worked out again.",
];

fn proposal(variant: usize, bytes: usize) -> String {
    let mut text = format!(
        "## Analysis\n\nVariant {variant} of the scripted answers.\n\n## Approach\n\nStep by {step}.\n\n\
         ## Implementation\n\n```python\ndef solve_{variant}(values):\n    \"\"\"Sum every {step}. value.\"\"\"\n    \
         if not values:\n        return 0\n    return sum(values[::{step}])\n```\n\n## Challenges\n\n",
        step = variant % 5 + 1,
    );
    pad(&mut text, bytes, variant);
    text
}

fn review(variant: usize, bytes: usize) -> String {
    let findings = 1 + variant % 2;
    let score = 4 + variant % 6;
    let mut evidence = format!("solve_{variant}(0) gives nothing.");
    // What surrounds the evidence takes some 200 bytes for each finding.
    pad(&mut evidence, bytes.saturating_sub(300 * findings) / findings, variant);
    let finding = |n: usize| {
        json!({
            "severity": (["medium", "low", "high"][(variant + n) % 3]),
            "location": format!("solve_{variant}, line {}", n + 2),
            "claim": format!("Case {n} of variant {variant} is not covered by a test."),
            "evidence": evidence,
        })
    };
    let findings: Vec<_> = (0..findings).map(finding).collect();
    let summary = format!("Sound, with {} things to mend.", findings.len());
    json!({"findings": findings, "score": score, "summary": summary}).to_string()
}

fn pad(text: &mut String, bytes: usize, variant: usize) {
    let mut n = variant;
    while text.len() < bytes {
        let _ = write!(text, "{} ", SENTENCES[n % SENTENCES.len()]);
        n += 1;
    }
    text.truncate(text.trim_end().len());
}
