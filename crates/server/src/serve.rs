//! The server: gRPC with its health and reflection, and the pages beside it.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use fleet_api::FILE_DESCRIPTOR_SET;
use fleet_api::v1::orchestrator_service_server::OrchestratorServiceServer;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

use crate::Grpc;
use crate::http::{self, Scrape};

/// How long health says "not serving" before new calls are refused, so that whoever balances the load
/// can turn elsewhere.
const NOTICE: Duration = Duration::from_millis(200);

/// How long calls may take to end after that.
const DRAIN: Duration = Duration::from_secs(2);

/// How often a client must show that it lives, and how long it may take to: a stream to one that does not is
/// ended.
const ALIVE: Duration = Duration::from_secs(30);

/// The server on `listener`, to be awaited until `stop`; `scrape` writes the metrics it shows. It says that it is
/// not serving once the service takes nothing further; from `stop` on it refuses new connections and ends the
/// calls it has.
///
/// # Errors
/// The descriptors of the protos cannot be read.
pub fn serve(
    grpc: Grpc,
    scrape: Scrape,
    listener: TcpListener,
    message_bytes_max: usize,
    stop: CancellationToken,
) -> Result<impl Future<Output = Result<(), tonic::transport::Error>>, tonic_reflection::server::Error> {
    let (health, health_service) = tonic_health::server::health_reporter();
    let reflect = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let (reflection, reflection_alpha) = (reflect().build_v1()?, reflect().build_v1alpha()?);
    let coordinator = Arc::clone(&grpc.coordinator);
    let closing = grpc.closing();
    let service = OrchestratorServiceServer::new(grpc)
        .max_decoding_message_size(message_bytes_max)
        // What was accepted in parts may be more as a whole.
        .max_encoding_message_size(usize::MAX);
    let routes = Routes::new(health_service)
        .add_service(reflection)
        .add_service(reflection_alpha)
        .add_service(service);
    let routes = http::beside(routes, scrape, coordinator, closing.clone());
    Ok(async move {
        health.set_serving::<OrchestratorServiceServer<Grpc>>().await;
        let drain = async {
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = closing.cancelled() => {}
            }
            health.set_not_serving::<OrchestratorServiceServer<Grpc>>().await;
            health.set_service_status("", tonic_health::ServingStatus::NotServing).await;
            tokio::join!(stop.cancelled(), tokio::time::sleep(NOTICE));
        };
        // An answer goes out in several small writes, none of which is to wait for an acknowledgement. Said
        // here, for the server's own option counts only where it makes the listener itself.
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        let served = Server::builder()
            .http2_keepalive_interval(Some(ALIVE))
            .http2_keepalive_timeout(Some(ALIVE))
            .accept_http1(true)
            .add_routes(routes)
            .serve_with_incoming_shutdown(incoming, drain);
        // A stream that a client holds open, such as one of health, must not keep the server.
        let patience = async {
            stop.cancelled().await;
            tokio::time::sleep(NOTICE + DRAIN).await;
        };
        tokio::select! {
            biased;
            ended = served => ended,
            () = patience => Ok(()),
        }
    })
}
