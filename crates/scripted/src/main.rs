//! A scripted model server as a program, for benchmarks and for tests that outlive what they test.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::Parser;
use fleet_scripted::{Council, Gate, Ledger, Settings, serve};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// Serves the answers of a scripted council over the OpenAI API.
#[derive(Debug, Parser)]
#[command(name = "scripted-model")]
struct Arguments {
    /// Port to listen on; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Name of the model.
    #[arg(long, default_value = "scripted")]
    model: String,
    /// Milliseconds until an answer begins.
    #[arg(long, default_value_t = 0)]
    latency_ms: u64,
    /// Milliseconds until a review begins; as long as any other answer unless said.
    #[arg(long)]
    review_latency_ms: Option<u64>,
    /// A kind of job, such as critique, whose answers wait until a line on standard input names it.
    #[arg(long)]
    hold: Vec<String>,
    /// Milliseconds between two chunks of an answer; with 0 all go out in one write.
    #[arg(long, default_value_t = 0)]
    between_ms: u64,
    /// About how long an answer is.
    #[arg(long, default_value_t = 2048)]
    answer_bytes: usize,
    /// How many chunks an answer is streamed in.
    #[arg(long, default_value_t = 8)]
    chunks: usize,
    /// The key that callers must send.
    #[arg(long)]
    api_key: Option<String>,
    /// A file that gets a line of JSON when a call begins and another one when it ends.
    #[arg(long)]
    ledger: Option<PathBuf>,
    /// Threads to serve with.
    #[arg(long, default_value_t = 1)]
    threads: usize,
}

fn main() -> io::Result<()> {
    let arguments = Arguments::parse();
    let mut runtime = match arguments.threads {
        0 | 1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    if arguments.threads > 1 {
        runtime.worker_threads(arguments.threads);
    }
    let runtime = runtime.enable_all().build()?;
    let ended = runtime.block_on(run(arguments));
    // A read of standard input may go on for ever.
    runtime.shutdown_background();
    ended
}

async fn run(arguments: Arguments) -> io::Result<()> {
    let Arguments { model, latency_ms, answer_bytes, chunks, between_ms, .. } = arguments;
    let mut script = Council::new(&model, latency_ms, answer_bytes, chunks, between_ms);
    if let Some(ms) = arguments.review_latency_ms {
        script = script.reviews_after_ms(ms);
    }
    let gates: BTreeMap<String, Gate> =
        arguments.hold.into_iter().map(|kind| (kind, Gate::closed())).collect();
    for (kind, gate) in &gates {
        script = script.behind(kind, gate);
    }
    let ledger = match &arguments.ledger {
        Some(path) => Ledger::in_file(path)?,
        None => Ledger::none(),
    };
    let (mut terminated, mut interrupted) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let listener = TcpListener::bind(("127.0.0.1", arguments.port)).await?;
    let ready = serde_json::json!({
        "url": format!("http://{}", listener.local_addr()?),
        "pid": std::process::id(),
        "model": model,
    });
    println!("{ready}");
    io::stdout().flush()?;
    let settings = Settings { models: vec![model], api_key: arguments.api_key, ledger };
    tokio::select! {
        () = serve(listener, settings, script) => {}
        Err(error) = let_go(&gates) => return Err(error),
        _ = terminated.recv() => {}
        _ = interrupted.recv() => {}
    }
    Ok(())
}

/// Opens the gate of each kind that is named on standard input. Nothing is read if nothing is held.
async fn let_go(gates: &BTreeMap<String, Gate>) -> io::Result<()> {
    if gates.is_empty() {
        return Ok(());
    }
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(kind) = lines.next_line().await? {
        match gates.get(kind.trim()) {
            Some(gate) => gate.open(),
            None => return Err(io::Error::other(format!("no answers of kind {kind} are held"))),
        }
    }
    Ok(())
}
