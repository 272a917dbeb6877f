//! Spans on their way to the collector: so many and no more, and what has no room is counted.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use opentelemetry::Value;
use opentelemetry_sdk::trace::SpanData;
use tokio::sync::Notify;

/// The most bytes of the spans that wait, by estimate: spans with prompts and answers are large.
const WAITING_BYTES_MAX: usize = 32 << 20;
/// The most bytes of a batch, by estimate. Collectors take messages of 4 MiB unless they are told to take
/// more.
const BATCH_BYTES_MAX: usize = 2 << 20;
/// What a span takes without its texts.
const SPAN_BYTES: usize = 1024;

/// What became of spans since the process began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spans {
    /// Taken by the collector.
    pub sent: u64,
    /// Lost because the collector did not take them.
    pub failed: u64,
    /// Lost because too many waited.
    pub dropped: u64,
}

/// Spans that wait.
#[derive(Debug)]
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    /// There is enough for a batch.
    pub(crate) enough: Notify,
    max: usize,
    batch_max: usize,
    sent: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
}

#[derive(Debug, Default)]
struct Waiting {
    spans: VecDeque<(SpanData, usize)>,
    bytes: usize,
}

impl Queue {
    /// Room for `max` spans, which are sent `batch_max` at a time.
    pub(crate) fn new(max: usize, batch_max: usize) -> Queue {
        Queue {
            waiting: Mutex::default(),
            enough: Notify::new(),
            max,
            batch_max,
            sent: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
        }
    }

    /// Takes a span, or counts it as dropped.
    pub(crate) fn put(&self, span: SpanData) {
        let bytes = bytes(&span);
        let mut waiting = self.waiting();
        if waiting.spans.len() >= self.max || waiting.bytes + bytes > WAITING_BYTES_MAX {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        waiting.bytes += bytes;
        waiting.spans.push_back((span, bytes));
        let enough = waiting.spans.len() >= self.batch_max || waiting.bytes >= BATCH_BYTES_MAX;
        drop(waiting);
        if enough {
            self.enough.notify_one();
        }
    }

    /// The next batch; empty when nothing waits.
    pub(crate) fn batch(&self) -> Vec<SpanData> {
        let mut waiting = self.waiting();
        let (mut batch, mut batch_bytes) = (Vec::new(), 0);
        while let Some((_, bytes)) = waiting.spans.front()
            && batch.len() < self.batch_max
            && (batch.is_empty() || batch_bytes + bytes <= BATCH_BYTES_MAX)
            && let Some((span, bytes)) = waiting.spans.pop_front()
        {
            waiting.bytes -= bytes;
            batch_bytes += bytes;
            batch.push(span);
        }
        batch
    }

    pub(crate) fn sent(&self, spans: usize) {
        self.sent.fetch_add(spans as u64, Ordering::Relaxed);
    }

    pub(crate) fn failed(&self, spans: usize) {
        self.failed.fetch_add(spans as u64, Ordering::Relaxed);
    }

    /// Counts everything that waits as lost, and says how much that was.
    pub(crate) fn forget(&self) -> usize {
        let waiting = std::mem::take(&mut *self.waiting());
        self.failed(waiting.spans.len());
        waiting.spans.len()
    }

    /// What became of spans so far.
    pub(crate) fn spans(&self) -> Spans {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Spans { sent: of(&self.sent), failed: of(&self.failed), dropped: of(&self.dropped) }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn bytes(span: &SpanData) -> usize {
    let text = |value: &Value| if let Value::String(text) = value { text.as_str().len() } else { 0 };
    let texts: usize = span.attributes.iter().map(|attribute| text(&attribute.value)).sum();
    SPAN_BYTES + texts
}
