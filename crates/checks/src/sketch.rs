//! What of a proposal is compared to tell whether another one is nearly the same: its code, however it is laid out.

use std::collections::BTreeSet;

use fleet_deliberation::Sketch;
use sha2::{Digest, Sha256};

use crate::PROPOSAL_BYTES_MAX;
use crate::parts::fenced;
use crate::policy::{blocks, views};

/// How many tokens one shingle has.
const TOKENS: usize = 5;
const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

/// The sketch of a proposal's code, without its comments; of its words, where it has no code. A token is a word or
/// a sign, so white space does not count; but two codes are the same only if their lines are, the ends of lines and
/// empty ones aside: how far a line is set in may be what it means. Empty for a proposal that is too long to be
/// checked.
pub(crate) fn sketch(proposal: &str) -> Sketch {
    if proposal.len() > PROPOSAL_BYTES_MAX {
        return Sketch::default();
    }
    let (mut found, mut whole) = (BTreeSet::new(), Sha256::new());
    for block in blocks(fenced(proposal)) {
        // What a program prints and what stands in a transcript is no code.
        if !matches!(block.language.as_str(), "text" | "console") {
            let code = views(&block.language, &block.text()).code;
            shingles(&code, &mut found);
            whole.update(block.language.as_bytes());
            add_lines(&code, &mut whole);
        }
    }
    if found.is_empty() {
        shingles(proposal, &mut found);
        add_lines(proposal, &mut whole);
    }
    let digest = whole.finalize();
    let (half, _) = digest.split_at(16);
    Sketch::of(found).of_whole(half.iter().fold(0, |whole, byte| whole << 8 | u128::from(*byte)))
}

/// Adds the lines of a text, each with a mark that no text has before it.
fn add_lines(text: &str, whole: &mut Sha256) {
    for line in text.lines().map(str::trim_end).filter(|line| !line.is_empty()) {
        whole.update([0xff]);
        whole.update(line.as_bytes());
    }
    whole.update([0xfe]);
}

/// Adds the hash of every run of [`TOKENS`] tokens; of all of them, where there are fewer.
fn shingles(text: &str, found: &mut BTreeSet<u64>) {
    let tokens = tokens(text);
    if !tokens.is_empty() {
        found.extend(tokens.windows(TOKENS.min(tokens.len())).map(hash));
    }
}

/// FNV-1a (Fowler, Noll and Vo, 64 bits) of some tokens, each with an end that stands in none.
fn hash(tokens: &[&str]) -> u64 {
    let bytes = tokens.iter().flat_map(|token| token.bytes().chain([0xff]));
    bytes.fold(FNV_OFFSET, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(FNV_PRIME))
}

fn tokens(text: &str) -> Vec<&str> {
    let in_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length =
            if in_word(first) { rest.find(|c| !in_word(c)).unwrap_or(rest.len()) } else { first.len_utf8() };
        let (token, after) = rest.split_at(length);
        tokens.push(token);
        rest = after.trim_start();
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    const GREEDY: &str = "VALUES = [(10, 'X'), (9, 'IX'), (5, 'V'), (4, 'IV'), (1, 'I')]\n\ndef to_roman(n: int) -> str:\n    \
                          out = []\n    for value, symbol in VALUES:\n        count, n = divmod(n, value)\n        \
                          out.append(symbol * count)\n    return ''.join(out)\n";
    const BY_DIGITS: &str = "ONES = ['', 'I', 'II', 'III', 'IV', 'V', 'VI', 'VII', 'VIII', 'IX']\nTENS = ['', 'X', 'XX', \
                             'XXX']\n\ndef to_roman(n):\n    if n < 1 or n > 39:\n        raise ValueError(n)\n    \
                             return TENS[n // 10] + ONES[n % 10]\n";

    fn of(code: &str) -> Sketch {
        sketch(&format!("Some words about it.\n\n```python\n{code}```\n"))
    }

    #[test]
    fn a_copy_that_is_laid_out_anew_is_nearly_the_same() {
        let code = of(GREEDY);
        let spaced = GREEDY.replace("    ", "\t").replace(", ", ",\n").replace('(', "( ");
        let commented = format!("# to Roman numerals\n{}", GREEDY.replace(":\n", ":  # goes on\n"));
        for copy in [&spaced, &commented] {
            assert_eq!(code.likeness(&of(copy)), Some(1.0), "{copy}");
        }
        let retold =
            format!("Quite other words around it, and an output.\n```python\n{GREEDY}```\n```text\nX\n```");
        assert!(code.is_near(&sketch(&retold)));
    }

    #[test]
    fn the_same_is_what_differs_in_empty_lines_and_comments_alone() {
        let code = of(GREEDY);
        let apart = GREEDY.replace("\n\n", "\n\n\n");
        let commented = GREEDY.replace(":\n", ":  # goes on\n");
        for copy in [&apart, &commented] {
            assert!(code.is_same(&of(copy)), "{copy}");
        }
        let long: String = (0..200).map(|n| format!("def f{n}(x):\n    return x + {n}\n")).collect();
        let one_sign = long.replace("x + 150", "x - 150");
        let set_in = GREEDY.replace("    return", "        return");
        for (one, other) in [(long.as_str(), &one_sign), (GREEDY, &set_in)] {
            assert!(!of(one).is_same(&of(other)), "{other}");
        }
    }

    #[test]
    fn two_solutions_of_one_task_are_not_the_same() {
        let likeness = of(GREEDY).likeness(&of(BY_DIGITS)).unwrap_or_default();
        assert!(likeness < 0.3, "{likeness}");
    }

    #[test]
    fn words_count_where_there_is_no_code() {
        let words = "We split the service in two and put a queue between them, so that neither waits.";
        assert!(sketch(words).is_near(&sketch(&words.replace(' ', "\n"))));
        assert!(
            !sketch(words)
                .is_near(&sketch("We keep one service, and a cache before it that is filled at start."))
        );
        assert!(sketch(" \n").is_empty());
        assert!(!sketch("Yes.").is_empty(), "few words are compared as a whole");
    }
}
