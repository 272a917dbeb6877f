//! The built program as its users and its enemies meet it.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod back;
mod backup;
mod bad_input;
mod budgets;
mod command;
mod councils;
mod crash;
mod discovery;
mod disks;
mod durability;
mod eval;
mod exit_codes;
mod figures;
mod http;
mod interrupts;
mod llama;
mod logs;
mod policies;
mod profiles;
mod python_client;
mod runs;
mod secrets;
mod selection;
mod server;
mod shutdown;
mod streams;
mod support;
mod telemetry;
mod terminal;
mod upgrade;
mod watch;
