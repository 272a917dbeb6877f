//! Handlers that translate between the wire and the work.

mod grpc;
mod serve;

pub use grpc::{Grpc, GrpcSettings, update};
pub use serve::serve;
