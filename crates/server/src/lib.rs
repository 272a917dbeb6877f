//! Handlers that translate between the wire and the work.

mod grpc;
mod http;
mod serve;

pub use grpc::{Grpc, GrpcSettings, councils, update};
pub use http::{Exposition, Scrape};
pub use serve::serve;
