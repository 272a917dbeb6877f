//! One call of one server: sent, read, and told apart from what is no answer.

use fleet_deliberation::FailureKind;
use fleet_deliberation::Generation;
use fleet_orchestrator::TraceContext;
use fleet_orchestrator::port::{Heard, ModelRequest};

use super::answer::{BadAnswer, Reading};
use super::body::{self, Extras};
use super::timer::{Late, Timer};
use super::{Blame, Failed, Server, error, fault};

/// A job that had no more time tells nothing of its server, unless that was silent for this long, in
/// milliseconds.
const SILENT_MS: u64 = 10_000;

pub(super) struct Call<'a> {
    pub(super) server: &'a Server,
    pub(super) request: &'a ModelRequest,
    pub(super) trace: TraceContext,
    pub(super) heard: Heard<'a>,
}

impl Call<'_> {
    pub(super) async fn send(&self, extras: Extras, timer: &mut Timer) -> Result<reqwest::Response, Failed> {
        let body = body::write(self.request, extras);
        let request = self.server.post("chat/completions", body, self.trace);
        match timer.within(self.server.execute(request)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(cause)) => {
                let blame = if cause.is_connect() { Blame::NotReached } else { Blame::Server };
                Err(Failed::new(self.server.no_answer(&cause), blame))
            }
            Err(late) => Err(self.late(late, 0)),
        }
    }

    fn late(&self, late: Late, tokens: u64) -> Failed {
        let blame = match late {
            Late::InAll { ms, by_job: true } if tokens > 0 || ms < SILENT_MS => Blame::OutOfTime,
            Late::InAll { .. } | Late::FirstToken { .. } | Late::BetweenTokens { .. } => Blame::Server,
        };
        Failed::new(error(FailureKind::Timeout, late.message(self.server.label(), tokens)), blame)
    }

    pub(super) async fn read(
        &self,
        mut response: reqwest::Response,
        mut timer: Timer,
    ) -> Result<Generation, Failed> {
        let mut reading = Reading::new(self.request, self.heard, timer.started());
        let broken = loop {
            match timer.within(response.chunk()).await {
                Ok(Ok(Some(piece))) => {
                    let before = reading.events();
                    reading.take(&piece).map_err(|fault| self.bad_answer(fault))?;
                    if reading.is_done() {
                        self.server.drain(&mut response).await;
                        break None;
                    }
                    if reading.has_finished() {
                        timer.only_figures_follow();
                    } else if reading.events() > before {
                        timer.next_token();
                    }
                }
                Ok(Ok(None)) => {
                    reading.end().map_err(|fault| self.bad_answer(fault))?;
                    break None;
                }
                // What comes behind the end of the answer is figures: the answer does not wait for them.
                Ok(Err(_)) | Err(_) if reading.has_finished() => break None,
                Ok(Err(cause)) => break Some(fault::cause(&cause)),
                Err(late) => return Err(self.late(late, reading.tokens())),
            }
        };
        if let Some(cause) = broken {
            let (server, tokens) = (self.server.label(), reading.tokens());
            let message = format!("the connection to {server} broke after {tokens} tokens: {cause}");
            return Err(error(FailureKind::Connection, message).into());
        }
        reading.finish().map_err(|fault| self.bad_answer(fault))
    }

    fn bad_answer(&self, fault: BadAnswer) -> Failed {
        let about_format = matches!(&fault, BadAnswer::Fault(fault) if fault.is_about_format());
        let error = fault.into_error(self.server, self.request);
        if about_format { Failed::answered(error) } else { error.into() }
    }
}
