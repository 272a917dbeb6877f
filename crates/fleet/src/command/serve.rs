//! `fleet serve`: the server, until it is told to stop.

use std::sync::Arc;

use anyhow::Context as _;
use fleet_orchestrator::Scope;
use fleet_server::{Grpc, GrpcSettings};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::config::Loaded;
use crate::running::Running;
use crate::show::say;
use crate::{Exit, Problem, model, state};

pub(super) async fn run(loaded: &Loaded) -> anyhow::Result<Exit> {
    let config = &loaded.config;
    let mut terminated = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    let mut interrupted = signal(SignalKind::interrupt()).context("listening for SIGINT")?;
    let listener = TcpListener::bind(config.server.listen).await.map_err(|error| {
        let message =
            format!("cannot listen on {}: {error}; --listen names another address", config.server.listen);
        Problem::new(Exit::Unavailable, message)
    })?;
    let address = listener.local_addr().context("asking for the address")?;
    let chosen = model::choose(loaded, Arc::new(fleet_embedded::SystemClock), None).await?;
    let label = chosen.label.clone();
    let mut running = Running::start(loaded, chosen, Scope::All).await?;
    running.describe(&state::serving(address))?;

    let settings = GrpcSettings {
        wait_by_default: config.server.wait_by_default,
        in_flight_max: config.server.in_flight_max,
        streams_max: config.server.streams_max,
    };
    let grpc = Grpc::new(
        Arc::clone(&running.coordinator),
        Arc::clone(&running.clock),
        Arc::clone(&running.ticks) as _,
        settings,
        running.stop.clone(),
    );
    let stop = running.stop.child_token();
    let server = fleet_server::serve(grpc, listener, config.server.message_bytes_max, stop.clone())
        .context("preparing reflection")?;
    running.parts.spawn(async move { ("the gRPC server", server.await.map_err(Into::into)) });
    let open = running.coordinator.in_flight();
    say(format_args!("fleet {} serves gRPC on {address}", env!("CARGO_PKG_VERSION")));
    say(format_args!("model: {label}"));
    say(format_args!("state: {} ({open} deliberations open)", loaded.state_dir()?.display()));

    let exit = tokio::select! {
        biased;
        _ = terminated.recv() => Ok(Exit::Done),
        _ = interrupted.recv() => Ok(Exit::Done),
        broken = running.broken() => Err(broken),
    };
    say("stopping; what is under way goes on at the next start");
    tokio::select! {
        biased;
        () = running.stop(None) => {}
        _ = terminated.recv() => {}
        _ = interrupted.recv() => {}
    }
    exit
}
