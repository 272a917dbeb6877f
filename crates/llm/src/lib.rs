//! Language models: any OpenAI-compatible server, and a simulated one.

mod discover;
mod openai;
mod reasoning;
mod simulated;
mod sse;
pub mod wire;

pub use discover::{Found, PROBE_MS, USUAL_PORTS, discover};
pub use openai::{BadServer, Limits, OpenAi, ServerConfig};
pub use simulated::{LABEL, SIMULATED, SimulatedModel, SimulatedSettings};
