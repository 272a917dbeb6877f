//! A scripted OpenAI-compatible server: what it answers is up to whoever starts it.

mod body;
mod council;
mod gate;
mod ledger;
mod reply;
mod server;

pub use council::Council;
pub use gate::Gate;
pub use ledger::{Entry, Ledger, Outcome};
pub use reply::Reply;
pub use server::{Call, Script, Scripted, Settings, serve};
