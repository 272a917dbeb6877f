//! Measures round trips over a NATS that is there: `cargo run --release -p fleet-cluster --example measure -- URL`.
//!
//! It makes streams that begin with `measured`, and leaves them.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use bytes::Bytes;
use fleet_cluster::{Cluster, Settings};
use fleet_deliberation::{
    AgentId, Answer, DeliberationId, Generation, JobId, JobKind, Outcome, Priority, Timestamp,
};
use fleet_orchestrator::port::{
    Announcement, Clock, Entry, HistoryId, HistoryKind, Listing, Position, Sequence,
};

const TIMES: usize = 1_000;
/// What a record and an answer hold.
const BYTES: usize = 1_024;

struct WallClock;

#[async_trait]
impl Clock for WallClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later than 1970");
        Timestamp(since.as_millis() as u64)
    }

    async fn sleep_until(&self, moment: Timestamp) {
        tokio::time::sleep(Duration::from_millis(moment.ms_since(self.now()))).await;
    }
}

#[tokio::main]
async fn main() {
    let url = std::env::args().nth(1).unwrap_or_else(|| "nats://127.0.0.1:4222".into());
    let replicas = std::env::args().nth(2).map_or(1, |n| n.parse().expect("a number of replicas"));
    let settings = Settings {
        servers: url.split(',').map(str::to_owned).collect(),
        prefix: "measured".into(),
        replicas,
        log_bytes_max: 1 << 30,
        answers_bytes_max: 1 << 30,
        ..Settings::default()
    };
    let cluster = Cluster::open(settings, Arc::new(WallClock)).await.expect("it opens");
    let events = &cluster.events;
    // Names of this run only.
    let run = WallClock.now().0;

    let history = HistoryId::deliberation(&id(&format!("{run}-one")));
    let mut after = Sequence(0);
    let mut appends = Vec::new();
    for _ in 0..TIMES {
        let (took, sequence) = timed(events.append(&history, after, entry())).await;
        after = sequence.expect("appends");
        appends.push(took);
    }
    tell("append to one history", appends);
    repeat("append that opens a history", async |n| {
        let history = HistoryId::deliberation(&id(&format!("{run}-{n}")));
        timed(events.append(&history, Sequence(0), entry())).await.0
    })
    .await;
    repeat("read of a history of one record", async |n| {
        let history = HistoryId::deliberation(&id(&format!("{run}-{n}")));
        timed(events.read(&history, Sequence(0))).await.0
    })
    .await;
    repeat("append until a follower has it", async |n| {
        let end = events.end().await.expect("ends");
        let history = HistoryId::deliberation(&id(&format!("{run}-followed-{n}")));
        let tail = events.tail(end, 1);
        let both = async { tokio::join!(events.append(&history, Sequence(0), entry()), tail) };
        timed(both).await.0
    })
    .await;
    let (took, listed) = timed(events.histories(Listing::Open(HistoryKind::Deliberation))).await;
    println!("{:40} {took:>9.1?} ({})", "first listing of open histories", listed.expect("lists").len());
    repeat("listing of open histories", async |_| {
        timed(events.histories(Listing::Open(HistoryKind::Deliberation))).await.0
    })
    .await;
    repeat("answer recorded", async |n| timed(cluster.answers.record(answer(run, n))).await.0).await;
    repeat("answer found", async |n| timed(cluster.answers.find(&job(run, n))).await.0).await;
    repeat("answer looked for and not found", async |n| {
        timed(cluster.answers.find(&job(run + 1, n))).await.0
    })
    .await;
    let (mut put, mut leased, mut finished) = (Vec::new(), Vec::new(), Vec::new());
    for n in 0..TIMES {
        let (took, done) = timed(cluster.jobs.put(&[job(run, n)], Priority::Normal)).await;
        done.expect("puts");
        put.push(took);
        let (took, leases) = timed(cluster.jobs.lease(1)).await;
        leased.push(took);
        let (took, done) = timed(cluster.jobs.finish(&leases.expect("leases")[0])).await;
        done.expect("finishes");
        finished.push(took);
    }
    let sum = |n: usize| put[n] + leased[n] + finished[n];
    tell("job put, leased and finished", (0..TIMES).map(sum).collect());
    tell("  put", put);
    tell("  leased", leased);
    tell("  finished", finished);
    repeat("announcement", async |n| {
        let body = Bytes::from_static(b"{}");
        let announcement = Announcement { id: format!("{run}-{n}"), subject: "deliberation.completed", body };
        let position = Position(run * 10_000 + n as u64);
        timed(cluster.announcements.publish(&[(announcement, position)])).await.0
    })
    .await;
}

fn id(name: &str) -> DeliberationId {
    DeliberationId::new(name).expect("a name")
}

fn entry() -> Entry {
    Entry { body: Bytes::from(vec![b'x'; BYTES]), at: Timestamp(1), ends: false }
}

fn job(run: u64, n: usize) -> JobId {
    let subject = AgentId::new("agent-dev-001").expect("a name");
    JobId { deliberation: id(&format!("{run}-{n}")), round: 0, kind: JobKind::Propose, subject }
}

fn answer(run: u64, n: usize) -> Answer {
    let outcome = Outcome::Text(Generation { text: "x".repeat(BYTES), ..Generation::default() });
    Answer { job: job(run, n), attempt: 1, started_at: Timestamp(1), ended_at: Timestamp(2), outcome }
}

async fn timed<T>(call: impl Future<Output = T>) -> (Duration, T) {
    let began = Instant::now();
    let result = call.await;
    (began.elapsed(), result)
}

/// Does something often, one after another.
async fn repeat(what: &str, mut call: impl AsyncFnMut(usize) -> Duration) {
    let mut times = Vec::new();
    for n in 0..TIMES {
        times.push(call(n).await);
    }
    tell(what, times);
}

fn tell(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100];
    println!("{what:40} p50 {:>9.1?}  p99 {:>9.1?}", at(50), at(99));
}
