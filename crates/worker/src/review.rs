//! What a review is asked for in, and how one is read from whatever a model wrote.

mod grounding;
mod prose;

use fleet_deliberation::{Finding, Review, Severity};
use serde_json::{Map, Value, json};

use crate::json::{field, objects, shortened, words};
pub use grounding::ground;

/// The name of the schema, for servers that want one.
pub const SCHEMA_NAME: &str = "review";

/// The most findings that are asked for.
pub const FINDINGS_ASKED: usize = 8;
/// The most findings that are kept of one review.
pub const FINDINGS_MAX: usize = 50;

/// Why a text is no review.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// There is nothing to read.
    #[error("the review is empty")]
    Empty,
    /// The review gives no score, so it says nothing that could be counted.
    #[error("the review gives no score")]
    NoScore,
    /// The score is there and cannot be understood.
    #[error("the review's score is not a number from 0 to 10")]
    BadScore,
}

/// The JSON schema of a review.
#[must_use]
pub fn schema() -> Value {
    let text = json!({"type": "string"});
    json!({
        "type": "object",
        "properties": {
            "findings": {
                "type": "array",
                "maxItems": FINDINGS_ASKED,
                "items": {
                    "type": "object",
                    "properties": {
                        "severity": {"type": "string", "enum": ["low", "medium", "high"]},
                        "location": text,
                        "claim": text,
                        "evidence": text,
                    },
                    "required": ["severity", "location", "claim", "evidence"],
                    "additionalProperties": false,
                },
            },
            "score": {"type": "integer", "minimum": 0, "maximum": 10},
            "summary": text,
        },
        "required": ["findings", "score", "summary"],
        "additionalProperties": false,
    })
}

/// Reads a review from what a model wrote: JSON alone, in fences or within prose, with trailing commas,
/// or cut off behind its score; as a last resort prose with a line such as `Score: 7/10`.
pub fn read_review(text: &str) -> Result<Review, Unreadable> {
    if text.trim().is_empty() {
        return Err(Unreadable::Empty);
    }
    let mut reason = Unreadable::NoScore;
    for object in objects(text) {
        match from_object(&object) {
            Ok(review) => return Ok(review),
            Err(Unreadable::BadScore) => reason = Unreadable::BadScore,
            Err(Unreadable::Empty | Unreadable::NoScore) => {}
        }
    }
    // A score within JSON that means nothing is not to be replaced by a number found elsewhere.
    if reason == Unreadable::BadScore { Err(reason) } else { prose::read(text) }
}

fn from_object(object: &Map<String, Value>) -> Result<Review, Unreadable> {
    const WRAPPERS: [&str; 3] = ["review", "result", "evaluation"];
    let Some(score) = field(object, &["score", "overall_score", "rating", "grade"]) else {
        let inner = WRAPPERS.iter().find_map(|name| object.get(*name)?.as_object());
        return inner.map_or(Err(Unreadable::NoScore), from_object);
    };
    let score = match score {
        Value::Number(number) => number.as_f64().and_then(out_of_ten),
        Value::String(text) => score_in(text),
        Value::Null => return Err(Unreadable::NoScore),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    let score = score.ok_or(Unreadable::BadScore)?;
    let findings = match field(object, &["findings", "issues", "problems", "comments", "feedback"]) {
        Some(Value::Array(list)) => list.iter().filter_map(finding).collect(),
        Some(one @ (Value::Object(_) | Value::String(_))) => finding(one).into_iter().collect(),
        Some(_) | None => Vec::new(),
    };
    let summary = words(field(object, &["summary", "overall", "conclusion", "comment", "verdict"]));
    Ok(review(score, findings, &summary))
}

/// A review within its bounds, its findings in order of weight.
fn review(score: f64, mut findings: Vec<Finding>, summary: &str) -> Review {
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    findings.truncate(FINDINGS_MAX);
    Review { score, findings, summary: shortened(summary) }
}

fn finding(value: &Value) -> Option<Finding> {
    let (severity, location, claim, evidence) = match value {
        Value::Object(object) => (
            words(field(object, &["severity", "level", "priority", "importance"])),
            words(field(object, &["location", "line", "where", "place"])),
            words(field(
                object,
                &["claim", "message", "description", "issue", "finding", "problem", "title"],
            )),
            words(field(object, &["evidence", "reason", "why", "details", "explanation", "suggestion"])),
        ),
        Value::String(text) => (String::new(), String::new(), text.clone(), String::new()),
        _ => return None,
    };
    // A finding that claims nothing may still show something.
    let (claim, evidence) =
        if claim.trim().is_empty() { (evidence, String::new()) } else { (claim, evidence) };
    if claim.trim().is_empty() {
        return None;
    }
    let severity = severity_of(&severity).unwrap_or(Severity::Medium);
    Some(Finding::new(severity, shortened(&location), shortened(&claim), shortened(&evidence)))
}

fn severity_of(word: &str) -> Option<Severity> {
    const HIGH: [&str; 9] =
        ["high", "critical", "major", "severe", "blocker", "blocking", "error", "fatal", "serious"];
    const MEDIUM: [&str; 6] = ["medium", "moderate", "warning", "normal", "important", "mid"];
    const LOW: [&str; 11] = [
        "low",
        "minor",
        "trivial",
        "info",
        "nit",
        "note",
        "nitpick",
        "suggestion",
        "style",
        "cosmetic",
        "informational",
    ];
    let word: String =
        word.trim().chars().take(20).take_while(|c| c.is_ascii_alphabetic()).collect::<String>();
    let word = word.to_ascii_lowercase();
    let is = |words: &[&str]| words.contains(&word.as_str());
    if is(&HIGH) {
        Some(Severity::High)
    } else if is(&MEDIUM) {
        Some(Severity::Medium)
    } else if is(&LOW) {
        Some(Severity::Low)
    } else {
        None
    }
}

/// A score out of ten as one from 0 to 1.
fn out_of_ten(score: f64) -> Option<f64> {
    (score.is_finite() && (0.0..=10.0).contains(&score)).then(|| score / 10.0)
}

/// The score at the beginning of a text: `7`, `7/10`, `7 out of 10`, `0.8/1`, `70%`, `8,5`.
fn score_in(text: &str) -> Option<f64> {
    let text = text.trim_start_matches(|c: char| c.is_whitespace() || "*_:`~=\"'(".contains(c));
    let (score, rest) = number(text)?;
    let spaced = rest.starts_with(char::is_whitespace);
    let rest = rest.trim_start_matches(|c: char| c.is_whitespace() || "*_`".contains(c));
    if rest.starts_with('%') {
        return out_of_ten(score / 10.0);
    }
    let of =
        rest.strip_prefix('/').or_else(|| rest.strip_prefix("out of")).or_else(|| rest.strip_prefix("of"));
    let of =
        of.and_then(|rest| number(rest.trim_start_matches(|c: char| c.is_whitespace() || "*_".contains(c))));
    match of {
        Some((best, _)) if best > 0.0 => out_of_ten(score / best * 10.0),
        Some(_) => None,
        // `1e400` or `7b` is no score.
        None if rest.starts_with(|c: char| c.is_ascii_alphanumeric()) && !spaced => None,
        None => out_of_ten(score),
    }
}

/// The number a text begins with, and what follows.
fn number(text: &str) -> Option<(f64, &str)> {
    const DIGITS_MAX: usize = 12;
    let digit = |c: char| c.is_ascii_digit();
    let whole = text.chars().take(DIGITS_MAX).take_while(|c| digit(*c)).count();
    if whole == 0 {
        return None;
    }
    let mut end = whole;
    let fraction = text[end..].strip_prefix(['.', ',']).unwrap_or_default();
    let digits = fraction.chars().take(DIGITS_MAX).take_while(|c| digit(*c)).count();
    if digits > 0 {
        end += 1 + digits;
    }
    let number = text[..end].replace(',', ".").parse().ok()?;
    Some((number, &text[end..]))
}
