//! `port::LanguageModel` over any server that speaks the chat-completions dialect.

mod answer;
mod body;
mod call;
mod failed;
mod fault;
#[cfg(test)]
mod fuzz;
mod look;
mod server;
mod test_call;
mod timer;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use fleet_deliberation::{FailureKind, Generation, check_parameters};
use fleet_orchestrator::TraceContext;
use fleet_orchestrator::port::{Heard, LanguageModel, ModelError, ModelRequest};

use crate::wire::ModelList;
use body::Extras;
use call::Call;
pub(crate) use failed::{Blame, Failed};
pub(crate) use look::Sight;
pub use server::{BadServer, Limits, ServerConfig, check_url};
pub(crate) use server::{Server, canonical, shown};
pub use test_call::TestCall;
use timer::Timer;

/// The most bytes of a list of models.
const MODELS_BYTES_MAX: usize = 4 << 20;

/// For how many models it is kept what their server refuses.
const REFUSED_MAX: usize = 1024;

/// One server, called over connections that are kept and shared by all calls.
pub struct OpenAi {
    server: Server,
    limits: Limits,
    /// What the server is known to refuse, by model; what is not here is taken to work.
    refused: Mutex<BTreeMap<Arc<str>, Extras>>,
}

impl OpenAi {
    /// A client for the server of `config`. Nothing is sent yet.
    pub fn new(config: ServerConfig) -> Result<OpenAi, BadServer> {
        let limits = config.limits;
        Ok(OpenAi { server: Server::new(config)?, limits, refused: Mutex::default() })
    }

    /// The server as messages name it, without anything secret.
    #[must_use]
    pub fn label(&self) -> &str {
        self.server.label()
    }

    /// The names of the server's models.
    pub async fn models(&self) -> Result<Vec<String>, ModelError> {
        let mut timer = Timer::start(self.limits, self.limits.total_ms);
        let late = |late: timer::Late| error(FailureKind::Timeout, late.message(self.label(), 0));
        let response = match timer.within(self.server.execute(self.server.get("models"))).await {
            Ok(Ok(response)) => response,
            Ok(Err(cause)) => return Err(self.server.no_answer(&cause)),
            Err(passed) => return Err(late(passed)),
        };
        if !response.status().is_success() {
            let refusal = fault::read(response, &mut timer).await;
            return Err(fault::refused(&self.server, None, refusal));
        }
        match timer.within(server::body(response, MODELS_BYTES_MAX)).await {
            Ok(Ok(body)) => match serde_json::from_slice::<ModelList>(&body) {
                Ok(list) => Ok(list.data.into_iter().map(|model| model.id).collect()),
                Err(_) => {
                    let message = format!(
                        "{} answered with no list of models; is it an OpenAI-compatible server?",
                        self.label()
                    );
                    Err(error(FailureKind::Unreadable, message))
                }
            },
            Ok(Err(cause)) => Err(self.server.no_answer(&cause)),
            Err(passed) => Err(late(passed)),
        }
    }

    fn extras(&self, request: &ModelRequest) -> Extras {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        Extras::for_request(request).without(refused.get(&request.model).copied().unwrap_or_default())
    }

    fn remember_refused(&self, model: &Arc<str>, extras: Extras) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if refused.len() < REFUSED_MAX || refused.contains_key(model) {
            let known = refused.entry(model.clone()).or_default();
            *known = known.with(extras);
        }
    }
}

#[async_trait]
impl LanguageModel for OpenAi {
    async fn complete(&self, request: &ModelRequest, heard: Heard<'_>) -> Result<Generation, ModelError> {
        check(request)?;
        self.call(request, 1, request.timeout_ms, heard).await.map_err(|failed| failed.error)
    }
}

impl OpenAi {
    /// The `nth` call of an attempt, of no use after `timeout_ms`. The parameters have been checked.
    pub(crate) async fn call(
        &self,
        request: &ModelRequest,
        nth: u32,
        timeout_ms: u64,
        heard: Heard<'_>,
    ) -> Result<Generation, Failed> {
        let trace = TraceContext::of_deliberation(&request.job.deliberation, &request.trace);
        let trace = trace.of_call(&request.job, request.attempt, nth);
        let call = Call { server: &self.server, request, trace, heard };
        let mut timer = Timer::start(self.limits, timeout_ms);
        let mut extras = self.extras(request);
        let mut given_up = Extras::default();
        let mut learnt = Extras::default();
        let mut calls_unknown = 0;
        loop {
            let response = call.send(extras, &mut timer).await?;
            if response.status().is_success() {
                if given_up != Extras::default() {
                    tracing::debug!(server = %self.label(), model = %request.model, ?given_up, ?learnt,
                        "the server refuses what was given up; what was learnt is left out from now on");
                    self.remember_refused(&request.model, learnt);
                }
                let generation = call.read(response, timer).await?;
                return Ok(Generation { calls_unknown, ..generation });
            }
            let refusal = fault::read(response, &mut timer).await;
            let unwanted = extras.unwanted_by(&refusal, &request.parameters);
            if unwanted == Extras::default() {
                let about_format = refusal.fault.is_about_format();
                let error = fault::refused(&self.server, Some(request), refusal);
                return Err(if about_format { Failed::answered(error) } else { error.into() });
            }
            // A failure may have had other reasons, unless it names this one.
            if !refusal.status.is_server_error() || refusal.fault.is_about_format() {
                learnt = learnt.with(unwanted);
            }
            // What is refused costs nothing; what fails may have been begun.
            calls_unknown += u32::from(refusal.status.is_server_error());
            // Not another attempt: the server said that it will never take the request in that form.
            given_up = given_up.with(unwanted);
            extras = extras.without(unwanted);
        }
    }
}

/// Refuses a request that no server is to get.
pub(crate) fn check(request: &ModelRequest) -> Result<(), ModelError> {
    check_parameters(&request.parameters).map_err(|bad| error(FailureKind::BadRequest, bad.to_string()))
}

pub(crate) fn error(kind: FailureKind, message: String) -> ModelError {
    ModelError { kind, message, retry_after_ms: None }
}
