//! Takes jobs and does them: models and checks behind their ports.

pub mod review;
mod work;
mod worker;

pub use worker::{Parts, Settings, Worker};
