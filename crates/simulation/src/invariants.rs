//! What must hold after every step, and at the end.

use fleet_deliberation::{
    CouncilEvent, Deliberation, Digest, Ending, Event, FailureKind, Hour, HourEvent, JobId, JobKind, Outcome,
    Record, Window, check_job, evolve, text_job,
};
use fleet_orchestrator::port::{Announcement, HistoryId, Stored};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::world::{Queued, State};

/// What a council may spend in an hour, on deliberations that have a budget.
pub(crate) const TOKENS_PER_HOUR: u64 = 500_000;

/// How long a job may be left undone when nothing stands in its way, in milliseconds: until the sweep
/// finds it, and through all its attempts.
const UNDISTURBED_MS: u64 = 45_000;

/// The record, if it reads, and is chained to the one before in its history.
fn chained<E: Serialize + DeserializeOwned>(state: &mut State, stored: &Stored) -> Result<Record<E>, String> {
    let record = Record::<E>::decode(&stored.entry.body).map_err(|error| error.to_string())?;
    let history = state.histories.get_mut(&stored.history).ok_or("belongs to no history")?;
    if record.previous != history.digest {
        return Err("is not chained to the one before".into());
    }
    history.digest = Digest::of(&stored.entry.body);
    Ok(record)
}

/// A record of a council is chained to the one before, and never ends its history.
fn council_fault(state: &mut State, stored: &Stored) -> Option<String> {
    let record = match chained::<CouncilEvent>(state, stored) {
        Ok(record) => record,
        Err(fault) => return Some(fault),
    };
    (record.events.len() != 1 || stored.entry.ends).then(|| "holds other than one decision".into())
}

/// A record of a council's hour is chained to the one before, and ends its history if it closes the hour.
fn hour_fault(state: &mut State, stored: &Stored) -> Option<String> {
    let record = match chained::<HourEvent>(state, stored) {
        Ok(record) => record,
        Err(fault) => return Some(fault),
    };
    let closes = record.events.contains(&HourEvent::Closed);
    (record.events.is_empty() || closes != stored.entry.ends).then(|| "ends its history wrongly".into())
}

/// What calls for a deliberation really took has changed: neither its budget nor its council's hour is exceeded.
pub(crate) fn took(state: &mut State, job: &JobId, change: impl FnOnce(u64) -> u64) {
    let took = state.took.entry(job.deliberation.clone()).or_default();
    *took = change(*took);
    let took = *took;
    let history = HistoryId::deliberation(&job.deliberation);
    let Some(known) = state.histories.get(&history).and_then(|history| history.state.as_ref()) else {
        return;
    };
    let Some(tokens) = known.submission().budget.tokens else { return };
    let of_hour = (known.submission().role.clone(), Hour::of(known.opened.at));
    let others = state.histories.values().filter_map(|history| history.state.as_ref()).filter(|other| {
        other.purse.is_some() && (other.submission().role.clone(), Hour::of(other.opened.at)) == of_hour
    });
    let hourly: u64 = others.map(|other| state.took.get(other.id()).copied().unwrap_or(0)).sum();
    if took > tokens {
        state.broken(format!("calls for {} took {took} tokens of {tokens}", job.deliberation));
    } else if hourly > TOKENS_PER_HOUR {
        state.broken(format!("calls for {} took {hourly} tokens in an hour", of_hour.0));
    }
}

/// A record came to the log: it is chained to the one before, follows from the rules, rests on answers
/// that are recorded, and nothing comes after an end.
pub(crate) fn appended(state: &mut State, stored: &Stored) {
    let fault = record_fault(state, stored);
    if let Some(fault) = fault {
        state.broken(format!("record {} of {}: {fault}", stored.sequence.0, stored.history));
    }
}

fn record_fault(state: &mut State, stored: &Stored) -> Option<String> {
    if stored.history.as_council().is_some() {
        return council_fault(state, stored);
    }
    if stored.history.as_hour().is_some() {
        return hour_fault(state, stored);
    }
    let record: Record = match chained(state, stored) {
        Ok(record) => record,
        Err(fault) => return Some(fault),
    };
    if record.encode() != stored.entry.body {
        return Some("does not read back as it was written".into());
    }
    if record.events.is_empty() {
        return Some("holds no event".into());
    }
    if record.ends() != stored.entry.ends {
        return Some("does not say rightly whether it ends its history".into());
    }
    let history = state.histories.get_mut(&stored.history)?;
    for event in &record.events {
        if let Some((job, window)) = given_up(history.state.as_ref(), event) {
            state.given_up += 1;
            let since = state.healed_at.map(|healed_at| window.until.ms_since(healed_at.max(window.from)));
            if since.is_some_and(|ms| ms > UNDISTURBED_MS) && !state.hung.contains(&job) {
                return Some(format!(
                    "{job} was given up although nothing stood in its way for {since:?} ms"
                ));
            }
        }
        if history.state.as_ref().is_some_and(|known| known.ended.is_some()) {
            return Some(format!("{} comes after the end", event.kind()));
        }
        history.state = evolve(history.state.take(), event);
    }
    let Some(known) = &history.state else {
        return Some("the history does not begin with its opening".into());
    };
    if known.ended.is_none() && known.outstanding().next().is_none() {
        return Some("leaves it open with nothing to wait for".into());
    }
    if known.ended.is_none() && known.next_deadline().is_none_or(|next| next > known.opened.deadline_at) {
        return Some("leaves it open without a deadline".into());
    }
    if let Some(Ending::Completed(verdict)) = known.ended.as_ref().map(|ended| &ended.ending)
        && **verdict != known.verdict()
    {
        return Some("the verdict is not the one that the log gives".into());
    }
    let id = known.id();
    for event in &record.events {
        let (job, right): (JobId, fn(&Outcome) -> bool) = match event {
            Event::Proposed { author, .. } => (text_job(id, author, 0), |o| matches!(o, Outcome::Text(_))),
            Event::Revised { author, round, .. } => {
                (text_job(id, author, *round), |o| matches!(o, Outcome::Text(_)))
            }
            Event::Checked { author, round, .. } => {
                (check_job(id, author, *round), |o| matches!(o, Outcome::Checks(_)))
            }
            Event::Reviewed { author, round, .. } => {
                let job = JobId { kind: JobKind::Critique, ..text_job(id, author, *round) };
                (job, |o| matches!(o, Outcome::Review { .. }))
            }
            Event::TestsWritten { writer, .. } => {
                let job = JobId { kind: JobKind::Test, ..text_job(id, writer, 0) };
                (job, |o| matches!(o, Outcome::Text(_)))
            }
            Event::Tried { author, .. } => {
                let job = JobId { kind: JobKind::Trial, ..text_job(id, author, 0) };
                (job, |o| matches!(o, Outcome::Trial(_)))
            }
            Event::Judged { comparison, judge, .. } => {
                let job = JobId { kind: JobKind::Judge, ..text_job(id, judge, *comparison) };
                (job, |o| matches!(o, Outcome::Judgement { .. }))
            }
            Event::Selected { architect, .. } => {
                let job = JobId { kind: JobKind::Select, ..text_job(id, architect, 0) };
                (job, |o| matches!(o, Outcome::Choice { .. }))
            }
            _ => continue,
        };
        let answer = state.by_job.get(&job).map(|at| &state.answers[*at]);
        if !answer.is_some_and(|answer| right(&answer.outcome)) {
            return Some(format!("{} rests on no recorded answer", event.kind()));
        }
    }
    None
}

/// The job that an event gives up because its time is over, with the time it had.
fn given_up(known: Option<&Deliberation>, event: &Event) -> Option<(JobId, Window)> {
    let (subject, failure, comparison) = match event {
        Event::AuthorFailed { author, failure }
        | Event::CheckFailed { author, failure, .. }
        | Event::ReviewFailed { author, failure, .. }
        | Event::RevisionFailed { author, failure, .. } => (author, failure, None),
        Event::TestsFailed { writer, failure } => (writer, failure, None),
        Event::TrialFailed { author, failure } => (author, failure, None),
        Event::JudgementFailed { comparison, judge, failure } => (judge, failure, Some(*comparison)),
        Event::SelectionFailed { architect, failure } => (architect, failure, None),
        _ => return None,
    };
    let mut outstanding = known.filter(|_| failure.kind == FailureKind::Deadline)?.outstanding();
    outstanding
        .find(|(job, _)| job.subject == *subject && comparison.is_none_or(|number| number == job.round))
}

/// A job is handed out: not while a living worker holds an answer to it, unless two had it at once.
pub(crate) fn leased(state: &mut State, job: &JobId) {
    let waits = matches!(state.queue.jobs.get(job), Some(Queued::Ready | Queued::Delayed(_)));
    let held = state.paid.get(job).is_some_and(|(process, life)| state.lives[*process] == *life);
    if waits && held && !state.doubled.contains(job) {
        state.broken(format!("{job} was offered again although a worker holds its answer"));
    }
}

/// A model is called: not for a job whose answer was there when the worker looked.
pub(crate) fn called(state: &mut State, process: usize, job: &JobId) {
    state.calls += 1;
    let looked = state.found_none.get(&(process, job.clone())).copied();
    let answered = state.by_job.get(job).copied();
    match (looked, answered) {
        (None, _) => state.broken(format!("{job} was asked for without looking for its answer")),
        (Some(looked), Some(answered)) if answered < looked => {
            state.broken(format!("{job} was asked for although its answer was recorded"));
        }
        _ => {}
    }
}

/// An announcement goes out: once per end, with the verdict of the log.
pub(crate) fn announced(state: &mut State, announcement: &Announcement) {
    let known = state.announced.get(&announcement.id);
    if known.is_some_and(|(subject, body)| (*subject, body) != (announcement.subject, &announcement.body)) {
        return state.broken(format!("{} was announced again with other content", announcement.id));
    }
    let fault = announcement_fault(state, announcement);
    if let Some(fault) = fault {
        state.broken(format!("announcement {}: {fault}", announcement.id));
    }
    state.announced.insert(announcement.id.clone(), (announcement.subject, announcement.body.clone()));
}

fn announcement_fault(state: &State, announcement: &Announcement) -> Option<&'static str> {
    let body: serde_json::Value = match serde_json::from_slice(&announcement.body) {
        Ok(body) => body,
        Err(_) => return Some("is not JSON"),
    };
    let mut all = state.histories.values().filter_map(|history| history.state.as_ref());
    let Some(known) = all.find(|known| body["task_id"] == known.id().as_str()) else {
        return Some("speaks of nothing that was submitted");
    };
    match known.ended.as_ref().map(|ended| &ended.ending) {
        None => Some("came before the end"),
        Some(Ending::Completed(verdict)) => {
            let winner = verdict.winner().map_or("", |winner| winner.author.as_str());
            (body["winner_id"].as_str() != Some(winner)).then_some("names another winner than the log")
        }
        Some(_) => {
            (announcement.subject != "deliberation.failed").then_some("calls a failure something else")
        }
    }
}

/// When faults have stopped and everything has had its time: all that was accepted has ended and was
/// announced once, and nothing is left over.
pub(crate) fn at_rest(state: &State) -> Result<(), String> {
    if let Some(broken) = &state.broken {
        return Err(broken.clone());
    }
    for id in &state.accepted {
        let history = fleet_orchestrator::port::HistoryId::deliberation(id);
        let Some(known) = state.histories.get(&history).and_then(|history| history.state.as_ref()) else {
            return Err(format!("{id} was accepted and is gone"));
        };
        if known.ended.is_none() {
            return Err(format!(
                "{id} has not ended: {:?}",
                known.lanes.iter().map(|l| l.step).collect::<Vec<_>>()
            ));
        }
        if !state.announced.contains_key(&format!("{id}:ended")) {
            return Err(format!("{id} has ended and was not announced"));
        }
    }
    if let Some(job) = state.queue.jobs.keys().next() {
        return Err(format!("{job} is left in the queue"));
    }
    Ok(())
}
