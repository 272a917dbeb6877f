//! Large numbers as people read them.

use std::fmt;

/// A number with a comma after every three digits: `1,000,000`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grouped(pub u64);

impl fmt::Display for Grouped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                f.write_str(",")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_three_digits_are_apart() {
        let shown = |n| Grouped(n).to_string();
        assert_eq!([0, 7, 999, 1_000, 1_234_567].map(shown), ["0", "7", "999", "1,000", "1,234,567"]);
        assert_eq!(shown(u64::MAX), "18,446,744,073,709,551,615");
    }
}
