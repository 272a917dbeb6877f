//! Time.

use async_trait::async_trait;
use fleet_deliberation::Timestamp;

/// Tells the time and waits for it.
#[async_trait]
pub trait Clock: Send + Sync {
    /// What time it is.
    fn now(&self) -> Timestamp;

    /// Waits until it is `moment`; returns at once if it is later.
    async fn sleep_until(&self, moment: Timestamp);
}
