//! Acknowledgements that are lost on their way: no answer is not a no.

mod common;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use common::{Nats, WallClock, open, settings};
use fleet_cluster::{Cluster, Settings};
use fleet_deliberation::{AgentId, Answer, DeliberationId, Generation, JobId, JobKind, Outcome, Timestamp};
use fleet_orchestrator::port::{Entry, EventStore, HistoryId, Recorded, Sequence, Stored};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Long enough for all that happens before the first try is given up.
const CALL_MS: u64 = 3_000;

/// Passes everything on to the server, and what the server says only while it is not muted.
async fn proxy(to: SocketAddr) -> (String, Arc<AtomicBool>) {
    let muted = Arc::new(AtomicBool::new(false));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let mute = Arc::clone(&muted);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(to).await.expect("the server is there");
            let ((mut says, mut hears), (mut answers, mut asked)) =
                (client.into_split(), server.into_split());
            let mute = Arc::clone(&mute);
            tokio::spawn(async move { tokio::io::copy(&mut says, &mut asked).await });
            tokio::spawn(async move {
                let mut buffer = vec![0; 64 * 1024];
                while let Ok(read @ 1..) = answers.read(&mut buffer).await {
                    if !mute.load(Ordering::SeqCst) && hears.write_all(&buffer[..read]).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    (format!("nats://{address}"), muted)
}

/// One who hears badly, how to make it deaf, and one who hears well.
async fn two(nats: &Nats) -> (Arc<Cluster>, Arc<AtomicBool>, Cluster) {
    let address = nats.url().trim_start_matches("nats://").parse().expect("an address");
    let (url, muted) = proxy(address).await;
    let settings = Settings { servers: vec![url], call_ms: CALL_MS, ..settings(nats) };
    let deaf = Cluster::open(settings, Arc::new(WallClock)).await.expect("opens");
    (Arc::new(deaf), muted, open(nats).await)
}

fn history() -> HistoryId {
    HistoryId::deliberation(&DeliberationId::new("a").expect("a name"))
}

fn entry(text: &str) -> Entry {
    Entry { body: Bytes::copy_from_slice(text.as_bytes()), at: Timestamp(1), ends: false }
}

/// What is there once the records are as many as that.
async fn records(events: &dyn EventStore, count: usize) -> Vec<Stored> {
    loop {
        let records = events.read(&history(), Sequence(0)).await.expect("reads");
        if records.len() >= count {
            return records;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_append_whose_acknowledgement_is_lost_is_found_again() {
    let nats = Nats::start();
    let (deaf, muted, other) = two(&nats).await;
    let first = deaf.events.append(&history(), Sequence(0), entry("one")).await.expect("appends");
    for (after, moves_on) in [(first, false), (Sequence(0), true)] {
        let after = if after.0 > 0 { after } else { records(&*other.events, 2).await[1].sequence };
        muted.store(true, Ordering::SeqCst);
        let appending = tokio::spawn({
            let deaf = Arc::clone(&deaf);
            async move { deaf.events.append(&history(), after, entry("mine")).await }
        });
        let count = if moves_on { 3 } else { 2 };
        let mine = records(&*other.events, count).await[count - 1].sequence;
        if moves_on {
            // Someone else goes on from it, before its author knows of it.
            other.events.append(&history(), mine, entry("next")).await.expect("appends");
        }
        // The acknowledgement is on its way since before the record could be read; it is not heard.
        tokio::time::sleep(Duration::from_millis(200)).await;
        muted.store(false, Ordering::SeqCst);
        assert_eq!(appending.await.expect("no panic").expect("it knows"), mine);
    }
    let there = records(&*other.events, 4).await;
    assert_eq!(
        there.iter().map(|stored| &stored.entry.body[..]).collect::<Vec<_>>(),
        [b"one" as &[u8], b"mine", b"mine", b"next"]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_answer_whose_acknowledgement_is_lost_is_known_to_be_the_first() {
    let nats = Nats::start();
    let (deaf, muted, other) = two(&nats).await;
    let job = JobId {
        deliberation: DeliberationId::new("a").expect("a name"),
        round: 0,
        kind: JobKind::Propose,
        subject: AgentId::new("x").expect("a name"),
    };
    let answer = |text: &str| {
        let outcome = Outcome::Text(Generation { text: text.into(), ..Generation::default() });
        Answer { job: job.clone(), attempt: 1, started_at: Timestamp(1), ended_at: Timestamp(2), outcome }
    };
    muted.store(true, Ordering::SeqCst);
    let recording = tokio::spawn({
        let (deaf, answer) = (Arc::clone(&deaf), answer("mine"));
        async move { deaf.answers.record(answer).await }
    });
    while other.answers.find(&job).await.expect("finds").is_none() {}
    assert_eq!(other.answers.record(answer("late")).await.expect("records"), Recorded::Already);
    tokio::time::sleep(Duration::from_millis(200)).await;
    muted.store(false, Ordering::SeqCst);
    assert_eq!(recording.await.expect("no panic").expect("it knows"), Recorded::First);
}
