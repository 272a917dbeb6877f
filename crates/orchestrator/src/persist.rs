//! Trying again what the store could not do yet.

use std::future::Future;

use crate::chain;
use crate::port::{Clock, StoreError};

const PAUSE_MS_MIN: u64 = 50;
const PAUSE_MS_MAX: u64 = 5_000;

/// Tries until it works, with a longer pause each time. Says in the log when it begins to fail, and when
/// it works again. Meant to be raced against the stop signal.
pub async fn persist<T, F, Fut>(clock: &dyn Clock, what: &'static str, mut attempt: F) -> T
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T, StoreError>>,
{
    let mut pause_ms = 0;
    loop {
        match attempt().await {
            Ok(value) => {
                if pause_ms > 0 {
                    tracing::info!(what, "works again");
                }
                return value;
            }
            Err(error) => {
                if pause_ms == 0 {
                    tracing::error!(what, error = chain(&error), "failed; trying again until it works");
                }
                pause_ms = (pause_ms * 2).clamp(PAUSE_MS_MIN, PAUSE_MS_MAX);
                clock.sleep_until(clock.now().plus_ms(pause_ms)).await;
            }
        }
    }
}
