//! `fleet serve`: the server, until it is told to stop.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use fleet_orchestrator::Scope;
use fleet_server::{Grpc, GrpcSettings};
use tokio::net::TcpListener;

use crate::config::Loaded;
use crate::running::Running;
use crate::show::follow::Signals;
use crate::show::{many, say};
use crate::telemetry::Telemetry;
use crate::{Exit, Problem, model, state};

pub(super) async fn run(loaded: &Loaded) -> anyhow::Result<Exit> {
    let mut signals = Signals::listen()?;
    let mut running = tokio::select! {
        biased;
        // Nothing is under way yet.
        () = signals.any() => return Ok(Exit::Done),
        running = start(loaded) => running?,
    };
    let broken = tokio::select! {
        biased;
        () = signals.any() => None,
        broken = running.broken() => Some(broken),
    };
    match broken {
        None => stop(running, signals, Duration::from_secs(loaded.config.server.shutdown_grace_s)).await,
        Some(broken) => {
            say("stopping; what is under way goes on at the next start");
            running.stop(None).await;
            Err(broken)
        }
    }
}

async fn start(loaded: &Loaded) -> anyhow::Result<Running> {
    let config = &loaded.config;
    let listener = TcpListener::bind(config.server.listen).await.map_err(|error| {
        let message =
            format!("cannot listen on {}: {error}; --listen names another address", config.server.listen);
        Problem::new(Exit::Unavailable, message)
    })?;
    let address = listener.local_addr().context("asking for the address")?;
    let telemetry = Telemetry::start()?;
    let chosen = model::choose(loaded, model::World::told(telemetry.observer()), model::For::Serving).await?;
    let models = chosen.named.clone();
    let mut running = Running::start(loaded, chosen, telemetry, Scope::All).await?;
    running.describe(&state::serving(address))?;

    let settings = GrpcSettings {
        wait_by_default: config.server.wait_by_default,
        in_flight_max: config.server.in_flight_max,
        streams_max: config.server.streams_max,
    };
    let grpc = Grpc::new(
        Arc::clone(&running.coordinator),
        Arc::clone(&running.models) as _,
        Arc::clone(&running.telemetry.stats),
        Arc::clone(&running.clock),
        Arc::clone(&running.ticks) as _,
        settings,
        running.stop.clone(),
    );
    let stop = running.stop.child_token();
    let scrape = running.scrape(config.server.in_flight_max);
    let server = fleet_server::serve(grpc, scrape, listener, config.server.message_bytes_max, stop.clone())
        .context("preparing reflection")?;
    running.parts.spawn(async move { ("the gRPC server", server.await.map_err(Into::into)) });
    let open = running.coordinator.in_flight();
    say(format_args!("fleet {} serves gRPC on {address}", env!("CARGO_PKG_VERSION")));
    for model in models {
        say(format_args!("model: {model}"));
    }
    say(format_args!("state: {} ({open} deliberations open)", loaded.state_dir()?.display()));
    Ok(running)
}

/// Stops in two stages: first nothing further is begun, and what is under way may end for a while; then
/// everything ends. A signal goes on to the next stage.
async fn stop(mut running: Running, mut signals: Signals, grace: Duration) -> anyhow::Result<Exit> {
    let jobs = running.close();
    if jobs > 0 && !grace.is_zero() {
        let (seconds, jobs) = (grace.as_secs(), many(jobs as u64, "job"));
        say(format_args!(
            "stopping: nothing new is taken; waiting up to {seconds} s for {jobs} under way (a second signal leaves at once)"
        ));
        tokio::select! {
            biased;
            () = signals.any() => {
                say("leaving at once; what is under way goes on at the next start");
                leave(running, signals).await;
                return Ok(Exit::Left);
            }
            drained = running.drained() => if let Err(broken) = drained {
                leave(running, signals).await;
                return Err(broken);
            },
            () = tokio::time::sleep(grace) => {}
        }
    }
    say("stopping; what is under way goes on at the next start");
    running.leave_jobs().await;
    tokio::select! {
        biased;
        () = running.stop(None) => {}
        () = signals.any() => {}
    }
    Ok(Exit::Done)
}

/// Ends everything where it is, but for the answers that are being recorded.
async fn leave(running: Running, mut signals: Signals) {
    tokio::select! {
        biased;
        () = running.stop(Some(Duration::ZERO)) => {}
        // A disk that does not answer keeps nobody who insists.
        () = signals.any() => {}
    }
}
