//! `GetMetrics`, `GetStatus` and `/metrics` come from the same facts.

use fleet_api::v1::{self as wire, DeliberateRequest};
use tonic::Code;

use crate::support::{Client, HELD, Place, answers, deliberate, field_of, get, held, refuses, series};

async fn metrics(client: &mut Client, metric_type: &str, time_range_ms: i64) -> wire::GetMetricsResponse {
    let request = wire::GetMetricsRequest { metric_type: metric_type.into(), time_range_ms };
    client.calls.get_metrics(request).await.unwrap().into_inner()
}

async fn run(client: &mut Client, role: &str) {
    let request = DeliberateRequest { wait: Some(true), role: role.into(), ..deliberate("Sort a list") };
    client.submit(request).await.unwrap();
}

#[tokio::test]
async fn the_same_facts_are_behind_all_of_them() {
    let model = answers(5).await;
    let place = Place::new();
    let server = place.serve(&["--url", &model.url()]).await;
    let mut client = server.client().await;
    for role in ["DEV", "DEV", "DEV", "QA"] {
        run(&mut client, role).await;
    }
    client.submit(DeliberateRequest { role: "SAGE".into(), ..deliberate("x") }).await.unwrap_err();

    let page = get(&server.address, "/metrics", "").await.body;
    let value = |name: &str, labels: &[&str]| series(&page, name, labels);
    let status = wire::GetStatusRequest { include_stats: true };
    let stats = client.calls.get_status(status).await.unwrap().into_inner().stats.unwrap();
    let all = metrics(&mut client, "all", 0).await;
    let (performance, agents) = (all.performance.unwrap(), all.agents.unwrap());

    assert_eq!(value("fleet_deliberations_accepted_total", &[]), stats.total_deliberations as f64);
    for role in ["DEV", "QA"] {
        let labels = [&*format!("role=\"{role}\"")];
        let accepted = stats.role_counts[role] as f64;
        assert_eq!(value("fleet_deliberations_accepted_total", &labels), accepted);
        assert_eq!(value("fleet_deliberations_ended_total", &[labels[0], "ending=\"completed\""]), accepted);
    }
    assert_eq!(value("fleet_deliberations_refused_total", &["reason=\"no_council\""]), 1.0);
    let (count, sum) = (
        value("fleet_deliberation_duration_seconds_count", &[]),
        value("fleet_deliberation_duration_seconds_sum", &[]),
    );
    assert_eq!(count, 4.0);
    let mean_ms = sum * 1000.0 / count;
    assert!((mean_ms - performance.avg_deliberation_ms).abs() < 0.01, "{mean_ms} {performance:?}");
    assert!((mean_ms - stats.avg_deliberation_time_ms).abs() < 0.01, "{mean_ms} {stats:?}");
    let wire::PerformanceMetrics { p50_latency_ms, p95_latency_ms, p99_latency_ms, .. } = performance;
    assert!(p50_latency_ms >= 15.0, "three phases of 5 ms each: {performance:?}");
    assert!(p50_latency_ms <= p95_latency_ms && p95_latency_ms <= p99_latency_ms, "{performance:?}");
    assert!(p99_latency_ms <= sum * 1000.0, "{performance:?}");
    // Three proposals, reviews and revisions each; and the checks of three proposals and three revisions.
    let done = |kind: &str| {
        let kind = format!("kind=\"{kind}\"");
        value("fleet_jobs_attempted_total", &[&kind, "outcome=\"done\""])
    };
    assert_eq!(["propose", "critique", "revise", "check"].map(done), [12.0, 12.0, 12.0, 24.0]);
    assert!(agents.avg_agent_response_time_ms >= 5.0, "{agents:?}");
}

#[tokio::test]
async fn what_is_not_asked_for_is_not_there() {
    let model = answers(0).await;
    let place = Place::new();
    let server = place.serve(&["--url", &model.url()]).await;
    let mut client = server.client().await;
    let there = |metrics: &wire::GetMetricsResponse| {
        (metrics.performance.is_some(), metrics.agents.is_some(), metrics.councils.is_some())
    };
    for (name, expected) in [
        ("performance", (true, false, false)),
        ("agents", (false, true, false)),
        ("councils", (false, false, true)),
        ("all", (true, true, true)),
        ("", (true, true, true)),
    ] {
        assert_eq!(there(&metrics(&mut client, name, 0).await), expected, "{name:?}");
    }
    let odd = wire::GetMetricsRequest { metric_type: "latency".into(), time_range_ms: 0 };
    let negative = wire::GetMetricsRequest { metric_type: "all".into(), time_range_ms: -1 };
    for (request, field) in [(odd, "metric_type"), (negative, "time_range_ms")] {
        let refused = client.calls.get_metrics(request).await.unwrap_err();
        assert_eq!((refused.code(), field_of(&refused).as_str()), (Code::InvalidArgument, field));
    }
}

#[tokio::test]
async fn a_range_holds_only_what_ended_in_it() {
    let model = answers(0).await;
    let place = Place::new();
    let server = place.serve(&["--url", &model.url()]).await;
    let mut client = server.client().await;
    let nothing = metrics(&mut client, "performance", 0).await.performance.unwrap();
    assert_eq!(nothing, wire::PerformanceMetrics::default(), "nothing is known, so nothing is said");
    run(&mut client, "DEV").await;
    let rate =
        |metrics: wire::GetMetricsResponse| metrics.councils.unwrap().health_per_council["DEV"].success_rate;
    assert_eq!(rate(metrics(&mut client, "councils", 0).await), 1.0);
    assert_eq!(rate(metrics(&mut client, "councils", 3_600_000).await), 1.0);
    // Its end moves into the past.
    while rate(metrics(&mut client, "councils", 20).await) > 0.0 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert_eq!(rate(metrics(&mut client, "councils", 0).await), 1.0);
}

#[tokio::test]
async fn councils_and_agents_are_counted_by_what_is_under_way() {
    let model = answers(HELD).await;
    let place = Place::new();
    let server = place.serve(&["--url", &model.url()]).await;
    let mut client = server.client().await;
    client.submit(DeliberateRequest { role: "QA".into(), ..deliberate("x") }).await.unwrap();
    let all = metrics(&mut client, "", 0).await;
    let (agents, councils) = (all.agents.unwrap(), all.councils.unwrap());
    assert_eq!((agents.total_agents, agents.active_agents), (15, 3));
    assert_eq!((agents.agents_per_role.len(), agents.agents_per_role["DEV"]), (5, 3));
    assert_eq!((councils.total_councils, councils.active_councils), (5, 1));
    let of = |role: &str| {
        let health = &councils.health_per_council[role];
        (health.status.as_str(), health.available_agents, health.busy_agents, health.success_rate)
    };
    assert_eq!((of("QA"), of("DEV")), (("healthy", 0, 3, 0.0), ("healthy", 3, 0, 0.0)));
}

#[tokio::test]
async fn a_server_whose_deliberations_fail_says_so() {
    let model = refuses().await;
    let place = Place::new();
    let server = place.serve(&["--url", &model.url(), "--model", "m"]).await;
    let mut client = server.client().await;
    for _ in 0..5 {
        run(&mut client, "DEV").await;
    }
    let status = wire::GetStatusRequest { include_stats: true };
    let status = client.calls.get_status(status).await.unwrap().into_inner();
    assert_eq!((status.status.as_str(), status.stats.unwrap().total_deliberations), ("unhealthy", 5));
    let councils = metrics(&mut client, "councils", 0).await.councils.unwrap().health_per_council;
    assert_eq!((councils["DEV"].status.as_str(), councils["DEV"].success_rate), ("unhealthy", 0.0));
    assert_eq!(councils["QA"].status, "healthy");
    let page = get(&server.address, "/metrics", "").await.body;
    let ended = series(&page, "fleet_deliberations_ended_total", &["ending=\"no_quorum\""]);
    assert_eq!(ended, 5.0);
}

#[tokio::test]
async fn a_cancelled_deliberation_is_nobodys_failure() {
    let (model, _let_go) = held("propose").await;
    let place = Place::new();
    let server = place.serve(&["--url", &model.url()]).await;
    let mut client = server.client().await;
    for n in 0..5 {
        let request = DeliberateRequest { task_id: format!("t{n}"), ..deliberate("x") };
        let id = client.submit(request).await.unwrap();
        let cancel = wire::CancelDeliberationRequest { task_id: id, reason: "enough".into() };
        client.calls.cancel_deliberation(cancel).await.unwrap();
    }
    let councils = metrics(&mut client, "councils", 0).await.councils.unwrap().health_per_council;
    assert_eq!((councils["DEV"].status.as_str(), councils["DEV"].success_rate), ("healthy", 0.0));
    let page = get(&server.address, "/metrics", "").await.body;
    assert_eq!(series(&page, "fleet_deliberations_ended_total", &["ending=\"cancelled\""]), 5.0);
}
