//! What the tests have in common: a place to work in, processes that end with the test, waiting for things.

mod apart;
mod client;
mod collector;
mod http;
#[path = "../../../llm/tests/support/llama.rs"]
mod llama;
mod model;
mod parts;
mod place;
mod process;
mod raw;
mod store;

use std::future::Future;
use std::time::{Duration, Instant};

pub(crate) use apart::{Filler, View};
pub(crate) use client::{Client, deliberate, field_of, reflected, retry_of, service_of};
pub(crate) use collector::{Collector, attribute};
pub(crate) use fleet_scripted::Scripted;
pub(crate) use http::{Page, ask, get, series};
pub(crate) use llama::Llama;
pub(crate) use model::{HELD, answers, council, held, kind_of, refuses};
pub(crate) use parts::{root, tool};
pub(crate) use place::Place;
pub(crate) use process::{Ended, Program, Running, Server};
pub(crate) use raw::{Call, raw};
pub(crate) use store::Kept;

/// How long anything may take before a test gives up on it. Generous: it only ever matters when
/// something is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Looks again and again until there is something to see.
pub(crate) async fn eventually<T, F>(what: &str, mut look: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let begun = Instant::now();
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(begun.elapsed() < PATIENCE, "still not so: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Waits until something is so.
pub(crate) async fn until(what: &str, mut so: impl FnMut() -> bool) {
    eventually(what, || std::future::ready(so().then_some(()))).await;
}
