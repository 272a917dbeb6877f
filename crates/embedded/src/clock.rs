//! The machine's own time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use fleet_deliberation::Timestamp;
use fleet_orchestrator::port::Clock;

/// The longest single sleep, in milliseconds: after a suspended laptop wakes or someone sets its clock,
/// a waiting task looks at the time again within this.
const SLEEP_MS_MAX: u64 = 30_000;

/// The clock on the wall.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    async fn sleep_until(&self, moment: Timestamp) {
        loop {
            let left = moment.ms_since(self.now());
            if left == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(left.min(SLEEP_MS_MAX))).await;
        }
    }
}
