//! The parts of the command.

pub mod cli;
pub mod command;
pub mod config;
mod exit;
mod model;
mod past;
mod remote;
mod running;
mod show;
mod state;
mod telemetry;

pub use exit::{Exit, Problem};
pub use show::complain;
