//! `port::LanguageModel` over any server that speaks the chat-completions dialect.

mod answer;
mod body;
mod fault;
mod server;
mod timer;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use fleet_deliberation::{FailureKind, Generation};
use fleet_orchestrator::port::{Heard, LanguageModel, ModelError, ModelRequest};

use crate::wire::ModelList;
use answer::{BadAnswer, Reading};
use body::Extras;
pub(crate) use server::Server;
pub use server::{BadServer, Limits, ServerConfig};
use timer::Timer;

/// The most bytes of a list of models.
const MODELS_BYTES_MAX: usize = 4 << 20;

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
            Ok(Err(cause)) => return Err(self.server.not_reached(&cause)),
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
            Ok(Err(cause)) => Err(self.server.not_reached(&cause)),
            Err(passed) => Err(late(passed)),
        }
    }

    fn extras(&self, request: &ModelRequest) -> Extras {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        Extras::for_request(request).without(refused.get(&request.model).copied().unwrap_or_default())
    }

    fn remember_refused(&self, model: &Arc<str>, extras: Extras) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let known = refused.entry(model.clone()).or_default();
        *known = known.with(extras);
    }
}

#[async_trait]
impl LanguageModel for OpenAi {
    async fn complete(&self, request: &ModelRequest, heard: Heard<'_>) -> Result<Generation, ModelError> {
        let call = Call { server: &self.server, request, heard };
        let mut timer = Timer::start(self.limits, request.timeout_ms);
        let mut extras = self.extras(request);
        let mut given_up = Extras::default();
        loop {
            let response = call.send(extras, &mut timer).await?;
            if response.status().is_success() {
                if given_up != Extras::default() {
                    tracing::debug!(server = %self.label(), model = %request.model, ?given_up,
                        "the server refuses these fields; they are left out from now on");
                    self.remember_refused(&request.model, given_up);
                }
                return call.read(response, timer).await;
            }
            let refusal = fault::read(response, &mut timer).await;
            let unwanted = extras.unwanted_by(&refusal);
            if unwanted == Extras::default() {
                return Err(fault::refused(&self.server, Some(request), refusal));
            }
            // Not another attempt: the server said that it will never take the request in that form.
            given_up = given_up.with(unwanted);
            extras = extras.without(unwanted);
        }
    }
}

/// One call of one server.
struct Call<'a> {
    server: &'a Server,
    request: &'a ModelRequest,
    heard: Heard<'a>,
}

impl Call<'_> {
    async fn send(&self, extras: Extras, timer: &mut Timer) -> Result<reqwest::Response, ModelError> {
        let body = body::write(self.request, extras);
        let request = self.server.post("chat/completions", body);
        match timer.within(self.server.execute(request)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(self.server.not_reached(&error)),
            Err(late) => Err(self.late(late, 0)),
        }
    }

    fn late(&self, late: timer::Late, tokens: u64) -> ModelError {
        error(FailureKind::Timeout, late.message(self.server.label(), tokens))
    }

    async fn read(
        &self,
        mut response: reqwest::Response,
        mut timer: Timer,
    ) -> Result<Generation, ModelError> {
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
            return Err(error(FailureKind::Connection, message));
        }
        reading.finish().map_err(|fault| self.bad_answer(fault))
    }

    fn bad_answer(&self, fault: BadAnswer) -> ModelError {
        fault.into_error(self.server, self.request)
    }
}

fn error(kind: FailureKind, message: String) -> ModelError {
    ModelError { kind, message, retry_after_ms: None }
}
