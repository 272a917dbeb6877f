//! Means over tasks, with intervals by the paired bootstrap.

use serde::Serialize;

/// How many resamples an interval rests on.
pub const RESAMPLES: usize = 10_000;
/// The share of resampled means that an interval holds.
const CONFIDENCE: f64 = 0.95;

/// A mean over tasks with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    /// The mean.
    pub mean: f64,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// The mean; `None` of nothing.
#[must_use]
pub fn mean(values: &[f64]) -> Option<f64> {
    if values.is_empty() { None } else { Some(values.iter().sum::<f64>() / values.len() as f64) }
}

/// The mean of one value a task, and its percentile interval by the bootstrap over tasks (Efron 1979): tasks
/// are drawn with replacement, as many as there are, [`RESAMPLES`] times; the interval leaves 2.5 % of the
/// resampled means out on each side. `None` of nothing.
///
/// The same `seed` draws the same tasks for every vector of one length. So the interval of the task by task
/// differences of two arms is that of their means' difference under common resamples: the paired bootstrap.
#[must_use]
pub fn estimate(values: &[f64], seed: u64) -> Option<Estimate> {
    resampled(values, seed, RESAMPLES)
}

fn resampled(values: &[f64], seed: u64, resamples: usize) -> Option<Estimate> {
    let mean = mean(values)?;
    let mut random = SplitMix(seed);
    let mut means: Vec<f64> = (0..resamples)
        .map(|_| {
            (0..values.len()).map(|_| values[random.below(values.len())]).sum::<f64>() / values.len() as f64
        })
        .collect();
    means.sort_by(f64::total_cmp);
    let tail = (1.0 - CONFIDENCE) / 2.0;
    let out = (tail * resamples as f64).floor() as usize;
    Some(Estimate { mean, low: *means.get(out)?, high: *means.get(resamples.checked_sub(out + 1)?)? })
}

/// Random numbers that depend on nothing but their seed (SplitMix64, Steele, Lea and Flood 2014).
struct SplitMix(u64);

impl SplitMix {
    const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`, uneven by less than n in 2^64.
    const fn below(&mut self, n: usize) -> usize {
        ((self.bits() as u128 * n as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_mean_of_nothing_is_none() {
        assert_eq!((mean(&[]), estimate(&[], 1)), (None, None));
    }

    #[test]
    fn intervals_are_those_worked_out_by_hand() {
        // Two draws of {0, 1}: means 0, 1/2, 1 with 1/4, 1/2, 1/4, so both ends are within the 95 %.
        assert_eq!(estimate(&[0.0, 1.0], 7), Some(Estimate { mean: 0.5, low: 0.0, high: 1.0 }));
        // Four draws of one 1 in 4: none with 0.32, at least three with 0.051, four with 0.004.
        assert_eq!(estimate(&[0.0, 0.0, 0.0, 1.0], 7), Some(Estimate { mean: 0.25, low: 0.0, high: 0.75 }));
        // One task says nothing of its spread.
        assert_eq!(estimate(&[0.3], 7), Some(Estimate { mean: 0.3, low: 0.3, high: 0.3 }));
    }

    #[test]
    fn the_same_seed_gives_the_same_interval_and_another_another() {
        let values: Vec<f64> = (0..37).map(|n| f64::from(n * n % 11)).collect();
        assert_eq!(estimate(&values, 3), estimate(&values, 3));
        assert_ne!(estimate(&values, 3), estimate(&values, 4));
    }

    #[test]
    fn intervals_hold_the_truth_about_as_often_as_they_say() {
        let (mut random, mut held) = (SplitMix(11), 0);
        for seed in 0..400 {
            let values: Vec<f64> = (0..40).map(|_| f64::from(u8::from(random.below(10) < 6))).collect();
            let Some(Estimate { low, high, .. }) = resampled(&values, seed, 1_000) else { continue };
            held += usize::from((low..=high).contains(&0.6));
        }
        assert!((360..=396).contains(&held), "{held} of 400");
    }

    proptest! {
        #[test]
        fn an_interval_holds_its_mean_and_that_of_identical_arms_is_zero(
            values in proptest::collection::vec(0.0_f64..=1.0, 1..50), seed in any::<u64>(),
        ) {
            let of = |values: &[f64]| resampled(values, seed, 200).expect("there are values");
            let Estimate { mean, low, high } = of(&values);
            prop_assert!(low <= mean + 1e-12 && mean <= high + 1e-12, "{low} {mean} {high}");
            let differences: Vec<f64> = values.iter().map(|value| value - value).collect();
            prop_assert_eq!(of(&differences), Estimate { mean: 0.0, low: 0.0, high: 0.0 });
        }

        #[test]
        fn the_interval_of_the_difference_turns_with_its_sign(
            pairs in proptest::collection::vec((0.0_f64..=1.0, 0.0_f64..=1.0), 1..30), seed in any::<u64>(),
        ) {
            let of = |values: Vec<f64>| resampled(&values, seed, 200).expect("there are values");
            let ab = of(pairs.iter().map(|(a, b)| a - b).collect());
            let ba = of(pairs.iter().map(|(a, b)| b - a).collect());
            prop_assert!((ab.low + ba.high).abs() < 1e-12 && (ab.high + ba.low).abs() < 1e-12);
        }
    }
}
