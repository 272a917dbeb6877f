//! The limits of one call, held by one timer that moves along with it.

use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use super::Limits;

/// How long the figures behind an answer are waited for, in a stream that does not say that it ends.
const FIGURES: Duration = Duration::from_secs(1);

/// A limit was passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Late {
    FirstToken { ms: u64 },
    BetweenTokens { ms: u64 },
    InAll { ms: u64, by_job: bool },
}

impl Late {
    pub(super) fn message(self, server: &str, tokens: u64) -> String {
        match self {
            Late::FirstToken { ms } => {
                format!("{server} wrote no token within {ms} ms; the limit is model.first_token_timeout_s")
            }
            Late::BetweenTokens { ms } => {
                format!(
                    "{server} fell silent for {ms} ms after {tokens} tokens; the limit is model.between_tokens_timeout_s"
                )
            }
            Late::InAll { ms, by_job } => {
                let limit = if by_job {
                    "no more time was left for the job"
                } else {
                    "the limit is model.request_timeout_s"
                };
                format!("{server} had not finished after {ms} ms in all and {tokens} tokens; {limit}")
            }
        }
    }
}

pub(super) struct Timer {
    sleep: Pin<Box<Sleep>>,
    started: Instant,
    end: Instant,
    in_all: Late,
    stage: Late,
    between_tokens: Duration,
}

impl Timer {
    /// Starts the clock of a call that is of no use after `timeout_ms`.
    pub(super) fn start(limits: Limits, timeout_ms: u64) -> Timer {
        let started = Instant::now();
        let total_ms = limits.total_ms.min(timeout_ms);
        let end = started + Duration::from_millis(total_ms);
        let first = started + Duration::from_millis(limits.first_token_ms);
        Timer {
            sleep: Box::pin(sleep_until(first.min(end))),
            started,
            end,
            in_all: Late::InAll { ms: total_ms, by_job: timeout_ms < limits.total_ms },
            stage: Late::FirstToken { ms: limits.first_token_ms },
            between_tokens: Duration::from_millis(limits.between_tokens_ms),
        }
    }

    pub(super) const fn started(&self) -> Instant {
        self.started
    }

    /// Says that the answer has gone on: the limit between tokens begins anew.
    pub(super) fn next_token(&mut self) {
        let ms = u64::try_from(self.between_tokens.as_millis()).unwrap_or(u64::MAX);
        self.stage = Late::BetweenTokens { ms };
        self.sleep.as_mut().reset((Instant::now() + self.between_tokens).min(self.end));
    }

    /// Says that the answer is whole and only figures may follow: they are not waited for as long.
    pub(super) fn only_figures_follow(&mut self) {
        self.sleep.as_mut().reset((Instant::now() + FIGURES).min(self.end));
    }

    /// Waits for `work`, unless a limit is passed first.
    pub(super) async fn within<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Late> {
        let late = if self.sleep.deadline() >= self.end { self.in_all } else { self.stage };
        // The timer is not even looked at while a server sends faster than it is read.
        if Instant::now() >= self.sleep.deadline() {
            return Err(late);
        }
        tokio::select! {
            biased;
            done = work => Ok(done),
            () = &mut self.sleep => Err(late),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_time_is_up_even_where_there_is_always_something_to_read() {
        let mut timer = Timer::start(Limits { first_token_ms: 5, ..Limits::default() }, 60_000);
        let begun = Instant::now();
        while timer.within(std::future::ready(())).await.is_ok() {
            assert!(begun.elapsed() < Duration::from_secs(20), "it has no end");
        }
    }
}
