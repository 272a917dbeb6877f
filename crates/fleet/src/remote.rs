//! A running server, over gRPC.

mod following;
mod history;

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

/// What is to be done when a question was not answered.
pub(crate) const AGAIN: &str = "ask again once it is back";

/// Whether the connection said it, not the server.
fn is_lost(status: &Status) -> bool {
    std::error::Error::source(status).is_some()
}

/// A running server.
#[derive(Clone)]
pub(crate) struct Remote {
    client: OrchestratorServiceClient<Channel>,
    address: String,
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
        Ok(Remote { client, address: address.to_owned() })
    }

    /// Where it is, as it was named.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The error of a call: what the server said, or that the connection to it was lost, which libraries say in
    /// words that help nobody.
    pub(crate) fn failed(&self, status: Status, advice: &str) -> anyhow::Error {
        match is_lost(&status) {
            true => {
                let message = format!("the connection to the server at {} was lost; {advice}", self.address);
                Problem::new(Exit::Unavailable, message).into()
            }
            false => status.into(),
        }
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
        let (address, id) = (&self.address, request.get_ref().task_id.clone());
        let advice = match id.as_str() {
            "" => format!("it may have taken the task: see fleet list --server {address}"),
            id => format!(
                "if it took the task, it goes on at its next start: fleet watch {id} --server {address}"
            ),
        };
        let answered = self.client.clone().deliberate(request).await;
        Ok(answered.map_err(|status| self.failed(status, &advice))?.into_inner())
    }

    pub(crate) async fn result(&self, id: &str) -> anyhow::Result<wire::GetDeliberationResultResponse> {
        let request = wire::GetDeliberationResultRequest { task_id: id.into(), with_event: true };
        let answered = self.client.clone().get_deliberation_result(request).await;
        Ok(answered.map_err(|status| self.failed(status, AGAIN))?.into_inner())
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
        let address = &self.address;
        let advice = format!(
            "if it was not cancelled, it goes on at the server's next start: fleet cancel {id} --server {address} ends it, \
             fleet watch {id} --server {address} follows it"
        );
        let answered = self.client.clone().cancel_deliberation(request).await;
        Ok(answered.map_err(|status| self.failed(status, &advice))?.into_inner())
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
        error_type: Option<String>,
    ) -> anyhow::Result<Vec<wire::DeliberationInfo>> {
        let limit = i32::try_from(limit).context("the limit is too large")?;
        let status = status.unwrap_or(wire::DeliberationStatus::Unknown).into();
        let (role, error_type) = (role.unwrap_or_default(), error_type.unwrap_or_default());
        let request = wire::ListDeliberationsRequest { limit, status, role, error_type };
        let answered = self.client.clone().list_deliberations(request).await;
        Ok(answered.map_err(|status| self.failed(status, AGAIN))?.into_inner().deliberations)
    }
}
