//! What judgements and choices are asked for in, and how they are read from what a model wrote.

use std::sync::LazyLock;

use fleet_deliberation::{CITES_MAX, Choice, Chosen, Judgement, Preference, prompts};
use serde_json::{Map, Value, json};

use crate::json::{field, objects, shortened, words};

/// The name of the schema of a judgement, for servers that want one.
pub const JUDGEMENT_NAME: &str = "judgement";
/// The name of the schema of a choice, for servers that want one.
pub const CHOICE_NAME: &str = "choice";

/// Why a text is no judgement or no choice.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It does not say which proposal is better.
    #[error("the judgement does not say which proposal is better: {0}")]
    NoPreference(&'static str),
    /// It does not choose one of the proposals.
    #[error("the choice names none of the proposals")]
    NoChoice,
    /// It rests on nothing that is there.
    #[error("the choice cites no evidence that is there")]
    NoEvidence,
}

/// The JSON schema of a judgement.
#[must_use]
pub fn judgement_schema() -> Value {
    static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
        json!({
            "type": "object",
            "properties": {
                "reason": {"type": "string"},
                "better": {"type": "string", "enum": ["A", "B", "neither"]},
            },
            "required": ["reason", "better"],
            "additionalProperties": false,
        })
    });
    SCHEMA.clone()
}

/// The JSON schema of a choice among `candidates` proposals that may cite `citable`.
#[must_use]
pub fn choice_schema(candidates: usize, citable: &[String]) -> Value {
    let letters: Vec<String> = (0..candidates).map(|place| prompts::label(place).to_string()).collect();
    json!({
        "type": "object",
        "properties": {
            "cites": {
                "type": "array",
                "items": {"type": "string", "enum": citable},
                "minItems": 1,
                "maxItems": CITES_MAX,
            },
            "reason": {"type": "string"},
            "choice": {"type": "string", "enum": letters},
        },
        "required": ["cites", "reason", "choice"],
        "additionalProperties": false,
    })
}

/// Reads which of two proposals a judge prefers: JSON alone, in fences or within prose. The last object that says it
/// counts, as models think before they decide.
pub fn read_judgement(text: &str) -> Result<Judgement, Unreadable> {
    let read = |object: &Map<String, Value>| {
        let better = field(object, &["better", "winner", "preference", "choice", "verdict"])?;
        let preference = match letter(better).as_deref() {
            Some("A") => Preference::First,
            Some("B") => Preference::Second,
            Some("NEITHER" | "TIE" | "BOTH" | "EQUAL" | "NONE") => Preference::Neither,
            _ => return None,
        };
        Some(Judgement { preference, reason: reason(object) })
    };
    let found: Vec<_> = objects(text).collect();
    if found.is_empty() {
        return Err(Unreadable::NoPreference("there is no JSON object in it"));
    }
    let read = found.iter().rev().find_map(read);
    read.ok_or(Unreadable::NoPreference("\"better\" is neither \"A\", \"B\" nor \"neither\""))
}

/// Reads which of `authors`, shown in this order, an architect chose, and which of `citable` it cites; other ids are
/// left out.
pub fn read_choice(
    text: &str,
    authors: &[&fleet_deliberation::AgentId],
    citable: &[String],
) -> Result<Choice, Unreadable> {
    let mut reason_why_not = Unreadable::NoChoice;
    let found: Vec<_> = objects(text).collect();
    for object in found.iter().rev() {
        let Some(chosen) = field(object, &["choice", "chosen", "winner", "better"]).and_then(letter) else {
            continue;
        };
        let Some(place) = (0..authors.len()).find(|place| prompts::label(*place).to_string() == chosen)
        else {
            continue;
        };
        let mut cites: Vec<String> = Vec::new();
        for cite in cited(field(object, &["cites", "evidence", "citations", "ids"])) {
            let known = citable.iter().find(|known| known.eq_ignore_ascii_case(cite.trim()));
            let named = known.and_then(|known| named(known, authors));
            if let Some(named) = named.filter(|named| !cites.contains(named)) {
                cites.push(named);
            }
        }
        cites.truncate(CITES_MAX);
        if cites.is_empty() {
            reason_why_not = Unreadable::NoEvidence;
            continue;
        }
        let chosen = Chosen { author: authors[place].clone(), cites };
        return Ok(Choice { chosen, reason: reason(object) });
    }
    Err(reason_why_not)
}

/// An id with its author's name in place of the letter.
fn named(id: &str, authors: &[&fleet_deliberation::AgentId]) -> Option<String> {
    let (letter, evidence) = id.split_once('/')?;
    let place = (0..authors.len()).find(|place| prompts::label(*place).to_string() == letter)?;
    Some(format!("{}/{evidence}", authors[place]))
}

/// The ids in a list of texts, or in one text that holds several.
fn cited(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Some(Value::String(text)) => {
            text.split([',', ';', ' ']).filter(|id| !id.is_empty()).map(str::to_owned).collect()
        }
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => Vec::new(),
    }
}

/// `A` of `A`, `"a"`, `Proposal A` and `[[A]]`; a longer word in capitals.
fn letter(value: &Value) -> Option<String> {
    let text = value.as_str()?.to_uppercase();
    let mut said = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    said.rfind(|word| *word != "PROPOSAL").map(str::to_owned)
}

fn reason(object: &Map<String, Value>) -> String {
    shortened(&words(field(object, &["reason", "why", "explanation", "rationale"])))
}
