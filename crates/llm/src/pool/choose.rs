//! Which server a call goes to: the one its deliberation prefers, unless that is busier than it should be.

use std::cmp::Reverse;

use fleet_deliberation::DeliberationId;

use crate::dice::Dice;

/// How many times the calls of the least loaded server a preferred one may have under way,
pub const BUSIER_TIMES_MAX: u64 = 2;
/// and how many more: so that the agents of one council stay together on idle servers.
pub const BUSIER_MORE_MAX: u64 = 4;

/// The servers in the order in which a deliberation prefers them. What its agents share stands first in
/// their prompts, and that is in the prefix cache of the server that saw it before; the order is the same
/// wherever and whenever it is computed, and a server that comes or goes changes it for few deliberations.
/// Each attempt at a job begins with another server than the one before.
pub(super) fn preference(deliberation: &DeliberationId, attempt: u32, labels: &[&str]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..labels.len()).collect();
    order.sort_by_cached_key(|at| {
        let weight = Dice::new(0, &[deliberation.as_str(), labels[*at]]).bits();
        (Reverse(weight), *at)
    });
    if !order.is_empty() {
        let first = usize::try_from(attempt.saturating_sub(1)).unwrap_or(0) % order.len();
        order.rotate_left(first);
    }
    order
}

/// A server that could take a call now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) server: usize,
    pub(super) under_way: u32,
    /// The most calls at once; 0 is no limit.
    pub(super) calls_max: u32,
    /// It may not know the model, or may refuse the key: better asked last.
    pub(super) doubtful: bool,
}

impl Candidate {
    /// The calls `self` would have under way if it were as loaded as `other`, by what each can take.
    fn as_loaded_as(&self, other: &Candidate) -> u64 {
        let (mine, others) = (u64::from(self.calls_max), u64::from(other.calls_max));
        let under_way = u64::from(other.under_way);
        if mine == 0 || others == 0 { under_way } else { under_way * mine / others }
    }

    fn is_less_loaded_than(&self, other: &Candidate) -> bool {
        let weight = |candidate: &Candidate| u64::from(candidate.calls_max);
        if weight(self) == 0 || weight(other) == 0 {
            return self.under_way < other.under_way;
        }
        u64::from(self.under_way) * weight(other) < u64::from(other.under_way) * weight(self)
    }
}

/// Chooses among the candidates, which are in order of preference.
pub(super) fn choose(candidates: &[Candidate]) -> Option<usize> {
    let sure = candidates.iter().any(|candidate| !candidate.doubtful);
    let mut eligible = candidates.iter().filter(|candidate| !sure || !candidate.doubtful);
    let preferred = eligible.next()?;
    let least =
        eligible.fold(preferred, |least, next| if next.is_less_loaded_than(least) { next } else { least });
    let bound = BUSIER_TIMES_MAX * preferred.as_loaded_as(least) + BUSIER_MORE_MAX;
    let chosen = if u64::from(preferred.under_way) <= bound { preferred } else { least };
    Some(chosen.server)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const LABELS: [&str; 4] = ["http://a:8000", "http://b:8000", "http://c:8000", "http://d:8000"];

    fn id(n: usize) -> DeliberationId {
        DeliberationId::new(&format!("task-{n}")).unwrap()
    }

    fn at(server: usize, under_way: u32, calls_max: u32) -> Candidate {
        Candidate { server, under_way, calls_max, doubtful: false }
    }

    #[test]
    fn deliberations_are_spread_and_each_keeps_its_order() {
        let mut firsts = BTreeMap::new();
        for n in 0..4_000 {
            let order = preference(&id(n), 1, &LABELS);
            assert_eq!(order, preference(&id(n), 1, &LABELS));
            *firsts.entry(order[0]).or_insert(0) += 1;
        }
        assert!(firsts.values().all(|n| (850..1_150).contains(n)), "{firsts:?}");
    }

    #[test]
    fn a_server_that_goes_moves_only_the_deliberations_it_had() {
        for n in 0..500 {
            let (all, fewer) = (preference(&id(n), 1, &LABELS), preference(&id(n), 1, &LABELS[..3]));
            let left: Vec<usize> = all.into_iter().filter(|at| *at != 3).collect();
            assert_eq!(left, fewer);
        }
    }

    #[test]
    fn each_attempt_begins_with_another_server() {
        for n in 0..50 {
            let firsts: Vec<usize> = (1..=4).map(|attempt| preference(&id(n), attempt, &LABELS)[0]).collect();
            assert_eq!(firsts, preference(&id(n), 1, &LABELS));
            assert_eq!(preference(&id(n), 5, &LABELS), preference(&id(n), 1, &LABELS));
        }
        assert_eq!(preference(&id(0), 3, &LABELS[..1]), [0]);
        assert_eq!(preference(&id(0), 3, &[]), [0; 0]);
    }

    #[test]
    fn the_preferred_server_is_taken_until_it_is_too_busy() {
        assert_eq!(choose(&[]), None);
        assert_eq!(choose(&[at(2, 4, 0), at(0, 0, 0)]), Some(2), "a council stays together");
        assert_eq!(choose(&[at(2, 5, 0), at(0, 0, 0), at(1, 1, 0)]), Some(0));
        assert_eq!(choose(&[at(2, 24, 0), at(0, 10, 0)]), Some(2));
        assert_eq!(choose(&[at(2, 25, 0), at(0, 10, 0)]), Some(0));
        assert_eq!(choose(&[at(2, 900, 0)]), Some(2));
    }

    #[test]
    fn load_is_measured_by_what_a_server_can_take() {
        assert_eq!(choose(&[at(0, 20, 64), at(1, 1, 4)]), Some(0));
        assert_eq!(choose(&[at(0, 37, 64), at(1, 1, 4)]), Some(1));
        assert_eq!(choose(&[at(0, 30, 32), at(1, 30, 320), at(2, 40, 320)]), Some(1));
    }

    #[test]
    fn what_is_doubtful_is_asked_last() {
        let doubtful = Candidate { doubtful: true, ..at(0, 0, 0) };
        assert_eq!(choose(&[doubtful, at(1, 30, 0)]), Some(1));
        assert_eq!(choose(&[doubtful]), Some(0));
    }
}
