//! The work around the rules: ports, and the parts that move commands, events, jobs and answers
//! between them.

pub mod announcement;
mod announcer;
mod at_work;
mod cache;
mod collector;
#[cfg(feature = "contract")]
pub mod contract;
mod coordinator;
mod councils;
pub mod dataset;
mod dispatcher;
mod error;
pub mod explain;
mod histories;
mod hours;
mod in_flight;
mod janitor;
mod orchestrator;
mod past;
mod persist;
pub mod port;
pub mod stats;
mod sweep;
mod timers;
mod trace;
mod updates;
mod view;

pub use announcer::Announcer;
pub use at_work::{AgentStatus, AtWork, CouncilStatus};
pub use collector::Collector;
pub use coordinator::{Accepted, Coordinator, CouncilBudget, Filter, LOOKED_AT_MAX, Request, Settings};
pub use councils::Councils;
pub use dispatcher::Dispatcher;
pub use error::{HandleError, chain, from_rfc3339, rfc3339};
pub use histories::{Histories, Loaded};
pub use hours::HourStanding;
pub use janitor::{Janitor, Retention};
pub use orchestrator::{OrchestratorSettings, Part, Ports, begin};
pub use past::{Difference, Past, PastEvent, PastRecord, Recording, Replayed, named};
pub use persist::persist;
pub use stats::Stats;
pub use sweep::{Scope, Sweep};
pub use timers::Timers;
pub use trace::{BadTrace, TraceContext};
pub use updates::{Following, Place, Shown, Update, Updates, Writing};
pub use view::{Draft, ResultView, View};
