//! Following a deliberation that a server works on, over connections that may break.

use std::time::Duration;

use fleet_api::v1 as wire;
use tokio::time::{Instant, sleep};
use tonic::{Code, Status, Streaming};
use tonic_types::StatusExt as _;

use super::{Remote, is_lost};
use crate::{Exit, Problem};

/// How long a server may be away before it is given up.
const AWAY_MAX: Duration = Duration::from_secs(60);
/// The pause before a server is asked again; it doubles each time, up to the longest.
const PAUSE: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// What is followed.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) id: String,
    /// The update behind which it begins.
    pub(crate) after: u64,
    /// Whether to hear what is being written as well.
    pub(crate) tokens: bool,
    /// Whether the end is of interest, and the updates before it may be left out where there is no stream free.
    pub(crate) only_end: bool,
}

/// Something that is heard of a deliberation.
pub(crate) enum Heard {
    Update(Box<wire::DeliberationUpdate>),
    /// Nothing can be heard for now; it is tried again.
    Broken(String),
    /// Its last update was heard, and this is the result. Nothing comes after that.
    Ended(Box<wire::GetDeliberationResultResponse>),
}

/// Follows a deliberation; what was heard is not heard again.
pub(crate) struct Following<'a> {
    remote: Remote,
    /// The address where the server is found when it is started anew.
    find: &'a (dyn Fn() -> Option<String> + Sync),
    asked: Asked,
    stream: Option<Streaming<wire::DeliberationUpdate>>,
    /// Whether the last update was heard.
    over: bool,
    away: Option<Away>,
}

/// A server that does not answer.
struct Away {
    since: Instant,
    pause: Duration,
    /// It answers, and has no stream free.
    busy: bool,
}

impl<'a> Following<'a> {
    pub(crate) fn new(
        remote: Remote,
        find: &'a (dyn Fn() -> Option<String> + Sync),
        asked: Asked,
    ) -> Following<'a> {
        Following { remote, find, asked, stream: None, over: false, away: None }
    }

    /// Waits for what is heard next.
    pub(crate) async fn next(mut self) -> anyhow::Result<(Following<'a>, Heard)> {
        loop {
            let heard = if let Some(away) = &self.away {
                sleep(away.pause).await;
                self.again().await
            } else {
                self.hear().await
            };
            match heard {
                Ok(Some(heard)) => {
                    self.away = None;
                    return Ok((self, heard));
                }
                Ok(None) => {}
                Err(error) => {
                    let first = self.away.is_none();
                    let message = self.bear(error)?;
                    if first {
                        return Ok((self, Heard::Broken(message)));
                    }
                }
            }
        }
    }

    /// Hears what is next on the connection there is.
    async fn hear(&mut self) -> anyhow::Result<Option<Heard>> {
        if self.over {
            let result = self.remote.result(&self.asked.id).await?;
            return Ok(Some(Heard::Ended(Box::new(result))));
        }
        let stream = match &mut self.stream {
            Some(stream) => stream,
            None => {
                let Asked { id, after, tokens, .. } = &self.asked;
                self.stream.insert(self.remote.stream(id, *after, *tokens).await?)
            }
        };
        match stream.message().await? {
            Some(update) => {
                if update.writing.is_none() {
                    self.asked.after = update.sequence;
                }
                Ok(Some(Heard::Update(Box::new(update))))
            }
            None => {
                self.over = true;
                Ok(None)
            }
        }
    }

    /// Connects anew and hears what is next.
    async fn again(&mut self) -> anyhow::Result<Option<Heard>> {
        if let Some(address) = (self.find)() {
            self.remote = Remote::connect(&address).await?;
        }
        if self.asked.only_end && self.away.as_ref().is_some_and(|away| away.busy) {
            let result = self.remote.result(&self.asked.id).await?;
            if !result.event.is_empty() {
                return Ok(Some(Heard::Ended(Box::new(result))));
            }
        }
        self.hear().await
    }

    /// Takes an error that may pass, and says what it is; gives back any other, and one that lasts too long.
    fn bear(&mut self, error: anyhow::Error) -> anyhow::Result<String> {
        self.stream = None;
        let Some((fault, message)) = fault(&error, self.remote.address()) else { return Err(error) };
        let now = Instant::now();
        let away = self.away.get_or_insert(Away { since: now, pause: PAUSE / 2, busy: false });
        away.pause = (away.pause * 2).min(PAUSE_MAX);
        away.busy = matches!(fault, Fault::Busy(_));
        match fault {
            // It answers, so it is there.
            Fault::Busy(pause) => (away.since, away.pause) = (now, pause.max(PAUSE)),
            Fault::Away if away.since.elapsed() > AWAY_MAX => {
                let (away_s, id, address) = (AWAY_MAX.as_secs(), &self.asked.id, self.remote.address());
                let advice = "what it accepted goes on at its next start; follow it then with: fleet watch";
                let message = format!(
                    "the server has been away for {away_s} s ({message}); {advice} {id} --server {address}"
                );
                return Err(Problem::new(Exit::Unavailable, message).into());
            }
            Fault::Away => {}
        }
        Ok(message)
    }
}

/// A fault that may pass.
enum Fault {
    Away,
    /// With the pause it asks for.
    Busy(Duration),
}

/// The fault that an error is, with what is said of it; `None` for one that does not pass.
fn fault(error: &anyhow::Error, address: &str) -> Option<(Fault, String)> {
    let Some(status) = error.downcast_ref::<Status>() else {
        let problem = error.downcast_ref::<Problem>()?;
        return (problem.exit == Exit::Unavailable).then(|| (Fault::Away, problem.message.clone()));
    };
    if is_lost(status) {
        return Some((Fault::Away, format!("the connection to the server at {address} was lost")));
    }
    let fault = match status.code() {
        Code::ResourceExhausted => {
            let retry = status.get_details_retry_info().and_then(|retry| retry.retry_delay);
            Fault::Busy(retry.unwrap_or_default())
        }
        Code::Unavailable => Fault::Away,
        _ => return None,
    };
    Some((fault, format!("the server answers: {}", status.message())))
}
