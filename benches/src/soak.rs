//! Half an hour at half of what the server can do: does anything grow that should not?

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use clap::Args;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::client::task;
use crate::councils;
use crate::figures::{Figures, ms};
use crate::process::{Client, Programs, Running, Server};
use crate::report::{Report, Row};
use crate::{progress, trend};

const MODEL_MS: u64 = 100;
/// Above what is ever asked of the model at once.
const SLOTS: &str = "2048";
/// Enough at once that the model's time is not what limits the capacity.
const AT_ONCE: usize = 256;
const WARM_UP: Duration = Duration::from_secs(5);
const CALIBRATION: Duration = Duration::from_secs(15);
const CONNECTIONS: usize = 4;
const SAMPLE: Duration = Duration::from_secs(5);
const WINDOW_S: f64 = 300.0;
/// How many of the last sent may still be under way; far more than half the capacity ever needs.
const UNDER_WAY_MAX: usize = 20_000;

#[derive(Debug, Clone, Args)]
pub(crate) struct Arguments {
    /// How long; with less than 30 nothing is written
    #[arg(long, default_value_t = 30)]
    minutes: u64,
}

impl Arguments {
    /// Whether it is as long as the page says.
    pub(crate) fn is_whole(&self) -> bool {
        self.minutes >= 30
    }
}

/// What is seen of the server at one moment.
struct Sample {
    /// Since the start, in hours.
    at_h: f64,
    memory_mb: f64,
    descriptors: f64,
    threads: f64,
    state_mb: f64,
}

/// A deliberation's end: when it was to be sent, in seconds since the start, and how long it took.
enum End {
    Completed(f64, Duration),
    Refused,
    Other(String),
}

pub(crate) async fn measure(
    programs: &Programs,
    dir: &Path,
    arguments: &Arguments,
    report: &mut Report,
) -> anyhow::Result<()> {
    let state = dir.join("soak");
    let model = programs.model(MODEL_MS, None).await?;
    let settings = [("FLEET__WORKER__SLOTS", SLOTS), ("FLEET__MODEL__CALLS_MAX", SLOTS)];
    let server = programs.server(&state, &model, &settings).await?;

    progress(format_args!("what the server can do, {CALIBRATION:?}"));
    let from = Instant::now() + WARM_UP;
    let until = from + CALIBRATION;
    let done = councils::between(&server.url, AT_ONCE, from, until, "calibration").await?;
    let capacity = done / CALIBRATION.as_secs_f64();
    let pace = capacity / 2.0;
    let time = Duration::from_secs(60 * arguments.minutes);
    progress(format_args!(
        "{capacity:.0} councils a second; {pace:.0} a second for {} min",
        arguments.minutes
    ));

    let (samples, ends) = hold(&server, &state, pace, time).await?;
    server.running.stop().await?;
    model.running.stop().await?;
    tell(arguments, capacity, pace, &samples, &ends, report)
}

/// Sends at the pace and samples the server until the time is over and all have ended.
async fn hold(
    server: &Server,
    state: &Path,
    pace: f64,
    time: Duration,
) -> anyhow::Result<(Vec<Sample>, Vec<End>)> {
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        clients.push(server.client().await?);
    }
    // The ends come one by one, so that calls that are over take no room here.
    let (ended, mut ends) = mpsc::channel(UNDER_WAY_MAX);
    let began = Instant::now();
    let handle = Handle::current();
    let sender = tokio::task::spawn_blocking(move || send(&clients, pace, time, began, &ended, &handle));
    let mut all = Vec::new();
    let mut samples = Vec::new();
    let mut next = began;
    loop {
        tokio::select! {
            biased;
            () = tokio::time::sleep_until(next.into()) => {
                samples.push(sample(&server.running, state, began));
                next += SAMPLE;
            }
            end = ends.recv() => match end {
                Some(end) => all.push(end),
                None => break,
            },
        }
    }
    sender.await.context("sending")??;
    // What came while nothing is sent any more says nothing of the load.
    samples.retain(|sample| sample.at_h * 3600.0 <= time.as_secs_f64());
    Ok((samples, all))
}

/// Sends from a thread of its own; a deliberation's time counts from the moment it was to be sent.
fn send(
    clients: &[Client],
    pace: f64,
    time: Duration,
    began: Instant,
    ended: &mpsc::Sender<End>,
    handle: &Handle,
) -> anyhow::Result<()> {
    let mut calls = JoinSet::new();
    for n in 0.. {
        let due_s = f64::from(n) / pace;
        let due = began + Duration::from_secs_f64(due_s);
        if due >= began + time {
            break;
        }
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let mut client = clients[n as usize % clients.len()].clone();
        let ended = ended.clone();
        let call = async move {
            let end = match client.deliberate(task(format!("soak-{n}"), true)).await {
                Ok(answer) if answer.get_ref().status == "COMPLETED" => End::Completed(due_s, due.elapsed()),
                Ok(answer) => End::Other(answer.into_inner().status),
                Err(status) if status.code() == tonic::Code::ResourceExhausted => End::Refused,
                Err(status) => End::Other(status.to_string()),
            };
            // Fails only when nobody measures any more.
            _ = ended.send(end).await;
        };
        calls.spawn_on(call, handle);
        while calls.try_join_next().is_some() {}
        ensure!(calls.len() < UNDER_WAY_MAX, "the server falls behind: {UNDER_WAY_MAX} are under way");
    }
    handle.block_on(async { while calls.join_next().await.is_some() {} });
    Ok(())
}

fn sample(server: &Running, state: &Path, began: Instant) -> Sample {
    Sample {
        at_h: began.elapsed().as_secs_f64() / 3600.0,
        memory_mb: server.memory_mb(),
        descriptors: server.descriptors(),
        threads: server.threads(),
        state_mb: size_mb(state),
    }
}

/// The files in a folder.
fn size_mb(dir: &Path) -> f64 {
    let files = std::fs::read_dir(dir).into_iter().flatten().flatten();
    files.filter_map(|file| file.metadata().ok()).map(|file| file.len() as f64).sum::<f64>() / 1e6
}

fn tell(
    arguments: &Arguments,
    capacity: f64,
    pace: f64,
    samples: &[Sample],
    ends: &[End],
    report: &mut Report,
) -> anyhow::Result<()> {
    let second = &samples[samples.len() / 2..];
    ensure!(second.len() > 2, "too short to say anything");
    let mut row = |name: &str, value: String, target: &str, note: String| {
        report.row(Row { name: name.into(), value, target: target.into(), note });
    };
    let minutes = arguments.minutes;
    let note = format!("{AT_ONCE} at once for {} s, a model of {MODEL_MS} ms", CALIBRATION.as_secs());
    row("what the server can do", format!("{capacity:.0} councils a second"), "", note);
    row("the load", format!("{pace:.0} councils a second"), "", format!("half of it, for {minutes} min"));
    let completed = ends.iter().filter(|end| matches!(end, End::Completed(..))).count();
    row("completed", completed.to_string(), "", format!("of {}", ends.len()));
    let refused = ends.iter().filter(|end| matches!(end, End::Refused)).count();
    row("refused", refused.to_string(), "0", String::new());
    let other: Vec<&String> =
        ends.iter().filter_map(|end| if let End::Other(why) = end { Some(why) } else { None }).collect();
    other.iter().take(5).for_each(|why| progress(format_args!("ended otherwise: {why}")));
    row("ended otherwise", other.len().to_string(), "0", String::new());

    let line =
        |of: fn(&Sample) -> f64| second.iter().map(|sample| (sample.at_h, of(sample))).collect::<Vec<_>>();
    let range = |of: fn(&Sample) -> f64| Figures::new(second.iter().map(of).collect()).spread();
    let slope = trend::slope(&line(|sample| sample.memory_mb));
    let memory = range(|sample| sample.memory_mb);
    let note = format!("memory in use there: {memory:.0} MB; by least squares over {} samples", second.len());
    row("memory, slope in the second half", format!("{slope:+.1} MB an hour"), "flat", note);
    let slope = trend::slope(&line(|sample| sample.descriptors));
    let value = format!("{:.0}", range(|sample| sample.descriptors));
    row("open descriptors in the second half", value, "flat", format!("slope {slope:+.1} an hour"));
    row(
        "threads in the second half",
        format!("{:.0}", range(|sample| sample.threads)),
        "flat",
        String::new(),
    );
    let states: Vec<f64> = samples.iter().map(|sample| sample.state_mb).collect();
    let last = states.last().copied().unwrap_or(f64::NAN);
    let most = states.iter().copied().fold(0.0, f64::max);
    let note = format!("{most:.0} MB at the most; histories are kept for 30 days or 10 GiB");
    row("state on disk at the end", format!("{last:.0} MB"), "", note);

    let windows = (minutes as f64 * 60.0 / WINDOW_S).ceil() as usize;
    let mut table = Vec::new();
    for window in 0..windows {
        let within = |at: f64| (at / WINDOW_S) as usize == window;
        let times = ends.iter().filter_map(|end| match end {
            End::Completed(at, time) if within(*at) => Some(ms(*time)),
            _ => None,
        });
        let times = Figures::new(times.collect());
        let last = samples.iter().rfind(|sample| within(sample.at_h * 3600.0));
        let at_its_end = |of: fn(&Sample) -> f64| last.map_or(f64::NAN, of);
        table.push(vec![
            format!("{} to {}", window * 5, (window + 1) * 5),
            times.len().to_string(),
            format!("{:.0}", times.median()),
            format!("{:.0}", times.at(0.95)),
            format!("{:.0}", times.at(0.99)),
            format!("{:.0}", times.max()),
            format!("{:.0}", at_its_end(|sample| sample.memory_mb)),
            format!("{:.0}", at_its_end(|sample| sample.descriptors)),
            format!("{:.0}", at_its_end(|sample| sample.threads)),
            format!("{:.0}", at_its_end(|sample| sample.state_mb)),
        ]);
    }
    let header = [
        "minutes",
        "completed",
        "p50 ms",
        "p95 ms",
        "p99 ms",
        "slowest ms",
        "MB",
        "descriptors",
        "threads",
        "state, MB",
    ];
    report.table(&header, table);
    Ok(())
}
