//! What is served over plain HTTP beside gRPC.

use fleet_api::v1 as wire;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::support::{Page, Place, answers, ask, deliberate, get, series};

#[tokio::test]
async fn metrics_are_on_the_port_of_grpc_in_the_form_that_is_asked_for() {
    let model = answers(0).await;
    let place = Place::new();
    let server = place.serve(&["--url", &model.url()]).await;
    let client = server.client().await;
    let id = client.clone().submit(deliberate("Sort a list")).await.unwrap();
    client.ended(&id).await;

    let plain = get(&server.address, "/metrics", "").await;
    assert_eq!(plain.status, 200);
    assert!(plain.headers.contains("content-type: text/plain; version=0.0.4; charset=utf-8"), "{plain:?}");
    assert!(plain.body.contains("# TYPE fleet_deliberations_accepted_total counter\n"), "{}", plain.body);
    assert!(!plain.body.contains("# EOF"));

    // As Prometheus asks.
    let accept =
        "Accept: application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3\r\n";
    let open = get(&server.address, "/metrics", accept).await;
    assert!(open.headers.contains("content-type: application/openmetrics-text; version=1.0.0"), "{open:?}");
    assert!(open.body.contains("# UNIT fleet_deliberation_duration_seconds seconds\n"), "{}", open.body);
    assert!(open.body.ends_with("# EOF\n"));
    for page in [plain.body, open.body] {
        assert_eq!(series(&page, "fleet_deliberations_accepted_total", &["role=\"DEV\""]), 1.0);
        assert_eq!(series(&page, "fleet_deliberations_in_flight", &[]), 0.0);
        assert!(series(&page, "fleet_store_commits_total", &[]) > 0.0);
        assert!(series(&page, "process_resident_memory_bytes", &[]) > 0.0);
    }
}

#[tokio::test]
async fn health_is_told_to_whoever_speaks_http() {
    let model = answers(0).await;
    let place = Place::new();
    let server = place.serve(&["--url", &model.url()]).await;
    let is = |page: Page, status, body| assert_eq!((page.status, page.body.as_str()), (status, body));
    is(get(&server.address, "/health/live", "").await, 200, "live\n");
    is(get(&server.address, "/health/ready", "").await, 200, "ready\n");
}

#[tokio::test]
async fn a_server_whose_log_cannot_be_read_is_alive_and_not_ready() {
    let model = answers(0).await;
    let place = Place::new();
    let server = place.serve(&["--url", &model.url()]).await;
    let file = rusqlite::Connection::open(place.state().join("fleet.db")).unwrap();
    file.execute_batch("ALTER TABLE records RENAME TO gone").unwrap();
    let is = |page: Page, status, body| assert_eq!((page.status, page.body.as_str()), (status, body));
    is(get(&server.address, "/health/ready", "").await, 503, "the log cannot be read\n");
    is(get(&server.address, "/health/live", "").await, 200, "live\n");
    assert!(server.running.stderr().contains("the log cannot be read"), "{}", server.running.stderr());
    file.execute_batch("ALTER TABLE gone RENAME TO records").unwrap();
    is(get(&server.address, "/health/ready", "").await, 200, "ready\n");
}

#[tokio::test]
async fn other_pages_are_not_found() {
    let model = answers(0).await;
    let place = Place::new();
    let server = place.serve(&["--url", &model.url()]).await;
    for path in ["/", "/metrics/", "/health", "/favicon.ico"] {
        let page = get(&server.address, path, "").await;
        assert_eq!(page.status, 404, "{path}");
        assert!(page.headers.contains("content-type: text/plain"), "{path}: {page:?}");
        assert!(page.body.starts_with("not found"), "{path}: {page:?}");
    }
    let posted = ask(&server.address, "POST /metrics", "", "").await;
    assert_eq!(posted.status, 405);
}

#[tokio::test]
async fn a_web_page_cannot_have_a_browser_call_the_service() {
    let model = answers(0).await;
    let place = Place::new();
    let server = place.serve(&["--url", &model.url()]).await;
    let path = "POST /orchestrator.v1.OrchestratorService/Deliberate";
    // What a form of any origin may send without being asked for leave; an empty message as gRPC frames it.
    for content_type in ["text/plain", "application/grpc"] {
        let headers = format!("Content-Type: {content_type}\r\nTE: trailers\r\n");
        let page = ask(&server.address, path, &headers, "\0\0\0\0\0").await;
        assert_eq!(page.status, 404, "{content_type}: {page:?}");
    }
    let mut client = server.client().await;
    let request = wire::GetStatusRequest { include_stats: true };
    let stats = client.calls.get_status(request).await.unwrap().into_inner().stats.unwrap();
    assert_eq!(stats.total_deliberations, 0);
}

#[tokio::test]
async fn a_service_that_is_not_there_is_told_in_the_words_of_grpc() {
    let model = answers(0).await;
    let place = Place::new();
    let server = place.serve(&["--url", &model.url()]).await;
    let client = server.client().await;
    let mut health = HealthClient::with_origin(
        client.channel.clone(),
        format!("http://{}/elsewhere", server.address).parse().unwrap(),
    );
    let refused = health.check(HealthCheckRequest { service: String::new() }).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unimplemented, "{refused}");
}
