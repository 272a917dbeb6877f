//! What data says: JSON, YAML and TOML, read into values of one kind that remember where they stand.

mod json;
mod toml;
mod yaml;

use serde_json::{Map, Value};
use thiserror::Error;

/// How deep data may nest.
pub(crate) const DEPTH_MAX: usize = 100;
/// How many values a text may hold, those that aliases repeat counted each time.
pub(crate) const NODES_MAX: usize = 200_000;

/// A format of data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// JSON, several values after each other included.
    Json,
    /// JSON with comments and trailing commas.
    Jsonc,
    /// YAML, in one or several documents.
    Yaml,
    /// TOML.
    Toml,
}

/// One document of a text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Document {
    /// What it says, with aliases and merge keys of YAML resolved.
    pub(crate) value: Value,
    /// The line it begins at, from 1.
    pub(crate) line: u32,
    /// The same with its places.
    pub(crate) root: Node,
    /// Whether a map or a list is the key of a map, as in YAML a template's `{{ x }}` without quotes is.
    pub(crate) odd_keys: bool,
}

/// A value and the byte of the text at which it begins.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) at: usize,
    pub(crate) content: Content,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Content {
    /// Null, a boolean, a number or a string.
    Scalar(Value),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key, where it stands, and what it names.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) at: usize,
    pub(crate) key: String,
    pub(crate) node: Node,
}

/// Why a text could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub(crate) struct BadData {
    /// The byte of the text it is about.
    pub(crate) at: usize,
    pub(crate) message: String,
    /// The text may be right; it is only larger or deeper than is read here.
    pub(crate) beyond_bounds: bool,
}

impl BadData {
    fn new(at: usize, message: impl Into<String>) -> BadData {
        BadData { at, message: message.into(), beyond_bounds: false }
    }

    fn beyond(at: usize, message: impl Into<String>) -> BadData {
        BadData { beyond_bounds: true, ..BadData::new(at, message) }
    }

    fn too_deep(at: usize) -> BadData {
        BadData::beyond(at, format!("it nests more than {DEPTH_MAX} levels deep"))
    }

    fn too_many(at: usize) -> BadData {
        BadData::beyond(at, format!("it holds more than {NODES_MAX} values"))
    }
}

/// Reads every document of a text, in order.
pub(crate) fn documents(format: Format, text: &str) -> Result<Vec<Document>, BadData> {
    match format {
        Format::Json => json::documents(text, false),
        Format::Jsonc => json::documents(text, true),
        Format::Yaml => yaml::documents(text),
        Format::Toml => toml::documents(text),
    }
}

impl Document {
    fn new(root: Node, line: u32, odd_keys: bool) -> Document {
        Document { value: root.value(), line, root, odd_keys }
    }
}

impl Node {
    /// The value without its places. Nodes nest no deeper than `DEPTH_MAX`.
    pub(crate) fn value(&self) -> Value {
        match &self.content {
            Content::Scalar(value) => value.clone(),
            Content::List(items) => Value::Array(items.iter().map(Node::value).collect()),
            Content::Map(entries) => {
                let pair = |entry: &Entry| (entry.key.clone(), entry.node.value());
                Value::Object(entries.iter().map(pair).collect::<Map<_, _>>())
            }
        }
    }

    /// What a key of this map names.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        match &self.content {
            Content::Map(entries) => entries.iter().find(|entry| entry.key == key).map(|entry| &entry.node),
            _ => None,
        }
    }

    /// The text of this string.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    /// How many values it holds, itself among them.
    fn size(&self) -> usize {
        match &self.content {
            Content::Scalar(_) => 1,
            Content::List(items) => 1 + items.iter().map(Node::size).sum::<usize>(),
            Content::Map(entries) => 1 + entries.iter().map(|entry| entry.node.size()).sum::<usize>(),
        }
    }

    /// How many levels it has.
    fn depth(&self) -> usize {
        match &self.content {
            Content::Scalar(_) => 1,
            Content::List(items) => 1 + items.iter().map(Node::depth).max().unwrap_or(0),
            Content::Map(entries) => 1 + entries.iter().map(|entry| entry.node.depth()).max().unwrap_or(0),
        }
    }
}

/// Where the lines of a text begin: found once, as a text may have very many places that are asked for.
#[derive(Debug)]
pub(crate) struct Places {
    begins: Vec<usize>,
    end: usize,
}

impl Places {
    pub(crate) fn of(text: &str) -> Places {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Places { begins: std::iter::once(0).chain(ends.map(|(at, _)| at + 1)).collect(), end: text.len() }
    }

    /// The row and the byte within it, both from 0, of a byte of the text.
    pub(crate) fn at(&self, at: usize) -> (usize, usize) {
        let at = at.min(self.end);
        let row = self.begins.partition_point(|begin| *begin <= at) - 1;
        (row, at - self.begins[row])
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn values(format: Format, text: &str) -> Vec<Value> {
        documents(format, text).expect("it is read").into_iter().map(|document| document.value).collect()
    }

    fn bad(format: Format, text: &str) -> (usize, usize, String) {
        let error = documents(format, text).expect_err("it is wrong");
        assert!(!error.beyond_bounds, "{error}");
        let (row, column) = Places::of(text).at(error.at);
        (row, column, error.message)
    }

    #[test]
    fn a_place_is_its_row_and_the_byte_in_it() {
        let places = Places::of("ab\n\ncä\n");
        for (at, place) in
            [(0, (0, 0)), (2, (0, 2)), (3, (1, 0)), (4, (2, 0)), (7, (2, 3)), (8, (3, 0)), (99, (3, 0))]
        {
            assert_eq!(places.at(at), place, "{at}");
        }
        assert_eq!(Places::of("").at(1), (0, 0));
    }

    #[test]
    fn json_is_read_as_the_standard_says() {
        let text = r#"{"a": [1, -2.5e3, true, null, "\u00e4\n"], "b": {}}"#;
        assert_eq!(values(Format::Json, text), [json!({"a": [1, -2.5e3, true, null, "ä\n"], "b": {}})]);
        assert_eq!(values(Format::Json, "1\n{}\n\"x\""), [json!(1), json!({}), json!("x")]);
        assert_eq!(values(Format::Json, " \n"), Vec::<Value>::new());
    }

    #[test]
    fn what_is_no_json_is_named_with_its_place() {
        for (text, row, column, message) in [
            ("{\"a\": 1,\n}", 0, 7, "a comma before the end"),
            ("[1, 2,]", 0, 5, "a comma before the end"),
            ("{\"a\": 1 \"b\": 2}", 0, 8, "missing `,`"),
            ("[1 2]", 0, 3, "missing `,`"),
            ("{\"a\" 1}", 0, 5, "missing `:`"),
            ("{'a': 1}", 0, 1, "single quotes"),
            ("{a: 1}", 0, 1, "a key without quotes"),
            ("{\"a\": 1", 0, 0, "`{` is never closed"),
            ("[1, [2]", 0, 0, "`[` is never closed"),
            ("{\"a\": \"x}", 0, 6, "the string is never closed"),
            ("{\"a\": \"x\ny\"}", 0, 6, "the string is never closed"),
            ("{\"a\": 1, \"a\": 2}", 0, 9, "the key `a` stands twice"),
            ("{\"a\": True}", 0, 6, "`True` is no value of JSON"),
            ("{\"a\": 01}", 0, 6, "`01` is no number of JSON"),
            ("{\"a\": +1}", 0, 6, "`+1` is no number of JSON"),
            ("{\"a\": \"\\x\"}", 0, 6, "the string cannot be read"),
            ("{} }", 0, 3, "unexpected `}`"),
            ("{\"a\": 1 // one\n}", 0, 8, "a comment"),
            ("{\"a\":}", 0, 5, "missing a value"),
            ("{“a”: 1}", 0, 1, "unexpected `“`"),
        ] {
            let (at_row, at_column, said) = bad(Format::Json, text);
            assert_eq!((at_row, at_column), (row, column), "{text:?}: {said}");
            assert!(said.starts_with(message), "{text:?}: {said}");
        }
    }

    #[test]
    fn comments_and_trailing_commas_are_json_where_it_says_so() {
        let text = "// a\n{\"a\": [1, 2,], /* b */ \"c\": \"// d\",\n}";
        assert_eq!(values(Format::Jsonc, text), [json!({"a": [1, 2], "c": "// d"})]);
    }

    #[test]
    fn what_an_excerpt_of_json_leaves_out_is_no_fault() {
        assert_eq!(values(Format::Json, "{\"a\": 1,\n  // ... more\n}"), [json!({"a": 1})]);
        assert_eq!(values(Format::Json, "[1, 2, ...]"), [json!([1, 2])]);
        assert_eq!(values(Format::Json, "{\"a\": ..., \"b\": {...}}"), [json!({"a": null, "b": {}})]);
        assert_eq!(values(Format::Json, "\"scripts\": {\"a\": \"b\"},"), [json!({"scripts": {"a": "b"}})]);
    }

    #[test]
    fn yaml_is_read_in_documents_with_anchors_and_merges() {
        let text = "# x\na: &x {b: 1}\nc: *x\n---\n- <<: {d: yes}\n  e: 0x1f\n- ~\n- 'f'\n- 1.5\n...\n";
        let read = documents(Format::Yaml, text).expect("it is read");
        assert_eq!(read[0].value, json!({"a": {"b": 1}, "c": {"b": 1}}));
        assert_eq!(read[1].value, json!([{"d": "yes", "e": 31}, null, "f", 1.5]));
        assert_eq!((read[0].line, read[1].line), (2, 5));
        assert_eq!(values(Format::Yaml, "%YAML 1.2\n---\na\n"), [json!("a")]);
        assert_eq!(values(Format::Yaml, "# nothing\n"), Vec::<Value>::new());
    }

    #[test]
    fn what_is_no_yaml_is_named_with_its_place() {
        for (text, row) in [
            ("a:\n  - b\n\tc: d\n", 2),
            ("a: b: c\n", 0),
            ("a: [1, 2\n", 0),
            ("a: \"b\n", 0),
            ("a:\n  b: 1\n c: 2\n", 2),
            ("a: *b\n", 0),
            ("- a\nb: c\n", 1),
        ] {
            let (at_row, _, said) = bad(Format::Yaml, text);
            assert!(at_row >= row, "{text:?}: {at_row} {said}");
        }
        let twice = bad(Format::Yaml, "a:\n  b: 1\n  c: 2\n  b: 3\n");
        assert_eq!(twice, (3, 2, "the key `b` stands twice in one map".to_owned()));
    }

    #[test]
    fn toml_is_read_whole() {
        let text = "a = 1\nb.c = [1.5, 0xff, 2024-01-01]\n[[d]]\ne = '''x'''\n";
        let expected = json!({"a": 1, "b": {"c": [1.5, 255, "2024-01-01"]}, "d": [{"e": "x"}]});
        assert_eq!(values(Format::Toml, text), [expected]);
        assert_eq!(bad(Format::Toml, "a = 1\nb = info\n").0, 1);
        assert_eq!(bad(Format::Toml, "[a]\nb = 1\n[a]\nc = 1\n").0, 2);
        assert_eq!(bad(Format::Toml, "a = 1\na = 2\n").0, 1);
    }

    #[test]
    fn what_is_too_deep_or_too_large_is_refused_without_harm() {
        for (format, text) in [
            (Format::Json, "[".repeat(200_000)),
            (Format::Json, "{\"a\":".repeat(100_000)),
            (Format::Yaml, "[".repeat(200_000)),
            (Format::Yaml, "- ".repeat(100_000)),
            (Format::Yaml, "a: &a [x]\n".to_owned() + &bomb()),
            (Format::Toml, format!("a = {}", "[".repeat(200_000))),
        ] {
            assert!(documents(format, &text).is_err(), "{format:?} {}", &text[..20]);
        }
        assert!(documents(Format::Yaml, "a: &x [*x]\n").is_err());
    }

    /// Ten lists of ten of the one before.
    fn bomb() -> String {
        let line = |n: usize| match n {
            0 => "b0: &b0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned(),
            n => format!("b{n}: &b{n} [{}]\n", vec![format!("*b{}", n - 1); 10].join(", ")),
        };
        (0..10).map(line).collect()
    }
}
