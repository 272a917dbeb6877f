//! The whole loop in one thread, under seeded faults and a virtual clock. For tests only.

pub mod calm;
mod executor;
mod faults;
mod invariants;
mod link;
mod operator;
mod rng;
mod run;
mod time;
mod watcher;
mod work;
mod world;

pub use run::{Report, run};

/// When every run begins: 2025-01-01 00:00 UTC.
const BEGINNING: fleet_deliberation::Timestamp = fleet_deliberation::Timestamp(1_735_689_600_000);
