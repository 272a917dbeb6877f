//! A cluster of three servers, of which any one may die.

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::jetstream;
use bytes::Bytes;
use common::{Nats, WallClock, settings};
use fleet_cluster::{Cluster, OpenError, Settings};
use fleet_deliberation::{DeliberationId, Timestamp};
use fleet_orchestrator::contract;
use fleet_orchestrator::port::{Clock, Entry, HistoryId, HistoryKind, Listing, Sequence, StoreError};

/// What a cluster may take to choose its leaders.
const PATIENCE: Duration = Duration::from_secs(60);

async fn open(nodes: &[Nats; 3]) -> Cluster {
    let began = Instant::now();
    loop {
        let servers = nodes.iter().map(Nats::url).collect();
        let settings = Settings { servers, replicas: 3, lease_ms: 60_000, ..settings(&nodes[0]) };
        match Cluster::open(settings, Arc::new(WallClock)).await {
            Ok(cluster) => return cluster,
            // It has no leader yet.
            Err(error @ (OpenError::Refused { .. } | OpenError::Unreachable { .. })) => {
                assert!(began.elapsed() < PATIENCE, "{error:?}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Err(error) => panic!("{error:?}"),
        }
    }
}

macro_rules! rules {
    ($port:ident, $($rule:ident),*) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
        async fn $rule() {
            let nodes = Nats::start_three();
            let cluster = open(&nodes).await;
            contract::$port::$rule(Arc::clone(&cluster.$port())).await;
        })*
    };
}

/// The ports by the names of their contracts.
trait Ports {
    fn event_store(&self) -> Arc<dyn fleet_orchestrator::port::EventStore>;
    fn answers(&self) -> Arc<dyn fleet_orchestrator::port::Answers>;
}

impl Ports for Cluster {
    fn event_store(&self) -> Arc<dyn fleet_orchestrator::port::EventStore> {
        Arc::clone(&self.events)
    }

    fn answers(&self) -> Arc<dyn fleet_orchestrator::port::Answers> {
        Arc::clone(&self.answers)
    }
}

// Of those that copies could make untrue, the ones that ask most; each starts three servers.
rules!(
    event_store,
    whoever_decides_again_after_a_conflict_gets_in,
    a_tail_leaves_nothing_out_while_many_append
);
rules!(answers, of_answers_recorded_at_once_exactly_one_counts);

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_job_is_leased_to_one_worker_at_a_time() {
    let nodes = Nats::start_three();
    let cluster = open(&nodes).await;
    let clock: Arc<dyn Clock> = Arc::new(WallClock);
    contract::job_queue::a_job_is_leased_to_one_worker_at_a_time(Arc::clone(&cluster.jobs), clock).await;
}

fn history(name: &str) -> HistoryId {
    HistoryId::deliberation(&DeliberationId::new(name).expect("a name"))
}

fn entry(ends: bool) -> Entry {
    Entry { body: Bytes::from_static(b"x"), at: Timestamp(1), ends }
}

/// Which of the nodes leads the log.
async fn leader(nodes: &[Nats; 3]) -> usize {
    let began = Instant::now();
    let servers: Vec<String> = nodes.iter().map(Nats::url).collect();
    loop {
        assert!(began.elapsed() < PATIENCE, "the log has no leader");
        let found = async {
            let context = jetstream::new(async_nats::connect(&servers).await.ok()?);
            let stream = context.get_stream("FLEET_LOG").await.ok()?;
            let name = stream.cached_info().cluster.as_ref()?.leader.clone()?;
            name.strip_prefix("node-")?.parse().ok()
        };
        if let Some(leader) = found.await {
            return leader;
        }
    }
}

/// Tries until it works: for a while after a server came back there may be no leader.
async fn persist<T, F: Future<Output = Result<T, StoreError>>>(mut call: impl FnMut() -> F) -> T {
    let began = Instant::now();
    loop {
        match call().await {
            Ok(value) => return value,
            Err(StoreError::Unavailable(error)) => assert!(began.elapsed() < PATIENCE, "{error:?}"),
            Err(other) => panic!("{other:?}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn when_the_leader_dies_nothing_acknowledged_is_lost_or_there_twice_and_all_goes_on() {
    let mut nodes = Nats::start_three();
    let cluster = open(&nodes).await;
    let mut acknowledged = Vec::new();
    let mut unknown = 0;
    for round in 0..2 {
        let leader = leader(&nodes).await;
        let appending = tokio::spawn({
            let events = Arc::clone(&cluster.events);
            async move {
                let (mut done, mut unknown, mut gone) = (Vec::new(), 0, false);
                let began = Instant::now();
                for n in 0.. {
                    let id = history(&format!("{round}-{n}"));
                    match events.append(&id, Sequence(0), entry(false)).await {
                        Ok(sequence) => done.push((id, sequence)),
                        Err(StoreError::Unavailable(_)) => {
                            unknown += 1;
                            gone = true;
                            tokio::time::sleep(Duration::from_millis(20)).await;
                        }
                        Err(other) => panic!("nobody else appends: {other:?}"),
                    }
                    assert!(began.elapsed() < PATIENCE, "it never goes on");
                    // Some of it after the new leader was chosen, if it was ever felt that the old one died.
                    if done.len() >= 300 && (gone || began.elapsed() > Duration::from_secs(5)) {
                        break;
                    }
                }
                (done, unknown)
            }
        });
        while cluster.events.end().await.map_or(0, |end| end.0) < acknowledged.len() as u64 + 50 {}
        nodes[leader].kill();
        let (done, some) = appending.await.expect("no panic");
        acknowledged.extend(done);
        unknown += some;
        nodes[leader].start_again();
    }
    let open = Listing::Open(HistoryKind::Deliberation);
    let listed = persist(|| cluster.events.histories(open)).await;
    assert!(listed.len() >= acknowledged.len() && listed.len() <= acknowledged.len() + unknown);
    for (id, sequence) in &acknowledged {
        let records = persist(|| cluster.events.read(id, Sequence(0))).await;
        assert_eq!(records.len(), 1, "{id}");
        assert_eq!(records[0].sequence, *sequence, "{id}");
    }
    let (id, sequence) = &acknowledged[0];
    let ended = persist(|| async {
        match cluster.events.append(id, *sequence, entry(true)).await {
            // A try before this one that nobody could answer for.
            Err(StoreError::Conflict) => Ok(()),
            ended => ended.map(|_| ()),
        }
    });
    ended.await;
    assert_eq!(persist(|| cluster.events.read(id, Sequence(0))).await.len(), 2, "it goes on");
}
