//! NATS goes away and comes back: typed errors in time, nothing acknowledged is lost, all goes on.

mod common;

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use common::{Nats, WallClock, open, settings};
use fleet_cluster::{Cluster, Settings};
use fleet_deliberation::{
    AgentId, Answer, DeliberationId, Generation, JobId, JobKind, Outcome, Priority, Timestamp,
};
use fleet_orchestrator::port::{
    Announcement, Entry, HistoryId, HistoryKind, Listing, Position, Recorded, Sequence, StoreError,
};

const CALL_MS: u64 = 500;
/// What a call may take besides: looking, reading back, a busy machine.
const SLACK: Duration = Duration::from_secs(5);

async fn cluster(nats: &Nats) -> Cluster {
    let settings = Settings { call_ms: CALL_MS, ..settings(nats) };
    Cluster::open(settings, Arc::new(WallClock)).await.expect("opens")
}

fn history(name: &str) -> HistoryId {
    HistoryId::deliberation(&DeliberationId::new(name).expect("a name"))
}

fn entry(text: &str) -> Entry {
    Entry { body: Bytes::copy_from_slice(text.as_bytes()), at: Timestamp(1), ends: false }
}

fn job(name: &str) -> JobId {
    JobId {
        deliberation: DeliberationId::new("d").expect("a name"),
        round: 0,
        kind: JobKind::Propose,
        subject: AgentId::new(name).expect("a name"),
    }
}

fn answer(job: JobId) -> Answer {
    let outcome = Outcome::Text(Generation { text: "yes".into(), ..Generation::default() });
    Answer { job, attempt: 1, started_at: Timestamp(1), ended_at: Timestamp(2), outcome }
}

fn announcement(id: &str) -> (Announcement, Position) {
    let body = Bytes::from_static(b"{}");
    (Announcement { id: id.into(), subject: "deliberation.completed", body }, Position(1))
}

/// What a call says while NATS is away.
async fn is_unavailable<T: std::fmt::Debug>(what: &str, call: impl Future<Output = Result<T, StoreError>>) {
    let bound = 2 * Duration::from_millis(CALL_MS) + SLACK;
    match tokio::time::timeout(bound, call).await {
        Ok(Err(StoreError::Unavailable(_))) => {}
        Ok(other) => panic!("{what}: {other:?}"),
        Err(_) => panic!("{what} hangs"),
    }
}

/// Tries until it works.
async fn persist<T, F: Future<Output = Result<T, StoreError>>>(mut call: impl FnMut() -> F) -> T {
    let began = Instant::now();
    loop {
        match call().await {
            Ok(value) => return value,
            Err(error) => assert!(began.elapsed() < Duration::from_secs(30), "{error:?}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn every_call_is_unavailable(cluster: &Cluster, lease: &fleet_orchestrator::port::Lease) {
    let Cluster { events, answers, jobs, announcements, .. } = cluster;
    is_unavailable("append", events.append(&history("b"), Sequence(0), entry("x"))).await;
    is_unavailable("read", events.read(&history("a"), Sequence(0))).await;
    is_unavailable("histories", events.histories(Listing::Open(HistoryKind::Deliberation))).await;
    is_unavailable("end", events.end()).await;
    is_unavailable("tail", events.tail(Position(0), 10)).await;
    is_unavailable("writable", events.writable()).await;
    is_unavailable("forget", events.forget(&history("a"))).await;
    is_unavailable("record", answers.record(answer(job("y")))).await;
    is_unavailable("find", answers.find(&job("x"))).await;
    is_unavailable("tail of answers", answers.tail(Position(99), 10)).await;
    is_unavailable("put", jobs.put(&[job("z")], Priority::Normal)).await;
    is_unavailable("lease", jobs.lease(1)).await;
    is_unavailable("beat", jobs.beat(lease)).await;
    is_unavailable("publish", announcements.publish(&[announcement("b")])).await;
    is_unavailable("published_to", announcements.published_to()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_killed_server_that_comes_back_has_all_that_was_acknowledged_and_all_goes_on() {
    let mut nats = Nats::start();
    let cluster = cluster(&nats).await;
    let first = cluster.events.append(&history("a"), Sequence(0), entry("one")).await.expect("appends");
    cluster.answers.record(answer(job("x"))).await.expect("records");
    cluster.announcements.publish(&[announcement("a")]).await.expect("publishes");
    cluster.jobs.put(&[job("x")], Priority::Normal).await.expect("puts");
    let lease = cluster.jobs.lease(1).await.expect("leases").remove(0);

    nats.kill();
    every_call_is_unavailable(&cluster, &lease).await;

    nats.start_again();
    let a = history("a");
    let records = persist(|| cluster.events.read(&a, Sequence(0))).await;
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].sequence, first);
    assert_eq!(persist(|| cluster.announcements.published_to()).await, Position(1));
    assert_eq!(cluster.answers.record(answer(job("x"))).await.expect("records"), Recorded::Already);
    // What was refused while it was away may be there or not, once.
    let _ = cluster.events.append(&history("b"), Sequence(0), entry("x")).await;
    assert_eq!(cluster.events.read(&history("b"), Sequence(0)).await.expect("reads").len(), 1);

    let place = cluster.events.end().await.expect("ends");
    let tail = tokio::spawn({
        let events = Arc::clone(&cluster.events);
        async move { events.tail(place, 10).await }
    });
    cluster.events.append(&history("a"), first, entry("two")).await.expect("appends");
    assert_eq!(tail.await.expect("no panic").expect("tails").len(), 1);
    // Nobody beat for as long as it was away: it comes again, as a further attempt.
    let again = persist(|| cluster.jobs.lease(1)).await;
    assert!(again.iter().any(|lease| lease.job == job("x") && lease.attempt == 2), "{again:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_stands_still_holds_up_no_call_beyond_its_bound() {
    let nats = Nats::start();
    let cluster = cluster(&nats).await;
    cluster.jobs.put(&[job("x")], Priority::Normal).await.expect("puts");
    let lease = cluster.jobs.lease(1).await.expect("leases").remove(0);
    nats.signal("-STOP");
    every_call_is_unavailable(&cluster, &lease).await;
    nats.signal("-CONT");
    // The append that nobody answered may be written when the server goes on, or was lost with the connection.
    let b = history("b");
    let appended = persist(|| async {
        match cluster.events.append(&b, Sequence(0), entry("x")).await {
            Err(StoreError::Conflict) => Ok(()),
            appended => appended.map(|_| ()),
        }
    });
    appended.await;
    assert_eq!(persist(|| cluster.events.read(&b, Sequence(0))).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_waits_for_a_job_is_told_when_nats_goes_away() {
    let mut nats = Nats::start();
    let cluster = cluster(&nats).await;
    let waiting = tokio::spawn({
        let jobs = Arc::clone(&cluster.jobs);
        async move { jobs.lease(1).await }
    });
    // Until it waits.
    cluster.jobs.put(&[job("x")], Priority::Normal).await.expect("puts");
    assert_eq!(waiting.await.expect("no panic").expect("leases").len(), 1);
    let waiting = tokio::spawn({
        let jobs = Arc::clone(&cluster.jobs);
        async move { jobs.lease(1).await }
    });
    nats.kill();
    is_unavailable("lease", async { waiting.await.expect("no panic") }).await;
    nats.start_again();
    let y = [job("y")];
    persist(|| cluster.jobs.put(&y, Priority::Normal)).await;
    let mut leased = Vec::new();
    while !leased.contains(&job("y")) {
        leased.extend(persist(|| cluster.jobs.lease(2)).await.into_iter().map(|lease| lease.job));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn acknowledged_records_outlive_kills_in_the_middle_of_appending() {
    let mut nats = Nats::start();
    let cluster = open(&nats).await;
    let mut acknowledged = Vec::new();
    for round in 0..3 {
        let appending = tokio::spawn({
            let events = Arc::clone(&cluster.events);
            async move {
                let mut done = Vec::new();
                for n in 0.. {
                    let id = history(&format!("{round}-{n}"));
                    match events.append(&id, Sequence(0), entry("x")).await {
                        Ok(sequence) => done.push((id, sequence)),
                        Err(StoreError::Unavailable(_)) if done.len() > 20 => break,
                        // Not up again yet.
                        Err(StoreError::Unavailable(_)) => tokio::time::sleep(Duration::from_millis(5)).await,
                        Err(other) => panic!("{other:?}"),
                    }
                }
                done
            }
        });
        let end = persist(|| cluster.events.end()).await;
        while persist(|| cluster.events.end()).await.0 < end.0 + 50 {}
        nats.kill();
        acknowledged.extend(appending.await.expect("no panic"));
        nats.start_again();
    }
    assert!(acknowledged.len() >= 60, "{}", acknowledged.len());
    for (id, sequence) in acknowledged {
        let records = persist(|| cluster.events.read(&id, Sequence(0))).await;
        assert_eq!(records.len(), 1, "{id}");
        assert_eq!(records[0].sequence, sequence, "{id}");
    }
}
