//! Tests that agents write for each other's proposals, where the task brings none.
//!
//! Generated tests agree with right programs more than with each other's errors (CodeT, arXiv 2207.10397). Each writer
//! sees the task and the proposals without their authors; what it writes is run against every proposal but its own. A
//! test counts only if it splits the field: one that every proposal passes says nothing, and one that none passes is
//! more likely wrong than all of them. Proposals that pass and fail the same tests form a group; the size of a group
//! counts after the share of the tests it passes. A proposal that no test that counts was run against, as its author
//! wrote them all, is placed at the mean of the others: it is neither rewarded nor punished.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{AgentId, Failure, Window};

/// The most agents that write tests.
pub const TEST_WRITERS_MAX: u32 = 8;
/// The most tests of which a trial keeps the outcome.
pub const TRIAL_TESTS_MAX: usize = 64;

/// How tests by others came out against a proposal: each as `{writer}/{test}`. At most [`TRIAL_TESTS_MAX`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Trial(pub BTreeMap<String, bool>);

/// Tests that agents write, as far as they have come; without writers where nobody was asked, as none could be run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Testing {
    /// Who writes.
    pub writers: Vec<AgentId>,
    /// Whose proposals are tested.
    pub authors: Vec<AgentId>,
    /// The writers' time.
    pub window: Window,
    /// What came of the writing, in the order in which it came.
    pub written: Vec<(AgentId, Result<(), Failure>)>,
    /// The time of the trials, once the tests are there.
    pub trial_window: Option<Window>,
    /// What came of the trials, in the order in which it came.
    pub tried: Vec<(AgentId, Result<Trial, Failure>)>,
}

impl Testing {
    /// The writers that are awaited.
    pub fn awaited_writers(&self) -> impl Iterator<Item = &AgentId> {
        self.writers.iter().filter(|writer| !self.written.iter().any(|(known, _)| known == *writer))
    }

    /// The authors whose trials are awaited.
    pub fn awaited_trials(&self) -> impl Iterator<Item = &AgentId> {
        let begun = self.authors.iter().filter(|_| self.trial_window.is_some());
        begun.filter(|author| !self.tried.iter().any(|(known, _)| known == *author))
    }

    /// Those who wrote tests.
    pub fn those_who_wrote(&self) -> impl Iterator<Item = &AgentId> {
        self.written.iter().filter(|(_, outcome)| outcome.is_ok()).map(|(writer, _)| writer)
    }

    /// How a proposal behaves under the tests that count.
    #[must_use]
    pub(crate) fn behaviour(&self, author: &AgentId) -> Option<Behaviour> {
        let counted = self.counted();
        let own = self.trial(author)?;
        let seen = |trial: &Trial| -> BTreeMap<String, bool> {
            let counts = |(name, _): &(&String, &bool)| counted.contains(name.as_str());
            trial.0.iter().filter(counts).map(|(name, passed)| (name.clone(), *passed)).collect()
        };
        let mine = seen(own);
        if mine.is_empty() {
            return None;
        }
        let share =
            |tests: &BTreeMap<String, bool>| (tests.values().filter(|passed| **passed).count(), tests.len());
        let agrees = |other: &Trial| {
            let theirs = seen(other);
            let mut both =
                mine.iter().filter_map(|(name, passed)| Some((passed, theirs.get(name)?))).peekable();
            if both.peek().is_some() {
                return both.all(|(mine, theirs)| mine == theirs);
            }
            // Writers are not tried by their own tests, so that two of them may have seen none in common.
            let ((mine, of_mine), (theirs, of_theirs)) = (share(&mine), share(&theirs));
            of_theirs > 0 && mine * of_theirs == theirs * of_mine
        };
        let group = self.tried.iter().filter(|(_, outcome)| outcome.as_ref().is_ok_and(agrees)).count();
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let passed = mine.values().filter(|passed| **passed).count();
        Some(Behaviour { tests: count(mine.len()), passed: count(passed), group: count(group) })
    }

    fn trial(&self, author: &AgentId) -> Option<&Trial> {
        self.tried.iter().find(|(known, _)| known == author)?.1.as_ref().ok()
    }

    /// The tests that split the field.
    fn counted(&self) -> BTreeSet<&str> {
        let mut seen: BTreeMap<&str, (bool, bool)> = BTreeMap::new();
        for (name, passed) in
            self.tried.iter().filter_map(|(_, trial)| trial.as_ref().ok()).flat_map(|trial| &trial.0)
        {
            let (passes, fails) = seen.entry(name).or_default();
            *passes |= *passed;
            *fails |= !*passed;
        }
        seen.into_iter().filter(|(_, split)| *split == (true, true)).map(|(name, _)| name).collect()
    }
}

/// How a proposal behaves under the tests by others that count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Behaviour {
    /// How many of them it was tried by; at least 1.
    pub tests: u32,
    /// How many of them it passed.
    pub passed: u32,
    /// How many proposals pass and fail the same, itself included.
    pub group: u32,
}

impl Behaviour {
    /// The share of them that it passed, from 0 to 1.
    #[must_use]
    pub fn share(&self) -> f64 {
        f64::from(self.passed) / f64::from(self.tests.max(1))
    }

    /// The mean share, and the mean size of the group; 0 and 0 of none. The same in whatever order they come.
    #[must_use]
    pub fn mean<'a>(all: impl Iterator<Item = &'a Behaviour>) -> (f64, f64) {
        let (mut shares, groups): (Vec<f64>, Vec<u32>) = all.map(|one| (one.share(), one.group)).unzip();
        // Sums of fractions hang on their order.
        shares.sort_by(f64::total_cmp);
        let n = shares.len().max(1) as f64;
        (shares.iter().sum::<f64>() / n, groups.iter().map(|group| f64::from(*group)).sum::<f64>() / n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;

    fn agent(name: &str) -> AgentId {
        AgentId::new(name).unwrap()
    }

    fn tried(trials: &[(&str, &[(&str, bool)])]) -> Testing {
        let window = Window { from: Timestamp(0), until: Timestamp(1) };
        let trial = |tests: &[(&str, bool)]| {
            Trial(tests.iter().map(|(name, passed)| ((*name).to_owned(), *passed)).collect())
        };
        Testing {
            writers: vec![],
            authors: trials.iter().map(|(author, _)| agent(author)).collect(),
            window,
            written: vec![],
            trial_window: Some(window),
            tried: trials.iter().map(|(author, tests)| (agent(author), Ok(trial(tests)))).collect(),
        }
    }

    #[test]
    fn only_tests_that_split_the_field_count() {
        let testing = tried(&[
            ("a", &[("w/all", true), ("w/none", false), ("w/some", true)]),
            ("b", &[("w/all", true), ("w/none", false), ("w/some", false)]),
        ]);
        let behaviour = |author| testing.behaviour(&agent(author)).unwrap();
        assert_eq!(behaviour("a"), Behaviour { tests: 1, passed: 1, group: 1 });
        assert_eq!(behaviour("b"), Behaviour { tests: 1, passed: 0, group: 1 });
        let same = tried(&[("a", &[("w/all", true)]), ("b", &[("w/all", true)])]);
        assert_eq!(same.behaviour(&agent("a")), None, "nothing tells them apart");
    }

    #[test]
    fn those_who_behave_alike_form_a_group() {
        let testing = tried(&[
            ("a", &[("w/1", true), ("w/2", true)]),
            ("b", &[("w/1", true), ("w/2", true)]),
            ("c", &[("w/1", false), ("w/2", true)]),
            ("d", &[("w/1", false), ("w/2", false)]),
        ]);
        let groups = ["a", "b", "c", "d"].map(|author| testing.behaviour(&agent(author)).unwrap().group);
        assert_eq!(groups, [2, 2, 1, 1]);
    }

    #[test]
    fn a_writer_is_compared_by_what_others_wrote() {
        let testing = tried(&[
            ("a", &[("b/1", true)]),
            ("b", &[("a/1", true)]),
            ("c", &[("a/1", false), ("b/1", false)]),
        ]);
        let behaviour = |author| testing.behaviour(&agent(author)).unwrap();
        // Each passes the other's test, so that the two agree as far as anybody can tell.
        assert_eq!(behaviour("a"), Behaviour { tests: 1, passed: 1, group: 2 });
        assert_eq!(behaviour("c"), Behaviour { tests: 2, passed: 0, group: 1 });
    }
}
