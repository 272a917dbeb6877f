//! Whether two proposals are nearly the same, told from a few numbers of each.

use serde::{Deserialize, Serialize};

/// How many numbers a sketch has.
pub const SKETCH_LENGTH: usize = 64;
/// From which share of equal numbers on two proposals count as nearly the same.
pub const NEARLY_THE_SAME: f64 = 0.9;

/// The least hash of a proposal's shingles in each of [`SKETCH_LENGTH`] ranges, 16 bits of each; an empty range
/// has that of the next one. The share of equal numbers of two sketches estimates the Jaccard similarity of the
/// two sets of shingles (MinHash, Broder 1997; by one permutation, Li, Owen and Zhang 2012, Shrivastava and
/// Li 2014). Empty where there was nothing to compare.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sketch(Box<[u16]>);

/// Why a text is no sketch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a sketch: expected {SKETCH_LENGTH} numbers of four hexadecimal digits")]
pub struct BadSketch;

impl Sketch {
    /// The sketch of a set of shingles, by the hash of each.
    #[must_use]
    pub fn of(shingles: impl IntoIterator<Item = u64>) -> Sketch {
        let mut least = [None; SKETCH_LENGTH];
        for shingle in shingles {
            let hash = mixed(shingle);
            let least = &mut least[(hash % SKETCH_LENGTH as u64) as usize];
            *least = Some(least.map_or(hash, |least: u64| least.min(hash)));
        }
        if least.iter().all(Option::is_none) {
            return Sketch::default();
        }
        let next = |n: usize| (0..SKETCH_LENGTH).find_map(|step| least[(n + step) % SKETCH_LENGTH]);
        // The lowest bits say which range it is, so others are kept.
        Sketch((0..SKETCH_LENGTH).filter_map(next).map(|hash| (hash >> 32 & 0xffff) as u16).collect())
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How alike two proposals are, from 0 to 1; `None` where one has nothing to compare.
    #[must_use]
    pub fn likeness(&self, other: &Sketch) -> Option<f64> {
        if self.is_empty() || self.0.len() != other.0.len() {
            return None;
        }
        let equal = self.0.iter().zip(&other.0).filter(|(a, b)| a == b).count();
        Some(equal as f64 / self.0.len() as f64)
    }

    /// Whether two proposals are nearly the same.
    #[must_use]
    pub fn is_near(&self, other: &Sketch) -> bool {
        self.likeness(other).is_some_and(|likeness| likeness >= NEARLY_THE_SAME)
    }
}

/// Spreads a number over all 64 bits: the finalizer of SplitMix64.
const fn mixed(n: u64) -> u64 {
    let n = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

impl From<Sketch> for String {
    fn from(sketch: Sketch) -> String {
        sketch.0.iter().map(|n| format!("{n:04x}")).collect()
    }
}

impl TryFrom<String> for Sketch {
    type Error = BadSketch;

    fn try_from(text: String) -> Result<Sketch, BadSketch> {
        if text.is_empty() {
            return Ok(Sketch::default());
        }
        if text.len() != 4 * SKETCH_LENGTH || !text.is_ascii() {
            return Err(BadSketch);
        }
        let numbers = (0..SKETCH_LENGTH).map(|n| u16::from_str_radix(&text[4 * n..4 * n + 4], 16));
        numbers.collect::<Result<Box<_>, _>>().map(Sketch).map_err(|_| BadSketch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn likeness_estimates_the_share_of_common_shingles() {
        let all = |from: u64, to: u64| Sketch::of(from..to);
        assert_eq!(all(0, 1000).likeness(&all(0, 1000)), Some(1.0));
        let half = all(0, 1000).likeness(&all(333, 1333)).unwrap_or_default();
        assert!((0.3..0.7).contains(&half), "{half}");
        let none = all(0, 1000).likeness(&all(1000, 2000)).unwrap_or_default();
        assert!(none < 0.1, "{none}");
        assert_eq!(all(0, 0).likeness(&all(0, 1)), None);
    }

    #[test]
    fn a_sketch_is_written_and_read_back() -> Result<(), BadSketch> {
        let sketch = Sketch::of([1, 2, 3]);
        assert_eq!(Sketch::try_from(String::from(sketch.clone()))?, sketch);
        assert_eq!(Sketch::try_from("00".to_owned()), Err(BadSketch));
        assert_eq!(Sketch::try_from("zzzz".repeat(SKETCH_LENGTH)), Err(BadSketch));
        Ok(())
    }
}
