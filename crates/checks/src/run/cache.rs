//! What came of code that was run before, by its content.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use fleet_deliberation::CheckKind;
use sha2::{Digest, Sha256};

use super::Ran;
use super::code::Codes;

/// The most results that are remembered; the oldest goes first. One takes a few KB.
const REMEMBERED_MAX: usize = 1_000;

/// What a run depends on: the code, the tests, the toolchains and the sandbox. Not the words around the code.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key([u8; 32]);

impl Key {
    pub(super) fn of(kind: CheckKind, codes: &Codes, tests: &str, level: &str, tools: &[String]) -> Key {
        let mut digest = Sha256::new();
        let mut take = |text: &str| {
            digest.update(text.len().to_le_bytes());
            digest.update(text);
        };
        take(kind.as_str());
        take(tests);
        take(level);
        tools.iter().for_each(|tool| take(tool));
        for code in &codes.codes {
            take(code.tongue.name());
            for file in &code.files {
                take(&file.path);
                take(&file.text);
            }
            code.examples.iter().for_each(|(text, _)| take(text));
        }
        for (path, text) in &codes.files {
            take(path);
            take(text);
        }
        codes.others.iter().for_each(|name| take(name));
        take(codes.refused.as_deref().unwrap_or_default());
        Key(digest.finalize().into())
    }
}

/// The results that are remembered.
#[derive(Debug, Default)]
pub(super) struct Cache(Mutex<Remembered>);

#[derive(Debug, Default)]
struct Remembered {
    results: HashMap<Key, Ran>,
    /// The keys in the order in which they came.
    order: VecDeque<Key>,
}

impl Cache {
    pub(super) fn get(&self, key: &Key) -> Option<Ran> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).results.get(key).cloned()
    }

    /// Remembers what would be the same the next time.
    pub(super) fn put(&self, key: Key, ran: &Ran) {
        if !ran.lasting {
            return;
        }
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.results.insert(key.clone(), ran.clone()).is_none() {
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
    use fleet_deliberation::CheckOutcome;

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
    fn what_may_be_otherwise_the_next_time_is_forgotten_and_so_is_the_oldest() {
        let cache = Cache::default();
        let ran = |lasting| Ran { lasting, ..Ran::new(CheckOutcome::Pass, "") };
        cache.put(key("", "passing"), &ran(false));
        assert!(cache.get(&key("", "passing")).is_none());
        for n in 0..=REMEMBERED_MAX {
            cache.put(key("", &n.to_string()), &ran(true));
        }
        assert!(cache.get(&key("", "0")).is_none());
        assert!(cache.get(&key("", "1")).is_some());
    }
}
