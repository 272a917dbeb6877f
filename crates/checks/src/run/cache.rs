//! What came of something that was run before, by its content.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use fleet_deliberation::CheckKind;
use sha2::{Digest, Sha256};

use super::code::Codes;

/// The most results that are remembered; the oldest goes first. One takes a few KB.
const REMEMBERED_MAX: usize = 1_000;

/// What a run depends on: the code, the tests, the toolchains and the sandbox. Not the words around the code.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key([u8; 32]);

impl Key {
    pub(super) fn of(kind: CheckKind, codes: &Codes, tests: &str, level: &str, tools: &[String]) -> Key {
        let mut texts = vec![kind.as_str(), tests, level];
        texts.extend(tools.iter().map(String::as_str));
        for code in &codes.codes {
            texts.push(code.tongue.name());
            for file in &code.files {
                texts.extend([file.path.as_str(), &file.text]);
            }
            texts.extend(code.examples.iter().map(|(text, _)| text.as_str()));
        }
        for (path, text) in &codes.files {
            texts.extend([path.as_str(), text]);
        }
        texts.extend(&codes.others);
        texts.push(codes.refused.as_deref().unwrap_or_default());
        Key::of_texts(texts)
    }

    /// What depends on these texts, in this order.
    pub(crate) fn of_texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> Key {
        let mut digest = Sha256::new();
        for text in texts {
            digest.update(text.len().to_le_bytes());
            digest.update(text);
        }
        Key(digest.finalize().into())
    }
}

/// The results that are remembered.
#[derive(Debug)]
pub(crate) struct Cache<T>(Mutex<Remembered<T>>);

#[derive(Debug)]
struct Remembered<T> {
    results: HashMap<Key, T>,
    /// The keys in the order in which they came.
    order: VecDeque<Key>,
}

impl<T> Default for Cache<T> {
    fn default() -> Cache<T> {
        Cache(Mutex::new(Remembered { results: HashMap::new(), order: VecDeque::new() }))
    }
}

impl<T: Clone> Cache<T> {
    pub(crate) fn get(&self, key: &Key) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).results.get(key).cloned()
    }

    /// Remembers what would be the same the next time.
    pub(crate) fn put(&self, key: Key, result: &T) {
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.results.insert(key.clone(), result.clone()).is_none() {
            remembered.order.push_back(key);
        }
        while remembered.order.len() > REMEMBERED_MAX {
            if let Some(oldest) = remembered.order.pop_front() {
                remembered.results.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(proposal: &str, tests: &str) -> Key {
        Key::of(CheckKind::Tests, &Codes::of(proposal), tests, "a", &[])
    }

    #[test]
    fn the_code_and_the_tests_count_and_the_words_around_do_not() {
        let code = "```py\nx = 1\n```";
        assert_eq!(key(code, ""), key(&format!("Words.\n\n{code}\n\nMore."), ""));
        assert_ne!(key(code, ""), key("```py\nx = 2\n```", ""));
        assert_ne!(key(code, ""), key(code, "assert x"));
        assert_ne!(key(code, ""), key(&code.replace("py", "sh"), ""));
    }

    #[test]
    fn the_oldest_is_forgotten() {
        let cache = Cache::default();
        for n in 0..=REMEMBERED_MAX {
            cache.put(key("", &n.to_string()), &n);
        }
        assert!(cache.get(&key("", "0")).is_none());
        assert_eq!(cache.get(&key("", "1")), Some(1));
    }
}
