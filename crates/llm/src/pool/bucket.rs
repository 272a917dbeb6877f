//! Tokens a minute of one server: what a call may take is set aside before it, and settled after it.

use fleet_deliberation::Timestamp;

const MINUTE_MS: i64 = 60_000;
/// The largest limit that is counted with; what is above it is as good as none.
const LIMIT_MAX: u64 = 1_000_000_000_000;

/// Fills up evenly, up to a minute's worth. Settling may leave it in debt, up to a minute's worth as well.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    /// Tokens a minute; 0 is no limit.
    limit: i64,
    /// What is in it, in sixty-thousandths of a token, so that each millisecond adds `limit` of them.
    level: i64,
    filled_at: Timestamp,
}

impl Bucket {
    /// A full bucket; a `limit` of 0 is none.
    pub(super) fn new(limit: u64, now: Timestamp) -> Bucket {
        let limit = i64::try_from(limit.min(LIMIT_MAX)).unwrap_or(0);
        Bucket { limit, level: limit * MINUTE_MS, filled_at: now }
    }

    /// Whether so many tokens can ever be taken at once.
    pub(super) fn ever_fits(&self, tokens: u64) -> bool {
        self.limit == 0 || i64::try_from(tokens).is_ok_and(|tokens| tokens <= self.limit)
    }

    /// Since when, or from when on, so many tokens can be taken; of those that ever fit.
    pub(super) fn ready_at(&mut self, tokens: u64, now: Timestamp) -> Timestamp {
        self.fill(now);
        let missing = self.units(tokens) - self.level;
        if self.limit == 0 || missing <= 0 {
            return now;
        }
        let ms = u64::try_from(missing.div_euclid(self.limit)).unwrap_or(0).saturating_add(1);
        // Not from `now`: a clock that was set back has to catch up first.
        self.filled_at.plus_ms(ms)
    }

    /// Takes tokens out.
    pub(super) fn take(&mut self, tokens: u64, now: Timestamp) {
        self.fill(now);
        self.level = (self.level - self.units(tokens)).max(-self.limit * MINUTE_MS);
    }

    /// Says that a call which took `reserved` tokens out has used `used` of them, or more.
    pub(super) fn settle(&mut self, reserved: u64, used: u64, now: Timestamp) {
        self.fill(now);
        let full = self.limit * MINUTE_MS;
        self.level = (self.level + self.units(reserved) - self.units(used)).clamp(-full, full);
    }

    /// What is in it; less than 0 is debt. `None` where there is no limit.
    pub(super) fn tokens_left(&mut self, now: Timestamp) -> Option<i64> {
        self.fill(now);
        (self.limit > 0).then(|| self.level.div_euclid(MINUTE_MS))
    }

    fn fill(&mut self, now: Timestamp) {
        // A clock that was set back adds nothing until it is past where it was.
        let ms = i64::try_from(now.ms_since(self.filled_at)).unwrap_or(i64::MAX);
        self.filled_at = self.filled_at.max(now);
        // Two minutes fill it from the deepest debt.
        let added = self.limit * ms.min(2 * MINUTE_MS);
        self.level = (self.level + added).min(self.limit * MINUTE_MS);
    }

    /// Tokens in the bucket's own measure; what exceeds two minutes' worth makes no difference.
    fn units(&self, tokens: u64) -> i64 {
        i64::try_from(tokens).unwrap_or(i64::MAX).min(2 * self.limit) * MINUTE_MS
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn it_begins_full_and_fills_evenly() {
        let mut bucket = Bucket::new(600, Timestamp(1_000));
        assert_eq!(bucket.ready_at(600, Timestamp(1_000)), Timestamp(1_000));
        bucket.take(600, Timestamp(1_000));
        assert_eq!(bucket.tokens_left(Timestamp(1_000)), Some(0));
        assert_eq!(bucket.tokens_left(Timestamp(2_000)), Some(10));
        let ready = bucket.ready_at(20, Timestamp(2_000));
        assert!((3_000..=3_001).contains(&ready.0), "{ready:?}");
        assert_eq!(bucket.ready_at(20, ready), ready);
        assert_eq!(bucket.tokens_left(Timestamp(900_000)), Some(600), "a minute's worth is all it holds");
    }

    #[test]
    fn what_was_not_used_comes_back_and_what_was_used_more_is_owed() {
        let mut bucket = Bucket::new(600, Timestamp(0));
        bucket.take(500, Timestamp(0));
        bucket.settle(500, 100, Timestamp(0));
        assert_eq!(bucket.tokens_left(Timestamp(0)), Some(500));
        bucket.take(500, Timestamp(0));
        bucket.settle(500, 800, Timestamp(0));
        assert_eq!(bucket.tokens_left(Timestamp(0)), Some(-300));
        assert_eq!(bucket.tokens_left(Timestamp(30_000)), Some(0));
    }

    #[test]
    fn what_never_fits_is_known_and_without_a_limit_everything_does() {
        let mut bucket = Bucket::new(600, Timestamp(0));
        assert!(bucket.ever_fits(600) && !bucket.ever_fits(601) && !bucket.ever_fits(u64::MAX));
        let mut free = Bucket::new(0, Timestamp(0));
        assert!(free.ever_fits(u64::MAX));
        free.take(u64::MAX, Timestamp(0));
        assert_eq!(free.ready_at(u64::MAX, Timestamp(5)), Timestamp(5));
        assert_eq!(free.tokens_left(Timestamp(5)), None);
        bucket.take(u64::MAX, Timestamp(0));
        assert_eq!(bucket.tokens_left(Timestamp(0)), Some(-600), "debt has a bound");
    }

    #[test]
    fn a_clock_that_is_set_back_gives_nothing_away() {
        let mut bucket = Bucket::new(600, Timestamp(60_000));
        bucket.take(600, Timestamp(60_000));
        assert_eq!(bucket.tokens_left(Timestamp(0)), Some(0));
        assert_eq!(bucket.tokens_left(Timestamp(60_000)), Some(0));
    }

    proptest! {
        #[test]
        fn over_any_time_no_more_is_given_than_a_minutes_worth_and_what_came_in(
            limit in 1u64..10_000,
            steps in proptest::collection::vec((0u64..5_000, 1u64..10_000), 1..60),
        ) {
            let mut bucket = Bucket::new(limit, Timestamp(0));
            let (mut now, mut given) = (Timestamp(0), 0);
            for (wait, tokens) in steps {
                now = now.plus_ms(wait);
                let tokens = tokens.min(limit);
                let ready = bucket.ready_at(tokens, now);
                if ready == now {
                    bucket.take(tokens, now);
                    given += tokens;
                } else {
                    prop_assert_eq!(bucket.clone().ready_at(tokens, ready), ready, "it is ready when it said");
                }
            }
            prop_assert!(given <= limit + limit * now.0 / 60_000 + 1);
        }

        #[test]
        fn no_numbers_overflow_it(
            limit: u64, numbers in proptest::collection::vec((any::<u64>(), any::<u64>(), any::<u64>()), 0..20),
        ) {
            let mut bucket = Bucket::new(limit, Timestamp(0));
            for (now, one, other) in numbers {
                let now = Timestamp(now);
                bucket.take(one, now);
                bucket.settle(one, other, now);
                bucket.ready_at(other, now);
                bucket.tokens_left(now);
            }
        }
    }
}
