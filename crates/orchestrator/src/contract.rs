//! What the ports promise, as tests for those who keep the promises.
//!
//! Each rule is a function over a fresh adapter that panics where a promise is broken. The macros name
//! all rules of a port, so that an adapter runs each of them as a test of its own and leaves none out:
//!
//! ```ignore
//! macro_rules! rule {
//!     ($rule:ident) => {
//!         #[tokio::test]
//!         async fn $rule() {
//!             contract::answers::$rule(fresh_answers()).await;
//!         }
//!     };
//! }
//! fleet_orchestrator::each_rule_of_answers!(rule);
//! ```

pub mod announcements;
pub mod answers;
pub mod clock;
pub mod entropy;
pub mod event_store;
pub mod job_queue;
mod log;
pub mod progress;
mod sample;
mod wait;
