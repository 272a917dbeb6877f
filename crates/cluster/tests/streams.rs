//! What is made at the start, what is compared, and what is refused.

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::jetstream;
use async_nats::jetstream::stream::{Config, DiscardPolicy, StorageType};
use bytes::Bytes;
use common::{Nats, WallClock, open, settings};
use fleet_cluster::{Cluster, OpenError, Settings};
use fleet_deliberation::{DeliberationId, Timestamp};
use fleet_orchestrator::port::{Entry, EventStore, HistoryId, HistoryKind, Listing, Sequence, StoreError};

async fn refusal(settings: Settings) -> OpenError {
    match Cluster::open(settings, Arc::new(WallClock)).await {
        Ok(_) => panic!("it opened"),
        Err(error) => error,
    }
}

async fn jetstream(nats: &Nats) -> jetstream::Context {
    jetstream::new(async_nats::connect(nats.url()).await.expect("connects"))
}

/// What a stream is once we made it.
async fn made(nats: &Nats, stream: &str) -> Config {
    let stream = jetstream(nats).await.get_stream(stream).await.expect("it is there");
    stream.cached_info().config.clone()
}

#[tokio::test]
async fn streams_are_made_where_they_are_missing_and_used_where_they_are_there() {
    let nats = Nats::start();
    let (first, second) = tokio::join!(open(&nats), open(&nats));
    drop((first, second));
    open(&nats).await;
    let log = made(&nats, "FLEET_LOG").await;
    assert_eq!((log.discard, log.storage), (DiscardPolicy::New, StorageType::File));
}

#[tokio::test]
async fn a_difference_that_matters_is_refused_with_both_values() {
    type Change = fn(&mut Config);
    let cases: [(&str, Change, &str, &str, &str); 9] = [
        ("LOG", |c| c.discard = DiscardPolicy::Old, "discard", "Old", "New"),
        ("LOG", |c| c.storage = StorageType::Memory, "storage", "Memory", "File"),
        ("LOG", |c| c.max_age = Duration::from_secs(3600), "max_age", "3600s", "0ns"),
        ("LOG", |c| c.max_messages = 10_000, "max_msgs", "10000", "-1"),
        ("LOG", |c| c.subjects = vec!["x".into()], "subjects", "[\"x\"]", "[\"fleet.log.>\"]"),
        ("ANSWERS", |c| c.allow_direct = false, "allow_direct", "false", "true"),
        ("ANSWERS", |c| c.deny_purge = true, "deny_purge", "true", "false"),
        ("JOBS", |c| c.max_messages_per_subject = 2, "max_msgs_per_subject", "2", "1"),
        (
            "ANNOUNCEMENTS",
            |c| c.duplicate_window = Duration::from_secs(120),
            "duplicate_window",
            "120s",
            "7200s",
        ),
    ];
    for (stream, change, setting, found, wanted) in cases {
        let nats = Nats::start();
        drop(open(&nats).await);
        let name = format!("FLEET_{stream}");
        let mut config = made(&nats, &name).await;
        change(&mut config);
        if !config.subjects.iter().any(|subject| subject.starts_with("fleet")) {
            config.republish = None;
        }
        let context = jetstream(&nats).await;
        context.delete_stream(&name).await.expect("deletes");
        context.create_stream(config).await.expect("creates");
        match refusal(settings(&nats)).await {
            OpenError::Differs { stream, setting: differs, found: has, wanted: must } => {
                assert_eq!((stream, differs, has.as_str(), must.as_str()), (name, setting, found, wanted));
            }
            other => panic!("{setting}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn an_operator_may_set_other_bounds_and_longer_memories() {
    let nats = Nats::start();
    drop(open(&nats).await);
    for stream in ["FLEET_LOG", "FLEET_ANNOUNCEMENTS"] {
        let mut config = made(&nats, stream).await;
        config.max_bytes *= 2;
        config.duplicate_window *= 2;
        config.description = Some("ours".into());
        jetstream(&nats).await.update_stream(config).await.expect("updates");
    }
    open(&nats).await;
}

#[tokio::test]
async fn several_installations_share_a_server() {
    let nats = Nats::start();
    let error = {
        let _first = open(&nats).await;
        refusal(Settings { prefix: "other".into(), ..settings(&nats) }).await
    };
    // All but announcements, whose subjects are fixed.
    let OpenError::Refused { stream, .. } = &error else { panic!("{error:?}") };
    assert_eq!(stream, "OTHER_ANNOUNCEMENTS");
}

#[tokio::test]
async fn settings_that_make_no_sense_are_refused_by_name() {
    let nats = Nats::start();
    let good = || settings(&nats);
    let cases = [
        (Settings { prefix: String::new(), ..good() }, "prefix"),
        (Settings { prefix: "a.b".into(), ..good() }, "prefix"),
        (Settings { prefix: "A".into(), ..good() }, "prefix"),
        (Settings { prefix: "a".repeat(33), ..good() }, "prefix"),
        (Settings { replicas: 0, ..good() }, "replicas"),
        (Settings { replicas: 2, ..good() }, "replicas"),
        (Settings { lease_ms: 29, ..good() }, "lease_ms"),
        (Settings { call_ms: 0, ..good() }, "call_ms"),
        (Settings { servers: Vec::new(), ..good() }, "servers"),
    ];
    for (settings, wrong) in cases {
        let error = refusal(settings).await;
        assert!(matches!(&error, OpenError::Setting { name, .. } if *name == wrong), "{wrong}: {error:?}");
    }
    // Three copies on one server.
    let error = refusal(Settings { replicas: 3, ..good() }).await;
    assert!(matches!(&error, OpenError::Refused { .. }), "{error:?}");
}

#[tokio::test]
async fn where_nobody_answers_it_says_so_in_time_and_without_secrets() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let nobody =
        std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    for address in [silent.local_addr().expect("an address"), nobody] {
        let servers = vec![format!("nats://me:hidden@{address}")];
        let began = Instant::now();
        let error = refusal(Settings { servers, call_ms: 500, ..Settings::default() }).await;
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        assert!(matches!(&error, OpenError::Unreachable { .. }), "{error:?}");
        let said = fleet_orchestrator::chain(&error);
        assert!(said.contains(&address.to_string()) && !said.contains("hidden"), "{said}");
    }
}

fn history(name: &str) -> HistoryId {
    HistoryId::deliberation(&DeliberationId::new(name).expect("a name"))
}

fn entry(bytes: usize, ends: bool) -> Entry {
    Entry { body: Bytes::from(vec![b'x'; bytes]), at: Timestamp(1), ends }
}

#[tokio::test]
async fn when_the_log_is_nearly_full_nothing_is_opened_and_what_is_open_can_end() {
    const BYTES: usize = 100 * 1024;
    let nats = Nats::start();
    let small = Settings { log_bytes_max: 20 * BYTES as u64, ..settings(&nats) };
    let cluster = Cluster::open(small, Arc::new(WallClock)).await.expect("opens");
    let events: &dyn EventStore = &*cluster.events;
    let mut open = Vec::new();
    let refused = loop {
        let id = history(&open.len().to_string());
        match events.append(&id, Sequence(0), entry(BYTES, false)).await {
            Ok(sequence) => open.push((id, sequence)),
            Err(error) => break error,
        }
        // What is known of the size may be as old as a second.
        tokio::time::sleep(Duration::from_millis(150)).await;
    };
    assert!(matches!(refused, StoreError::Full), "{refused:?}");
    assert!((15..20).contains(&open.len()), "{} were opened", open.len());
    for (id, sequence) in &open {
        events.append(id, *sequence, entry(10, true)).await.expect("what was accepted ends");
    }
    assert!(events.histories(Listing::Open(HistoryKind::Deliberation)).await.expect("lists").is_empty());
    assert!(matches!(events.writable().await, Err(StoreError::Full)));
    for (id, _) in &open {
        events.forget(id).await.expect("forgets");
    }
    events.writable().await.expect("there is room again");
}

#[tokio::test]
async fn what_is_larger_than_any_message_is_refused_and_leaves_nothing() {
    let nats = Nats::start();
    let cluster = open(&nats).await;
    let id = history("a");
    let refused = cluster.events.append(&id, Sequence(0), entry(2 * 1024 * 1024, false)).await;
    assert!(matches!(refused, Err(StoreError::Full)), "{refused:?}");
    cluster.events.append(&id, Sequence(0), entry(10, false)).await.expect("nothing is in the way");
}
