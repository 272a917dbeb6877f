//! Why the work could not do what was asked, by what the caller can do about it.

use fleet_deliberation::{Budget, DeliberationId, Rejection, Role, Timestamp};

use crate::port::StoreError;

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum HandleError {
    /// The rules refused it: change the command.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// There is no such council: use one of those that exist.
    #[error("there is no council of role {role:?}; councils exist for {}", join(.existing))]
    NoCouncil {
        /// The role that was asked for.
        role: String,
        /// The roles that have a council.
        existing: Vec<Role>,
    },
    /// The result is not served any more: it can still be found in the history, for a while.
    #[error(
        "deliberation {id} ended at {ended_at}; its result was served for {served_s} s after that (state.results_served_s)"
    )]
    NoLongerServed {
        /// Which deliberation.
        id: DeliberationId,
        /// When it ended, as RFC 3339.
        ended_at: String,
        /// How long results are served, in seconds.
        served_s: u64,
    },
    /// As many deliberations are under way as may be: come back later.
    #[error("{limit} deliberations are under way, which is the limit (in_flight_max); try again later")]
    Busy {
        /// The limit.
        limit: usize,
        /// A good moment to come back, in milliseconds from now.
        retry_after_ms: u64,
    },
    /// What is left of what a council may spend in an hour cannot open the deliberation: come back later.
    #[error(
        "the council of role {role} may spend {hourly} an hour (budget.tokens_per_hour, budget.money_per_hour, or its own), and \
         what is left of that, {left}, cannot open it; try again later"
    )]
    Exhausted {
        /// The council's role.
        role: Role,
        /// What it may spend in an hour.
        hourly: Budget,
        /// What is left of that.
        left: Budget,
        /// When the next deliberation ends at the latest, or the hour does, in milliseconds from now.
        retry_after_ms: u64,
    },
    /// The process is about to end: come back to the next one.
    #[error("the server is stopping and takes nothing new; try again soon")]
    Closing {
        /// A good moment to come back, in milliseconds from now.
        retry_after_ms: u64,
    },
    /// The log could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl HandleError {
    /// The kind of error in one word, for counting.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            HandleError::Rejected(Rejection::Unknown(_)) | HandleError::NoLongerServed { .. } => "unknown",
            HandleError::Rejected(Rejection::Malformed { .. }) => "malformed",
            HandleError::Rejected(Rejection::OtherContent(_) | Rejection::Taken(_)) => "other_content",
            HandleError::Rejected(Rejection::NotThere(_)) => "unknown",
            HandleError::Rejected(Rejection::NotNow(_)) => "not_now",
            HandleError::NoCouncil { .. } => "no_council",
            HandleError::Busy { .. } => "busy",
            HandleError::Exhausted { .. } => "exhausted",
            HandleError::Closing { .. } => "closing",
            HandleError::Store(StoreError::Conflict) => "conflict",
            HandleError::Store(StoreError::Full) => "full",
            HandleError::Store(StoreError::Unavailable(_)) => "unavailable",
            HandleError::Store(StoreError::Corrupt(..)) => "corrupt",
        }
    }
}

fn join(roles: &[Role]) -> String {
    roles.iter().map(Role::as_str).collect::<Vec<_>>().join(", ")
}

/// A moment as RFC 3339 text with milliseconds, in UTC.
#[must_use]
pub fn rfc3339(moment: Timestamp) -> String {
    let ms = i64::try_from(moment.0).unwrap_or(i64::MAX);
    let moment = jiff::Timestamp::from_millisecond(ms).unwrap_or(jiff::Timestamp::MAX);
    format!("{moment:.3}")
}

/// The moment an RFC 3339 text names, to the millisecond; `None` if it names none, or one before 1970.
#[must_use]
pub fn from_rfc3339(text: &str) -> Option<Timestamp> {
    let moment: jiff::Timestamp = text.parse().ok()?;
    u64::try_from(moment.as_millisecond()).ok().map(Timestamp)
}

/// An error with all its causes in one line, for the one place where it is logged.
#[must_use]
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        // A transparent error repeats its source.
        if !line.ends_with(&next) {
            line.push_str(": ");
            line.push_str(&next);
        }
        cause = error.source();
    }
    line
}
