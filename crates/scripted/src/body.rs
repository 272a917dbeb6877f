//! The body of a reply on its way: pieces, the waits between them, and how it ends.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

use crate::ledger::{Outcome, Turn};
use crate::reply::{End, Reply};

pub(crate) struct ReplyBody {
    pieces: VecDeque<Bytes>,
    between: Duration,
    wait: Option<Pin<Box<Sleep>>>,
    end: End,
    turn: Turn,
}

impl ReplyBody {
    pub(crate) fn new(reply: Reply, turn: Turn) -> ReplyBody {
        let mut pieces = VecDeque::from(reply.pieces);
        if reply.between_ms == 0 && reply.end == End::Whole && pieces.len() > 1 {
            // One write does for all.
            let size = pieces.iter().map(Bytes::len).sum();
            let mut whole = BytesMut::with_capacity(size);
            pieces.drain(..).for_each(|piece| whole.extend_from_slice(&piece));
            pieces.push_back(whole.freeze());
        }
        let between = Duration::from_millis(reply.between_ms);
        ReplyBody { pieces, between, wait: None, end: reply.end, turn }
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(wait) = &mut self.wait {
            ready!(wait.as_mut().poll(context));
            self.wait = None;
        }
        if let Some(piece) = self.pieces.pop_front() {
            if self.end == End::Never {
                self.pieces.push_back(piece.clone());
            }
            if self.pieces.is_empty() && self.end == End::Whole {
                self.turn.end(Outcome::Answered);
            } else if !self.between.is_zero() || self.end == End::Cut {
                // Before a cut too, or the last piece would be lost with the connection.
                self.wait = Some(Box::pin(sleep(self.between.max(Duration::from_millis(1)))));
            }
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        match self.end {
            End::Whole => {
                self.turn.end(Outcome::Answered);
                Poll::Ready(None)
            }
            End::Cut => {
                self.turn.end(Outcome::Cut);
                Poll::Ready(Some(Err(io::Error::other("the script cuts the connection here"))))
            }
            End::Silence | End::Never => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty() && self.end == End::Whole
    }

    fn size_hint(&self) -> SizeHint {
        // A stream has no known length, but one that goes out in one piece may as well have one.
        match (self.pieces.len(), self.end) {
            (0, End::Whole) => SizeHint::with_exact(0),
            (1, End::Whole) => SizeHint::with_exact(self.pieces[0].len() as u64),
            _ => SizeHint::default(),
        }
    }
}
