//! Marks: small facts that are replaced, each on a subject of its own.

use async_nats::HeaderMap;
use bytes::Bytes;
use fleet_orchestrator::port::{Position, StoreError};
use serde::{Deserialize, Serialize};

use crate::error::unavailable;
use crate::link::Link;
use crate::names::Names;
use crate::place::{Placed, random_id};

const ANNOUNCED: &str = "announced";
const PROBE: &str = "probe";

/// How far announcing has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Announced {
    /// The highest position that anything was published for.
    pub(crate) position: u64,
    /// Up to this sequence the stream of announcements holds none for a higher position.
    pub(crate) sequence: u64,
}

impl Announced {
    fn joined(self, other: Announced) -> Announced {
        Announced { position: self.position.max(other.position), sequence: self.sequence.max(other.sequence) }
    }
}

impl Link {
    /// How far announcing has come, and the sequence of the mark that says so.
    pub(crate) async fn announced(&self, names: &Names) -> Result<(Announced, u64), StoreError> {
        let Some(mark) = self.last(names.marks, &names.mark(ANNOUNCED)).await? else {
            return Ok((Announced::default(), 0));
        };
        let announced = serde_json::from_slice(&mark.body)
            .map_err(|error| mark.corrupt(format!("not a mark: {error}")))?;
        Ok((announced, mark.sequence))
    }

    /// Raises the mark to `to` where it is lower. Whoever else raises it at the same time gets there too.
    pub(crate) async fn raise(&self, names: &Names, to: Announced) -> Result<Position, StoreError> {
        loop {
            let (found, sequence) = self.announced(names).await?;
            let raised = found.joined(to);
            if raised == found {
                return Ok(Position(found.position));
            }
            let body = serde_json::to_vec(&raised).map_err(unavailable)?;
            let subject = names.mark(ANNOUNCED);
            let placed = self.place(names.marks, &subject, sequence, HeaderMap::new(), body.into()).await?;
            if let Placed::At(_) = placed {
                return Ok(Position(raised.position));
            }
        }
    }

    /// Writes something that is of no consequence.
    pub(crate) async fn probe(&self, names: &Names) -> Result<(), StoreError> {
        let id = random_id()?;
        let subject = names.mark(PROBE);
        self.add(names.marks, &subject, &id, HeaderMap::new(), Bytes::new()).await.map(|_| ())
    }
}
