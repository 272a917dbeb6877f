//! The work around the rules: ports, and the parts that move commands, events, jobs and answers
//! between them.

#[cfg(feature = "contract")]
pub mod contract;
pub mod port;
