//! The rules of an evaluation.

mod arms;
mod files;
mod plots;
mod reports;
