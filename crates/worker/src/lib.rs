//! Takes jobs: models and checks behind their ports.

pub mod review;
