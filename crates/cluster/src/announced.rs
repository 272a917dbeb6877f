//! Which announcements are published already that the server may not remember any more.
//!
//! Several processes announce the same, each in the order of the log. What another one published ahead of this one
//! is dropped by the server as long as it knows its id. For later, this keeps what lies ahead, and from where to read.

use std::collections::{BTreeMap, HashSet};

use crate::marks::Announced;

/// How far this process has come, and what others have published beyond.
pub(crate) struct Published {
    /// Everything up to this position is published, and up to this sequence there is nothing for a higher one.
    done: Announced,
    /// The stream was read up to this sequence: what is not in `behind` up to there is of no interest.
    read_to: u64,
    /// The positions of announcements behind `done`, by sequence.
    behind: BTreeMap<u64, u64>,
    /// The ids of those for higher positions, with these.
    ahead: HashSet<(u64, String)>,
}

impl Published {
    pub(crate) fn new(marked: Announced) -> Published {
        Published { done: marked, read_to: marked.sequence, behind: BTreeMap::new(), ahead: HashSet::new() }
    }

    pub(crate) fn done(&self) -> Announced {
        self.done
    }

    /// From where on the stream is to be read.
    pub(crate) fn read_from(&self) -> u64 {
        self.read_to
    }

    /// Whether nothing is known of announcements for this position: they would be further back.
    pub(crate) fn is_behind(&self, position: u64) -> bool {
        position <= self.done.position
    }

    pub(crate) fn is_there(&self, position: u64, id: &str) -> bool {
        self.ahead.contains(&(position, id.to_owned()))
    }

    /// The stream holds an announcement at `sequence`.
    pub(crate) fn saw(&mut self, sequence: u64, position: u64, id: &str) {
        if sequence > self.done.sequence {
            self.behind.insert(sequence, position);
        }
        if position > self.done.position {
            self.ahead.insert((position, id.to_owned()));
        }
    }

    /// Everything that the stream holds up to `sequence` was seen.
    pub(crate) fn read(&mut self, sequence: u64) {
        self.read_to = self.read_to.max(sequence);
        self.settle();
    }

    /// Everything up to `position` is published.
    pub(crate) fn publish(&mut self, position: u64) {
        self.done.position = self.done.position.max(position);
        self.ahead.retain(|(position, _)| *position > self.done.position);
        self.settle();
    }

    /// Moves up over everything that lies behind this process.
    fn settle(&mut self) {
        loop {
            let next = self.behind.first_key_value().map(|(sequence, position)| (*sequence, *position));
            match next {
                Some((sequence, position)) => {
                    if sequence > self.done.sequence + 1 && sequence > self.read_to + 1 {
                        // What is in between was neither read nor written here.
                        self.done.sequence = self.done.sequence.max(self.read_to);
                        return;
                    }
                    if position > self.done.position {
                        self.done.sequence = self.done.sequence.max(sequence - 1);
                        return;
                    }
                    self.behind.pop_first();
                    self.done.sequence = self.done.sequence.max(sequence);
                    self.read_to = self.read_to.max(sequence);
                }
                None => {
                    self.done.sequence = self.done.sequence.max(self.read_to);
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(published: &Published) -> (u64, u64) {
        (published.done().position, published.done().sequence)
    }

    #[test]
    fn alone_it_moves_up_with_what_it_publishes() {
        let mut published = Published::new(Announced::default());
        for n in 1..=3 {
            published.saw(n, 10 * n, "id");
            published.publish(10 * n);
            assert_eq!(done(&published), (10 * n, n));
        }
    }

    #[test]
    fn what_another_published_ahead_is_not_passed_until_it_is_reached() {
        let mut published = Published::new(Announced::default());
        published.saw(1, 10, "a");
        published.publish(10);
        // Sequence 2 is someone else's.
        published.saw(3, 20, "b");
        published.publish(20);
        assert_eq!(done(&published), (20, 1));
        published.saw(2, 30, "c");
        published.saw(3, 20, "b");
        published.read(3);
        assert_eq!(done(&published), (20, 1));
        assert!(published.is_there(30, "c") && !published.is_there(20, "b"));
        published.publish(30);
        assert_eq!(done(&published), (30, 3));
        assert!(!published.is_there(30, "c") && published.is_behind(30));
    }

    #[test]
    fn what_is_gone_from_the_stream_holds_nothing_up() {
        let mut published = Published::new(Announced { position: 10, sequence: 5 });
        published.saw(9, 20, "b");
        published.read(9);
        assert_eq!(done(&published), (10, 8));
        published.publish(20);
        assert_eq!(done(&published), (20, 9));
    }
}
