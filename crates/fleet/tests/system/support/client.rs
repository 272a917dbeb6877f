//! A gRPC client, and what its answers hold.

use fleet_api::v1::orchestrator_service_client::OrchestratorServiceClient;
use fleet_api::v1::{DeliberateRequest, GetDeliberationResultRequest, GetDeliberationResultResponse};
use tokio_stream::StreamExt as _;
use tonic::Status;
use tonic::transport::Channel;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::{ServerReflectionRequest, ServiceResponse};
use tonic_types::StatusExt as _;

use super::{PATIENCE, eventually};

/// A client of the service, with the calls that many tests make.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) calls: OrchestratorServiceClient<Channel>,
    pub(crate) channel: Channel,
}

impl Client {
    pub(crate) async fn connect(url: String) -> Result<Client, tonic::transport::Error> {
        let endpoint = tonic::transport::Endpoint::from_shared(url)?;
        let channel = endpoint.timeout(PATIENCE).connect().await?;
        Ok(Client { calls: OrchestratorServiceClient::new(channel.clone()), channel })
    }

    /// Submits a task and gives its id.
    pub(crate) async fn submit(&mut self, request: DeliberateRequest) -> Result<String, Status> {
        Ok(self.calls.deliberate(request).await?.into_inner().task_id)
    }

    pub(crate) async fn result(&mut self, id: &str) -> Result<GetDeliberationResultResponse, Status> {
        let request = GetDeliberationResultRequest { task_id: id.into(), with_event: true };
        Ok(self.calls.get_deliberation_result(request).await?.into_inner())
    }

    /// Polls until the deliberation has ended.
    pub(crate) async fn ended(&self, id: &str) -> GetDeliberationResultResponse {
        eventually("the deliberation ends", || {
            let mut client = self.clone();
            async move { client.result(id).await.ok().filter(|result| result.status > 2) }
        })
        .await
    }
}

/// A task before the developers, with nothing else said.
pub(crate) fn deliberate(task: &str) -> DeliberateRequest {
    DeliberateRequest { task_description: task.into(), role: "DEV".into(), ..DeliberateRequest::default() }
}

/// The field that a refusal names in its details.
pub(crate) fn field_of(refused: &Status) -> String {
    let details = refused.get_details_bad_request().expect("a refusal names what is bad about the request");
    details.field_violations.iter().map(|violation| violation.field.as_str()).collect()
}

/// Whether a refusal says when to come back.
pub(crate) fn retry_of(refused: &Status) -> Option<std::time::Duration> {
    refused.get_details_retry_info().and_then(|retry| retry.retry_delay)
}

/// The services that reflection lists.
pub(crate) async fn reflected(client: &Client) -> Vec<String> {
    let message = ask(client, MessageRequest::ListServices(String::new())).await;
    let MessageResponse::ListServicesResponse(listed) = message else { panic!("{message:?}") };
    listed.service.into_iter().map(|ServiceResponse { name }| name).collect()
}

/// The descriptors in which reflection finds a symbol.
pub(crate) async fn service_of(client: &Client, symbol: &str) -> usize {
    match ask(client, MessageRequest::FileContainingSymbol(symbol.into())).await {
        MessageResponse::FileDescriptorResponse(files) => files.file_descriptor_proto.len(),
        other => panic!("{other:?}"),
    }
}

async fn ask(client: &Client, message: MessageRequest) -> MessageResponse {
    let request = ServerReflectionRequest { host: String::new(), message_request: Some(message) };
    let mut reflection = ServerReflectionClient::new(client.channel.clone());
    let answers = reflection.server_reflection_info(tokio_stream::once(request)).await.unwrap();
    answers.into_inner().next().await.unwrap().unwrap().message_response.unwrap()
}
