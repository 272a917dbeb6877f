//! The parts of the command.

pub mod cli;
pub mod command;
pub mod config;
mod exit;
mod model;
mod remote;
mod running;
mod show;
mod state;
mod telemetry;

pub use exit::{Exit, Problem};
pub use show::complain;
