//! Which events a command leads to.

mod closing;
mod testing;

use std::sync::Arc;

use crate::evolve::apply;
use crate::state::{Deliberation, Step};
use crate::{
    AgentId, Command, Cost, Effort, Ending, Event, Failure, FailureKind, JobId, JobKind, Lane, Opened,
    Rejection, Report, Submission, Timestamp, Usage, Window, budget, schedule,
};

pub(crate) use closing::{closing_jobs, window as closing_window};

/// The events that `command` leads to, given where the deliberation stands. None when it changes
/// nothing: an answer that came twice or too late, a submission that was accepted before.
pub fn decide(state: Option<&Deliberation>, command: Command) -> Result<Vec<Event>, Rejection> {
    let mut decision = Decision::on(state.cloned());
    decision.take(command)?;
    Ok(decision.events)
}

/// A decision in the making: the events so far, and where they leave the deliberation. Several commands
/// may be taken into one decision, which is then stored as one record.
#[derive(Debug, Clone, Default)]
pub struct Decision {
    /// Where the deliberation stands after the events.
    pub state: Option<Deliberation>,
    /// What the commands led to.
    pub events: Vec<Event>,
}

impl Decision {
    /// A decision on a deliberation as it stands; `None` if there is none yet.
    #[must_use]
    pub fn on(state: Option<Deliberation>) -> Decision {
        Decision { state, events: Vec::new() }
    }

    /// Takes in a command. A rejected one leaves the decision as it was.
    pub fn take(&mut self, command: Command) -> Result<(), Rejection> {
        match (command, self.state.is_some()) {
            (Command::Submit { submission, at }, _) => self.submit(*submission, at),
            (Command::Take { job, .. }, false) => Err(Rejection::Unknown(job.deliberation)),
            (Command::Expire { .. } | Command::Renew { .. } | Command::Cancel { .. }, false) => {
                Err(Rejection::NotNow("there is no such deliberation".into()))
            }
            (Command::Take { job, report, effort, at }, true) => {
                self.answer(&job, report, effort, at);
                Ok(())
            }
            (Command::Expire { at }, true) => {
                self.expire(at);
                Ok(())
            }
            (Command::Renew { at }, true) => {
                self.renew(at);
                Ok(())
            }
            (Command::Cancel { reason, at }, true) => {
                self.end(at, Ending::Cancelled { reason });
                Ok(())
            }
        }
    }

    fn submit(&mut self, submission: Submission, at: Timestamp) -> Result<(), Rejection> {
        if let Some(state) = &self.state {
            if state.submission().fingerprint == submission.fingerprint {
                return Ok(());
            }
            return Err(Rejection::OtherContent(submission.id));
        }
        submission.validate()?;
        budget::check_prices(&submission)?;
        let deadline_at = at.plus_ms(submission.timeout_ms);
        let window = schedule::proposal(at, deadline_at, &submission);
        let mut opened = Opened { submission, at, deadline_at, window };
        let dropped = budget::agents(&mut opened)?;
        let opened = Event::Opened(Arc::new(opened));
        self.state = crate::evolve(None, &opened);
        self.events.push(opened);
        self.push(dropped);
        Ok(())
    }

    fn answer(&mut self, job: &JobId, report: Report, effort: Effort, at: Timestamp) {
        if job.kind.is_closing() {
            if self.close_with(job, report, effort) {
                self.go_on(at);
            }
            return;
        }
        let Some(state) = self.open() else { return };
        let Some(seat) = state.seat(&job.subject) else { return };
        let awaited = state.lanes[seat].step.job();
        // What nobody waits for came twice or too late, and changes nothing.
        if awaited.is_some_and(|(round, kind, _)| (round, kind) == (job.round, job.kind)) {
            self.take_in(job, seat, report, effort, at);
            self.go_on(at);
        }
    }

    /// What came of the awaited job of the lane in `seat`, and what that counts.
    fn take_in(&mut self, job: &JobId, seat: usize, report: Report, effort: Effort, at: Timestamp) {
        let settled = self.open().and_then(|state| budget::settled(state, job, &report, effort));
        let event = self.settle(seat, report, at);
        self.push(event);
        self.push(settled);
    }

    /// Gives up the awaited job of the lane in `seat`, whose time is over.
    fn give_up(&mut self, seat: usize, at: Timestamp) {
        let Some(state) = self.open() else { return };
        let Lane { author, step, .. } = &state.lanes[seat];
        let Some((round, kind, window)) = step.job() else { return };
        let (deliberation, subject) = (state.id().clone(), author.clone());
        let job = JobId { deliberation, round, kind, subject };
        let message = format!("no answer within {} ms", window.until.ms_since(window.from));
        let failure = Failure::new(FailureKind::Deadline, message, 0);
        self.take_in(&job, seat, Report::Failed(failure), Effort::default(), at);
    }

    fn expire(&mut self, at: Timestamp) {
        let Some(state) = self.open() else { return };
        if at >= state.opened.deadline_at {
            return self.end(at, Ending::TimedOut);
        }
        for seat in 0..state.lanes.len() {
            let is_over = |(_, _, window): &(u32, JobKind, Window)| window.until <= at;
            if self.open().and_then(|state| state.lanes[seat].step.job()).as_ref().is_some_and(is_over) {
                self.give_up(seat, at);
            }
        }
        self.give_up_closing(at);
        self.go_on(at);
    }

    /// A deadline that passed while nobody worked has not been missed by anyone. The deliberation's own
    /// deadline stays.
    fn renew(&mut self, at: Timestamp) {
        let Some(state) = self.open() else { return };
        if at >= state.opened.deadline_at {
            return self.end(at, Ending::TimedOut);
        }
        for seat in 0..state.lanes.len() {
            let Some(state) = self.open() else { return };
            let Lane { author, step, .. } = &state.lanes[seat];
            let Some((round, kind, _)) = step.job().filter(|(_, _, window)| window.until <= at) else {
                continue;
            };
            let job = JobId { deliberation: state.id().clone(), round, kind, subject: author.clone() };
            let window = schedule::again(state, round, kind, at);
            if !self.renew_all(&[job], window) {
                self.give_up(seat, at);
            }
        }
        let Some(state) = self.open() else { return };
        if closing_window(state).is_some_and(|window| window.until <= at) {
            let jobs: Vec<JobId> = closing_jobs(state).collect();
            let window = jobs.first().map(|job| schedule::again(state, job.round, job.kind, at));
            if !window.is_some_and(|window| self.renew_all(&jobs, window)) {
                self.give_up_closing(at);
            }
        }
        self.go_on(at);
    }

    /// Gives jobs new time, if that fits the budget: how often they were tried may be forgotten by now, so what they
    /// may have taken counts as taken, and they may take as much again.
    fn renew_all(&mut self, jobs: &[JobId], window: Window) -> bool {
        let Some(state) = self.open() else { return false };
        let costs: Vec<Cost> = jobs.iter().map(|job| budget::job(state, job)).collect();
        if !budget::left(state).covers(costs.iter().copied().sum()) {
            return false;
        }
        for (JobId { round, kind, subject: author, .. }, cost) in jobs.iter().zip(costs) {
            let (round, kind, author) = (*round, *kind, author.clone());
            if !cost.is_none() {
                self.push(Some(Event::Settled { author: author.clone(), round, kind, cost, bytes: 0 }));
            }
            self.push(Some(Event::Renewed { author, round, kind, window }));
        }
        true
    }

    /// What the awaited answer of the lane in `seat` says.
    fn settle(&self, seat: usize, report: Report, at: Timestamp) -> Option<Event> {
        let state = self.open()?;
        let author = state.lanes[seat].author.clone();
        let step = state.lanes[seat].step;
        Some(match step {
            Step::Proposing(_) => match text(report) {
                Ok(usage) => Event::Proposed { author, usage, window: schedule::check(state, 0, at) },
                Err(failure) => Event::AuthorFailed { author, failure },
            },
            Step::Checking { round, .. } => match report {
                Report::Checks { summary, sketch } => Event::Checked { author, round, summary, sketch },
                Report::Failed(failure) => Event::CheckFailed { author, round, failure },
                _ => Event::CheckFailed { author, round, failure: misfit(JobKind::Check) },
            },
            Step::Reviewing { round, reviewer, version, .. } => {
                let reviewer = state.lanes[reviewer].author.clone();
                match report {
                    Report::Review { score, findings, usage } if (0.0..=1.0).contains(&score) => {
                        let (findings, counts) = (findings.all(), Some(findings));
                        Event::Reviewed { round, author, version, reviewer, score, findings, counts, usage }
                    }
                    Report::Failed(failure) => Event::ReviewFailed { round, author, reviewer, failure },
                    _ => Event::ReviewFailed { round, author, reviewer, failure: misfit(JobKind::Critique) },
                }
            }
            Step::Revising { round, .. } => match text(report) {
                Ok(usage) => {
                    Event::Revised { round, author, usage, window: schedule::check(state, round, at) }
                }
                Err(failure) => Event::RevisionFailed { round, author, failure },
            },
            Step::Checked { .. } | Step::Reviewed { .. } | Step::RoundOver { .. } | Step::Out => return None,
        })
    }

    /// Everything that follows by itself from where the deliberation stands.
    fn go_on(&mut self, at: Timestamp) {
        self.form_ring(at);
        let Some(seats) = self.open().map(|state| state.lanes.len()) else { return };
        for seat in 0..seats {
            while let Some(event) = self.open().and_then(|state| next_of_lane(state, seat, at)) {
                self.push(Some(event));
            }
        }
        if let Some(state) = self.open()
            && state.ring.is_some()
            && state.lanes.iter().all(|lane| lane.is_done(state.rounds()))
        {
            self.close(at);
        }
    }

    /// Once no proposal is awaited any more, those who proposed form the ring; as soon as they cannot
    /// be enough any more, the deliberation has failed.
    fn form_ring(&mut self, at: Timestamp) {
        let Some(state) = self.open().filter(|state| state.ring.is_none()) else { return };
        let awaited = state.lanes.iter().filter(|lane| matches!(lane.step, Step::Proposing(_))).count();
        let (answered, quorum) = (state.answered(), state.submission().quorum);
        if answered as usize + awaited < quorum as usize {
            self.end(at, Ending::NoQuorum { answered, quorum });
        } else if awaited == 0 {
            let authors = state.lanes.iter().filter(|lane| !lane.versions.is_empty());
            let order: Vec<AgentId> = authors.map(|lane| lane.author.clone()).collect();
            self.push(Some(Event::RingFormed { order }));
            let dropped = self.open().and_then(budget::first_round);
            self.push(dropped);
        }
    }

    fn open(&self) -> Option<&Deliberation> {
        self.state.as_ref().filter(|state| state.ended.is_none())
    }

    fn end(&mut self, at: Timestamp, ending: Ending) {
        let Some(state) = self.open() else { return };
        // Nobody waits for what is under way, but it may have been paid for.
        let awaited = state.outstanding().map(|(job, _)| (budget::job(state, &job), job));
        let lost: Vec<(Cost, JobId)> = awaited.filter(|(cost, _)| !cost.is_none()).collect();
        for (cost, JobId { round, kind, subject: author, .. }) in lost {
            self.push(Some(Event::Settled { author, round, kind, cost, bytes: 0 }));
        }
        self.push(Some(Event::Ended { at, ending }));
    }

    fn push(&mut self, event: Option<Event>) {
        if let (Some(state), Some(event)) = (&mut self.state, event) {
            apply(state, &event);
            self.events.push(event);
        }
    }
}

/// What the lane in `seat` does next by itself, if anything.
fn next_of_lane(state: &Deliberation, seat: usize, at: Timestamp) -> Option<Event> {
    let lane = &state.lanes[seat];
    let author = lane.author.clone();
    let current = lane.current()?;
    match lane.step {
        Step::Checked { round: 0 } | Step::RoundOver { .. } => {
            state.ring.as_ref()?;
            let round = match lane.step {
                Step::RoundOver { round } => round + 1,
                _ => 1,
            };
            if round > state.rounds() {
                return None;
            }
            if round > 1
                && let Some(dropped) = budget::next_round(state, seat, round)
            {
                return Some(dropped);
            }
            let version = current.round;
            Some(match state.reviewer_of(seat) {
                Some(reviewer) => Event::ReviewRequested {
                    round,
                    author,
                    version,
                    reviewer: state.lanes[reviewer].author.clone(),
                    window: schedule::review(state, round, at),
                },
                None => revision(state, seat, round, 0, at),
            })
        }
        Step::Checked { round } => {
            let revised = lane.versions.iter().find(|version| version.round == round)?;
            Some(match (&revised.checks, &current.checks) {
                (Some(new), Some(old)) if new.not_worse_than(old) => {
                    Event::RevisionAccepted { round, author }
                }
                _ => Event::RevisionRefused { round, author },
            })
        }
        Step::Reviewed { round, findings } => Some(revision(state, seat, round, findings, at)),
        Step::Proposing(_)
        | Step::Checking { .. }
        | Step::Reviewing { .. }
        | Step::Revising { .. }
        | Step::Out => None,
    }
}

/// Asks for a revision if there is feedback: a peer's findings with evidence, or a failed check.
fn revision(state: &Deliberation, seat: usize, round: u32, findings: u32, at: Timestamp) -> Event {
    let lane = &state.lanes[seat];
    let author = lane.author.clone();
    let failing = |summary: &crate::CheckSummary| summary.any_failed();
    match lane.current() {
        Some(current) if findings > 0 || current.checks.as_ref().is_some_and(failing) => {
            let window = schedule::revision(state, round, at);
            Event::RevisionRequested { round, author, version: current.round, window }
        }
        _ => Event::NothingToRevise { round, author },
    }
}

impl crate::Lane {
    /// Whether the lane has nothing left to do in a deliberation of `rounds` rounds.
    fn is_done(&self, rounds: u32) -> bool {
        match self.step {
            Step::Out => true,
            Step::Checked { round: 0 } => rounds == 0,
            Step::RoundOver { round } => round >= rounds,
            _ => false,
        }
    }
}

fn text(report: Report) -> Result<Usage, Failure> {
    match report {
        Report::Text { usage } => Ok(usage),
        Report::Failed(failure) => Err(failure),
        Report::Review { .. }
        | Report::Checks { .. }
        | Report::Trial { .. }
        | Report::Judgement { .. }
        | Report::Choice { .. } => Err(misfit(JobKind::Propose)),
    }
}

fn misfit(kind: JobKind) -> Failure {
    let message = format!("the answer is not one to a {} job", kind.as_str());
    Failure::new(FailureKind::Unreadable, message, 0)
}
