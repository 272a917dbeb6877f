//! A running server, over gRPC.

mod following;

use std::time::Duration;

use anyhow::Context as _;
use fleet_api::v1 as wire;
use fleet_api::v1::orchestrator_service_client::OrchestratorServiceClient;
use tonic::metadata::AsciiMetadataValue;
use tonic::transport::{Channel, Endpoint};
use tonic::{Status, Streaming};

use crate::{Exit, Problem, telemetry};

pub(crate) use following::{Asked, Following, Heard};

/// How long a server may take to accept the connection.
const CONNECT: Duration = Duration::from_secs(5);

/// How often a server must show that it lives, and how long it may take to.
const ALIVE: Duration = Duration::from_secs(10);

/// A running server.
#[derive(Clone)]
pub(crate) struct Remote {
    client: OrchestratorServiceClient<Channel>,
}

impl Remote {
    /// Connects to `address`: `host:port`, or a URL.
    pub(crate) async fn connect(address: &str) -> anyhow::Result<Remote> {
        let url = if address.contains("://") { address.to_owned() } else { format!("http://{address}") };
        let endpoint = Endpoint::from_shared(url).map_err(|_| {
            Problem::new(Exit::Refused, format!("{address:?} is no address; say it like 127.0.0.1:50055"))
        })?;
        // A server that stands still is noticed, however long the call may take.
        let endpoint = endpoint
            .connect_timeout(CONNECT)
            .http2_keep_alive_interval(ALIVE)
            .keep_alive_timeout(ALIVE)
            .keep_alive_while_idle(true);
        let channel = endpoint.connect().await.map_err(|error| {
            let cause = fleet_orchestrator::chain(&error);
            let advice = "start one with `fleet serve`, or leave out --server";
            Problem::new(Exit::Unavailable, format!("no server answers at {address} ({cause}); {advice}"))
        })?;
        let client = OrchestratorServiceClient::new(channel).max_decoding_message_size(usize::MAX);
        Ok(Remote { client })
    }

    pub(crate) async fn deliberate(
        &self,
        request: wire::DeliberateRequest,
    ) -> anyhow::Result<wire::DeliberateResponse> {
        let mut request = tonic::Request::new(request);
        if let Ok(trace) = telemetry::caller().parse::<AsciiMetadataValue>()
            && !trace.is_empty()
        {
            request.metadata_mut().insert("traceparent", trace);
        }
        Ok(self.client.clone().deliberate(request).await?.into_inner())
    }

    pub(crate) async fn result(&self, id: &str) -> anyhow::Result<wire::GetDeliberationResultResponse> {
        let request = wire::GetDeliberationResultRequest { task_id: id.into(), with_event: true };
        Ok(self.client.clone().get_deliberation_result(request).await?.into_inner())
    }

    /// The updates of a deliberation behind `after`.
    async fn stream(
        &self,
        id: &str,
        after: u64,
        tokens: bool,
    ) -> Result<Streaming<wire::DeliberationUpdate>, Status> {
        let request = wire::DeliberateRequest {
            task_id: id.into(),
            after_sequence: after,
            tokens: Some(tokens),
            ..wire::DeliberateRequest::default()
        };
        Ok(self.client.clone().stream_deliberation(request).await?.into_inner())
    }

    pub(crate) async fn cancel(
        &self,
        id: &str,
        reason: &str,
    ) -> anyhow::Result<wire::CancelDeliberationResponse> {
        let request = wire::CancelDeliberationRequest { task_id: id.into(), reason: reason.into() };
        Ok(self.client.clone().cancel_deliberation(request).await?.into_inner())
    }

    /// The calls of the service.
    pub(crate) fn calls(&self) -> OrchestratorServiceClient<Channel> {
        self.client.clone()
    }

    pub(crate) async fn list(
        &self,
        limit: u32,
        status: Option<wire::DeliberationStatus>,
        role: Option<String>,
    ) -> anyhow::Result<Vec<wire::DeliberationInfo>> {
        let limit = i32::try_from(limit).context("the limit is too large")?;
        let status = status.unwrap_or(wire::DeliberationStatus::Unknown).into();
        let request = wire::ListDeliberationsRequest { limit, status, role: role.unwrap_or_default() };
        Ok(self.client.clone().list_deliberations(request).await?.into_inner().deliberations)
    }
}
