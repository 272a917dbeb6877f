//! Long work on files: how far it has come, and how it is interrupted.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fleet_embedded::{Step, Watch};
use indicatif::{ProgressBar, ProgressStyle};

use super::follow::Signals;
use super::is_quiet;
use crate::{Exit, Problem};

/// Does work beside the runtime, and shows how far it has come. The first interrupt tells it to end, which
/// leaves nothing behind; a second one does not wait for that.
pub(crate) async fn watched<T: Send + 'static>(
    work: impl FnOnce(&Watch) -> T + Send + 'static,
) -> anyhow::Result<T> {
    let mut signals = Signals::listen()?;
    let style = ProgressStyle::with_template("{msg} {bar:30} {bytes} of {total_bytes}");
    let bar = if is_quiet() { ProgressBar::hidden() } else { ProgressBar::no_length() };
    let bar = bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let stop = Arc::new(AtomicBool::new(false));
    let (shown, stopped) = (bar.clone(), Arc::clone(&stop));
    let watch: Watch = Arc::new(move |step| {
        show(&shown, step);
        if stopped.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    let mut done = tokio::task::spawn_blocking(move || work(&watch));
    let done = tokio::select! {
        biased;
        () = signals.any() => {
            stop.store(true, Ordering::Relaxed);
            tokio::select! {
                biased;
                () = signals.any() => return Err(Problem::new(Exit::Left, "left at once").into()),
                done = &mut done => done,
            }
        }
        done = &mut done => done,
    };
    bar.finish_and_clear();
    Ok(done?)
}

fn show(bar: &ProgressBar, step: Step) {
    match step {
        Step::Copying { done, whole } => {
            bar.set_message("copying");
            bar.set_length(whole);
            bar.set_position(done);
        }
        Step::Checking => bar.set_message("checking"),
        Step::Verifying { done, whole } => {
            if bar.length() != Some(whole) {
                let style = ProgressStyle::with_template("{msg} {bar:30} {pos} of {len}");
                bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            }
            bar.set_message("records and answers");
            bar.set_length(whole);
            bar.set_position(done);
        }
    }
    bar.tick();
}
