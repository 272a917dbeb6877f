//! Handlers that translate between the wire and the work.

mod grpc;
mod serve;

pub use grpc::{Grpc, GrpcSettings, councils};
pub use serve::serve;
