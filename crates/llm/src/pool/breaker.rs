//! The breaker of a server: open after faults in a row, tried with one call after a pause, closed by an answer.

use fleet_deliberation::Timestamp;

/// How many faults in a row open a breaker.
pub const FAULTS_TO_OPEN: u32 = 5;
/// The pause before the first trial call, in milliseconds; it doubles with each trial that fails.
pub const PAUSE_MS: u64 = 1_000;
/// The longest pause.
pub const PAUSE_MS_MAX: u64 = 60_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Breaker {
    /// Calls are made. So many faults came in a row.
    Closed { faults: u32 },
    /// No call is made before `until`, then one. It has opened so many times since the last answer.
    Open { until: Timestamp, times: u32 },
    /// The one call is under way.
    Trying { times: u32 },
}

/// What a call says of its server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It answered, be it with a refusal.
    Answered,
    /// It could not be reached, was too slow, or failed.
    Fault,
    /// The call was given up before that could be told.
    Unknown,
}

/// Whether a call may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leave {
    Go,
    /// As the one call that tries whether the server is back.
    Trial,
    NotBefore(Timestamp),
    /// Not before the trial call has come to its end.
    AfterTrial,
}

impl Breaker {
    pub(super) const fn leave(self, now: Timestamp) -> Leave {
        match self {
            Breaker::Closed { .. } => Leave::Go,
            Breaker::Open { until, .. } if until.0 > now.0 => Leave::NotBefore(until),
            Breaker::Open { .. } => Leave::Trial,
            Breaker::Trying { .. } => Leave::AfterTrial,
        }
    }

    /// The trial call begins.
    pub(super) const fn begin_trial(&mut self) {
        if let Breaker::Open { times, .. } = *self {
            *self = Breaker::Trying { times };
        }
    }

    /// A call has come to its end; `trial` says whether it was the one that tries. `chance` is from 0 to 1
    /// and says how much longer than it must be a pause is: up to a half.
    pub(super) fn ended(&mut self, verdict: Verdict, trial: bool, now: Timestamp, chance: f64) {
        *self = match (verdict, *self) {
            // Also an answer to a call from before it opened: the server is there.
            (Verdict::Answered, _) => Breaker::Closed { faults: 0 },
            (Verdict::Fault, Breaker::Closed { faults }) if faults + 1 < FAULTS_TO_OPEN => {
                Breaker::Closed { faults: faults + 1 }
            }
            (Verdict::Fault, Breaker::Closed { .. }) => open(1, now, chance),
            (Verdict::Fault, Breaker::Trying { times }) if trial => {
                open(times.saturating_add(1), now, chance)
            }
            (Verdict::Unknown, Breaker::Trying { times }) if trial => Breaker::Open { until: now, times },
            // Stragglers say nothing new.
            (Verdict::Fault | Verdict::Unknown, state) => state,
        };
    }
}

fn open(times: u32, now: Timestamp, chance: f64) -> Breaker {
    let doubled = PAUSE_MS.saturating_mul(1 << (times - 1).min(30)).min(PAUSE_MS_MAX);
    let more = (doubled as f64 * 0.5 * chance.clamp(0.0, 1.0)) as u64;
    Breaker::Open { until: now.plus_ms(doubled + more), times }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(at: u64) -> Breaker {
        let mut breaker = Breaker::Closed { faults: 0 };
        for _ in 0..FAULTS_TO_OPEN {
            assert_eq!(breaker.leave(Timestamp(at)), Leave::Go);
            breaker.ended(Verdict::Fault, false, Timestamp(at), 0.0);
        }
        breaker
    }

    #[test]
    fn it_opens_after_faults_in_a_row_and_not_before() {
        let mut breaker = Breaker::Closed { faults: 0 };
        for _ in 0..10 {
            for _ in 1..FAULTS_TO_OPEN {
                breaker.ended(Verdict::Fault, false, Timestamp(0), 0.0);
                breaker.ended(Verdict::Unknown, false, Timestamp(0), 0.0);
            }
            breaker.ended(Verdict::Answered, false, Timestamp(0), 0.0);
        }
        assert_eq!(breaker, Breaker::Closed { faults: 0 });
        assert_eq!(broken(7).leave(Timestamp(7)), Leave::NotBefore(Timestamp(7 + PAUSE_MS)));
    }

    #[test]
    fn one_call_tries_it_after_the_pause_and_an_answer_closes_it() {
        let mut breaker = broken(0);
        let later = Timestamp(PAUSE_MS);
        assert_eq!(breaker.leave(later), Leave::Trial);
        breaker.begin_trial();
        assert_eq!(breaker.leave(later), Leave::AfterTrial);
        breaker.ended(Verdict::Fault, false, later, 0.0);
        assert_eq!(breaker.leave(later), Leave::AfterTrial, "a straggler decides nothing");
        breaker.ended(Verdict::Answered, true, later, 0.0);
        assert_eq!(breaker, Breaker::Closed { faults: 0 });
    }

    #[test]
    fn the_pause_doubles_up_to_its_bound_and_begins_anew_after_an_answer() {
        let (mut breaker, mut now, mut pauses) = (broken(0), Timestamp(0), Vec::new());
        for _ in 0..9 {
            let Leave::NotBefore(until) = breaker.leave(now) else { panic!("{breaker:?}") };
            pauses.push(until.ms_since(now));
            now = until;
            breaker.begin_trial();
            breaker.ended(Verdict::Fault, true, now, 0.0);
        }
        assert_eq!(pauses, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]);
        breaker.ended(Verdict::Answered, false, now, 0.0);
        assert_eq!(breaker, Breaker::Closed { faults: 0 });
        let Breaker::Open { until, .. } = open(40, Timestamp(0), 1.0) else { panic!("open") };
        assert_eq!(until, Timestamp(PAUSE_MS_MAX * 3 / 2), "chance adds up to a half");
    }

    #[test]
    fn a_trial_that_was_given_up_leaves_room_for_another() {
        let mut breaker = broken(0);
        let later = Timestamp(PAUSE_MS);
        breaker.begin_trial();
        breaker.ended(Verdict::Unknown, true, later, 0.0);
        assert_eq!(breaker.leave(later), Leave::Trial);
    }
}
