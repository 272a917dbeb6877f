//! Takes jobs and does them: models and checks behind their ports.

pub mod comparison;
mod json;
pub mod review;
mod work;
mod worker;

pub use json::TEXT_BYTES_MAX;
pub use worker::{Parts, Settings, Worker};
