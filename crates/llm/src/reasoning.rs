//! Keeps what a model says to itself apart from what it answers.

use memchr::memchr;

const OPEN: &str = "<think>";
const CLOSE: &str = "</think>";

/// Takes an answer as it comes, in whatever pieces, and splits it into reasoning and answer.
///
/// Three ways of reasoning are known: the server passes it on in a field of its own; the answer begins
/// with a `<think>` block; or the prompt template opened the block, so that only its end shows up.
#[derive(Debug, Default)]
pub(crate) struct Splitter {
    content: String,
    /// Reasoning that came in a field of its own.
    apart: String,
    /// Bytes of `content` that hold no further tag.
    scanned: usize,
    block: Block,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Block {
    /// Nothing but white space so far, or the beginning of a tag.
    #[default]
    Before,
    /// Inside the block; the answer's text began at this byte.
    Open { from: usize },
    /// Behind the block, whose text ends before `to`; the answer begins at `answer`.
    Closed { from: usize, to: usize, answer: usize },
    /// The answer has begun without a block; an end may still show up.
    None,
    /// The answer holds both tags further in: it speaks of them.
    Literal,
}

impl Splitter {
    /// Bytes taken so far.
    pub(crate) fn bytes(&self) -> usize {
        self.content.len() + self.apart.len()
    }

    /// Whether what came last was reasoning, as far as can be told by now.
    pub(crate) fn is_reasoning(&self) -> bool {
        match self.block {
            Block::Open { .. } => true,
            Block::Before => !self.apart.is_empty(),
            Block::Closed { .. } | Block::None | Block::Literal => false,
        }
    }

    /// Takes reasoning that came in a field of its own.
    pub(crate) fn reasoning(&mut self, piece: &str) {
        self.apart.push_str(piece);
    }

    /// Takes a piece of the answer.
    pub(crate) fn content(&mut self, piece: &str) {
        self.content.push_str(piece);
        if self.block == Block::Before {
            let begun = self.content[self.scanned..].trim_start();
            self.scanned = self.content.len() - begun.len();
            if begun.starts_with(OPEN) {
                self.scanned += OPEN.len();
                self.block = Block::Open { from: self.scanned };
            } else if OPEN.starts_with(begun) {
                return;
            } else {
                self.block = Block::None;
            }
        }
        while matches!(self.block, Block::Open { .. } | Block::None) {
            let Some(at) = memchr(b'<', &self.content.as_bytes()[self.scanned..]) else {
                self.scanned = self.content.len();
                return;
            };
            let at = self.scanned + at;
            let tag = &self.content[at..];
            match self.block {
                Block::Open { from } if tag.starts_with(CLOSE) => {
                    self.block = Block::Closed { from, to: at, answer: at + CLOSE.len() };
                }
                Block::None if tag.starts_with(CLOSE) => {
                    self.block = Block::Closed { from: 0, to: at, answer: at + CLOSE.len() };
                }
                Block::None if tag.starts_with(OPEN) => self.block = Block::Literal,
                _ if CLOSE.starts_with(tag) || OPEN.starts_with(tag) => {
                    self.scanned = at;
                    return;
                }
                _ => self.scanned = at + 1,
            }
        }
    }

    /// The reasoning and the answer, both trimmed.
    pub(crate) fn finish(mut self) -> (String, String) {
        let (block, answer) = match self.block {
            Block::Before | Block::None | Block::Literal => ("", self.content.as_str()),
            Block::Open { from } => (&self.content[from..], ""),
            // An end without a beginning is text when the server already took the reasoning out.
            Block::Closed { from: 0, .. } if !self.apart.is_empty() => ("", self.content.as_str()),
            Block::Closed { from, to, answer } => (&self.content[from..to], &self.content[answer..]),
        };
        let answer =
            if answer.trim().len() == self.content.len() { None } else { Some(answer.trim().to_owned()) };
        if !block.trim().is_empty() {
            if !self.apart.is_empty() {
                self.apart.push('\n');
            }
            self.apart.push_str(block.trim());
        }
        let reasoning = if self.apart.trim().len() == self.apart.len() {
            self.apart
        } else {
            self.apart.trim().to_owned()
        };
        (reasoning, answer.unwrap_or(self.content))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn split(pieces: &[&str]) -> (String, String) {
        let mut splitter = Splitter::default();
        pieces.iter().for_each(|piece| splitter.content(piece));
        splitter.finish()
    }

    fn check(whole: &str, reasoning: &str, answer: &str) {
        let expected = (reasoning.to_owned(), answer.to_owned());
        assert_eq!(split(&[whole]), expected, "in one piece");
        let letters: Vec<String> = whole.chars().map(String::from).collect();
        let letters: Vec<&str> = letters.iter().map(String::as_str).collect();
        assert_eq!(split(&letters), expected, "letter by letter");
    }

    #[test]
    fn a_block_at_the_beginning_is_reasoning() {
        check("<think>\nhm < 3, </b>\n</think>\n\nYes.", "hm < 3, </b>", "Yes.");
        check("\n <think></think>Yes.", "", "Yes.");
    }

    #[test]
    fn a_block_that_the_template_opened_is_reasoning() {
        check("hm, a < b\n</think>\n\nYes.", "hm, a < b", "Yes.");
    }

    #[test]
    fn an_answer_that_speaks_of_the_tags_stays_whole() {
        check("Write `<think>` and `</think>`.", "", "Write `<think>` and `</think>`.");
        check("<thin ice>", "", "<thin ice>");
        check("<think", "", "<think");
    }

    #[test]
    fn a_block_without_end_leaves_no_answer() {
        check("<think>for ever and ev", "for ever and ev", "");
    }

    #[test]
    fn reasoning_in_a_field_of_its_own_leaves_the_answer_as_it_is() {
        let mut splitter = Splitter::default();
        splitter.reasoning("hm\n");
        assert!(splitter.is_reasoning());
        splitter.content("The tag </think> ends it.");
        assert!(!splitter.is_reasoning());
        assert_eq!(splitter.finish(), ("hm".into(), "The tag </think> ends it.".into()));
    }

    proptest! {
        #[test]
        fn where_it_is_cut_does_not_matter(
            parts in proptest::collection::vec("<think>|</think>|[a-c< \u{e9}/]{0,4}", 0..12),
            cuts in proptest::collection::vec(0usize..80, 0..8),
        ) {
            let whole = parts.concat();
            let mut cuts: Vec<usize> = cuts.into_iter().filter(|cut| whole.is_char_boundary(*cut)).collect();
            cuts.extend([0, whole.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&str> = cuts.windows(2).map(|w| &whole[w[0]..w[1]]).collect();
            prop_assert_eq!(split(&pieces), split(&[&whole]));
        }
    }
}
