//! Measures the store on this machine's disk: `cargo run --release --example measure -- DIRECTORY`.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use fleet_deliberation::{
    AgentId, Answer, DeliberationId, Generation, JobId, JobKind, Outcome, Priority, Timestamp,
};
use fleet_embedded::{Embedded, Settings, SystemClock};
use fleet_orchestrator::port::{Entry, HistoryId, Sequence};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

const RECORD_BYTES: usize = 1024;

#[tokio::main]
async fn main() {
    let parent = std::env::args().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let dir = tempfile::tempdir_in(parent).expect("a directory to measure in");
    let (p50, p99) = syncs(dir.path());
    println!("{:48} p50 {p50:>9.1?}  p99 {p99:>9.1?}", "write of 8 KiB and fdatasync, no store");

    let began = Instant::now();
    let store = open(dir.path());
    println!("{:48} {:>9.1?}", "opening, first time", began.elapsed());
    lone_appends(&store).await;
    for (callers, seconds) in [(8, 3), (64, 3), (512, 5)] {
        together(&store, callers, Duration::from_secs(seconds)).await;
    }
    paced(&store, 1000, 20).await;
    finds(&store).await;
    jobs(&store).await;
    println!("{:#?}", store.stats());
    let began = Instant::now();
    store.close().await;
    drop(store);
    println!("{:48} {:>9.1?}", "closing", began.elapsed());

    let began = Instant::now();
    let store = open(dir.path());
    println!("{:48} {:>9.1?}", "opening again", began.elapsed());
    finds_in_file(&store).await;
    store.close().await;
}

fn open(dir: &Path) -> Arc<Embedded> {
    let settings = Settings::default();
    Arc::new(Embedded::open(dir, settings, Arc::new(SystemClock)).expect("the store opens"))
}

fn syncs(dir: &Path) -> (Duration, Duration) {
    let mut file = File::create(dir.join("probe")).expect("a file");
    let times = (0..1000).map(|n: u64| {
        // Over the same megabyte, as a log that begins anew does.
        file.seek(SeekFrom::Start(n % 128 * 8192)).expect("seeks");
        file.write_all(&[n as u8; 8192]).expect("writes");
        let began = Instant::now();
        file.sync_data().expect("syncs");
        began.elapsed()
    });
    percentiles(times.collect())
}

async fn lone_appends(store: &Embedded) {
    let mut times = Vec::new();
    for n in 0..2000 {
        let history = history(&format!("lone-{n}"));
        let began = Instant::now();
        store.events.append(&history, Sequence(0), entry()).await.expect("appends");
        times.push(began.elapsed());
    }
    report("append, one at a time", times, None);
}

async fn together(store: &Arc<Embedded>, callers: usize, duration: Duration) {
    let mut tasks = JoinSet::new();
    let began = Instant::now();
    for caller in 0..callers {
        let store = Arc::clone(store);
        tasks.spawn(async move {
            let history = history(&format!("together-{callers}-{caller}"));
            let mut after = Sequence(0);
            let mut times = Vec::new();
            while began.elapsed() < duration {
                let began = Instant::now();
                after = store.events.append(&history, after, small()).await.expect("appends");
                times.push(began.elapsed());
            }
            times
        });
    }
    let times: Vec<Duration> = tasks.join_all().await.into_iter().flatten().collect();
    report(&format!("append of 200 bytes, {callers} callers"), times, Some(began.elapsed()));
}

async fn paced(store: &Arc<Embedded>, per_second: u64, seconds: u64) {
    let mut tasks = JoinSet::new();
    let mut ticks = interval(Duration::from_micros(1_000_000 / per_second));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for n in 0..per_second * seconds {
        ticks.tick().await;
        let store = Arc::clone(store);
        tasks.spawn(async move {
            let began = Instant::now();
            let history = history(&format!("paced-{n}"));
            store.events.append(&history, Sequence(0), entry()).await.expect("appends");
            began.elapsed()
        });
    }
    report(&format!("submission of 1 KiB, {per_second} a second"), tasks.join_all().await, None);
}

async fn finds(store: &Embedded) {
    let (mut misses, mut records, mut hits) = (Vec::new(), Vec::new(), Vec::new());
    for n in 0..2000 {
        let answer = answer(&format!("paced-{n}"));
        let job = answer.job.clone();
        let began = Instant::now();
        assert!(store.answers.find(&job).await.expect("finds").is_none());
        misses.push(began.elapsed());
        let began = Instant::now();
        store.answers.record(answer).await.expect("records");
        records.push(began.elapsed());
        let began = Instant::now();
        assert!(store.answers.find(&job).await.expect("finds").is_some());
        hits.push(began.elapsed());
    }
    report("find, not there, opened by this process", misses, None);
    report("record of 2 KiB, one at a time", records, None);
    report("find, recorded by this process", hits, None);
}

async fn finds_in_file(store: &Arc<Embedded>) {
    let mut times = Vec::new();
    for n in 0..2000 {
        let job = answer(&format!("paced-{n}")).job;
        let began = Instant::now();
        assert!(store.answers.find(&job).await.expect("finds").is_some());
        times.push(began.elapsed());
    }
    report("find, in the file", times, None);
    let mut tasks = JoinSet::new();
    let began = Instant::now();
    for caller in 0..64 {
        let store = Arc::clone(store);
        tasks.spawn(async move {
            let mut times = Vec::new();
            for n in 0..1000 {
                let job = answer(&format!("nowhere-{caller}-{n}")).job;
                let began = Instant::now();
                assert!(store.answers.find(&job).await.expect("finds").is_none());
                times.push(began.elapsed());
            }
            times
        });
    }
    let times = tasks.join_all().await.into_iter().flatten().collect();
    report("find, not in the file, 64 callers", times, Some(began.elapsed()));
}

async fn jobs(store: &Arc<Embedded>) {
    let jobs: Vec<JobId> = (0..100_000).map(|n| answer(&format!("queued-{n}")).job).collect();
    let before = store.stats().commits;
    let began = Instant::now();
    store.jobs.put(&jobs, Priority::Normal).await.expect("puts");
    let mut tasks = JoinSet::new();
    for _ in 0..32 {
        let store = Arc::clone(store);
        tasks.spawn(async move {
            for _ in 0..100_000 / 32 {
                for lease in store.jobs.lease(1).await.expect("leases") {
                    store.jobs.finish(&lease).await.expect("finishes");
                }
            }
        });
    }
    tasks.join_all().await;
    let rate = 100_000.0 / began.elapsed().as_secs_f64();
    let commits = store.stats().commits - before;
    println!("{:48} {rate:>9.0}/s, {commits} commits", "jobs put, leased and finished");
}

fn report(what: &str, times: Vec<Duration>, took: Option<Duration>) {
    let count = times.len();
    let max = times.iter().max().copied().unwrap_or_default();
    let (p50, p99) = percentiles(times);
    print!("{what:48} p50 {p50:>9.1?}  p99 {p99:>9.1?}  max {max:>9.1?}");
    match took {
        Some(took) => println!("  {:>9.0}/s", count as f64 / took.as_secs_f64()),
        None => println!(),
    }
}

fn percentiles(mut times: Vec<Duration>) -> (Duration, Duration) {
    times.sort_unstable();
    (times[times.len() / 2], times[times.len() * 99 / 100])
}

fn history(id: &str) -> HistoryId {
    HistoryId::deliberation(&DeliberationId::new(id).expect("a name"))
}

fn entry() -> Entry {
    Entry { body: Bytes::from(vec![b'x'; RECORD_BYTES]), at: Timestamp(1), ends: false }
}

fn small() -> Entry {
    Entry { body: Bytes::from_static(&[b'x'; 200]), at: Timestamp(1), ends: false }
}

fn answer(id: &str) -> Answer {
    Answer {
        job: JobId {
            deliberation: DeliberationId::new(id).expect("a name"),
            round: 0,
            kind: JobKind::Propose,
            subject: AgentId::new("agent-dev-001").expect("a name"),
        },
        attempt: 1,
        started_at: Timestamp(1),
        ended_at: Timestamp(2),
        outcome: Outcome::Text(Generation { text: "x".repeat(2048), ..Generation::default() }),
    }
}
