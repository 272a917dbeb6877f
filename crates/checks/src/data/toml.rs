//! TOML.

use serde_json::Value;
use toml::de::{DeTable, DeValue};

use super::{BadData, Content, Document, Entry, Node};

/// Reads the one document of a text.
pub(super) fn documents(text: &str) -> Result<Vec<Document>, BadData> {
    let table = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        BadData { beyond_bounds: error.message().contains("recurs"), ..BadData::new(at, error.message()) }
    })?;
    let at = table.span().start;
    let root = Node { at, content: self::table(table.into_inner()) };
    Ok(vec![Document::new(root, 1, false)])
}

// The parser bounds how deep it goes.
fn table(table: DeTable<'_>) -> Content {
    let entry = |(key, value): (toml::Spanned<_>, toml::Spanned<DeValue<'_>>)| {
        let at = key.span().start;
        let key: std::borrow::Cow<'_, str> = key.into_inner();
        Entry { at, key: key.into_owned(), node: node(value) }
    };
    Content::Map(table.into_iter().map(entry).collect())
}

fn node(value: toml::Spanned<DeValue<'_>>) -> Node {
    let at = value.span().start;
    let content = match value.into_inner() {
        DeValue::String(text) => Content::Scalar(Value::String(text.into_owned())),
        DeValue::Integer(number) => {
            let whole = i64::from_str_radix(number.as_str(), number.radix());
            Content::Scalar(whole.map_or_else(|_| Value::String(number.to_string()), Value::from))
        }
        DeValue::Float(number) => {
            let float = number.as_str().parse::<f64>().ok().and_then(serde_json::Number::from_f64);
            Content::Scalar(float.map_or_else(|| Value::String(number.to_string()), Value::Number))
        }
        DeValue::Boolean(value) => Content::Scalar(Value::Bool(value)),
        DeValue::Datetime(time) => Content::Scalar(Value::String(time.to_string())),
        DeValue::Array(items) => Content::List(items.into_iter().map(node).collect()),
        DeValue::Table(inner) => table(inner),
    };
    Node { at, content }
}
