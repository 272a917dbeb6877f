//! What a command wrote, bounded: its beginning and its end.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// What a command wrote to one stream.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Output {
    /// The beginning; all of it when nothing is cut.
    pub head: Vec<u8>,
    /// How many bytes after the beginning are left out.
    pub cut_bytes: u64,
    /// The end, when something is cut.
    pub tail: Vec<u8>,
}

impl Output {
    /// As text, with a line that says what is cut.
    #[must_use]
    pub fn text(&self) -> String {
        let head = String::from_utf8_lossy(&self.head);
        if self.cut_bytes == 0 {
            return head.into_owned();
        }
        let tail = String::from_utf8_lossy(&self.tail);
        format!("{head}\n[{} bytes left out]\n{tail}", self.cut_bytes)
    }
}

/// Takes what comes and keeps the beginning and the end.
#[derive(Debug)]
pub(crate) struct Keeper {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    half: usize,
    pub(crate) written: u64,
}

impl Keeper {
    pub(crate) fn new(kept_bytes: usize) -> Self {
        Self { head: Vec::new(), tail: VecDeque::new(), half: kept_bytes / 2, written: 0 }
    }

    pub(crate) fn take(&mut self, bytes: &[u8]) {
        self.written += bytes.len() as u64;
        let (first, rest) = bytes.split_at(bytes.len().min(self.half - self.head.len()));
        self.head.extend_from_slice(first);
        let last = &rest[rest.len().saturating_sub(self.half)..];
        let over = (self.tail.len() + last.len()).saturating_sub(self.half);
        self.tail.drain(..over);
        self.tail.extend(last);
    }

    pub(crate) fn output(self) -> Output {
        let cut_bytes = self.written - (self.head.len() + self.tail.len()) as u64;
        let (mut head, mut tail) = (self.head, Vec::from(self.tail));
        if cut_bytes == 0 {
            head.append(&mut tail);
        }
        Output { head, cut_bytes, tail }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(pieces: &[&str]) -> Output {
        let mut keeper = Keeper::new(8);
        pieces.iter().for_each(|piece| keeper.take(piece.as_bytes()));
        keeper.output()
    }

    #[test]
    fn what_fits_is_kept_whole() {
        for pieces in [&["abcdefgh"][..], &["abc", "defg", "h"], &["abcde", "", "fgh"]] {
            assert_eq!(kept(pieces), Output { head: b"abcdefgh".into(), cut_bytes: 0, tail: vec![] });
        }
    }

    #[test]
    fn what_does_not_fit_loses_its_middle_and_says_so() {
        for pieces in [&["abcdefghijkl"][..], &["ab", "cdefghij", "kl"], &["abcd", "e", "f", "ghijkl"]] {
            assert_eq!(kept(pieces), Output { head: b"abcd".into(), cut_bytes: 4, tail: b"ijkl".into() });
        }
        assert_eq!(kept(&["abcdefghijkl"]).text(), "abcd\n[4 bytes left out]\nijkl");
    }
}
