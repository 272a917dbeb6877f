//! The strengths of proposals that were compared pair by pair.
//!
//! Bradley and Terry's model (Biometrika 39, 1952): i is preferred to j with probability `s_i / (s_i + s_j)`. Fitted
//! by Hunter's minorisation (Annals of Statistics 32, 2004), with one game more between each two, drawn, so that
//! strengths stay finite. Only the four operations and roots are used, which give the same result on every machine.

use crate::{AgentId, Judging, Preference};

/// How often the fit is improved; it has long converged by then for as few proposals as there are.
const ITERATIONS: usize = 200;

/// How proposals compare.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Strengths {
    /// What came of each proposal's games, in the order of the candidates.
    pub(crate) tallies: Vec<Games>,
    /// `chance[i][j]`: how likely i is preferred to j.
    chance: Vec<Vec<f64>>,
    /// The standard error of `chance[i][j]`.
    error: Vec<Vec<f64>>,
    /// The judges that preferred different proposals, or the same place, in the two orders.
    pub(crate) inconsistent: u32,
    /// Pairs that a judge saw in both orders.
    pub(crate) seen: u32,
}

/// A proposal's games: one for each judge and other proposal that it was compared with in both orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Games {
    pub(crate) wins: u32,
    pub(crate) losses: u32,
    pub(crate) ties: u32,
}

/// What the judges' votes say of `candidates`. A judge that does not prefer the same proposal in both orders counts
/// as a tie; one that saw a pair in one order only counts for nothing.
pub(crate) fn strengths(candidates: &[AgentId], judging: &Judging) -> Strengths {
    let n = candidates.len();
    let mut won = vec![vec![0.0; n]; n];
    let mut tallies = vec![Games::default(); n];
    let (mut seen, mut inconsistent) = (0, 0);
    for (i, first) in candidates.iter().enumerate() {
        for (j, second) in candidates.iter().enumerate().skip(i + 1) {
            // The game that keeps strengths finite.
            won[i][j] += 0.5;
            won[j][i] += 0.5;
            for (there, back) in both_orders(judging, first, second) {
                seen += 1;
                let (winner, loser) = match (there, back) {
                    (Preference::First, Preference::Second) => (i, j),
                    (Preference::Second, Preference::First) => (j, i),
                    (Preference::Neither, Preference::Neither) => {
                        draw(&mut won, &mut tallies, i, j);
                        continue;
                    }
                    _ => {
                        inconsistent += 1;
                        draw(&mut won, &mut tallies, i, j);
                        continue;
                    }
                };
                won[winner][loser] += 1.0;
                tallies[winner].wins += 1;
                tallies[loser].losses += 1;
            }
        }
    }
    let strengths = fit(&won);
    let (chance, error) = chances(&won, &strengths);
    Strengths { tallies, chance, error, inconsistent, seen }
}

impl Strengths {
    /// How likely a proposal is preferred to another one of the candidates, on average; from 0 to 1.
    pub(crate) fn strength(&self, of: usize) -> f64 {
        self.mean(&self.chance, of)
    }

    /// The mean of the standard errors behind it.
    pub(crate) fn error(&self, of: usize) -> f64 {
        self.mean(&self.error, of)
    }

    /// Whether `other` is so near behind `first` that chance may have placed it there: less than one standard error.
    pub(crate) fn near(&self, first: usize, other: usize) -> bool {
        self.chance[first][other] - 0.5 <= self.error[first][other]
    }

    fn mean(&self, of_pairs: &[Vec<f64>], of: usize) -> f64 {
        let others = of_pairs.len().saturating_sub(1).max(1);
        let sum: f64 =
            of_pairs[of].iter().enumerate().filter(|(j, _)| *j != of).map(|(_, value)| value).sum();
        sum / others as f64
    }
}

/// What each judge that saw a pair in both orders prefers, when the first stands first and when it stands second.
fn both_orders<'a>(
    judging: &'a Judging,
    first: &'a AgentId,
    second: &'a AgentId,
) -> impl Iterator<Item = (Preference, Preference)> + 'a {
    let number = |a: &AgentId, b: &AgentId| {
        let at = judging.comparisons.iter().position(|known| known.first == *a && known.second == *b);
        at.and_then(|at| u32::try_from(at).ok())
    };
    let pair = number(first, second).zip(number(second, first));
    pair.into_iter().flat_map(move |(there, back)| {
        let judges = judging.comparison(there).map_or(&[][..], |comparison| &comparison.judges);
        judges.iter().filter_map(move |judge| {
            let vote = |number| judging.vote(number, judge)?.outcome.as_ref().ok().copied();
            Some((vote(there)?, vote(back)?))
        })
    })
}

fn draw(won: &mut [Vec<f64>], tallies: &mut [Games], i: usize, j: usize) {
    won[i][j] += 0.5;
    won[j][i] += 0.5;
    tallies[i].ties += 1;
    tallies[j].ties += 1;
}

fn fit(won: &[Vec<f64>]) -> Vec<f64> {
    let n = won.len();
    let mut strengths = vec![1.0; n];
    for _ in 0..ITERATIONS {
        let next: Vec<f64> = (0..n)
            .map(|i| {
                let wins: f64 = won[i].iter().sum();
                let games = (0..n).filter(|j| *j != i);
                let weight: f64 =
                    games.map(|j| (won[i][j] + won[j][i]) / (strengths[i] + strengths[j])).sum();
                if weight > 0.0 { wins / weight } else { 1.0 }
            })
            .collect();
        let sum: f64 = next.iter().sum();
        strengths = next.iter().map(|strength| strength * n as f64 / sum).collect();
    }
    strengths
}

/// How likely each is preferred to each other, and the standard errors of that by the information in the games.
fn chances(won: &[Vec<f64>], strengths: &[f64]) -> (Vec<Vec<f64>>, Vec<Vec<f64>>) {
    let n = won.len();
    let chance = |i: usize, j: usize| strengths[i] / (strengths[i] + strengths[j]);
    // The information about the logarithms of the strengths; one more in every place makes it invertible and says
    // nothing about their differences.
    let mut information = vec![vec![1.0; n]; n];
    for i in 0..n {
        for j in (0..n).filter(|j| *j != i) {
            let known = (won[i][j] + won[j][i]) * chance(i, j) * chance(j, i);
            information[i][i] += known;
            information[i][j] -= known;
        }
    }
    let covariance = inverse(information);
    let error = |i: usize, j: usize| {
        let variance = covariance[i][i] + covariance[j][j] - 2.0 * covariance[i][j];
        chance(i, j) * chance(j, i) * variance.max(0.0).sqrt()
    };
    let table = |of: &dyn Fn(usize, usize) -> f64| {
        (0..n).map(|i| (0..n).map(|j| if i == j { 0.0 } else { of(i, j) }).collect()).collect()
    };
    (table(&chance), table(&error))
}

/// The inverse of a symmetric, positive definite matrix, by Gauss and Jordan.
fn inverse(mut matrix: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    let n = matrix.len();
    let mut inverse: Vec<Vec<f64>> =
        (0..n).map(|i| (0..n).map(|j| if i == j { 1.0 } else { 0.0 }).collect()).collect();
    for pivot in 0..n {
        let by = matrix[pivot][pivot];
        for j in 0..n {
            matrix[pivot][j] /= by;
            inverse[pivot][j] /= by;
        }
        for i in (0..n).filter(|i| *i != pivot) {
            let times = matrix[i][pivot];
            for j in 0..n {
                matrix[i][j] -= times * matrix[pivot][j];
                inverse[i][j] -= times * inverse[pivot][j];
            }
        }
    }
    inverse
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Comparison, Timestamp, Vote, Window};

    fn agent(name: &str) -> AgentId {
        AgentId::new(name).unwrap()
    }

    /// What a judge prefers there and back.
    type BothOrders = (Preference, Preference);

    /// `votes`: of each judge on each pair, what it prefers there and back.
    fn judged(pairs: &[(&str, &str, &[BothOrders])]) -> Judging {
        let (mut comparisons, mut votes) = (Vec::new(), Vec::new());
        for (first, second, of_judges) in pairs {
            let judges: Vec<AgentId> = (0..of_judges.len()).map(|n| agent(&format!("judge-{n}"))).collect();
            let number = u32::try_from(comparisons.len()).unwrap();
            for (judge, (there, back)) in judges.iter().zip(*of_judges) {
                for (comparison, preference) in [(number, there), (number + 1, back)] {
                    votes.push(Vote { comparison, judge: judge.clone(), outcome: Ok(*preference) });
                }
            }
            let (a, b) = (agent(first), agent(second));
            comparisons.push(Comparison { first: a.clone(), second: b.clone(), judges: judges.clone() });
            comparisons.push(Comparison { first: b, second: a, judges });
        }
        let window = Window { from: Timestamp(0), until: Timestamp(1) };
        Judging { comparisons, votes, window }
    }

    const WON: (Preference, Preference) = (Preference::First, Preference::Second);
    const LOST: (Preference, Preference) = (Preference::Second, Preference::First);
    const ODD: (Preference, Preference) = (Preference::First, Preference::First);

    #[test]
    fn a_panel_of_one_mind_tells_two_apart_and_one_judge_does_not() {
        let two = [agent("a"), agent("b")];
        let three = strengths(&two, &judged(&[("a", "b", &[WON, WON, WON])]));
        // 3.5 of 4 games: 7/8, and an error of sqrt(7/64 / 4).
        assert!((three.strength(0) - 0.875).abs() < 1e-9, "{three:?}");
        assert!((three.error(0) - (7.0f64 / 64.0 / 4.0).sqrt()).abs() < 1e-9, "{three:?}");
        assert!(!three.near(0, 1));
        let one = strengths(&two, &judged(&[("a", "b", &[WON])]));
        assert!((one.strength(0) - 0.75).abs() < 1e-9 && one.near(0, 1), "{one:?}");
        let split = strengths(&two, &judged(&[("a", "b", &[WON, WON, LOST])]));
        assert!((split.strength(0) - 0.625).abs() < 1e-9 && split.near(0, 1), "{split:?}");
    }

    #[test]
    fn a_judge_who_goes_by_the_place_counts_as_a_tie() {
        let games = strengths(&[agent("a"), agent("b")], &judged(&[("a", "b", &[ODD, ODD, ODD])]));
        assert_eq!((games.inconsistent, games.seen), (3, 3));
        assert_eq!(games.tallies, vec![Games { ties: 3, ..Games::default() }; 2]);
        assert!((games.strength(0) - 0.5).abs() < 1e-9);
    }

    #[test]
    fn strength_carries_over_from_pair_to_pair() {
        let pairs: [(&str, &str, &[_]); 3] =
            [("a", "b", &[WON; 3]), ("b", "c", &[WON; 3]), ("a", "c", &[WON; 3])];
        let three = strengths(&[agent("a"), agent("b"), agent("c")], &judged(&pairs));
        assert!(three.strength(0) > three.strength(1) && three.strength(1) > three.strength(2));
        assert!((three.strength(1) - 0.5).abs() < 1e-9, "the one in the middle won as often as it lost");
        let circle: [(&str, &str, &[_]); 3] =
            [("a", "b", &[WON; 3]), ("b", "c", &[WON; 3]), ("a", "c", &[LOST; 3])];
        let round = strengths(&[agent("a"), agent("b"), agent("c")], &judged(&circle));
        assert!((0..3).all(|i| (round.strength(i) - 0.5).abs() < 1e-9), "{round:?}");
    }

    #[test]
    fn what_was_seen_in_one_order_only_counts_for_nothing() {
        let mut judging = judged(&[("a", "b", &[WON])]);
        judging.votes.pop();
        let games = strengths(&[agent("a"), agent("b")], &judging);
        assert_eq!((games.seen, games.tallies[0]), (0, Games::default()));
    }
}
