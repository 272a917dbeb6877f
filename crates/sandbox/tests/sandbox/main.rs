//! The sandbox, by what runs in it and what tries to get out of it, at each level and as each kind of user.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod support;

mod escapes {
    mod files;
    mod kernel;
    mod limits;
    mod network;
    mod processes;
}
mod jobs;
mod levels;
mod lifetimes;
