//! What a clock promises.

use std::sync::Arc;

use fleet_deliberation::Timestamp;

use super::wait::soon;
use crate::port::Clock;

/// Calls a macro with the name of each rule.
#[macro_export]
macro_rules! each_rule_of_clock {
    ($rule:ident) => {
        $rule!(what_has_been_is_not_waited_for);
        $rule!(after_waiting_for_a_moment_it_has_come);
    };
}

/// Waiting for a moment that has been returns at once.
pub async fn what_has_been_is_not_waited_for(clock: Arc<dyn Clock>) {
    soon(clock.sleep_until(Timestamp(0))).await;
    soon(clock.sleep_until(clock.now())).await;
}

/// After waiting, the time is no earlier than what was waited for.
pub async fn after_waiting_for_a_moment_it_has_come(clock: Arc<dyn Clock>) {
    for ms in [1, 2, 5] {
        let moment = clock.now().plus_ms(ms);
        soon(clock.sleep_until(moment)).await;
        assert!(clock.now() >= moment);
    }
}
