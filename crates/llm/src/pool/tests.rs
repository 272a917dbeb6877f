//! What the gate promises, on a clock of its own.

mod counting;
mod line;
mod time;
mod tools;
