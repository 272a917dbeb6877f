//! YAML: the parser's events, put together into documents.

use std::collections::{BTreeMap, BTreeSet};

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError, Span, Tag};
use serde_json::{Number, Value};

use super::{BadData, Content, DEPTH_MAX, Document, Entry, NODES_MAX, Node};

/// Reads the documents of a text.
pub(super) fn documents(text: &str) -> Result<Vec<Document>, BadData> {
    let options = granit_parser::options! {
        flow_nesting_limit: DEPTH_MAX,
        block_nesting_limit: DEPTH_MAX,
    };
    let mut builder = Builder::default();
    for next in Parser::new_from_str_with_options(text, options) {
        let (event, span) = next.map_err(|error| bad(text, &error))?;
        builder.take(event, &span)?;
    }
    Ok(builder.documents)
}

fn bad(text: &str, error: &ScanError) -> BadData {
    let at = error.marker().byte_offset().unwrap_or(0).min(text.len());
    if *error.kind() == ErrorKind::RecursionLimitExceeded {
        return BadData::too_deep(at);
    }
    let info = error.info();
    if info.contains("tab") {
        // The parser may name the place before it.
        let begin = text.as_bytes()[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let mut line_at = begin;
        for line in text.get(begin..).unwrap_or_default().split_inclusive('\n').take(2) {
            let blank = line.len() - line.trim_start_matches([' ', '\t']).len();
            if let Some(tab) = line[..blank].find('\t') {
                return BadData::new(line_at + tab, "a tab in the indentation, which YAML does not take");
            }
            line_at += line.len();
        }
    }
    BadData::new(at, info)
}

#[derive(Default)]
struct Builder {
    documents: Vec<Document>,
    open: Vec<Open>,
    /// What aliases repeat, with its size and depth.
    anchors: BTreeMap<usize, (Node, usize, usize)>,
    nodes: usize,
    line: u32,
    odd_keys: bool,
}

/// A list or map that has begun.
struct Open {
    at: usize,
    anchor: usize,
    of: Of,
}

enum Of {
    List(Vec<Node>),
    Map { entries: Vec<Entry>, keys: BTreeSet<String>, key: Option<(usize, String)>, merged: Vec<Node> },
}

impl Builder {
    fn take(&mut self, event: Event<'_>, span: &Span) -> Result<(), BadData> {
        let at = span.start.byte_offset().unwrap_or(0);
        if self.open.is_empty() && event.is_node() {
            self.line = u32::try_from(span.start.line()).unwrap_or(u32::MAX).max(1);
        }
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let value = scalar(&text, style, tag.as_deref());
                self.put(Node { at, content: Content::Scalar(value) }, anchor)
            }
            Event::SequenceStart(_, anchor, _) => self.begin(at, anchor, Of::List(Vec::new())),
            Event::MappingStart(_, anchor, _) => {
                let (entries, keys, merged) = (Vec::new(), BTreeSet::new(), Vec::new());
                self.begin(at, anchor, Of::Map { entries, keys, key: None, merged })
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(open) = self.open.pop() else { return Ok(()) };
                let content = match open.of {
                    Of::List(items) => Content::List(items),
                    Of::Map { entries, keys, merged, .. } => Content::Map(self.merge(entries, keys, merged)?),
                };
                self.put(Node { at: open.at, content }, open.anchor)
            }
            Event::Alias(anchor) => {
                let Some((node, size, depth)) = self.anchors.get(&anchor) else {
                    return Err(BadData::new(at, "an alias within what it repeats"));
                };
                let (size, depth) = (*size, *depth);
                self.nodes += size;
                if self.nodes > NODES_MAX {
                    return Err(BadData::too_many(at));
                }
                if self.open.len() + depth > DEPTH_MAX {
                    return Err(BadData::too_deep(at));
                }
                let node = Node { at, content: node.content.clone() };
                self.put(node, 0)
            }
            Event::DocumentEnd => {
                self.anchors.clear();
                self.odd_keys = false;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn begin(&mut self, at: usize, anchor: usize, of: Of) -> Result<(), BadData> {
        if self.open.len() >= DEPTH_MAX {
            return Err(BadData::too_deep(at));
        }
        self.open.push(Open { at, anchor, of });
        Ok(())
    }

    /// A whole node: goes where it belongs.
    fn put(&mut self, node: Node, anchor: usize) -> Result<(), BadData> {
        self.nodes += 1;
        if anchor != 0 {
            let (size, depth) = (node.size(), node.depth());
            // The copy for its aliases takes room as well.
            self.nodes += size;
            self.anchors.insert(anchor, (node.clone(), size, depth));
        }
        if self.nodes > NODES_MAX {
            return Err(BadData::too_many(node.at));
        }
        let Some(open) = self.open.last_mut() else {
            // A document of nothing is none: what stands between `---` and `---`.
            if node.content != Content::Scalar(Value::Null) {
                self.documents.push(Document::new(node, self.line, self.odd_keys));
            }
            return Ok(());
        };
        match &mut open.of {
            Of::List(items) => items.push(node),
            Of::Map { entries, keys, key, merged } => match key.take() {
                None => {
                    let text = match &node.content {
                        Content::Scalar(Value::String(text)) => text.clone(),
                        Content::Scalar(value) => value.to_string(),
                        Content::List(_) | Content::Map(_) => {
                            self.odd_keys = true;
                            node.value().to_string()
                        }
                    };
                    if !keys.insert(text.clone()) {
                        let message = format!("the key `{text}` stands twice in one map");
                        return Err(BadData::new(node.at, message));
                    }
                    *key = Some((node.at, text));
                }
                Some((_, key)) if key == "<<" && !matches!(node.content, Content::Scalar(_)) => {
                    match node.content {
                        Content::List(items) => merged.extend(items),
                        _ => merged.push(node),
                    }
                }
                Some((at, key)) => entries.push(Entry { at, key, node }),
            },
        }
        Ok(())
    }

    /// The entries of a map with those of the maps that are merged into it, which its own go before.
    fn merge(
        &mut self,
        mut entries: Vec<Entry>,
        mut keys: BTreeSet<String>,
        merged: Vec<Node>,
    ) -> Result<Vec<Entry>, BadData> {
        for node in merged {
            let at = node.at;
            let Content::Map(more) = node.content else { continue };
            entries.extend(more.into_iter().filter(|entry| keys.insert(entry.key.clone())));
            if entries.len() > NODES_MAX {
                return Err(BadData::too_many(at));
            }
        }
        Ok(entries)
    }
}

/// A scalar as YAML's core schema reads it.
fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Value {
    let string = || Value::String(text.to_owned());
    if style != ScalarStyle::Plain || tag.is_some_and(|tag| tag.core_suffix() == Some("str")) {
        return string();
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    number(text).map_or_else(string, Value::Number)
}

fn number(text: &str) -> Option<Number> {
    for (prefix, radix) in [("0x", 16), ("0o", 8)] {
        if let Some(digits) = text.strip_prefix(prefix) {
            // Digits only: `from_str_radix` takes a sign.
            let plain = digits.chars().all(|c| c.is_digit(radix));
            return u64::from_str_radix(digits, radix).ok().filter(|_| plain).map(Number::from);
        }
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let whole = text.strip_prefix('+').unwrap_or(text);
        let number = whole.parse::<i64>().map(Number::from);
        return number.or_else(|_| whole.parse::<u64>().map(Number::from)).ok().or_else(|| float(text));
    }
    let known = digits.bytes().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte));
    known.then(|| float(text)).flatten()
}

fn float(text: &str) -> Option<Number> {
    text.parse::<f64>().ok().and_then(Number::from_f64)
}
