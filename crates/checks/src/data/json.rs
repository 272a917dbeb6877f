//! JSON, with what is wrong about it said the way people get it wrong.

use std::collections::BTreeSet;

use serde_json::{Number, Value};

use super::{BadData, Content, DEPTH_MAX, Document, Entry, NODES_MAX, Node};

/// Reads the values of a text; `relaxed` takes comments and trailing commas.
pub(super) fn documents(text: &str, relaxed: bool) -> Result<Vec<Document>, BadData> {
    let mut reader = Reader { text, at: 0, relaxed, left_out: false, nodes: 0 };
    let mut found = Vec::new();
    let (mut line, mut counted) = (1u32, 0);
    loop {
        reader.space()?;
        let Some(_) = reader.peek() else { return Ok(found) };
        let begin = reader.at;
        line += u32::try_from(text[counted..begin].matches('\n').count()).unwrap_or(u32::MAX);
        counted = begin;
        let mut root = reader.value(1)?;
        reader.space()?;
        if root.text().is_some() && reader.peek() == Some(':') {
            // An excerpt: what stands within an object, without the object.
            reader.at = begin;
            root = reader.members(begin, 1, None)?;
        }
        if reader.peek() == Some(',') {
            reader.at += 1;
        }
        found.push(Document::new(root, line, false));
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    relaxed: bool,
    /// Whether `...` or a comment with it was passed since this was last set to false.
    left_out: bool,
    nodes: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Passes white space, comments where they may stand, and what says that something is left out.
    fn space(&mut self) -> Result<(), BadData> {
        loop {
            let rest = self.rest();
            self.at += rest.len() - rest.trim_start().len();
            let rest = self.rest();
            let length = if rest.starts_with("...") {
                3
            } else if rest.starts_with('…') {
                '…'.len_utf8()
            } else if rest.starts_with("//") {
                rest.find('\n').unwrap_or(rest.len())
            } else if rest.starts_with("/*") {
                let Some(end) = rest.find("*/") else {
                    return Err(BadData::new(self.at, "the comment is never closed"));
                };
                end + 2
            } else {
                return Ok(());
            };
            let passed = &rest[..length];
            let leaves_out = passed.contains("...") || passed.contains('…');
            if !leaves_out && !self.relaxed {
                return Err(BadData::new(self.at, "a comment, which JSON does not have (jsonc has)"));
            }
            self.left_out |= leaves_out;
            self.at += length;
        }
    }

    fn value(&mut self, depth: usize) -> Result<Node, BadData> {
        let at = self.at;
        self.nodes += 1;
        if depth > DEPTH_MAX {
            return Err(BadData::too_deep(at));
        }
        if self.nodes > NODES_MAX {
            return Err(BadData::too_many(at));
        }
        let scalar = |value| Ok(Node { at, content: Content::Scalar(value) });
        match self.peek() {
            Some('{') => {
                self.at += 1;
                self.members(at, depth, Some('}'))
            }
            Some('[') => {
                self.at += 1;
                self.items(at, depth)
            }
            Some('"') => scalar(Value::String(self.string()?)),
            Some('\'') => Err(BadData::new(at, "single quotes; strings of JSON have double ones")),
            Some(c) if c.is_ascii_alphanumeric() || "+-.".contains(c) => scalar(self.word()?),
            Some('}' | ']' | ',') if self.left_out => scalar(Value::Null),
            Some(c @ ('}' | ']' | ',')) if depth == 1 => Err(BadData::new(at, format!("unexpected `{c}`"))),
            Some('}' | ']' | ',') | None => Err(BadData::new(at, "missing a value")),
            Some(c) => Err(BadData::new(at, format!("unexpected `{c}`"))),
        }
    }

    fn items(&mut self, at: usize, depth: usize) -> Result<Node, BadData> {
        let mut items = Vec::new();
        let mut comma = None;
        loop {
            self.left_out = false;
            self.space()?;
            match self.peek() {
                None => return Err(BadData::new(at, "`[` is never closed")),
                Some(']') => {
                    self.end(comma)?;
                    return Ok(Node { at, content: Content::List(items) });
                }
                Some(',') if self.left_out => {}
                Some(_) => items.push(self.value(depth + 1)?),
            }
            comma = self.comma('[', ']')?;
        }
    }

    /// The members of an object up to `close`, or up to the end of the text.
    fn members(&mut self, at: usize, depth: usize, close: Option<char>) -> Result<Node, BadData> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut keys = BTreeSet::new();
        let mut comma = None;
        loop {
            self.left_out = false;
            self.space()?;
            match self.peek() {
                None if close.is_none() => return Ok(Node { at, content: Content::Map(entries) }),
                None => return Err(BadData::new(at, "`{` is never closed")),
                Some('}') if close.is_some() => {
                    self.end(comma)?;
                    return Ok(Node { at, content: Content::Map(entries) });
                }
                Some(',') if self.left_out => {}
                Some('"') => {
                    let key_at = self.at;
                    let key = self.string()?;
                    if !keys.insert(key.clone()) {
                        return Err(BadData::new(
                            key_at,
                            format!("the key `{key}` stands twice in one object"),
                        ));
                    }
                    self.space()?;
                    if self.peek() != Some(':') {
                        return Err(BadData::new(self.at, "missing `:`"));
                    }
                    self.at += 1;
                    self.left_out = false;
                    self.space()?;
                    let node = self.value(depth + 1)?;
                    entries.push(Entry { at: key_at, key, node });
                }
                Some('\'') => {
                    return Err(BadData::new(self.at, "single quotes; keys of JSON have double ones"));
                }
                Some(c) if c.is_ascii_alphabetic() || c == '_' => {
                    return Err(BadData::new(self.at, "a key without quotes"));
                }
                Some(c) => return Err(BadData::new(self.at, format!("unexpected `{c}`"))),
            }
            comma = self.comma('{', close.unwrap_or('}'))?;
        }
    }

    /// After a value: passes a comma and says where it stood, or stays before the end.
    fn comma(&mut self, open: char, close: char) -> Result<Option<usize>, BadData> {
        self.space()?;
        match self.peek() {
            Some(',') => {
                self.at += 1;
                Ok(Some(self.at - 1))
            }
            Some(c) if c == close => Ok(None),
            None => Ok(None),
            Some(c @ ('}' | ']')) => Err(BadData::new(self.at, format!("`{c}` where `{open}` is open"))),
            Some(_) if self.left_out => Ok(None),
            Some(_) => Err(BadData::new(self.at, "missing `,`")),
        }
    }

    fn end(&mut self, comma: Option<usize>) -> Result<(), BadData> {
        match comma {
            Some(at) if !self.relaxed && !self.left_out => {
                Err(BadData::new(at, "a comma before the end, which JSON does not take"))
            }
            _ => {
                self.at += 1;
                Ok(())
            }
        }
    }

    fn string(&mut self) -> Result<String, BadData> {
        let begin = self.at;
        let mut escaped = false;
        for (at, byte) in self.rest().bytes().enumerate().skip(1) {
            match byte {
                b'\n' => break,
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => {
                    let literal = &self.text[begin..=begin + at];
                    let Ok(text) = serde_json::from_str(literal) else {
                        return Err(BadData::new(
                            begin,
                            "the string cannot be read: an escape JSON does not have",
                        ));
                    };
                    self.at = begin + at + 1;
                    return Ok(text);
                }
                _ => {}
            }
        }
        Err(BadData::new(begin, "the string is never closed on its line"))
    }

    fn word(&mut self) -> Result<Value, BadData> {
        let rest = self.rest();
        let length = rest.find(|c: char| !c.is_alphanumeric() && !"+-._".contains(c)).unwrap_or(rest.len());
        let word = &rest[..length];
        let value = match word {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            "null" => Value::Null,
            _ => match serde_json::from_str::<Number>(word) {
                Ok(number) => Value::Number(number),
                Err(_) => {
                    let kind = if word.starts_with(|c: char| c.is_alphabetic()) { "value" } else { "number" };
                    let word = word.chars().take(40).collect::<String>();
                    return Err(BadData::new(self.at, format!("`{word}` is no {kind} of JSON")));
                }
            },
        };
        self.at += length;
        Ok(value)
    }
}
