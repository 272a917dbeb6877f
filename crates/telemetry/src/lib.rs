//! What happens, for others to see: spans of OpenTelemetry for a collector, metrics for Prometheus.
//!
//! Both are told by `port::Observer` and hold nothing up. Attributes and metrics of models follow the GenAI
//! semantic conventions of OpenTelemetry, version 1.41.

mod address;
mod content;
mod export;
mod known;
mod metrics;
mod queue;
#[cfg(test)]
mod sample;
mod settings;
mod span;
mod traces;

pub use export::Export;
pub use metrics::{Figures, Metrics, StoreFigures};
pub use queue::Spans;
pub use settings::{BadSetting, TraceSettings};
pub use traces::{CannotExport, Traces, export};
