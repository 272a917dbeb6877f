//! Several processes on one NATS, each as one `Cluster`.

mod common;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream;
use bytes::Bytes;
use common::{Nats, WallClock, open, settings};
use fleet_cluster::{Cluster, Settings};
use fleet_deliberation::{
    AgentId, Answer, DeliberationId, Generation, JobId, JobKind, Outcome, Priority, Timestamp,
};
use fleet_orchestrator::port::{
    Announcement, Entry, HistoryId, HistoryKind, Listing, Position, Recorded, Sequence, StoreError,
};
use tokio::task::JoinSet;

fn deliberation(name: &str) -> DeliberationId {
    DeliberationId::new(name).expect("a name")
}

fn history(name: &str) -> HistoryId {
    HistoryId::deliberation(&deliberation(name))
}

fn entry(ends: bool) -> Entry {
    Entry { body: Bytes::from_static(b"x"), at: Timestamp(1), ends }
}

fn jobs(count: usize) -> Vec<JobId> {
    let job = |n| JobId {
        deliberation: deliberation("d"),
        round: 0,
        kind: JobKind::Propose,
        subject: AgentId::new(&format!("agent-{n:04}")).expect("a name"),
    };
    (0..count).map(job).collect()
}

fn answer(text: String) -> Answer {
    let outcome = Outcome::Text(Generation { text, ..Generation::default() });
    let job = jobs(1).remove(0);
    Answer { job, attempt: 1, started_at: Timestamp(1), ended_at: Timestamp(2), outcome }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_one_forgets_the_other_does_not_list() {
    let nats = Nats::start();
    let (one, other) = (open(&nats).await, open(&nats).await);
    for name in ["a", "b"] {
        one.events.append(&history(name), Sequence(0), entry(true)).await.expect("appends");
    }
    let newest = Listing::Newest { kind: HistoryKind::Deliberation, limit: 10 };
    assert_eq!(other.events.histories(newest).await.expect("lists").len(), 2);
    one.events.forget(&history("a")).await.expect("forgets");
    let listed = other.events.histories(newest).await.expect("lists");
    assert!(listed.iter().map(|info| &info.id).eq([&history("b")]));

    // A name that was forgotten may be given again, and then it is a new history.
    one.events.append(&history("a"), Sequence(0), entry(false)).await.expect("opens");
    for cluster in [&one, &other] {
        let open = cluster.events.histories(Listing::Open(HistoryKind::Deliberation)).await.expect("lists");
        assert!(open.iter().map(|info| &info.id).eq([&history("a")]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_end_that_another_wrote_is_an_end() {
    let nats = Nats::start();
    let (one, other) = (open(&nats).await, open(&nats).await);
    let end = one.events.append(&history("a"), Sequence(0), entry(true)).await.expect("appends");
    let late = other.events.append(&history("a"), end, entry(false)).await;
    assert!(matches!(late, Err(StoreError::Conflict)), "{late:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_workers_each_job_goes_to_one_and_the_work_is_shared() {
    const WORKERS: usize = 4;
    let nats = Nats::start();
    let mut workers = JoinSet::new();
    let server = open(&nats).await;
    let all = jobs(400);
    for worker in 0..WORKERS {
        let settings = Settings { lease_ms: 60_000, ..settings(&nats) };
        workers.spawn(async move {
            let cluster = Cluster::open(settings, Arc::new(WallClock)).await.expect("opens");
            let mut leased = Vec::new();
            while let Ok(leases) = tokio::time::timeout(Duration::from_secs(3), cluster.jobs.lease(4)).await {
                for lease in leases.expect("leases") {
                    assert_eq!(lease.attempt, 1, "{} was leased twice", lease.job);
                    cluster.jobs.finish(&lease).await.expect("finishes");
                    leased.push(lease.job);
                }
            }
            (worker, leased)
        });
    }
    for some in all.chunks(20) {
        server.jobs.put(some, Priority::Normal).await.expect("puts");
    }
    let mut seen = Vec::new();
    for (worker, leased) in workers.join_all().await {
        assert!(!leased.is_empty(), "worker {worker} got nothing");
        seen.extend(leased);
    }
    seen.sort_unstable();
    assert_eq!(seen, all);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_job_of_a_worker_that_dies_goes_to_another_and_its_attempts_are_counted_on() {
    let nats = Nats::start();
    let server = open(&nats).await;
    server.jobs.put(&jobs(1), Priority::Normal).await.expect("puts");
    for attempt in 1..=3 {
        let worker = open(&nats).await;
        let leased = tokio::time::timeout(Duration::from_secs(60), worker.jobs.lease(1)).await;
        let lease = leased.expect("it comes in time").expect("leases").remove(0);
        assert_eq!(lease.attempt, attempt);
        // It dies here, and never says so.
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn jobs_of_forgotten_deliberations_are_not_offered() {
    let nats = Nats::start();
    let (one, other) = (open(&nats).await, open(&nats).await);
    let all = jobs(3);
    one.jobs.put(&all, Priority::Normal).await.expect("puts");
    let lease = other.jobs.lease(1).await.expect("leases").remove(0);
    one.answers.forget(&deliberation("d")).await.expect("forgets");
    assert!(matches!(other.jobs.beat(&lease).await, Err(StoreError::Conflict)));
    let next = JobId { deliberation: deliberation("e"), ..all[0].clone() };
    one.jobs.put(std::slice::from_ref(&next), Priority::Low).await.expect("puts");
    assert_eq!(other.jobs.lease(1).await.expect("leases")[0].job, next);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_answer_of_any_size_is_found_and_followed_by_all() {
    let nats = Nats::start();
    let (one, other) = (open(&nats).await, open(&nats).await);
    let large = answer("ä".repeat(2_000_000));
    assert_eq!(one.answers.record(large.clone()).await.expect("records"), Recorded::First);
    assert_eq!(other.answers.record(large.clone()).await.expect("records"), Recorded::Already);
    let found = other.answers.find(&large.job).await.expect("finds").expect("is there");
    assert!(*found == large);
    let followed = other.answers.tail(Position(0), 1).await.expect("tails");
    assert!(followed.len() == 1 && *followed[0].1 == large);
    one.answers.forget(&large.job.deliberation).await.expect("forgets");
    assert!(other.answers.find(&large.job).await.expect("finds").is_none());
    assert_eq!(other.answers.record(answer("small".into())).await.expect("records"), Recorded::First);
}

fn announced(n: usize) -> (Announcement, Position) {
    let body = Bytes::from(format!("{{\"task_id\":\"{n}\"}}"));
    (Announcement { id: format!("a-{n}"), subject: "deliberation.completed", body }, Position(n as u64 + 1))
}

/// What consumers of announcements see.
async fn seen(nats: &Nats) -> Vec<String> {
    let context = jetstream::new(async_nats::connect(nats.url()).await.expect("connects"));
    let stream = context.get_stream("FLEET_ANNOUNCEMENTS").await.expect("is there");
    let last = stream.cached_info().state.last_sequence;
    let mut seen = Vec::new();
    for sequence in 1..=last {
        let message = stream.get_raw_message(sequence).await.expect("is there");
        assert_eq!(message.subject.as_str(), "deliberation.completed");
        seen.push(message.headers.get("Nats-Msg-Id").expect("an id").to_string());
    }
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_announcement_is_seen_once_however_many_publish_it() {
    let nats = Nats::start();
    let mut replicas = JoinSet::new();
    for _ in 0..3 {
        let cluster = open(&nats).await;
        replicas.spawn(async move {
            let all: Vec<_> = (0..20).map(announced).collect();
            for some in all.chunks(3) {
                cluster.announcements.publish(some).await.expect("publishes");
            }
            cluster.announcements.published_to().await.expect("knows")
        });
    }
    assert!(replicas.join_all().await.iter().all(|position| *position == Position(20)));
    let seen = seen(&nats).await;
    assert_eq!((seen.len(), seen.iter().collect::<BTreeSet<_>>().len()), (20, 20));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_announcement_is_not_published_again_when_the_server_has_forgotten_its_id() {
    const WINDOW_MS: u64 = 200;
    let nats = Nats::start();
    let settings = || Settings { announced_ms: WINDOW_MS, ..settings(&nats) };
    let cluster = Cluster::open(settings(), Arc::new(WallClock)).await.expect("opens");
    cluster.announcements.publish(&[announced(0)]).await.expect("publishes");
    // Someone publishes the next one and dies before it is marked.
    let client = async_nats::connect(nats.url()).await.expect("connects");
    let mut headers = async_nats::HeaderMap::new();
    headers.insert("Nats-Msg-Id", "a-1");
    headers.insert("Fleet-Position", "2");
    let context = jetstream::new(client);
    context
        .publish_with_headers("deliberation.completed", headers, "{}".into())
        .await
        .expect("is sent")
        .await
        .expect("is stored");
    tokio::time::sleep(Duration::from_millis(3 * WINDOW_MS)).await;

    let late = Cluster::open(settings(), Arc::new(WallClock)).await.expect("opens");
    for cluster in [&cluster, &late] {
        cluster.announcements.publish(&[announced(1), announced(2)]).await.expect("publishes");
        assert_eq!(cluster.announcements.published_to().await.expect("knows"), Position(3));
    }
    assert_eq!(seen(&nats).await, ["a-0", "a-1", "a-2"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_announcement_that_is_too_large_is_cut_and_says_so() {
    let nats = Nats::start();
    let cluster = open(&nats).await;
    let body = format!(r#"{{"task_id":"a","winner_id":"x","text":"{}"}}"#, "y".repeat(3_000_000));
    let large = Announcement { id: "a".into(), subject: "deliberation.completed", body: body.into() };
    cluster.announcements.publish(&[(large, Position(1))]).await.expect("publishes");
    assert_eq!(seen(&nats).await, ["a"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_nobody_can_read_holds_up_nobody_else() {
    let nats = Nats::start();
    let cluster = open(&nats).await;
    let context = jetstream::new(async_nats::connect(nats.url()).await.expect("connects"));
    let garbage = [
        "fleet.log.deliberation.x",
        "fleet.log.%FF",
        "fleet.answer.d.0.propose.agent-9999",
        "fleet.job.d.0.propose.agent-9999",
        "fleet.job.x",
    ];
    for subject in garbage {
        context.publish(subject, "{".into()).await.expect("is sent").await.expect("is stored");
    }
    cluster.events.append(&history("a"), Sequence(0), entry(false)).await.expect("appends");
    let records = cluster.events.tail(Position(0), 10).await.expect("tails");
    assert!(records.iter().map(|record| &record.history).eq([&history("a")]));
    let open = cluster.events.histories(Listing::Open(HistoryKind::Deliberation)).await.expect("lists");
    assert!(open.iter().map(|info| &info.id).eq([&history("a")]));
    let read = cluster.events.read(&history("x"), Sequence(0)).await;
    assert!(matches!(read, Err(StoreError::Corrupt(..))), "{read:?}");

    cluster.answers.record(answer("yes".into())).await.expect("records");
    assert_eq!(cluster.answers.tail(Position(0), 10).await.expect("tails").len(), 1);
    let unreadable = JobId { subject: AgentId::new("agent-9999").expect("a name"), ..jobs(1).remove(0) };
    let found = cluster.answers.find(&unreadable).await;
    assert!(matches!(found, Err(StoreError::Corrupt(..))), "{found:?}");

    cluster.jobs.put(&jobs(1), Priority::Normal).await.expect("puts");
    assert_eq!(cluster.jobs.lease(5).await.expect("leases").len(), 1);
    let put = cluster.jobs.put(&[unreadable], Priority::Normal).await;
    assert!(matches!(put, Err(StoreError::Corrupt(..))), "{put:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_body_that_is_not_what_was_written_is_found() {
    let nats = Nats::start();
    let cluster = open(&nats).await;
    let context = jetstream::new(async_nats::connect(nats.url()).await.expect("connects"));
    cluster.events.append(&history("a"), Sequence(0), entry(false)).await.expect("appends");
    let stream = context.get_stream("FLEET_LOG").await.expect("is there");
    let record = stream.get_raw_message(1).await.expect("is there");
    stream.purge().await.expect("purges");
    let mut headers = async_nats::HeaderMap::new();
    for name in ["Fleet-At", "Fleet-Opens", "Fleet-Digest"] {
        headers.insert(name, record.headers.get(name).expect("it has one").clone());
    }
    let forged = context.publish_with_headers(record.subject, headers, "y".into());
    forged.await.expect("is sent").await.expect("is stored");
    let read = cluster.events.read(&history("a"), Sequence(0)).await;
    assert!(matches!(read, Err(StoreError::Corrupt(..))), "{read:?}");
}
