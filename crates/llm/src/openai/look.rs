//! A look at a server: whether it serves, and which models.

use std::time::Duration;

use fleet_deliberation::FailureKind;
use fleet_orchestrator::port::ModelError;

use super::timer::Timer;
use super::{OpenAi, fault};

/// The most models whose names are kept; what lists more is not looked through.
const NAMES_MAX: usize = 2048;

/// What a look found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Sight {
    /// It serves. Its models, where it says them, and what it minds otherwise.
    Up { models: Option<Vec<String>>, but: Option<String> },
    /// It is there and will serve.
    Loading(String),
    /// It is not there, or fails.
    Down(String),
    /// It says nothing within the time.
    Silent(String),
}

impl OpenAi {
    /// Asks for `/health` and for the models. Servers have the one or the other, or both.
    pub(crate) async fn look(&self, timeout_ms: u64) -> Sight {
        let timeout_ms = timeout_ms.min(self.limits.total_ms);
        let looking = async {
            match self.health().await {
                Some(sight) => sight,
                None => sight_of(self.models().await),
            }
        };
        match tokio::time::timeout(Duration::from_millis(timeout_ms), looking).await {
            Ok(sight) => sight,
            Err(_) => Sight::Silent(format!("it did not answer within {timeout_ms} ms")),
        }
    }

    /// What `/health` says, if it says that the server does not serve. No key is sent: gateways that want
    /// one there call every model behind them, and that costs.
    async fn health(&self) -> Option<Sight> {
        let response = match self.server.execute(self.server.get_at_root("/health")).await {
            Ok(response) => response,
            Err(cause) => return Some(no_answer(&self.server.no_answer(&cause))),
        };
        let status = response.status();
        if !status.is_server_error() {
            return None;
        }
        let mut timer = Timer::start(self.limits, self.limits.total_ms);
        let words = fault::read(response, &mut timer).await.fault.message;
        let said = format!("/health says {}", status.as_u16());
        Some(if is_loading(&words) { Sight::Loading(said) } else { Sight::Down(said) })
    }
}

fn sight_of(listed: Result<Vec<String>, ModelError>) -> Sight {
    use FailureKind::{Connection, Server, Timeout, Unauthorized};
    let error = match listed {
        Ok(models) => {
            return Sight::Up { models: (models.len() <= NAMES_MAX).then_some(models), but: None };
        }
        Err(error) => error,
    };
    match error.kind {
        Connection => no_answer(&error),
        Timeout => Sight::Silent(error.message),
        Server if is_loading(&error.message) => Sight::Loading(error.message),
        Server => Sight::Down(error.message),
        Unauthorized => Sight::Up { models: None, but: Some("it refuses the key".into()) },
        _ => Sight::Up { models: None, but: None },
    }
}

fn no_answer(error: &ModelError) -> Sight {
    match error.kind {
        FailureKind::Timeout => Sight::Silent(error.message.clone()),
        _ => Sight::Down(error.message.clone()),
    }
}

fn is_loading(words: &str) -> bool {
    words.to_ascii_lowercase().contains("loading")
}
