//! Whatever was acknowledged before a SIGKILL is there after it, and nothing is there in part.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fleet_deliberation::{AgentId, Answer, DeliberationId, Generation, JobId, JobKind, Outcome, Timestamp};
use fleet_embedded::{Embedded, ReadOnly, Settings, SystemClock, SystemEntropy};
use fleet_orchestrator::port::{Entropy, Entry, HistoryId, HistoryKind, Listing, Position, Sequence};

const DIRECTORY: &str = "FLEET_CRASH_TEST_DIRECTORY";
const ROUND: &str = "FLEET_CRASH_TEST_ROUND";
const ROUNDS: usize = 8;
const WRITERS: usize = 12;

fn deliberation(name: &str) -> DeliberationId {
    DeliberationId::new(name).unwrap()
}

/// What stands at a place of a history: from a few bytes to many pages, and never the same.
fn body(name: &str, sequence: u64) -> Bytes {
    let length = name.bytes().map(usize::from).sum::<usize>() * (sequence as usize * 37 + 11) % 20_000;
    format!("{name} {sequence} ").into_bytes().into_iter().cycle().take(length + 20).collect()
}

fn answer(name: &str, sequence: u64) -> Answer {
    let text = String::from_utf8(body(name, sequence).to_vec()).unwrap();
    Answer {
        job: JobId {
            deliberation: deliberation(name),
            round: u32::try_from(sequence).unwrap(),
            kind: JobKind::Propose,
            subject: AgentId::new("x").unwrap(),
        },
        attempt: 1,
        started_at: Timestamp(1),
        ended_at: Timestamp(2),
        outcome: Outcome::Text(Generation { text, ..Generation::default() }),
    }
}

/// Run by the test below in a process of its own, which is killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writing_until_killed() {
    let (Ok(dir), Ok(round)) = (std::env::var(DIRECTORY), std::env::var(ROUND)) else { return };
    let store = Embedded::open(Path::new(&dir), Settings::default(), Arc::new(SystemClock)).unwrap();
    let store = Arc::new(store);
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let (store, name) = (Arc::clone(&store), format!("{round}-{writer}"));
        writers.spawn(async move {
            let history = HistoryId::deliberation(&deliberation(&name));
            for sequence in 1.. {
                let body = body(&name, sequence);
                let entry = Entry { body, at: Timestamp(1), ends: false };
                store.events.append(&history, Sequence(sequence - 1), entry).await.unwrap();
                // One write each, so that a line is there whole or not at all.
                std::io::stdout().write_all(format!("acknowledged {name} {sequence}\n").as_bytes()).unwrap();
                store.answers.record(answer(&name, sequence)).await.unwrap();
                std::io::stdout().write_all(format!("answered {name} {sequence}\n").as_bytes()).unwrap();
            }
        });
    }
    writers.join_all().await;
}

#[tokio::test]
async fn what_was_acknowledged_outlives_sigkill() {
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged: BTreeMap<String, u64> = BTreeMap::new();
    let mut answered: BTreeMap<String, u64> = BTreeMap::new();
    for round in 0..ROUNDS {
        for line in lines_until_killed(dir.path(), round) {
            let words: Vec<&str> = line.split(' ').collect();
            let [kind @ ("acknowledged" | "answered"), name, sequence] = words[..] else { continue };
            let last = if kind == "answered" { &mut answered } else { &mut acknowledged };
            last.insert(name.into(), sequence.parse().unwrap());
        }
        verify(dir.path(), &acknowledged, &answered).await;
    }
    assert!(acknowledged.values().sum::<u64>() > 100, "the rounds were too short to show anything");
}

fn lines_until_killed(dir: &Path, round: usize) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "writing_until_killed", "--nocapture"])
        .env(DIRECTORY, dir)
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    // From the first acknowledgement on, so that each round shows something.
    let first = lines.by_ref().find(|line| line.starts_with("acknowledged")).unwrap();
    let killer = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_micros(SystemEntropy.bits() % 80_000));
        child.kill().unwrap();
        child.wait().unwrap();
    });
    let mut seen = vec![first];
    seen.extend(lines);
    killer.join().unwrap();
    seen
}

async fn verify(dir: &Path, acknowledged: &BTreeMap<String, u64>, answered: &BTreeMap<String, u64>) {
    // First as it lies there, then as the next process finds it.
    let lying = ReadOnly::open(dir).unwrap();
    let store = Embedded::open(dir, Settings::default(), Arc::new(SystemClock)).unwrap();
    for (events, answers) in [(&lying.events, &lying.answers), (&store.events, &store.answers)] {
        let open = events.histories(Listing::Open(HistoryKind::Deliberation)).await.unwrap();
        let mut records = 0;
        for info in open {
            let name = info.id.as_deliberation().unwrap().to_string();
            let history = events.read(&info.id, Sequence(0)).await.unwrap();
            for (sequence, record) in (1..).zip(&history) {
                assert_eq!(record.sequence, Sequence(sequence));
                assert_eq!(record.entry.body, body(&name, sequence), "{name} {sequence} is whole");
            }
            let last = acknowledged.get(&name).copied().unwrap_or_default();
            assert!(history.len() as u64 >= last, "{name} {last} was acknowledged");
            records += history.len();
        }
        for (name, last) in answered {
            for sequence in 1..=*last {
                let expected = answer(name, sequence);
                let found = answers.find(&expected.job).await.unwrap();
                assert_eq!(found.as_deref(), Some(&expected), "{name} {sequence} was answered");
            }
        }
        let mut after = Position(0);
        let end = events.end().await.unwrap();
        while after < end {
            let tail = events.tail(after, 1000).await.unwrap();
            after = tail.last().unwrap().position;
            records -= tail.len();
        }
        assert_eq!(records, 0, "the log and the histories hold the same");
    }
    store.close().await;
}
