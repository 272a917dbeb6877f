//! A scripted OpenAI-compatible server: what it answers is up to whoever starts it. And a proxy that spoils
//! connections to any server, and what spoils input of any kind.

mod body;
mod council;
mod fuzz;
mod gate;
mod ledger;
mod proxy;
mod reply;
mod server;

pub use council::Council;
pub use fuzz::{Chance, INPUT_BYTES_MAX, fuzz};
pub use gate::Gate;
pub use ledger::{Entry, Ledger, Outcome};
pub use proxy::{Fault, Proxy};
pub use reply::Reply;
pub use server::{Call, Script, Scripted, Settings, serve};
