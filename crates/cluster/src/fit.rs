//! JSON that fits into a message: what is too long is cut, and says so.

use bytes::Bytes;
use serde_json::{Map, Value};

/// What texts are cut to, in bytes, until the whole fits.
const CUTS: [usize; 5] = [64 * 1024, 8 * 1024, 1024, 128, 16];

/// The body if it has at most `room` bytes. Else the same object with long texts cut and `"truncated": true`; where
/// that is not enough, only its top-level values that are neither lists nor objects, cut. A body that is not a JSON
/// object stays as it is.
pub(crate) fn within(body: &Bytes, room: usize) -> Bytes {
    if body.len() <= room {
        return body.clone();
    }
    let Ok(Value::Object(mut object)) = serde_json::from_slice::<Value>(body) else { return body.clone() };
    object.insert("truncated".into(), Value::Bool(true));
    let mut whole = Value::Object(object);
    for bytes in CUTS {
        cut(&mut whole, bytes);
        let text = whole.to_string();
        if text.len() <= room {
            return text.into();
        }
    }
    let Value::Object(object) = whole else { return body.clone() };
    let flat: Map<String, Value> =
        object.into_iter().filter(|(_, value)| !value.is_array() && !value.is_object()).collect();
    Value::Object(flat).to_string().into()
}

/// Cuts every text in `value` to `bytes`, at the end of a character.
fn cut(value: &mut Value, bytes: usize) {
    match value {
        Value::String(text) if text.len() > bytes => {
            let end = (0..=bytes).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
            text.truncate(end);
        }
        Value::Array(values) => values.iter_mut().for_each(|value| cut(value, bytes)),
        Value::Object(values) => values.values_mut().for_each(|value| cut(value, bytes)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn announced(content: &str, results: usize) -> Bytes {
        let results: Vec<Value> = (0..results).map(|_| serde_json::json!({ "content": content })).collect();
        serde_json::json!({ "task_id": "a", "winner_id": "x", "results": results }).to_string().into()
    }

    fn read(body: &Bytes) -> Value {
        serde_json::from_slice(body).expect("JSON")
    }

    #[test]
    fn what_fits_stays_as_it_is() {
        let body = announced("short", 2);
        assert_eq!(within(&body, body.len()), body);
    }

    #[test]
    fn long_texts_are_cut_between_characters_and_it_says_so() {
        let body = announced(&"ä".repeat(500_000), 3);
        let fitted = within(&body, 300_000);
        assert!(fitted.len() <= 300_000);
        let fitted = read(&fitted);
        assert_eq!((&fitted["truncated"], &fitted["task_id"]), (&Value::Bool(true), &"a".into()));
        assert_eq!(fitted["results"][2]["content"].as_str().map(str::len), Some(64 * 1024));
    }

    #[test]
    fn too_many_results_are_left_out() {
        let fitted = within(&announced("content", 100_000), 1_000);
        assert_eq!(read(&fitted), serde_json::json!({ "task_id": "a", "winner_id": "x", "truncated": true }));
    }
}
