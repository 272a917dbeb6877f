//! The parts of the command.

pub mod config;
