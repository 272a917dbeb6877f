//! What is served over plain HTTP beside gRPC, on the same port: metrics and health.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode, Version};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use fleet_orchestrator::port::{HistoryId, Sequence};
use fleet_orchestrator::{Coordinator, chain};
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::service::Routes;

/// How long the store may take to show that it can be read.
const READY_MAX: Duration = Duration::from_secs(2);

/// In which form metrics are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exposition {
    /// Prometheus' text format, version 0.0.4.
    Prometheus,
    /// OpenMetrics' text format, version 1.0.0.
    OpenMetrics,
}

/// Writes the metrics as they are now.
pub type Scrape = Arc<dyn Fn(Exposition) -> String + Send + Sync>;

/// The gRPC services of `routes`, and the pages beside them.
pub(crate) fn beside(
    routes: Routes,
    scrape: Scrape,
    coordinator: Arc<Coordinator>,
    stop: CancellationToken,
) -> Routes {
    let metrics = async move |headers: HeaderMap| metrics(&headers, &scrape);
    let ready = async move || ready(&coordinator, &stop).await;
    let router: Router = routes
        .into_axum_router()
        .layer(axum::middleware::from_fn(grpc_over_http2))
        .route("/metrics", get(metrics))
        .route("/health/live", get(async || "live\n"))
        .route("/health/ready", get(ready))
        .fallback(nothing_here);
    Routes::from(router).prepare()
}

fn metrics(headers: &HeaderMap, scrape: &Scrape) -> Response {
    let (form, content_type) = match accepts_open_metrics(headers) {
        true => (Exposition::OpenMetrics, "application/openmetrics-text; version=1.0.0; charset=utf-8"),
        false => (Exposition::Prometheus, "text/plain; version=0.0.4; charset=utf-8"),
    };
    ([(CONTENT_TYPE, content_type)], scrape(form)).into_response()
}

fn accepts_open_metrics(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted
        .flat_map(|value| value.split(','))
        .any(|form| form.trim_start().starts_with("application/openmetrics-text"))
}

async fn ready(coordinator: &Coordinator, stop: &CancellationToken) -> Response {
    let not_yet = |why: &'static str| (StatusCode::SERVICE_UNAVAILABLE, why).into_response();
    if stop.is_cancelled() {
        return not_yet("stopping\n");
    }
    // Not where the log ends, which a store may know by heart: a history that is not there has it look.
    let none = HistoryId::from_stored("ready");
    let read = coordinator.histories().store().read(&none, Sequence::default());
    match tokio::time::timeout(READY_MAX, read).await {
        Ok(Ok(_)) => "ready\n".into_response(),
        Ok(Err(error)) => {
            tracing::error!(error = chain(&error), "the log cannot be read");
            not_yet("the log cannot be read\n")
        }
        Err(_) => not_yet("the log cannot be read in time\n"),
    }
}

/// gRPC is answered over HTTP/2 only. Any web page can make a browser post to a loopback address over
/// HTTP/1.1; none can make it speak HTTP/2 without TLS.
async fn grpc_over_http2(request: Request, next: Next) -> Response {
    match request.version() {
        Version::HTTP_2 => next.run(request).await,
        _ => not_found(),
    }
}

async fn nothing_here(request: Request) -> Response {
    let content_type = request.headers().get(CONTENT_TYPE);
    if content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/grpc")) {
        return Status::unimplemented("there is no such service").into_http::<axum::body::Body>();
    }
    not_found()
}

fn not_found() -> Response {
    let text = "not found; there are /metrics, /health/live and /health/ready, and gRPC over HTTP/2\n";
    (StatusCode::NOT_FOUND, text).into_response()
}
