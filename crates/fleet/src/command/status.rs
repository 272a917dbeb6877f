//! `fleet status`: how a running server does.

use std::collections::BTreeMap;

use fleet_api::v1 as wire;
use fleet_deliberation::{Grouped, Timestamp};
use fleet_orchestrator::rfc3339;
use serde::Serialize;

use crate::cli::ShowStatus;
use crate::config::Loaded;
use crate::remote::{AGAIN, Remote};
use crate::show::print;
use crate::{Exit, Problem, state};

#[derive(Serialize)]
struct Status {
    status: String,
    uptime_s: i64,
    /// Since the server began.
    deliberations: i64,
    by_role: BTreeMap<String, i64>,
    mean_ms: f64,
    p50_ms: f64,
    p95_ms: f64,
    p99_ms: f64,
    agents: i64,
    agents_busy: i64,
    agent_answer_mean_ms: f64,
    councils: BTreeMap<String, Council>,
    /// The hour that is going on, of councils that may only spend so much in one.
    hours: BTreeMap<String, Hour>,
}

/// What a council may take in an hour, in tokens and in money; 0 is no bound.
#[derive(Serialize)]
struct Hour {
    until: String,
    tokens: Spending<i64>,
    money: Spending<f64>,
}

#[derive(Serialize)]
struct Spending<N> {
    limit: N,
    reserved: N,
    spent: N,
}

#[derive(Serialize)]
struct Council {
    status: String,
    available_agents: i32,
    busy_agents: i32,
    success_rate: f64,
}

pub(super) async fn run(loaded: &Loaded, asked: ShowStatus) -> anyhow::Result<Exit> {
    let address = match asked.server {
        Some(address) => Some(address),
        None => state::server(loaded)?,
    };
    let Some(address) = address else {
        let message = "no server works on the state; start one with `fleet serve`, or name one with --server";
        return Err(Problem::new(Exit::Unavailable, message).into());
    };
    let remote = Remote::connect(&address).await?;
    let (mut calls, lost) = (remote.calls(), |status| remote.failed(status, AGAIN));
    let status =
        calls.get_status(wire::GetStatusRequest { include_stats: true }).await.map_err(lost)?.into_inner();
    let time_range_ms = i64::from(asked.within.unwrap_or(0)) * 1000;
    let request = wire::GetMetricsRequest { metric_type: "all".into(), time_range_ms };
    let status = Status::of(status, calls.get_metrics(request).await.map_err(lost)?.into_inner());
    if asked.json {
        print(&(serde_json::to_string(&status)? + "\n"))?;
    } else {
        print(&status.text(&address))?;
    }
    Ok(if status.status == "unhealthy" { Exit::Unavailable } else { Exit::Done })
}

impl Status {
    fn of(status: wire::GetStatusResponse, metrics: wire::GetMetricsResponse) -> Status {
        let (stats, performance) =
            (status.stats.unwrap_or_default(), metrics.performance.unwrap_or_default());
        let (agents, councils) = (metrics.agents.unwrap_or_default(), metrics.councils.unwrap_or_default());
        let council = |(role, health): (String, wire::CouncilHealth)| {
            let council = Council {
                status: health.status,
                available_agents: health.available_agents,
                busy_agents: health.busy_agents,
                success_rate: health.success_rate,
            };
            (role, council)
        };
        Status {
            status: status.status,
            uptime_s: status.uptime_seconds,
            deliberations: stats.total_deliberations,
            by_role: stats.role_counts.into_iter().collect(),
            mean_ms: performance.avg_deliberation_ms,
            p50_ms: performance.p50_latency_ms,
            p95_ms: performance.p95_latency_ms,
            p99_ms: performance.p99_latency_ms,
            agents: agents.total_agents,
            agents_busy: agents.active_agents,
            agent_answer_mean_ms: agents.avg_agent_response_time_ms,
            councils: councils.health_per_council.into_iter().map(council).collect(),
            hours: status.hours.into_iter().map(|hour| (hour.role.clone(), Hour::of(&hour))).collect(),
        }
    }

    fn text(&self, address: &str) -> String {
        let roles: Vec<String> = self.by_role.iter().map(|(role, n)| format!("{role} {n}")).collect();
        let roles = if roles.is_empty() { String::new() } else { format!(" ({})", roles.join(", ")) };
        let mut text = format!(
            "{address} is {}, up for {} s\n{} deliberations accepted{roles}\n\
             a deliberation takes {:.0} ms on average; p50 {:.0}, p95 {:.0}, p99 {:.0} ms\n\
             {} of {} agents at work; an answer takes {:.0} ms on average\n\n",
            self.status,
            self.uptime_s,
            self.deliberations,
            self.mean_ms,
            self.p50_ms,
            self.p95_ms,
            self.p99_ms,
            self.agents_busy,
            self.agents,
            self.agent_answer_mean_ms,
        );
        let widest = self.councils.keys().map(|role| role.chars().count()).max().unwrap_or(0).max(4);
        text += &format!("{:widest$}  HEALTH     AVAILABLE  BUSY  WITH A VERDICT\n", "ROLE");
        for (role, council) in &self.councils {
            let Council { status, available_agents, busy_agents, success_rate } = council;
            let share = success_rate * 100.0;
            text += &format!(
                "{role:widest$}  {status:9}  {available_agents:9}  {busy_agents:4}  {share:12.0} %\n"
            );
        }
        for (role, hour) in &self.hours {
            text += &format!("\n{role} may take {} until {}", hour.words(), hour.until);
        }
        if self.hours.is_empty() { text } else { text + "\n" }
    }
}

impl Hour {
    fn of(hour: &wire::CouncilHour) -> Hour {
        let until = Timestamp(u64::try_from(hour.until_ms).unwrap_or_default());
        Hour {
            until: rfc3339(until),
            tokens: Spending {
                limit: hour.tokens_limit,
                reserved: hour.tokens_reserved,
                spent: hour.tokens_spent,
            },
            money: Spending {
                limit: hour.money_limit,
                reserved: hour.money_reserved,
                spent: hour.money_spent,
            },
        }
    }

    /// `800,000 tokens (120,000 spent, 200,000 reserved)`.
    fn words(&self) -> String {
        let (tokens, money) = (&self.tokens, &self.money);
        let count = |n: i64| Grouped(u64::try_from(n).unwrap_or_default());
        let of_tokens = (tokens.limit > 0).then(|| {
            let (limit, spent, reserved) = (count(tokens.limit), count(tokens.spent), count(tokens.reserved));
            format!("{limit} tokens ({spent} spent, {reserved} reserved)")
        });
        let of_money = (money.limit > 0.0).then(|| {
            format!("{} of money ({} spent, {} reserved)", money.limit, money.spent, money.reserved)
        });
        of_tokens.into_iter().chain(of_money).collect::<Vec<_>>().join(" and ")
    }
}
