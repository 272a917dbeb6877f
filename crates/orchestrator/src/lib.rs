//! The work around the rules: ports, and the parts that move commands, events, jobs and answers
//! between them.

pub mod port;
