//! Who is told what happens: the figures, the metrics, and a collector of traces if one is named.

use std::sync::Arc;
use std::time::Duration;

use fleet_deliberation::Deliberation;
use fleet_orchestrator::port::{Observer, Observers};
use fleet_orchestrator::{Coordinator, Stats, TraceContext, chain};
use fleet_server::{Exposition, Scrape};
use fleet_telemetry::{Figures, Metrics, StoreFigures, TraceSettings, Traces, export};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::{Exit, Problem};

/// All who are told.
pub(crate) struct Telemetry {
    pub(crate) stats: Arc<Stats>,
    metrics: Arc<Metrics>,
    traces: Option<Arc<Traces>>,
    exporting: Option<(JoinHandle<()>, CancellationToken)>,
    end: Arc<End>,
}

/// How long the end of a deliberation may be known before it is told.
const TOLD_MAX: Duration = Duration::from_millis(500);

/// Knows that a deliberation has ended.
#[derive(Default)]
struct End(Notify);

impl Observer for End {
    fn ended(&self, _: &Deliberation) {
        self.0.notify_one();
    }
}

impl Telemetry {
    /// Traces go out only where the environment names a collector.
    pub(crate) fn start() -> Result<Telemetry, Problem> {
        let stats = Arc::new(Stats::default());
        let metrics = Arc::new(Metrics::new(Arc::clone(&stats)));
        let refused = |error: &(dyn std::error::Error + 'static)| {
            let message = format!("{}; OTEL_SDK_DISABLED=true turns traces off", chain(error));
            Problem::new(Exit::Refused, message)
        };
        let settings =
            TraceSettings::read(|name| std::env::var(name).ok()).map_err(|error| refused(&error))?;
        let Some(settings) = settings else {
            return Ok(Telemetry { stats, metrics, traces: None, exporting: None, end: Arc::default() });
        };
        let (traces, export) = export(&settings).map_err(|error| refused(&error))?;
        tracing::info!(content = settings.content, "traces are sent to a collector");
        let stop = CancellationToken::new();
        let exporting = Some((tokio::spawn(export.run(stop.clone())), stop));
        let traces = Some(Arc::new(traces));
        Ok(Telemetry { stats, metrics, traces, exporting, end: Arc::default() })
    }

    /// The one to tell.
    pub(crate) fn observer(&self) -> Arc<dyn Observer> {
        let mut all: Vec<Arc<dyn Observer>> =
            vec![Arc::clone(&self.stats) as _, Arc::clone(&self.metrics) as _];
        if let Some(traces) = &self.traces {
            all.extend([Arc::clone(traces) as _, Arc::clone(&self.end) as _]);
        }
        Arc::new(Observers(all))
    }

    /// Writes the metrics, with what the others know at that moment.
    pub(crate) fn scrape(
        &self,
        coordinator: &Arc<Coordinator>,
        in_flight_max: usize,
        store: impl Fn() -> fleet_embedded::Stats + Send + Sync + 'static,
    ) -> Scrape {
        let (metrics, traces) = (Arc::clone(&self.metrics), self.traces.clone());
        let coordinator = Arc::clone(coordinator);
        Arc::new(move |form| {
            let figures = Figures {
                in_flight: coordinator.in_flight() as u64,
                in_flight_max: in_flight_max as u64,
                store: Some(figures(&store())),
                spans: traces.as_ref().map(|traces| traces.spans()),
            };
            match form {
                Exposition::Prometheus => metrics.prometheus(figures),
                Exposition::OpenMetrics => metrics.open_metrics(figures),
            }
        })
    }

    /// Waits a moment for the one deliberation of this process to be told of as ended. It is in the log before
    /// that, and seen by whoever follows it; what stops at once would leave its trace without a root.
    pub(crate) async fn end_told(&self) {
        if self.traces.is_some() {
            // One that had ended before is not told of again.
            _ = timeout(TOLD_MAX, self.end.0.notified()).await;
        }
    }

    /// Sends what is left, once nobody tells anything any more; takes a few seconds at most.
    pub(crate) async fn flush(self) {
        if let Some((exporting, stop)) = self.exporting {
            stop.cancel();
            if let Err(error) = exporting.await {
                tracing::error!(error = chain(&error), "the sending of traces broke");
            }
        }
    }
}

fn figures(store: &fleet_embedded::Stats) -> StoreFigures {
    StoreFigures {
        commits: store.commits,
        writes: store.operations,
        batch_max: store.batch_max as u64,
        commit_p50: store.commit_p50,
        commit_p99: store.commit_p99,
        checkpoints: store.checkpoints,
        log_pages_max: store.log_pages_max as u64,
    }
}

/// The trace in which whoever called the command works, as the variable `TRACEPARENT` says it; empty where it
/// says nothing that can be read.
pub(crate) fn caller() -> String {
    let said = std::env::var("TRACEPARENT").ok().and_then(|said| said.parse::<TraceContext>().ok());
    said.map(|context| context.to_string()).unwrap_or_default()
}
