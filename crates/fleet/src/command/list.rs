//! `fleet list`: what was submitted last.

use fleet_api::v1::DeliberationStatus;
use fleet_deliberation::{Deliberation, Status, Timestamp};
use fleet_orchestrator::{Filter, announcement, rfc3339};
use serde::Serialize;

use crate::cli::{List, ListedStatus};
use crate::config::Loaded;
use crate::show::{print, say};
use crate::state::{Source, at_work, source};
use crate::{Exit, Problem};

/// What kind of end a deliberation has that was cancelled.
const CANCELLED: &str = "cancelled";

#[derive(Serialize)]
struct Row {
    task_id: String,
    role: String,
    status: &'static str,
    submitted_at: String,
    ended_at: Option<String>,
    winner_id: Option<String>,
    error_type: Option<String>,
    task_description: String,
}

pub(super) async fn run(loaded: &Loaded, asked: List) -> anyhow::Result<Exit> {
    // Whoever names a server has it work on them.
    let idle = !at_work(loaded) && asked.server.is_none();
    let found = source(loaded, asked.server.as_deref()).await.map(|source| match asked.status {
        Some(ListedStatus::Left) if !idle => None,
        _ => Some(source),
    });
    let rows: Vec<Row> = match found {
        Ok(None) => Vec::new(),
        Ok(Some(source)) => rows(&source, &asked).await?,
        // Where nothing was ever submitted there is nothing to list, which is no error.
        Err(error) if Problem::report(&error).0 == Exit::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    if asked.json {
        print(&(serde_json::to_string(&rows)? + "\n"))?;
        return Ok(Exit::Done);
    }
    if rows.is_empty() {
        let filtered = asked.status.is_some() || asked.role.is_some();
        say(if filtered { "nothing of the kind is known" } else { "nothing was submitted yet" });
        return Ok(Exit::Done);
    }
    let ids = rows.iter().map(|row| row.task_id.chars().count()).max().unwrap_or(0);
    let mut text = format!("{:ids$}  {:9}  {:11}  {:20}  TASK\n", "ID", "ROLE", "STATUS", "SUBMITTED");
    for row in rows {
        let status = match row.status {
            "PENDING" | "IN_PROGRESS" if idle => "LEFT",
            "FAILED" if row.is_cancelled() => "CANCELLED",
            status => status,
        };
        let task: String = row.task_description.split_whitespace().collect::<Vec<_>>().join(" ");
        let task: String = task.chars().take(60).collect();
        // To the second; Z, for UTC, stays.
        let submitted = row.submitted_at.split('.').next().unwrap_or_default().trim_end_matches('Z');
        let submitted = format!("{submitted}Z");
        text += &format!("{:ids$}  {:9}  {status:11}  {submitted:20}  {task}\n", row.task_id, row.role);
    }
    print(&text)?;
    Ok(Exit::Done)
}

/// What is listed, the newest first.
async fn rows(source: &Source, asked: &List) -> anyhow::Result<Vec<Row>> {
    let error_type = (asked.status == Some(ListedStatus::Cancelled)).then(|| CANCELLED.to_owned());
    let limit = asked.limit;
    let mut rows = Vec::new();
    for status in statuses(asked.status) {
        match source {
            Source::Server(remote) => {
                let listed = remote
                    .list(limit, status.map(wire_status), asked.role.clone(), error_type.clone())
                    .await?;
                rows.extend(listed.into_iter().map(Row::of_info));
            }
            Source::Files(coordinator) => {
                let filter =
                    Filter { status: *status, role: asked.role.clone(), error_type: error_type.clone() };
                let newest = coordinator.newest(limit as usize, &filter).await?;
                rows.extend(newest.iter().map(|loaded| Row::of_state(&loaded.state)));
            }
        }
    }
    if asked.status == Some(ListedStatus::Cancelled) {
        // A server of an earlier version does not know what it was asked.
        rows.retain(Row::is_cancelled);
    }
    if asked.status == Some(ListedStatus::Left) {
        rows.sort_by(|one, other| other.submitted_at.cmp(&one.submitted_at));
    }
    rows.truncate(asked.limit as usize);
    Ok(rows)
}

/// As what the deliberations that are asked for are recorded.
fn statuses(asked: Option<ListedStatus>) -> &'static [Option<Status>] {
    match asked {
        None => &[None],
        Some(ListedStatus::Pending) => &[Some(Status::Pending)],
        Some(ListedStatus::InProgress) => &[Some(Status::InProgress)],
        Some(ListedStatus::Completed) => &[Some(Status::Completed)],
        Some(ListedStatus::Failed | ListedStatus::Cancelled) => &[Some(Status::Failed)],
        Some(ListedStatus::Timeout) => &[Some(Status::TimedOut)],
        Some(ListedStatus::Left) => &[Some(Status::Pending), Some(Status::InProgress)],
    }
}

fn wire_status(status: Status) -> DeliberationStatus {
    match status {
        Status::Pending => DeliberationStatus::Pending,
        Status::InProgress => DeliberationStatus::InProgress,
        Status::Completed => DeliberationStatus::Completed,
        Status::Failed => DeliberationStatus::Failed,
        Status::TimedOut => DeliberationStatus::Timeout,
    }
}

impl Row {
    fn is_cancelled(&self) -> bool {
        self.status == "FAILED" && self.error_type.as_deref() == Some(CANCELLED)
    }

    fn of_state(state: &Deliberation) -> Row {
        Row {
            task_id: state.id().to_string(),
            role: state.submission().role.to_string(),
            status: match state.status() {
                Status::Pending => "PENDING",
                Status::InProgress => "IN_PROGRESS",
                Status::Completed => "COMPLETED",
                Status::Failed => "FAILED",
                Status::TimedOut => "TIMEOUT",
            },
            submitted_at: rfc3339(state.opened.at),
            ended_at: state.ended.as_ref().map(|ended| rfc3339(ended.at)),
            winner_id: state.winner().map(ToString::to_string),
            error_type: announcement::error_type(state).map(str::to_owned),
            task_description: state.submission().task.description.chars().take(120).collect(),
        }
    }

    fn of_info(info: fleet_api::v1::DeliberationInfo) -> Row {
        let time = |ms: i64| u64::try_from(ms).ok().filter(|ms| *ms > 0).map(|ms| rfc3339(Timestamp(ms)));
        Row {
            status: match info.status() {
                DeliberationStatus::Unknown => "UNKNOWN",
                DeliberationStatus::Pending => "PENDING",
                DeliberationStatus::InProgress => "IN_PROGRESS",
                DeliberationStatus::Completed => "COMPLETED",
                DeliberationStatus::Failed => "FAILED",
                DeliberationStatus::Timeout => "TIMEOUT",
            },
            submitted_at: time(info.created_at_ms).unwrap_or_default(),
            ended_at: time(info.ended_at_ms),
            winner_id: Some(info.winner_id).filter(|winner| !winner.is_empty()),
            error_type: Some(info.error_type).filter(|kind| !kind.is_empty()),
            task_id: info.task_id,
            role: info.role,
            task_description: info.task_description,
        }
    }
}
