//! Spoils real-looking input in many ways, for a fixed time, the same ways for the same seed.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The longest input that is made.
pub const INPUT_BYTES_MAX: usize = 256 << 10;

/// How long one input may take. Far above what it takes in a debug build; quadratic work would take longer.
const INPUT_TIME_MAX: Duration = Duration::from_secs(10);

/// How long it goes on unless `FUZZ_S` says otherwise.
const SECONDS: u64 = 2;

/// Gives `check` one spoilt input after another, made of the texts of `corpus` and the words that mean
/// something in them. The seed is printed; `FUZZ_SEED` repeats it, and `FUZZ_S` says for how many seconds.
pub fn fuzz(name: &str, corpus: &[&[u8]], words: &[&[u8]], mut check: impl FnMut(&[u8], &mut Chance)) {
    let variable = |name| std::env::var(name).ok().and_then(|text: String| text.parse::<u64>().ok());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let seed = variable("FUZZ_SEED").unwrap_or(now.as_secs());
    let until = Instant::now() + Duration::from_secs(variable("FUZZ_S").unwrap_or(SECONDS));
    println!("fuzz {name}: FUZZ_SEED={seed}");
    let mut inputs = 0;
    while inputs < corpus.len() as u64 || Instant::now() < until {
        let mut chance = Chance::new(seed, inputs);
        // Each text as it is comes first.
        let input = match corpus.get(usize::try_from(inputs).unwrap_or(usize::MAX)) {
            Some(text) => text.to_vec(),
            None => spoil(corpus, words, &mut chance),
        };
        inputs += 1;
        let shown = Shown { name, seed, number: inputs, input: &input };
        let begun = Instant::now();
        check(&input, &mut chance);
        assert!(begun.elapsed() < INPUT_TIME_MAX, "{} bytes took {:?}", input.len(), begun.elapsed());
        drop(shown);
    }
    println!("fuzz {name}: {inputs} inputs");
}

/// Shows an input whose check has failed.
struct Shown<'a> {
    name: &'a str,
    seed: u64,
    number: u64,
    input: &'a [u8],
}

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let beginning = &self.input[..self.input.len().min(4096)];
            let (name, seed, number) = (self.name, self.seed, self.number);
            println!("fuzz {name}: input {number} of FUZZ_SEED={seed}: \"{}\"", beginning.escape_ascii());
        }
    }
}

fn spoil(corpus: &[&[u8]], words: &[&[u8]], chance: &mut Chance) -> Vec<u8> {
    let mut input = chance.one_of(corpus).to_vec();
    for _ in 0..=chance.below(8) {
        let (from, to) = chance.range(input.len());
        match chance.below(12) {
            0 => input.truncate(from),
            1 => drop(input.drain(from..to)),
            2 => {
                let part = input[from..to].to_vec();
                let at = chance.below(input.len() + 1);
                input.splice(at..at, part);
            }
            3 | 4 => drop(input.splice(from..from, chance.one_of(words).iter().copied())),
            5 => drop(input.splice(from..to, chance.one_of(words).iter().copied())),
            6 => {
                for byte in &mut input[from..to.min(from + 8)] {
                    *byte ^= 1 << chance.below(8);
                }
            }
            7 => drop(input.splice(from..from, (0..chance.below(6)).map(|_| chance.byte()))),
            8 => {
                let other = chance.one_of(corpus);
                let (from, to) = chance.range(other.len());
                input.truncate(to);
                input.extend_from_slice(&other[from..]);
            }
            9 => repeat(&mut input, from, to, 2 + chance.below(20)),
            // Something short, very often.
            10 if chance.below(8) == 0 => {
                let short = to.min(from + 1 + chance.below(12));
                repeat(&mut input, from, short, INPUT_BYTES_MAX);
            }
            11 if chance.below(8) == 0 => {
                let word = chance.one_of(words);
                let times = INPUT_BYTES_MAX / word.len().max(1);
                input.splice(from..from, word.repeat(times));
            }
            _ => input[from..to].reverse(),
        }
        input.truncate(INPUT_BYTES_MAX);
    }
    input
}

fn repeat(input: &mut Vec<u8>, from: usize, to: usize, times: usize) {
    let part = input[from..to].to_vec();
    let times = times.min(INPUT_BYTES_MAX / part.len().max(1));
    input.splice(from..to, part.repeat(times));
}

/// Random numbers, the same ones for the same seed (SplitMix64).
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// The numbers for one input of a seed.
    #[must_use]
    pub const fn new(seed: u64, number: u64) -> Chance {
        Chance(
            seed.wrapping_mul(0xd134_2543_de82_ef95).wrapping_add(number.wrapping_mul(0x2545_f491_4f6c_dd1d)),
        )
    }

    /// 64 random bits.
    pub const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`, or 0.
    pub fn below(&mut self, n: usize) -> usize {
        let n = u64::try_from(n).unwrap_or(u64::MAX);
        usize::try_from(self.bits().checked_rem(n).unwrap_or(0)).unwrap_or(0)
    }

    /// A random byte.
    pub const fn byte(&mut self) -> u8 {
        (self.bits() >> 56) as u8
    }

    /// One of some texts; nothing if there are none.
    pub fn one_of<'a>(&mut self, texts: &[&'a [u8]]) -> &'a [u8] {
        let at = self.below(texts.len());
        texts.get(at).copied().unwrap_or_default()
    }

    /// A part of `length` bytes: where it begins and ends.
    pub fn range(&mut self, length: usize) -> (usize, usize) {
        let (one, other) = (self.below(length + 1), self.below(length + 1));
        (one.min(other), one.max(other))
    }

    /// `text` cut into up to `pieces_max` pieces.
    pub fn cut<'a>(&mut self, text: &'a [u8], pieces_max: usize) -> Vec<&'a [u8]> {
        let mut cuts: Vec<usize> = (1..pieces_max).map(|_| self.below(text.len() + 1)).collect();
        cuts.extend([0, text.len()]);
        cuts.sort_unstable();
        cuts.windows(2).map(|pair| &text[pair[0]..pair[1]]).collect()
    }
}
