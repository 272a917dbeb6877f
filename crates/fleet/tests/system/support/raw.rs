//! Calls of the service with whatever bytes.

use bytes::{Buf, BufMut, Bytes};
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;
use tonic::{Request, Status};

/// A call of the service.
pub(crate) struct Call {
    /// The method's name.
    pub(crate) method: &'static str,
    /// The message, as it stands on the wire.
    pub(crate) bytes: Vec<u8>,
}

/// Makes a call and gives the bytes of the answer.
pub(crate) async fn raw(channel: &Channel, call: Call) -> Result<Bytes, Status> {
    let mut grpc = Grpc::new(channel.clone());
    grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
    let path = format!("/orchestrator.v1.OrchestratorService/{}", call.method);
    let path = PathAndQuery::try_from(path).unwrap();
    Ok(grpc.unary(Request::new(call.bytes.into()), path, Unread).await?.into_inner())
}

/// Takes messages as the bytes they are.
#[derive(Debug, Clone, Copy)]
struct Unread;

impl Codec for Unread {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Unread;
    type Decoder = Unread;

    fn encoder(&mut self) -> Unread {
        Unread
    }

    fn decoder(&mut self) -> Unread {
        Unread
    }
}

impl Encoder for Unread {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, bytes: Bytes, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put(bytes);
        Ok(())
    }
}

impl Decoder for Unread {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}
