//! The wire contract, generated from `proto/`, and nothing else.

/// The package `orchestrator.v1`.
#[expect(
    missing_docs,
    clippy::allow_attributes,
    reason = "it is generated, and comments are where the proto has them"
)]
pub mod v1 {
    tonic::include_proto!("orchestrator.v1");
}

/// The compiled protos, for reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
