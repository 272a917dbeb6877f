//! The built program as its users and its enemies meet it.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod command;
mod crash;
mod discovery;
mod durability;
mod exit_codes;
mod interrupts;
mod llama;
mod python_client;
mod secrets;
mod server;
mod shutdown;
mod streams;
mod support;
mod terminal;
mod watch;
