//! Looks for a model server on this machine.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;

use crate::{BadServer, Limits, OpenAi, ServerConfig};

/// Where servers usually listen: vLLM, llama.cpp, Ollama, LM Studio.
pub const USUAL_PORTS: [u16; 4] = [8000, 8080, 11434, 1234];

/// How long one port may take to answer, in milliseconds.
pub const PROBE_MS: u64 = 300;

/// A server that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Where it is, such as `http://127.0.0.1:8000`.
    pub url: String,
    /// The names of its models; at least one.
    pub models: Vec<String>,
}

/// Asks all `ports` of this machine at once for their models; the first in the list's order that has
/// one counts. Each port may take `timeout_ms`.
pub async fn discover(ports: &[u16], timeout_ms: u64) -> Result<Option<Found>, BadServer> {
    let mut probes = FuturesOrdered::new();
    for port in ports {
        let url = format!("http://127.0.0.1:{port}");
        let limits = Limits {
            connect_ms: timeout_ms,
            first_token_ms: timeout_ms,
            total_ms: timeout_ms,
            ..Limits::default()
        };
        let server = OpenAi::new(ServerConfig { url: url.clone(), api_key: None, limits })?;
        probes.push_back(async move {
            let asked = tokio::time::timeout(Duration::from_millis(timeout_ms), server.models());
            let models = asked.await.ok()?.ok()?;
            (!models.is_empty()).then_some(Found { url, models })
        });
    }
    while let Some(probe) = probes.next().await {
        if probe.is_some() {
            return Ok(probe);
        }
    }
    Ok(None)
}
