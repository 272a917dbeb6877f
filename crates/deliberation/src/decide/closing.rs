//! What follows once every lane is done: tests by others are tried, near ties are judged, an architect chooses,
//! and the verdict is given.

use std::sync::Arc;

use crate::selection::comparisons;
use crate::{
    Chosen, Deliberation, Effort, Ending, Event, Failure, FailureKind, JobId, JobKind, Member, Purse, Report,
    Timestamp, budget, schedule, verdict,
};

use super::{Decision, misfit, testing};

impl Decision {
    /// Goes as far as it can without an answer that is still awaited.
    pub(super) fn close(&mut self, at: Timestamp) {
        while let Some(state) = self.open() {
            match next(state, at) {
                Next::Push(events) => events.into_iter().for_each(|event| self.push(Some(event))),
                Next::Wait => return,
                Next::End => {
                    let verdict = verdict::of(state);
                    return self.end(at, Ending::Completed(Arc::new(verdict)));
                }
            }
        }
    }

    /// Takes in what came of a judgement or a choice, if it is awaited. Says whether it was.
    pub(super) fn close_with(&mut self, job: &JobId, report: Report, effort: Effort) -> bool {
        let awaited = self.open().is_some_and(|state| closing_jobs(state).any(|known| known == *job));
        if awaited {
            let settled = self.open().and_then(|state| budget::settled(state, job, &report, effort));
            let event = match job.kind {
                JobKind::Test => testing::written(job, report),
                JobKind::Trial => testing::tried(job, report),
                JobKind::Judge => judgement(job, report),
                JobKind::Select | JobKind::Propose | JobKind::Check | JobKind::Critique | JobKind::Revise => {
                    self.choice(job, report)
                }
            };
            self.push(Some(event));
            self.push(settled);
        }
        awaited
    }

    /// Gives up the judgements and the choice whose time is over.
    pub(super) fn give_up_closing(&mut self, at: Timestamp) {
        let Some(state) = self.open() else { return };
        let Some(window) = window(state).filter(|window| window.until <= at) else { return };
        let jobs: Vec<JobId> = closing_jobs(state).collect();
        for job in jobs {
            let message = format!("no answer within {} ms", window.until.ms_since(window.from));
            let failure = Failure::new(FailureKind::Deadline, message, 0);
            self.close_with(&job, Report::Failed(failure), Effort::default());
        }
    }

    fn choice(&self, job: &JobId, report: Report) -> Event {
        let architect = job.subject.clone();
        let candidates =
            self.open().and_then(|state| state.choosing.as_ref()).map(|choosing| &choosing.candidates);
        match report {
            Report::Choice { chosen, usage } => {
                let fits = |Chosen { author, cites }: &Chosen| {
                    candidates.is_some_and(|candidates| candidates.contains(author))
                        && (1..=crate::CITES_MAX).contains(&cites.len())
                };
                if fits(&chosen) {
                    return Event::Selected { architect, chosen, usage };
                }
                let message = "the choice is none of the candidates, or cites nothing";
                let failure = Failure { usage, ..Failure::new(FailureKind::Unreadable, message, 0) };
                Event::SelectionFailed { architect, failure }
            }
            Report::Failed(failure) => Event::SelectionFailed { architect, failure },
            Report::Text { .. }
            | Report::Review { .. }
            | Report::Checks { .. }
            | Report::Trial { .. }
            | Report::Judgement { .. } => {
                Event::SelectionFailed { architect, failure: misfit(JobKind::Select) }
            }
        }
    }
}

fn judgement(job: &JobId, report: Report) -> Event {
    let (comparison, judge) = (job.round, job.subject.clone());
    match report {
        Report::Judgement { preference, usage } => Event::Judged { comparison, judge, preference, usage },
        Report::Failed(failure) => Event::JudgementFailed { comparison, judge, failure },
        Report::Text { .. }
        | Report::Review { .. }
        | Report::Checks { .. }
        | Report::Trial { .. }
        | Report::Choice { .. } => {
            Event::JudgementFailed { comparison, judge, failure: misfit(JobKind::Judge) }
        }
    }
}

enum Next {
    Push(Vec<Event>),
    Wait,
    End,
}

fn next(state: &Deliberation, at: Timestamp) -> Next {
    let selection = &state.submission().selection;
    if selection.is_none() {
        return Next::End;
    }
    if closing_jobs(state).next().is_some() {
        return Next::Wait;
    }
    if state.choosing.is_some() {
        return Next::End;
    }
    let drops = |is: fn(&Purse) -> bool| state.purse.as_deref().is_some_and(is);
    if state.judging.is_none()
        && let Some(events) = testing::next(state, at)
    {
        return Next::Push(events);
    }
    // One that can only ask an architect has nothing to open first.
    if state.judging.is_none() && selection.judges > 0 && !drops(Purse::no_panel) {
        let comparisons = comparisons(state, &verdict::candidates(state));
        if !comparisons.is_empty() {
            let (comparisons, dropped) = budget::panel(state, comparisons);
            let mut events: Vec<Event> = dropped.into_iter().collect();
            if !comparisons.is_empty() {
                events.push(Event::JudgingOpened { comparisons, window: schedule::judging(state, at) });
            }
            return Next::Push(events);
        }
    }
    let left = verdict::left(state);
    match &selection.architect {
        Some(Member { agent: architect, .. }) if left.len() > 1 && !drops(Purse::no_choice) => {
            let dropped = budget::choice(state, architect, &left);
            Next::Push(vec![dropped.unwrap_or_else(|| Event::SelectionRequested {
                architect: architect.clone(),
                candidates: left,
                window: schedule::choosing(state, at),
            })])
        }
        _ => Next::End,
    }
}

/// What is awaited once every lane is done: tests, trials, judgements, the choice.
pub(crate) fn closing_jobs(state: &Deliberation) -> impl Iterator<Item = JobId> {
    let job = |round, kind, subject: &crate::AgentId| JobId {
        deliberation: state.id().clone(),
        round,
        kind,
        subject: subject.clone(),
    };
    let tests = state.testing.iter().flat_map(|testing| testing::jobs(testing));
    let judgements = state.judging.iter().flat_map(|judging| judging.awaited());
    let choice = state.choosing.iter().filter(|choosing| choosing.outcome.is_none());
    let tests = tests.map(move |(kind, subject)| job(0, kind, subject));
    let judgements = judgements
        .map(move |(number, judge)| job(number, JobKind::Judge, judge))
        .chain(choice.map(move |choosing| job(0, JobKind::Select, &choosing.architect)));
    tests.chain(judgements)
}

/// The time of what is awaited at the end: that of the step that was begun last.
pub(crate) fn window(state: &Deliberation) -> Option<crate::Window> {
    match (&state.judging, &state.choosing) {
        (_, Some(choosing)) => Some(choosing.window),
        (Some(judging), None) => Some(judging.window),
        (None, None) => {
            let testing = state.testing.as_deref()?;
            Some(testing.trial_window.unwrap_or(testing.window))
        }
    }
}
