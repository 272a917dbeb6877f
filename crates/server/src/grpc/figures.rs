//! How the server and its councils do, to the wire: `GetStatus` and `GetMetrics`.
//!
//! A figure that nothing is known of stays unset.

use std::collections::BTreeMap;
use std::time::Duration;

use fleet_api::v1 as wire;
use fleet_deliberation::{Role, Timestamp};
use fleet_orchestrator::port::StoreError;
use fleet_orchestrator::stats::{Health, Lately, Stats, Tally, Totals};
use fleet_orchestrator::{AgentStatus, Coordinator, HandleError, HourStanding, chain};
use tokio::time::timeout;
use tonic::Status;

use super::answer::signed;
use super::councils::{Reachable, standing};
use super::status::{malformed, status};

/// How far back the health of the server looks, in milliseconds.
const HEALTH_MS: u64 = 300_000;
/// How long the store may take to show that it can be written.
const STORE_PATIENCE: Duration = Duration::from_secs(2);

/// The seats of one council.
struct Seats {
    agents: usize,
    busy: usize,
    offline: usize,
}

/// The councils there are, with their agents and those at work.
async fn seats(
    coordinator: &Coordinator,
    reachable: Reachable<'_>,
) -> Result<BTreeMap<Role, Seats>, HandleError> {
    let at_work = coordinator.at_work().await?;
    let councils = coordinator.councils();
    let seats = councils.all().into_iter().map(|council| {
        let standing = standing(councils, &at_work, reachable, &council);
        let count = |status| standing.iter().filter(|stands| **stands == status).count();
        let (busy, offline) = (count(AgentStatus::Busy), count(AgentStatus::Offline));
        (council.role.clone(), Seats { agents: standing.len(), busy, offline })
    });
    Ok(seats.collect())
}

/// How the server does: by whether it can write its log, takes anything new, and brings deliberations to
/// verdicts.
pub(crate) async fn health(coordinator: &Coordinator, stats: &Stats, now: Timestamp, limit: usize) -> Health {
    let store = match timeout(STORE_PATIENCE, coordinator.histories().store().writable()).await {
        Ok(Ok(())) => Health::Healthy,
        Ok(Err(StoreError::Full)) => Health::Degraded,
        Ok(Err(error)) => {
            tracing::error!(error = chain(&error), "the log cannot be written");
            Health::Unhealthy
        }
        Err(_) => {
            tracing::error!("the log was not written within {} s", STORE_PATIENCE.as_secs());
            Health::Unhealthy
        }
    };
    let takes_more = coordinator.in_flight() < limit && !coordinator.closing().is_cancelled();
    let lately = stats.lately(Timestamp(now.0.saturating_sub(HEALTH_MS))).tally().health();
    let room = if takes_more { Health::Healthy } else { Health::Degraded };
    store.max(room).max(lately)
}

pub(crate) async fn totals(
    coordinator: &Coordinator,
    totals: &Totals,
) -> Result<wire::OrchestratorStats, HandleError> {
    let active = coordinator.at_work().await?.roles();
    Ok(wire::OrchestratorStats {
        total_deliberations: signed(totals.accepted()),
        total_orchestrations: signed(totals.orchestrated),
        avg_deliberation_time_ms: totals.ended().mean_ms().unwrap_or_default(),
        active_councils: count(active),
        role_counts: totals.accepted.iter().map(|(role, n)| (role.to_string(), signed(*n))).collect(),
    })
}

/// The hours of councils that may only spend so much in one; none where the log cannot be read, which the health says.
pub(crate) async fn hours(
    coordinator: &Coordinator,
    health: Health,
) -> Result<Vec<wire::CouncilHour>, Status> {
    let Ok(hours) = timeout(STORE_PATIENCE, coordinator.hours()).await else { return Ok(Vec::new()) };
    let hours = match hours {
        Ok(hours) => hours,
        Err(_) if health == Health::Unhealthy => return Ok(Vec::new()),
        Err(error) => return Err(status(error.into())),
    };
    let money = |micros: u64| micros as f64 / 1e6;
    let hour = |hour: HourStanding| wire::CouncilHour {
        role: hour.role.to_string(),
        until_ms: signed(hour.until.0),
        tokens_limit: hour.hourly.tokens.map_or(0, signed),
        tokens_reserved: signed(hour.reserved.tokens),
        tokens_spent: signed(hour.spent.tokens),
        money_limit: hour.hourly.money_micros.map_or(0.0, money),
        money_reserved: money(hour.reserved.money_micros),
        money_spent: money(hour.spent.money_micros),
    };
    Ok(hours.into_iter().map(hour).collect())
}

/// What is asked for by `metric_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted {
    performance: bool,
    agents: bool,
    councils: bool,
}

/// What is asked for, and since when.
pub(crate) fn wanted(
    request: &wire::GetMetricsRequest,
    now: Timestamp,
) -> Result<(Wanted, Timestamp), Status> {
    let none = Wanted { performance: false, agents: false, councils: false };
    let wanted = match request.metric_type.as_str() {
        "performance" => Wanted { performance: true, ..none },
        "agents" => Wanted { agents: true, ..none },
        "councils" => Wanted { councils: true, ..none },
        "" | "all" => Wanted { performance: true, agents: true, councils: true },
        other => {
            let other: String = other.chars().take(SHOWN_CHARS_MAX).collect();
            let reason = format!("is {other:?}; it must be performance, agents, councils or all");
            return Err(malformed("metric_type", reason));
        }
    };
    let since = match u64::try_from(request.time_range_ms) {
        Ok(0) => Timestamp(0),
        Ok(ms) => Timestamp(now.0.saturating_sub(ms)),
        Err(_) => {
            let reason = format!("is {}; it must be at least 0", request.time_range_ms);
            return Err(malformed("time_range_ms", reason));
        }
    };
    Ok((wanted, since))
}

/// The most characters of a caller's words that a refusal repeats.
const SHOWN_CHARS_MAX: usize = 40;

pub(crate) async fn metrics(
    coordinator: &Coordinator,
    reachable: Reachable<'_>,
    wanted: Wanted,
    lately: &Lately,
) -> Result<wire::GetMetricsResponse, HandleError> {
    let seats = match wanted.agents || wanted.councils {
        true => seats(coordinator, reachable).await?,
        false => BTreeMap::new(),
    };
    Ok(wire::GetMetricsResponse {
        performance: wanted.performance.then(|| performance(lately)),
        agents: wanted.agents.then(|| agents(&seats, lately)),
        councils: wanted.councils.then(|| councils(&seats, lately)),
    })
}

fn performance(lately: &Lately) -> wire::PerformanceMetrics {
    let percentile = |percent| lately.percentile_ms(percent).map_or(0.0, |ms| ms as f64);
    wire::PerformanceMetrics {
        avg_deliberation_ms: lately.mean_ms().unwrap_or_default(),
        avg_orchestration_ms: lately.orchestrations.mean_ms().unwrap_or_default(),
        p50_latency_ms: percentile(50),
        p95_latency_ms: percentile(95),
        p99_latency_ms: percentile(99),
    }
}

fn agents(seats: &BTreeMap<Role, Seats>, lately: &Lately) -> wire::AgentMetrics {
    wire::AgentMetrics {
        total_agents: count(seats.values().map(|seats| seats.agents).sum()),
        active_agents: count(seats.values().map(|seats| seats.busy).sum()),
        agents_per_role: seats.iter().map(|(role, seats)| (role.to_string(), count(seats.agents))).collect(),
        avg_agent_response_time_ms: lately.answers.mean_ms().unwrap_or_default(),
    }
}

fn councils(seats: &BTreeMap<Role, Seats>, lately: &Lately) -> wire::CouncilMetrics {
    let health = |(role, seats): (&Role, &Seats)| {
        let tally: Tally = lately.by_role.get(role).copied().unwrap_or_default();
        let agents = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
        let health = wire::CouncilHealth {
            status: tally.health().as_str().into(),
            available_agents: agents(seats.agents - seats.busy - seats.offline),
            busy_agents: agents(seats.busy),
            success_rate: tally.success_rate().unwrap_or_default(),
        };
        (role.to_string(), health)
    };
    wire::CouncilMetrics {
        total_councils: count(seats.len()),
        active_councils: count(seats.values().filter(|seats| seats.busy > 0).count()),
        health_per_council: seats.iter().map(health).collect(),
    }
}

fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;

    fn ask(metric_type: &str, time_range_ms: i64) -> Result<(Wanted, Timestamp), Status> {
        let request = wire::GetMetricsRequest { metric_type: metric_type.into(), time_range_ms };
        wanted(&request, Timestamp(10_000))
    }

    #[test]
    fn each_kind_of_figure_can_be_asked_for_alone_and_all_by_two_names() {
        let all = Wanted { performance: true, agents: true, councils: true };
        assert_eq!([ask("", 0).unwrap().0, ask("all", 0).unwrap().0], [all, all]);
        for (name, performance, agents, councils) in [
            ("performance", true, false, false),
            ("agents", false, true, false),
            ("councils", false, false, true),
        ] {
            assert_eq!(ask(name, 0).unwrap().0, Wanted { performance, agents, councils });
        }
        for odd in ["Performance", "latency", &"x".repeat(10_000)] {
            let refused = ask(odd, 0).unwrap_err();
            assert_eq!(refused.code(), Code::InvalidArgument);
            assert!(refused.message().starts_with("metric_type is "), "{refused}");
            assert!(refused.message().len() < 200, "{refused}");
        }
    }

    #[test]
    fn a_range_ends_now_and_is_never_negative() {
        let since = |ms| ask("all", ms).map(|(_, since)| since);
        assert_eq!(since(0).unwrap(), Timestamp(0));
        assert_eq!(since(4_000).unwrap(), Timestamp(6_000));
        assert_eq!(since(i64::MAX).unwrap(), Timestamp(0));
        for negative in [-1, i64::MIN] {
            let refused = since(negative).unwrap_err();
            assert_eq!(refused.code(), Code::InvalidArgument);
            assert!(refused.message().contains("time_range_ms is -"), "{refused}");
        }
    }
}
