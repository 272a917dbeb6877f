//! JSON objects found within a text, mended where they are nearly JSON.

use std::borrow::Cow;
use std::iter::Peekable;
use std::str::CharIndices;

use serde_json::{Map, Value};

/// The most places at which an object is looked for.
const STARTS_MAX: usize = 8;
/// The deepest nesting that is mended.
const DEPTH_MAX: usize = 64;
/// The most bytes that are kept of one text of an object.
pub const TEXT_BYTES_MAX: usize = 4096;
/// The most items of a list that are taken as words.
const WORDS_MAX: usize = 50;
/// The most bytes of a text that are searched for objects.
const BYTES_MAX: usize = 1 << 20;

/// The objects of a text: those behind a fence first, then every one that is not within another.
pub(crate) fn objects(text: &str) -> impl Iterator<Item = Map<String, Value>> {
    let end = (0..=BYTES_MAX.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let text = &text[..end];
    let fenced = text.match_indices("```").filter_map(|(at, _)| {
        let behind = text[at + 3..].trim_start_matches(|c: char| c.is_ascii_alphabetic()).trim_start();
        behind.starts_with('{').then_some(behind)
    });
    let mut rest = text;
    let outermost = std::iter::from_fn(move || {
        let start = rest.find('{')?;
        let mended = Mended::new(&rest[start..]);
        // Behind the object if it has an end, else within it: prose may hold a lone brace.
        rest = &rest[start + mended.length.unwrap_or(1)..];
        Some(mended)
    });
    fenced.take(STARTS_MAX).map(Mended::new).chain(outermost.take(STARTS_MAX)).filter_map(Mended::object)
}

/// The first of the named fields that is there, whatever the case of its letters.
pub(crate) fn field<'a>(object: &'a Map<String, Value>, names: &[&str]) -> Option<&'a Value> {
    names.iter().find_map(|name| {
        object.get(*name).or_else(|| {
            object.iter().find(|(key, _)| key.trim().eq_ignore_ascii_case(name)).map(|(_, value)| value)
        })
    })
}

pub(crate) fn words(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Array(list)) => {
            list.iter().filter_map(Value::as_str).take(WORDS_MAX).collect::<Vec<_>>().join("; ")
        }
        Some(Value::Null | Value::Bool(_) | Value::Object(_)) | None => String::new(),
    }
}

/// A text without white space around it, shortened to [`TEXT_BYTES_MAX`].
pub(crate) fn shortened(text: &str) -> String {
    let text = text.trim();
    let text: Cow<'_, str> = if text.len() <= TEXT_BYTES_MAX {
        text.into()
    } else {
        let end = (0..=TEXT_BYTES_MAX).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        format!("{}…", &text[..end]).into()
    };
    text.into_owned()
}

/// An object without trailing commas and comments, closed where it was cut off.
struct Mended {
    text: String,
    /// How many bytes of the original it took, if it had an end.
    length: Option<usize>,
}

/// What a brace or a bracket holds open.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Object,
    List,
}

impl Mended {
    fn new(text: &str) -> Mended {
        let mut out = String::with_capacity(text.len().min(4096));
        let mut open: Vec<Open> = Vec::new();
        // What was written and how much was open when a value or a member was last complete.
        let mut complete = (0, 0);
        let mut chars = text.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    let ended = string(&mut chars, &mut out);
                    if !ended {
                        break;
                    }
                    let rest = chars.peek().map_or("", |(at, _)| &text[*at..]);
                    let is_key = open.last() == Some(&Open::Object) && rest.trim_start().starts_with(':');
                    if !is_key {
                        complete = (out.len(), open.len());
                    }
                }
                '{' | '[' => {
                    if open.len() == DEPTH_MAX {
                        break;
                    }
                    open.push(if c == '{' { Open::Object } else { Open::List });
                    out.push(c);
                    complete = (out.len(), open.len());
                }
                '}' | ']' => {
                    let closes = if c == '}' { Open::Object } else { Open::List };
                    if open.last() != Some(&closes) {
                        break;
                    }
                    drop_trailing_comma(&mut out);
                    out.push(c);
                    open.pop();
                    complete = (out.len(), open.len());
                    if open.is_empty() {
                        return Mended { text: out, length: Some(at + 1) };
                    }
                }
                ',' => {
                    // What stands before a comma is complete: a number may be, behind which nothing tells.
                    complete = (out.len(), open.len());
                    out.push(c);
                }
                '/' if text[at..].starts_with("//") => while chars.next_if(|(_, c)| *c != '\n').is_some() {},
                c if c.is_whitespace() => out.push(' '),
                c => out.push(c),
            }
        }
        // Cut off. A number or a word at the very end may be whole; if not, back to what was complete.
        let as_it_stands = closed(&out, &open);
        if chars.peek().is_none() && serde_json::from_str::<Value>(&as_it_stands).is_ok() {
            return Mended { text: as_it_stands, length: None };
        }
        Mended { text: closed(&out[..complete.0], &open[..complete.1]), length: None }
    }

    fn object(self) -> Option<Map<String, Value>> {
        match serde_json::from_str(&self.text) {
            Ok(Value::Object(object)) => Some(object),
            Ok(_) | Err(_) => None,
        }
    }
}

/// Copies the rest of a string up to its end, if it has one.
fn string(chars: &mut Peekable<CharIndices<'_>>, out: &mut String) -> bool {
    out.push('"');
    while let Some((_, c)) = chars.next() {
        match c {
            '"' => {
                out.push(c);
                return true;
            }
            '\\' => match chars.next() {
                Some((_, escaped)) => out.extend([c, escaped]),
                None => return false,
            },
            // Written as they are, though JSON wants them escaped.
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    false
}

fn closed(text: &str, open: &[Open]) -> String {
    let mut out = text.to_owned();
    drop_trailing_comma(&mut out);
    out.extend(open.iter().rev().map(|open| if *open == Open::Object { '}' } else { ']' }));
    out
}

fn drop_trailing_comma(out: &mut String) {
    let trimmed = out.trim_end();
    let kept = trimmed.strip_suffix(',').map_or(out.len(), str::len);
    out.truncate(kept);
}
