//! Whether two proposals are nearly or quite the same, told from a few numbers of each.

use serde::{Deserialize, Serialize};

/// How many numbers a sketch has.
pub const SKETCH_LENGTH: usize = 64;
/// How many hexadecimal digits the digest of the whole is written with.
const WHOLE_DIGITS: usize = 32;
/// From which share of equal numbers on two proposals count as nearly the same.
pub const NEARLY_THE_SAME: f64 = 0.9;

/// The least hash of a proposal's shingles in each of [`SKETCH_LENGTH`] ranges, 16 bits of each; an empty range
/// has that of the next one. The share of equal numbers of two sketches estimates the Jaccard similarity of the
/// two sets of shingles (MinHash, Broder 1997; by one permutation, Li, Owen and Zhang 2012, Shrivastava and
/// Li 2014). Beside them, a digest of all of it tells what is the same: an estimate does not see the one sign by which
/// two long codes differ. Empty where there was nothing to compare.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sketch {
    least: Box<[u16]>,
    /// None in sketches of the first form, which had none.
    whole: Option<u128>,
}

/// Why a text is no sketch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a sketch: expected {SKETCH_LENGTH} numbers of four hexadecimal digits, and perhaps one of {WHOLE_DIGITS}"
)]
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
        let least = (0..SKETCH_LENGTH).filter_map(next).map(|hash| (hash >> 32 & 0xffff) as u16).collect();
        Sketch { least, whole: None }
    }

    /// The same with the digest of all that it is a sketch of.
    #[must_use]
    pub fn of_whole(self, digest: u128) -> Sketch {
        let whole = (!self.is_empty()).then_some(digest);
        Sketch { whole, ..self }
    }

    /// Whether two proposals are known to be the same.
    #[must_use]
    pub fn is_same(&self, other: &Sketch) -> bool {
        self.whole.is_some() && self.whole == other.whole
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.least.is_empty()
    }

    /// How alike two proposals are, from 0 to 1; `None` where one has nothing to compare.
    #[must_use]
    pub fn likeness(&self, other: &Sketch) -> Option<f64> {
        if self.is_empty() || self.least.len() != other.least.len() {
            return None;
        }
        let equal = self.least.iter().zip(&other.least).filter(|(a, b)| a == b).count();
        Some(equal as f64 / self.least.len() as f64)
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
        let least = sketch.least.iter().map(|n| format!("{n:04x}"));
        least.chain(sketch.whole.map(|whole| format!("{whole:032x}"))).collect()
    }
}

impl TryFrom<String> for Sketch {
    type Error = BadSketch;

    fn try_from(text: String) -> Result<Sketch, BadSketch> {
        if text.is_empty() {
            return Ok(Sketch::default());
        }
        if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(BadSketch);
        }
        let (least, whole) = text.split_at_checked(4 * SKETCH_LENGTH).ok_or(BadSketch)?;
        let numbers = (0..SKETCH_LENGTH).map(|n| u16::from_str_radix(&least[4 * n..4 * n + 4], 16));
        let least = numbers.collect::<Result<Box<_>, _>>().map_err(|_| BadSketch)?;
        let whole = match whole.len() {
            0 => None,
            WHOLE_DIGITS => Some(u128::from_str_radix(whole, 16).map_err(|_| BadSketch)?),
            _ => return Err(BadSketch),
        };
        Ok(Sketch { least, whole })
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
        let whole = sketch.clone().of_whole(7);
        let read = Sketch::try_from(String::from(whole.clone()))?;
        assert!(read == whole && read.is_same(&whole));
        assert!(!sketch.is_same(&sketch) && !whole.is_same(&Sketch::of([1, 2, 3]).of_whole(8)));
        assert_eq!(Sketch::try_from("00".to_owned()), Err(BadSketch));
        assert_eq!(Sketch::try_from("0".repeat(4 * SKETCH_LENGTH + 1)), Err(BadSketch));
        assert_eq!(Sketch::try_from("zzzz".repeat(SKETCH_LENGTH)), Err(BadSketch));
        Ok(())
    }
}
