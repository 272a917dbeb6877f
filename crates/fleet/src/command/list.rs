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
    let found = source(loaded, asked.server.as_deref()).await;
    let rows: Vec<Row> = match found {
        Ok(Source::Server(remote)) => {
            let listed = remote.list(asked.limit, asked.status.map(wire_status), asked.role.clone());
            listed.await?.into_iter().map(Row::of_info).collect()
        }
        Ok(Source::Files(coordinator)) => {
            let filter = Filter { status: asked.status.map(status), role: asked.role.clone() };
            let newest = coordinator.newest(asked.limit as usize, &filter).await?;
            newest.iter().map(|loaded| Row::of_state(&loaded.state)).collect()
        }
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
    let idle = !at_work(loaded) && asked.server.is_none();
    let ids = rows.iter().map(|row| row.task_id.chars().count()).max().unwrap_or(0);
    let mut text = format!("{:ids$}  {:9}  {:11}  {:20}  TASK\n", "ID", "ROLE", "STATUS", "SUBMITTED");
    for row in rows {
        let status = match row.status {
            "PENDING" | "IN_PROGRESS" if idle => "LEFT",
            "FAILED" if row.error_type.as_deref() == Some("cancelled") => "CANCELLED",
            status => status,
        };
        let task: String = row.task_description.split_whitespace().collect::<Vec<_>>().join(" ");
        let task: String = task.chars().take(60).collect();
        let submitted = row.submitted_at.split('.').next().unwrap_or_default();
        text += &format!("{:ids$}  {:9}  {status:11}  {submitted:20}  {task}\n", row.task_id, row.role);
    }
    print(&text)?;
    Ok(Exit::Done)
}

fn status(asked: ListedStatus) -> Status {
    match asked {
        ListedStatus::Pending => Status::Pending,
        ListedStatus::InProgress => Status::InProgress,
        ListedStatus::Completed => Status::Completed,
        ListedStatus::Failed => Status::Failed,
        ListedStatus::Timeout => Status::TimedOut,
    }
}

fn wire_status(asked: ListedStatus) -> DeliberationStatus {
    match asked {
        ListedStatus::Pending => DeliberationStatus::Pending,
        ListedStatus::InProgress => DeliberationStatus::InProgress,
        ListedStatus::Completed => DeliberationStatus::Completed,
        ListedStatus::Failed => DeliberationStatus::Failed,
        ListedStatus::Timeout => DeliberationStatus::Timeout,
    }
}

impl Row {
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
