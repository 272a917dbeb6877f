//! Asks agents for tests where the task brings none, and for trials by them.

use crate::{
    AgentId, CheckKind, CheckOutcome, Deliberation, Event, Failure, FailureKind, JobId, JobKind, Purse,
    Report, Standing, Testing, Timestamp, budget, schedule,
};

use super::misfit;

/// What is to be asked for next, once every lane is done and nothing is awaited; `None` when the testing is over, or
/// there is to be none.
pub(super) fn next(state: &Deliberation, at: Timestamp) -> Option<Vec<Event>> {
    let wanted = state.submission().selection.test_writers as usize;
    let unaffordable = state.purse.as_deref().is_some_and(Purse::no_tests);
    if wanted == 0 || unaffordable || state.submission().task.tests().is_some() {
        return None;
    }
    match state.testing.as_deref() {
        None => {
            let authors = worth_testing(state);
            let writers: Vec<AgentId> = state
                .lanes
                .iter()
                .filter(|lane| !lane.versions.is_empty())
                .map(|lane| lane.author.clone())
                .take(wanted)
                .collect();
            // A lone proposal cannot be split from others.
            if authors.len() < 2 {
                return None;
            }
            if !runs_here(state, &authors) {
                let asked_for = u32::try_from(writers.len()).unwrap_or(u32::MAX);
                return Some(vec![Event::TestsSkipped { asked_for }]);
            }
            let (writers, dropped) = budget::writers(state, writers, &authors);
            let window = schedule::testing(state, at);
            let asked = (!writers.is_empty()).then_some(Event::TestsRequested { writers, authors, window });
            Some(dropped.into_iter().chain(asked).collect())
        }
        Some(testing) if testing.trial_window.is_none() && testing.those_who_wrote().next().is_some() => {
            Some(vec![Event::TrialsRequested {
                authors: testing.authors.clone(),
                window: schedule::trials(state, at),
            }])
        }
        Some(_) => None,
    }
}

/// Those whose version in force failed no check that decides.
fn worth_testing(state: &Deliberation) -> Vec<AgentId> {
    let lanes = state.lanes.iter().filter(|lane| {
        let checks = lane.current().and_then(|version| version.checks.as_ref());
        checks.is_some_and(|checks| checks.standing() != Standing::Failed)
    });
    lanes.map(|lane| lane.author.clone()).collect()
}

/// Whether any code of these was run, or might have been: where none was, for want of a sandbox, of a toolchain or of
/// code, tests would not be either, and are not paid for.
fn runs_here(state: &Deliberation, authors: &[AgentId]) -> bool {
    let lanes = state.lanes.iter().filter(|lane| authors.contains(&lane.author));
    let mut runs = lanes.map(|lane| {
        let checks = lane.current().and_then(|version| version.checks.as_ref());
        checks.and_then(|checks| checks.get(CheckKind::DryRun))
    });
    runs.any(|run| run.is_none_or(|run| run.ran || run.outcome == CheckOutcome::Error))
}

/// What came of writing tests.
pub(super) fn written(job: &JobId, report: Report) -> Event {
    let writer = job.subject.clone();
    match report {
        Report::Text { usage } => Event::TestsWritten { writer, usage },
        Report::Failed(failure) => Event::TestsFailed { writer, failure },
        Report::Review { .. }
        | Report::Checks { .. }
        | Report::Judgement { .. }
        | Report::Choice { .. }
        | Report::Trial { .. } => Event::TestsFailed { writer, failure: misfit(JobKind::Test) },
    }
}

/// What came of a trial.
pub(super) fn tried(job: &JobId, report: Report) -> Event {
    let author = job.subject.clone();
    match report {
        Report::Trial { trial } if trial.0.len() <= crate::TRIAL_TESTS_MAX => Event::Tried { author, trial },
        Report::Trial { trial } => {
            let message =
                format!("there are {} tests in it, more than {}", trial.0.len(), crate::TRIAL_TESTS_MAX);
            Event::TrialFailed { author, failure: Failure::new(FailureKind::Unreadable, message, 0) }
        }
        Report::Failed(failure) => Event::TrialFailed { author, failure },
        Report::Text { .. }
        | Report::Review { .. }
        | Report::Checks { .. }
        | Report::Judgement { .. }
        | Report::Choice { .. } => Event::TrialFailed { author, failure: misfit(JobKind::Trial) },
    }
}

/// The tests and the trials that are awaited.
pub(super) fn jobs(testing: &Testing) -> impl Iterator<Item = (JobKind, &AgentId)> {
    let writing = testing.awaited_writers().map(|writer| (JobKind::Test, writer));
    writing.chain(testing.awaited_trials().map(|author| (JobKind::Trial, author)))
}
