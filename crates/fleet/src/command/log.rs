//! The log, on standard error: for people or for programs.

use anyhow::Context as _;
use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat};
use crate::show::{in_color, say_as_json};

/// Begins to log.
pub(super) fn begin(log: &Log, serving: bool, no_color: bool) -> anyhow::Result<()> {
    let filter = match log.filter.as_str() {
        "" if serving => "info",
        "" => "error",
        said => said,
    };
    let filter = EnvFilter::try_new(filter).with_context(|| format!("log.filter is {filter:?}"))?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match log.format {
        LogFormat::Text => {
            lines.with_ansi(!no_color && in_color()).with_target(false).init();
        }
        LogFormat::Json => {
            // What a server says of itself goes to the same reader; a command speaks with people.
            if serving {
                say_as_json();
            }
            lines.json().flatten_event(true).with_current_span(false).with_span_list(false).init();
        }
    }
    Ok(())
}
