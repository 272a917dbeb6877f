//! The connection to NATS: whether it is there, and how long is waited for an answer.

use std::future::Future;
use std::time::Duration;

use async_nats::jetstream::{self, Context};
use async_nats::{Client, ConnectOptions, Event};
use fleet_orchestrator::port::Source;
use tokio::sync::watch;

use crate::error::{Lost, OpenError};

/// The longest pause before the next try to get a connection back.
const RECONNECT_MS_MAX: u64 = 1_000;
/// How often a connection is tried that says nothing. NATS gives it up after two that were not answered.
const PING: Duration = Duration::from_secs(10);

/// A connection that comes back by itself.
#[derive(Clone)]
pub(crate) struct Link {
    pub(crate) client: Client,
    context: Context,
    connected: watch::Receiver<bool>,
    pub(crate) call_ms: u64,
}

impl Link {
    /// Connects to the first of `servers` that answers; fails when none does within `call_ms`.
    pub(crate) async fn connect(servers: &[String], call_ms: u64) -> Result<Link, OpenError> {
        let unreachable =
            |source: Source| OpenError::Unreachable { servers: without_secrets(servers), source };
        let (tell, connected) = watch::channel(true);
        let call = Duration::from_millis(call_ms);
        let options = ConnectOptions::new()
            .name("fleet")
            .connection_timeout(call)
            .request_timeout(Some(call))
            .ping_interval(PING)
            .reconnect_delay_callback(|attempts| {
                Duration::from_millis(RECONNECT_MS_MAX.min(20 << attempts.min(6)))
            })
            .event_callback(move |event| {
                match event {
                    Event::Connected => _ = tell.send_replace(true),
                    Event::Disconnected | Event::Closed => _ = tell.send_replace(false),
                    _ => {}
                }
                if !matches!(event, Event::Connected) {
                    tracing::warn!(%event, "NATS");
                }
                async {}
            });
        let addresses: Vec<async_nats::ServerAddr> = servers
            .iter()
            .map(|server| server.parse())
            .collect::<Result<_, std::io::Error>>()
            .map_err(|error| unreachable(error.into()))?;
        let client = match tokio::time::timeout(call, options.connect(addresses)).await {
            Ok(connected) => connected.map_err(|error| unreachable(error.into()))?,
            Err(_) => return Err(unreachable(Lost::Late(call_ms).into())),
        };
        let mut context = jetstream::new(client.clone());
        context.set_timeout(call);
        Ok(Link { client, context, connected, call_ms })
    }

    pub(crate) fn context(&self) -> &Context {
        &self.context
    }

    pub(crate) fn is_up(&self) -> bool {
        *self.connected.borrow()
    }

    /// What `call` gives, unless the connection is not there, breaks, or time is up. Then it is not known what came
    /// of it.
    pub(crate) async fn within<T>(&self, call: impl Future<Output = T>) -> Result<T, Lost> {
        let mut connected = self.connected.clone();
        tokio::select! {
            biased;
            // It holds the sender itself: that it is gone means the same.
            _ = connected.wait_for(|connected| !connected) => Err(Lost::Away),
            result = call => Ok(result),
            () = tokio::time::sleep(Duration::from_millis(self.call_ms)) => Err(Lost::Late(self.call_ms)),
        }
    }
}

/// Addresses as messages name them.
fn without_secrets(servers: &[String]) -> String {
    let bare = |server: &String| match server.rsplit_once('@') {
        Some((_, address)) => address.to_owned(),
        None => server.clone(),
    };
    servers.iter().map(bare).collect::<Vec<_>>().join(", ")
}
