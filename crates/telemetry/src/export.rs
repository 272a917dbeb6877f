//! Sends spans to the collector, and says once in a while what was lost.

use std::sync::Arc;
use std::time::Duration;

use fleet_orchestrator::chain;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::queue::{Queue, Spans};
use crate::settings::TraceSettings;

/// How often it is said that spans were lost, at most.
const SAY_EVERY: Duration = Duration::from_secs(60);
/// How long the collector may take for what is left at the end.
const FLUSH_MAX: Duration = Duration::from_secs(3);

/// Sends what waits. Nothing is sent unless it runs.
pub struct Export<E> {
    exporter: E,
    queue: Arc<Queue>,
    delay: Duration,
    export_max: Duration,
    said: Said,
}

/// What was said of losses.
#[derive(Default)]
struct Said {
    spans: Spans,
    at: Option<Instant>,
}

impl<E: SpanExporter> Export<E> {
    pub(crate) fn new(exporter: E, queue: Arc<Queue>, settings: &TraceSettings) -> Export<E> {
        let TraceSettings { delay, export_max, .. } = *settings;
        Export { exporter, queue, delay, export_max, said: Said::default() }
    }

    /// Sends spans as they come, until told to stop; then what is left, for a short while.
    pub async fn run(mut self, stop: CancellationToken) {
        let too_long = async {
            stop.cancelled().await;
            tokio::time::sleep(FLUSH_MAX).await;
        };
        tokio::select! {
            biased;
            () = self.follow(&stop) => {}
            () = too_long => {
                let left = self.queue.forget();
                tracing::warn!(spans.left = left, "the collector of traces is too slow; the last spans are lost");
            }
        }
        // There is nothing left to be done about it.
        _ = self.exporter.shutdown();
    }

    async fn follow(&mut self, stop: &CancellationToken) {
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = self.queue.enough.notified() => {}
                () = tokio::time::sleep(self.delay) => {}
            }
            self.send_all().await;
            if stop.is_cancelled() {
                return;
            }
        }
    }

    async fn send_all(&mut self) {
        loop {
            let batch = self.queue.batch();
            if batch.is_empty() {
                break;
            }
            self.send(batch).await;
        }
    }

    async fn send(&mut self, batch: Vec<SpanData>) {
        // Counted as lost even if nobody waits for the end of it.
        let mut lost = Lost { queue: &self.queue, spans: batch.len() };
        let sent = timeout(self.export_max, self.exporter.export(batch)).await;
        let error = match sent {
            Ok(Ok(())) => {
                self.queue.sent(std::mem::take(&mut lost.spans));
                None
            }
            Ok(Err(error)) => Some(chain(&error)),
            Err(_) => Some(format!("no answer within {} ms", self.export_max.as_millis())),
        };
        drop(lost);
        self.say(error);
    }

    fn say(&mut self, error: Option<String>) {
        let spans = self.queue.spans();
        let lost = (spans.failed - self.said.spans.failed, spans.dropped - self.said.spans.dropped);
        if lost == (0, 0) || self.said.at.is_some_and(|at| at.elapsed() < SAY_EVERY) {
            return;
        }
        let error = error.unwrap_or_else(|| "too many waited".to_owned());
        tracing::warn!(spans.failed = lost.0, spans.dropped = lost.1, error, "spans were lost");
        self.said = Said { spans, at: Some(Instant::now()) };
    }
}

/// Spans that are not known to have arrived.
struct Lost<'a> {
    queue: &'a Queue,
    spans: usize,
}

impl Drop for Lost<'_> {
    fn drop(&mut self) {
        self.queue.failed(self.spans);
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
    use opentelemetry_sdk::trace::Sampler;

    use fleet_orchestrator::port::Observer as _;

    use super::*;
    use crate::{Traces, sample};

    /// A collector that is not well.
    #[derive(Debug, Clone, Copy)]
    enum Ill {
        Refuses,
        Hangs,
    }

    impl SpanExporter for Ill {
        async fn export(&self, _: Vec<SpanData>) -> OTelSdkResult {
            match self {
                Ill::Refuses => Err(OTelSdkError::InternalFailure("not today".into())),
                Ill::Hangs => pending().await,
            }
        }
    }

    fn settings() -> TraceSettings {
        let get = |name: &str| (name == "OTEL_EXPORTER_OTLP_ENDPOINT").then(|| "http://c:4317".to_owned());
        let read = TraceSettings::read(get).unwrap().unwrap();
        TraceSettings { waiting_max: 20, batch_max: 10, ..read }
    }

    fn tell(traces: &Traces, n: usize) {
        for _ in 0..n {
            traces.ended(&sample::completed("", 1));
        }
    }

    #[test]
    fn who_tells_never_waits_and_what_has_no_room_is_counted() {
        let (traces, _export) = Traces::to(Ill::Hangs, Box::new(Sampler::AlwaysOn), &settings());
        tell(&traces, 25);
        assert_eq!(traces.spans(), Spans { sent: 0, failed: 0, dropped: 5 });
    }

    #[tokio::test]
    async fn what_a_collector_refuses_is_counted_as_lost() {
        let (traces, mut export) = Traces::to(Ill::Refuses, Box::new(Sampler::AlwaysOn), &settings());
        tell(&traces, 15);
        let stop = CancellationToken::new();
        stop.cancel();
        export.follow(&stop).await;
        assert_eq!(traces.spans(), Spans { sent: 0, failed: 15, dropped: 0 });
        assert!(export.said.at.is_some(), "and that is said");
    }

    #[tokio::test]
    async fn a_collector_that_hangs_does_not_keep_the_process() {
        let (traces, export) = Traces::to(Ill::Hangs, Box::new(Sampler::AlwaysOn), &settings());
        tell(&traces, 20);
        let stop = CancellationToken::new();
        stop.cancel();
        export.run(stop).await;
        assert_eq!(traces.spans(), Spans { sent: 0, failed: 20, dropped: 0 });
    }
}
