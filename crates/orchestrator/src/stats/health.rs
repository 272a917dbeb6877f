//! How well something does, by what came of it.

/// Below this share of verdicts a council, or the whole, is degraded.
const DEGRADED_BELOW: f64 = 0.9;
/// Below this share of verdicts it is unhealthy.
const UNHEALTHY_BELOW: f64 = 0.5;
/// Fewer ended deliberations than these say nothing about health.
const TELLING_MIN: u64 = 5;

/// How the deliberations of a council, or of all, came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// With a verdict.
    pub completed: u64,
    /// Without one. Those that somebody cancelled are in neither figure: they say nothing.
    pub failed: u64,
}

impl Tally {
    /// The share that had a verdict; `None` before one has ended.
    #[must_use]
    pub fn success_rate(self) -> Option<f64> {
        let ended = self.completed + self.failed;
        (ended > 0).then(|| self.completed as f64 / ended as f64)
    }

    /// What the share says of the health of those who did them.
    #[must_use]
    pub fn health(self) -> Health {
        match self.success_rate() {
            _ if self.completed + self.failed < TELLING_MIN => Health::Healthy,
            Some(rate) if rate < UNHEALTHY_BELOW => Health::Unhealthy,
            Some(rate) if rate < DEGRADED_BELOW => Health::Degraded,
            _ => Health::Healthy,
        }
    }
}

/// How well something does; the later, the worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Health {
    /// As it should.
    Healthy,
    /// At a limit, or with failures.
    Degraded,
    /// It does not do its work.
    Unhealthy,
}

impl Health {
    /// The word for it on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Health::Healthy => "healthy",
            Health::Degraded => "degraded",
            Health::Unhealthy => "unhealthy",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_failures_say_nothing_and_more_do() {
        let health = |completed, failed| Tally { completed, failed }.health();
        assert_eq!(health(0, TELLING_MIN - 1), Health::Healthy, "so few say nothing");
        assert_eq!([health(9, 1), health(8, 2)], [Health::Healthy, Health::Degraded]);
        assert_eq!([health(5, 5), health(4, 6)], [Health::Degraded, Health::Unhealthy]);
        assert_eq!(Tally::default().success_rate(), None);
        assert_eq!(Health::Healthy.max(Health::Degraded), Health::Degraded, "the worse one counts");
    }
}
