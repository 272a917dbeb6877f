//! The metrics that somebody else counts, written down as they are when they are asked for.

use std::fmt::{Debug, Error};
use std::time::Duration;

use fleet_orchestrator::stats::Totals;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::{MetricType, TypedMetric};
use prometheus_client::registry::Unit;

use super::process::{Process, started_s};
use crate::queue::Spans;

/// What else is known when metrics are asked for.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// Deliberations that are open.
    pub in_flight: u64,
    /// The most that may be.
    pub in_flight_max: u64,
    /// What the store says of itself, if it does.
    pub store: Option<StoreFigures>,
    /// What became of spans, if there are any.
    pub spans: Option<Spans>,
}

/// What the store says of itself.
#[derive(Debug, Clone, Default)]
pub struct StoreFigures {
    /// Commits that were synced.
    pub commits: u64,
    /// Writes that were answered.
    pub writes: u64,
    /// The most writes that shared one commit.
    pub batch_max: u64,
    /// Half of the last commits were no slower.
    pub commit_p50: Duration,
    /// 99 in 100 of the last commits were no slower.
    pub commit_p99: Duration,
    /// Times the log was taken over into the file.
    pub checkpoints: u64,
    /// The most pages the log has held.
    pub log_pages_max: u64,
}

/// What is written down.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) totals: Totals,
    pub(super) figures: Figures,
}

impl Collector for Facts {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let mut page = Page(encoder);
        self.deliberations(&mut page)?;
        self.store(&mut page)?;
        self.spans(&mut page)?;
        process(&mut page)
    }
}

impl Facts {
    fn deliberations(&self, page: &mut Page<'_>) -> Result<(), Error> {
        let Totals { accepted, refused, ended, attempted, .. } = &self.totals;
        page.counters(
            "fleet_deliberations_accepted",
            "Deliberations accepted, by role.",
            accepted.iter().map(|(role, n)| ([("role", role.as_str())], *n)),
        )?;
        page.counters(
            "fleet_deliberations_refused",
            "Submissions refused, by reason.",
            refused.iter().map(|(reason, n)| ([("reason", *reason)], *n)),
        )?;
        page.counters(
            "fleet_deliberations_ended",
            "Deliberations that ended, by role and how they did.",
            ended
                .iter()
                .map(|((role, end), sum)| ([("role", role.as_str()), ("ending", end.as_str())], sum.count)),
        )?;
        page.counters(
            "fleet_jobs_attempted",
            "Attempts at jobs, by the kind of job and what came of them.",
            attempted.iter().map(|((kind, came), sum)| {
                ([("kind", kind.as_str()), ("outcome", came.as_str())], sum.count)
            }),
        )?;
        let Figures { in_flight, in_flight_max, .. } = self.figures;
        page.gauge("fleet_deliberations_in_flight", "Deliberations that are open.", None, in_flight)?;
        let help = "The most deliberations that may be open at once.";
        page.gauge("fleet_deliberations_in_flight_max", help, None, in_flight_max)
    }

    fn store(&self, page: &mut Page<'_>) -> Result<(), Error> {
        let Some(store) = &self.figures.store else { return Ok(()) };
        page.counter("fleet_store_commits", "Commits that were synced to disk.", store.commits)?;
        page.counter("fleet_store_writes", "Writes that were answered.", store.writes)?;
        let help = "The most writes that have shared one commit.";
        page.gauge("fleet_store_commit_writes_max", help, None, store.batch_max)?;
        let help = "How long half of the last few thousand commits took at most, with their sync.";
        let seconds = Some(Unit::Seconds);
        page.gauge("fleet_store_commit_p50", help, seconds.clone(), store.commit_p50.as_secs_f64())?;
        let help = "How long 99 in 100 of the last few thousand commits took at most, with their sync.";
        page.gauge("fleet_store_commit_p99", help, seconds, store.commit_p99.as_secs_f64())?;
        let help = "Times the write-ahead log was taken over into the file.";
        page.counter("fleet_store_checkpoints", help, store.checkpoints)?;
        let help = "The most pages the write-ahead log has held.";
        page.gauge("fleet_store_log_pages_max", help, None, store.log_pages_max)
    }

    fn spans(&self, page: &mut Page<'_>) -> Result<(), Error> {
        let Some(Spans { sent, failed, dropped }) = self.figures.spans else { return Ok(()) };
        page.counters(
            "fleet_spans",
            "Spans of traces: sent, failed to be sent, or dropped because too many waited.",
            [("sent", sent), ("failed", failed), ("dropped", dropped)]
                .map(|(outcome, n)| ([("outcome", outcome)], n)),
        )
    }
}

fn process(page: &mut Page<'_>) -> Result<(), Error> {
    let bytes = || Some(Unit::Bytes);
    let Process { resident_bytes, virtual_bytes, open_fds, max_fds } = Process::now();
    for (name, help, unit, value) in [
        ("process_resident_memory", "Memory that is held.", bytes(), resident_bytes),
        ("process_virtual_memory", "Memory that is mapped.", bytes(), virtual_bytes),
        ("process_open_fds", "File descriptors that are open.", None, open_fds),
        ("process_max_fds", "The most file descriptors that may be open.", None, max_fds),
    ] {
        if let Some(value) = value {
            page.gauge(name, help, unit, value)?;
        }
    }
    let help = "When the process began, since 1970.";
    page.gauge("process_start_time", help, Some(Unit::Seconds), started_s())?;
    let version = [("version", env!("CARGO_PKG_VERSION"))];
    page.family("fleet_build_info", "The version that runs.", None, [(version, ConstGauge::new(1_u64))])
}

/// Where metrics are written.
struct Page<'a>(DescriptorEncoder<'a>);

impl Page<'_> {
    fn counter(&mut self, name: &str, help: &str, n: u64) -> Result<(), Error> {
        let counter = ConstCounter::new(n);
        counter.encode(self.0.encode_descriptor(name, help, None, MetricType::Counter)?)
    }

    fn counters<L: EncodeLabelSet>(
        &mut self,
        name: &str,
        help: &str,
        counts: impl IntoIterator<Item = (L, u64)>,
    ) -> Result<(), Error> {
        self.family(name, help, None, counts.into_iter().map(|(labels, n)| (labels, ConstCounter::new(n))))
    }

    fn gauge<N>(&mut self, name: &str, help: &str, unit: Option<Unit>, value: N) -> Result<(), Error>
    where
        ConstGauge<N>: EncodeMetric,
    {
        let gauge = ConstGauge::new(value);
        gauge.encode(self.0.encode_descriptor(name, help, unit.as_ref(), MetricType::Gauge)?)
    }

    fn family<L: EncodeLabelSet, M: EncodeMetric + TypedMetric>(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<Unit>,
        metrics: impl IntoIterator<Item = (L, M)>,
    ) -> Result<(), Error> {
        let mut encoder = self.0.encode_descriptor(name, help, unit.as_ref(), M::TYPE)?;
        for (labels, metric) in metrics {
            metric.encode(encoder.encode_family(&labels)?)?;
        }
        Ok(())
    }
}
