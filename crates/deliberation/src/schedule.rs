//! How much time each step of a lane has.
//!
//! What is left of a deliberation's time is shared among the steps a lane still has before it, by
//! weight, so that one silent agent delays a deliberation but cannot use up its time, and what one step
//! leaves over is the next one's.

use crate::{Deliberation, JobKind, Submission, Timestamp, Window};

const PROPOSE: u64 = 3;
const CHECK: u64 = 1;
const REVIEW: u64 = 2;
const REVISE: u64 = 3;
const ROUND: u64 = REVIEW + REVISE + CHECK;
const TEST: u64 = 2;
const TRIAL: u64 = 2;
const JUDGE: u64 = 2;
const SELECT: u64 = 2;

/// Per mille of a deliberation's time that its steps share; the rest is there to write the verdict.
const SHARED_PER_MILLE: u64 = 970;

pub(crate) fn proposal(at: Timestamp, deadline_at: Timestamp, submission: &Submission) -> Window {
    let rounds = ROUND * u64::from(submission.rounds);
    window(at, at, deadline_at, PROPOSE, PROPOSE + CHECK + rounds + closing(submission))
}

pub(crate) fn testing(state: &Deliberation, at: Timestamp) -> Window {
    step(state, at, TEST, 0)
}

pub(crate) fn trials(state: &Deliberation, at: Timestamp) -> Window {
    let left = TRIAL + telling_apart(state.submission());
    window(state.opened.at, at, state.opened.deadline_at, TRIAL, left)
}

pub(crate) fn judging(state: &Deliberation, at: Timestamp) -> Window {
    window(state.opened.at, at, state.opened.deadline_at, JUDGE, telling_apart(state.submission()))
}

pub(crate) fn choosing(state: &Deliberation, at: Timestamp) -> Window {
    window(state.opened.at, at, state.opened.deadline_at, 1, 1)
}

pub(crate) fn check(state: &Deliberation, round: u32, at: Timestamp) -> Window {
    step(state, at, CHECK, CHECK + ROUND * rounds_after(state, round))
}

pub(crate) fn review(state: &Deliberation, round: u32, at: Timestamp) -> Window {
    step(state, at, REVIEW, ROUND + ROUND * rounds_after(state, round))
}

pub(crate) fn revision(state: &Deliberation, round: u32, at: Timestamp) -> Window {
    step(state, at, REVISE, REVISE + CHECK + ROUND * rounds_after(state, round))
}

/// The time of a step whose own was over while nobody worked.
pub(crate) fn again(state: &Deliberation, round: u32, kind: JobKind, at: Timestamp) -> Window {
    match kind {
        JobKind::Propose => {
            let rounds = u64::from(state.rounds());
            step(state, at, PROPOSE, PROPOSE + CHECK + ROUND * rounds)
        }
        JobKind::Test => testing(state, at),
        JobKind::Trial => trials(state, at),
        JobKind::Judge => judging(state, at),
        JobKind::Select => choosing(state, at),
        JobKind::Check => check(state, round, at),
        JobKind::Critique => review(state, round, at),
        JobKind::Revise => revision(state, round, at),
    }
}

fn rounds_after(state: &Deliberation, round: u32) -> u64 {
    u64::from(state.rounds().saturating_sub(round))
}

/// What testing and telling near ties apart weigh.
fn closing(submission: &Submission) -> u64 {
    let tests = submission.selection.test_writers > 0 && submission.task.tests().is_none();
    telling_apart(submission) + if tests { TEST + TRIAL } else { 0 }
}

/// What telling near ties apart weighs.
fn telling_apart(submission: &Submission) -> u64 {
    let judge = if submission.selection.judges > 0 { JUDGE } else { 0 };
    judge + if submission.selection.architect.is_some() { SELECT } else { 0 }
}

/// The time of a step of `weight`, when a lane has `weights_left` before it, that step's own among them.
fn step(state: &Deliberation, at: Timestamp, weight: u64, weights_left: u64) -> Window {
    let weights_left = weights_left + closing(state.submission());
    window(state.opened.at, at, state.opened.deadline_at, weight, weights_left)
}

fn window(opened: Timestamp, at: Timestamp, deadline: Timestamp, weight: u64, weights_left: u64) -> Window {
    let end = opened.plus_ms(deadline.ms_since(opened) * SHARED_PER_MILLE / 1000);
    let share = end.ms_since(at) * weight / weights_left;
    Window { from: at, until: at.plus_ms(share.max(1)) }
}
