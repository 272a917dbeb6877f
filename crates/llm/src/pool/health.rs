//! What the last looks at a server found, and what follows for calls.

use fleet_deliberation::Timestamp;

use crate::openai::Sight;

/// How many looks in a row must go unanswered for a server to count as down: it may only be busy.
pub const SILENT_LOOKS_TO_DOWN: u32 = 2;
/// For how many looks' time a finding counts: then the looking itself has stopped.
const LOOKS_KEPT: u64 = 3;

/// How a server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Condition {
    /// Nobody has looked, or not for a while.
    #[default]
    Unknown,
    /// It serves.
    Up,
    /// It is there, and will serve once its model is loaded.
    Loading,
    /// It is not there, or says that it fails.
    Down,
}

impl Condition {
    /// The condition in a word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Condition::Unknown => "unknown",
            Condition::Up => "up",
            Condition::Loading => "loading",
            Condition::Down => "down",
        }
    }
}

/// What is known of a server's health.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Health {
    /// How it is.
    pub condition: Condition,
    /// The models it lists, where it lists any.
    pub models: Option<Vec<String>>,
    /// Why it is not up, or what it minds though it is; empty if there is nothing to say.
    pub why: String,
    /// When someone last looked.
    pub looked_at: Option<Timestamp>,
    /// How many looks in a row it left unanswered.
    silent: u32,
}

impl Health {
    /// Takes in what a look has found.
    pub(super) fn saw(&mut self, sight: Sight, now: Timestamp) {
        let silent = if matches!(sight, Sight::Silent(_)) { self.silent.saturating_add(1) } else { 0 };
        self.looked_at = Some(now);
        self.silent = silent;
        match sight {
            Sight::Up { models, but } => {
                (self.condition, self.models) = (Condition::Up, models);
                self.why = but.unwrap_or_default();
            }
            Sight::Loading(why) => (self.condition, self.why) = (Condition::Loading, why),
            Sight::Down(why) => (self.condition, self.why) = (Condition::Down, why),
            Sight::Silent(why) => {
                self.why = why;
                if silent >= SILENT_LOOKS_TO_DOWN {
                    self.condition = Condition::Down;
                }
            }
        }
    }

    /// Until when no call is made because of what was found, unless another look finds otherwise.
    pub(super) fn keeps_off_until(&self, every_ms: u64, now: Timestamp) -> Option<Timestamp> {
        let until = self.looked_at?.plus_ms(every_ms.saturating_mul(LOOKS_KEPT));
        let off = matches!(self.condition, Condition::Down | Condition::Loading);
        (off && until > now).then_some(until)
    }

    /// Whether a call for `model` should rather go elsewhere. It may well succeed: servers know names
    /// that they do not list.
    pub(super) fn is_doubtful(&self, model: &str) -> bool {
        let up = self.condition == Condition::Up;
        up && (!self.why.is_empty() || self.lists(model) == Some(false))
    }

    /// Whether it lists `model`; `None` if it lists none at all.
    #[must_use]
    pub fn lists(&self, model: &str) -> Option<bool> {
        let models = self.models.as_ref().filter(|models| !models.is_empty())?;
        Some(models.iter().any(|listed| listed == model))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn up(models: &[&str]) -> Sight {
        Sight::Up { models: Some(models.iter().map(|&name| name.into()).collect()), but: None }
    }

    fn after(sights: impl IntoIterator<Item = Sight>) -> Health {
        let mut health = Health::default();
        for (at, sight) in sights.into_iter().enumerate() {
            health.saw(sight, Timestamp(at as u64 * 1_000));
        }
        health
    }

    #[test]
    fn what_is_down_or_loading_is_kept_off_until_the_looking_has_stopped() {
        for sight in [Sight::Down("x".into()), Sight::Loading("x".into())] {
            let health = after([sight]);
            assert_eq!(health.keeps_off_until(1_000, Timestamp(2_999)), Some(Timestamp(3_000)));
            assert_eq!(health.keeps_off_until(1_000, Timestamp(3_000)), None);
        }
        assert_eq!(after([Sight::Down("x".into()), up(&[])]).keeps_off_until(1_000, Timestamp(0)), None);
        assert_eq!(Health::default().keeps_off_until(1_000, Timestamp(0)), None);
    }

    #[test]
    fn silence_counts_when_it_lasts() {
        let silent = || Sight::Silent("x".into());
        assert_eq!(after([up(&[]), silent()]).condition, Condition::Up);
        assert_eq!(after([up(&[]), silent(), silent()]).condition, Condition::Down);
        assert_eq!(after([silent(), up(&[]), silent()]).condition, Condition::Up);
    }

    #[test]
    fn a_model_that_is_not_listed_is_a_doubt_and_no_more() {
        assert!(after([up(&["a"])]).is_doubtful("b"));
        assert!(!after([up(&["a", "b"])]).is_doubtful("b"));
        assert!(!after([up(&[])]).is_doubtful("b"), "a server that lists nothing says nothing");
        assert!(!Health::default().is_doubtful("b"));
        let refuses = Sight::Up { models: None, but: Some("it refuses the key".into()) };
        assert!(after([refuses]).is_doubtful("b"));
    }
}
