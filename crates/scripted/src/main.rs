//! A scripted model server as a program, for benchmarks and for tests that outlive what they test.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Parser;
use fleet_scripted::{Council, Ledger, Settings, serve};
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
    runtime.enable_all().build()?.block_on(run(arguments))
}

async fn run(arguments: Arguments) -> io::Result<()> {
    let Arguments { model, latency_ms, answer_bytes, chunks, between_ms, .. } = arguments;
    let script = Council::new(&model, latency_ms, answer_bytes, chunks, between_ms);
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
        _ = terminated.recv() => {}
        _ = interrupted.recv() => {}
    }
    Ok(())
}
