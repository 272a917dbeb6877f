//! Server-sent events, taken apart as they come, with bounds on what is kept.

use memchr::{memchr, memchr2};

/// The most bytes of one line and of one event.
pub(crate) const EVENT_BYTES_MAX: usize = 8 << 20;

/// A line or an event is longer than [`EVENT_BYTES_MAX`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

/// Splits a stream of bytes into the data of its events. Takes any line ending, ignores comments and
/// fields it has no use for, and does not mind where the stream is cut into pieces.
#[derive(Debug, Default)]
pub(crate) struct SseParser {
    /// The beginning of a line whose end has not come yet.
    line: Vec<u8>,
    /// The data of the event whose end has not come yet.
    data: Vec<u8>,
    has_data: bool,
    /// The last byte was a CR: a LF that follows belongs to it.
    after_cr: bool,
    /// Whether a field was seen that only server-sent events have.
    recognised: bool,
}

impl SseParser {
    /// Whether anything so far looked like server-sent events.
    pub(crate) const fn recognised(&self) -> bool {
        self.recognised
    }

    /// Takes the next piece; gives the data of each event that ends in it.
    pub(crate) fn feed<E: From<TooLong>>(
        &mut self,
        mut piece: &[u8],
        mut event: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        if piece.is_empty() {
            return Ok(());
        }
        if std::mem::take(&mut self.after_cr) {
            piece = piece.strip_prefix(b"\n").unwrap_or(piece);
        }
        while let Some(at) = memchr2(b'\n', b'\r', piece) {
            let (head, mut tail) = (&piece[..at], &piece[at + 1..]);
            if piece[at] == b'\r' {
                self.after_cr = tail.is_empty();
                tail = tail.strip_prefix(b"\n").unwrap_or(tail);
            }
            piece = tail;
            if self.line.is_empty() {
                self.take_line(head, &mut event)?;
            } else {
                self.hold(head)?;
                let mut line = std::mem::take(&mut self.line);
                self.take_line(&line, &mut event)?;
                line.clear();
                self.line = line;
            }
        }
        self.hold(piece)?;
        Ok(())
    }

    /// Says that the stream is at its end; gives the last event if nothing but its end was missing.
    pub(crate) fn finish<E: From<TooLong>>(
        &mut self,
        mut event: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let line = std::mem::take(&mut self.line);
        self.take_line(&line, &mut event)?;
        self.take_line(b"", &mut event)
    }

    fn hold(&mut self, bytes: &[u8]) -> Result<(), TooLong> {
        if self.line.len() + bytes.len() > EVENT_BYTES_MAX {
            return Err(TooLong);
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn take_line<E: From<TooLong>>(
        &mut self,
        line: &[u8],
        event: &mut impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        if line.is_empty() {
            if std::mem::take(&mut self.has_data) {
                let result = event(&self.data);
                self.data.clear();
                return result;
            }
            return Ok(());
        }
        let (name, value) = match memchr(b':', line) {
            Some(at) => (&line[..at], &line[at + 1..]),
            None => (line, &b""[..]),
        };
        match name {
            // llama.cpp once sent faults in a field of this name instead of an event of data.
            b"data" | b"error" => {
                let value = value.strip_prefix(b" ").unwrap_or(value);
                if self.data.len() + value.len() >= EVENT_BYTES_MAX {
                    return Err(TooLong.into());
                }
                if self.has_data {
                    self.data.push(b'\n');
                }
                if name == b"error" {
                    self.data.extend_from_slice(b"{\"error\":");
                }
                self.data.extend_from_slice(value);
                if name == b"error" {
                    self.data.push(b'}');
                }
                self.has_data = true;
                self.recognised = true;
            }
            b"event" | b"id" | b"retry" => self.recognised = true,
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn events(pieces: &[&[u8]]) -> Vec<String> {
        let mut parser = SseParser::default();
        let mut events = Vec::new();
        let mut keep = |data: &[u8]| {
            events.push(String::from_utf8_lossy(data).into_owned());
            Ok::<(), TooLong>(())
        };
        for piece in pieces {
            parser.feed(piece, &mut keep).unwrap();
        }
        parser.finish(&mut keep).unwrap();
        events
    }

    #[test]
    fn any_line_ending_and_a_missing_end_are_taken() {
        let all = ["a", "b\nc", "d", "e"];
        assert_eq!(events(&[b"data: a\n\n: note\ndata:b\ndata: c\n\nid: 7\n\ndata:d\n\ndata: e"]), all);
        assert_eq!(events(&[b"data: a\r\n\r\ndata:b\r\ndata: c\r\n\r\ndata:d\r\n\r\ndata: e\r\n"]), all);
        assert_eq!(events(&[b"data: a\r\rdata:b\rdata: c\r\rdata:d\r\rdata: e\r"]), all);
    }

    #[test]
    fn a_line_without_end_is_given_up() {
        let mut parser = SseParser::default();
        let piece = vec![b'x'; 1 << 20];
        let mut result = Ok(());
        for _ in 0..=EVENT_BYTES_MAX >> 20 {
            result = parser.feed(&piece, |_| Ok::<(), TooLong>(()));
        }
        assert_eq!(result, Err(TooLong));
    }

    proptest! {
        #[test]
        fn where_it_is_cut_does_not_matter(
            lines in proptest::collection::vec("(data: ?[a-z{}]{0,9})|(:[a-z]{0,4})|(event: x)|", 0..20),
            ending in prop_oneof![Just("\n"), Just("\r\n"), Just("\r")],
            cuts in proptest::collection::vec(0usize..300, 0..12),
        ) {
            let whole = lines.iter().map(|line| format!("{line}{ending}")).collect::<String>().into_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(whole.len())).collect();
            cuts.extend([0, whole.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|w| &whole[w[0]..w[1]]).collect();
            prop_assert_eq!(events(&pieces), events(&[&whole]));
        }
    }
}
