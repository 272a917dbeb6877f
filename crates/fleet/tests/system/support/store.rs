//! What the state holds, read while nobody or somebody else works on it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use fleet_deliberation::{Event, Record};
use fleet_embedded::ReadOnly;
use fleet_orchestrator::port::{HistoryId, HistoryKind, Listing, Position, Sequence};
use rusqlite::{Connection, OpenFlags};

/// Everything that was recorded by some moment.
pub(crate) struct Kept {
    /// The jobs that have an answer.
    pub(crate) answered: BTreeSet<String>,
    /// The records that end a deliberation, by its id; 0 while it is open.
    pub(crate) ends: BTreeMap<String, usize>,
    /// How often the end of a deliberation was announced.
    pub(crate) announced: BTreeMap<String, usize>,
}

impl Kept {
    /// Reads the state in `dir`.
    pub(crate) async fn of(dir: &Path) -> Kept {
        let read = ReadOnly::open(dir).unwrap();
        let (mut answered, mut after) = (BTreeSet::new(), Position(0));
        let end = read.answers.end().await.unwrap();
        while after < end {
            for (position, answer) in read.answers.tail(after, 1000).await.unwrap() {
                after = position;
                answered.insert(answer.job.to_string());
            }
        }
        let mut ends = BTreeMap::new();
        for info in read
            .events
            .histories(Listing::Newest { kind: HistoryKind::Deliberation, limit: 100_000 })
            .await
            .unwrap()
        {
            let id = info.id.as_deliberation().unwrap();
            let stored = read.events.read(&HistoryId::deliberation(&id), Sequence(0)).await.unwrap();
            let records = stored.iter().map(|stored| Record::decode(&stored.entry.body).unwrap());
            let events = records.flat_map(|record| record.events);
            let count = events.filter(|event| matches!(event, Event::Ended { .. })).count();
            ends.insert(id.to_string(), count);
        }
        Kept { answered, ends, announced: announced(dir) }
    }
}

/// The announcements have no other reader yet.
fn announced(dir: &Path) -> BTreeMap<String, usize> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let connection = Connection::open_with_flags(dir.join("fleet.db"), flags).unwrap();
    let mut rows = connection.prepare("SELECT id, body FROM announcements").unwrap();
    let both = |row: &rusqlite::Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, Vec<u8>>(1)?));
    let mut announced = BTreeMap::new();
    for row in rows.query_map([], both).unwrap() {
        let (_, body) = row.unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        *announced.entry(body["task_id"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    announced
}
