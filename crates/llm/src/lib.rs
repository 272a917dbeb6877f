//! Language models: any OpenAI-compatible server, and a simulated one.

mod dice;
mod discover;
mod models;
mod openai;
mod pool;
mod reasoning;
mod simulated;
mod sse;
pub mod wire;

pub use discover::{Found, PROBE_MS, USUAL_PORTS, discover};
pub use models::{
    BadModels, ENDPOINTS_MAX, HEALTH_EVERY_MS, LOOK_MS_MAX, Models, ModelsSettings, ProfileSettings,
    ServerSettings,
};
pub use openai::{BadServer, Limits, OpenAi, ServerConfig, TestCall, check_url};
pub use pool::{
    BUSIER_MORE_MAX, BUSIER_TIMES_MAX, BreakerStatus, Condition, FAULTS_TO_OPEN, Health, LEFT_ALONE_MS_MAX,
    PAUSE_MS, PAUSE_MS_MAX, PoolStatus, SILENT_LOOKS_TO_DOWN, ServerStatus, WAITING_MAX,
};
pub use simulated::{
    AnswerKey, AnswerKeys, Attempt, ErrorRates, ErrorTrial, LABEL, SIMULATED, SimulatedModel,
    SimulatedSettings,
};
