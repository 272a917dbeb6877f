//! The programs under measurement, each started here and ended here.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use fleet_api::v1::orchestrator_service_client::OrchestratorServiceClient;
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::{sleep, timeout};
use tonic::transport::{Channel, Endpoint};
use tonic_health::ServingStatus;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

/// How long a program may take to be ready, and to end.
const PATIENCE: Duration = Duration::from_secs(30);
/// Ticks of the kernel's clock in a second, as /proc counts them.
const TICKS: f64 = 100.0;

/// The way to a server.
pub(crate) type Client = OrchestratorServiceClient<Channel>;

/// The built programs, which lie beside this one.
pub(crate) struct Programs {
    dir: PathBuf,
}

impl Programs {
    pub(crate) fn find() -> anyhow::Result<Programs> {
        let here = std::env::current_exe().context("asking where this program lies")?;
        let dir = here.parent().context("this program lies in no folder")?.to_owned();
        for name in ["fleet", "scripted-model"] {
            let advice = "build it first: cargo build --release -p fleet -p fleet-scripted";
            ensure!(dir.join(name).exists(), "there is no {name} in {}; {advice}", dir.display());
        }
        Ok(Programs { dir })
    }

    /// Where they lie.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// A scripted model that waits `latency_ms` before each answer of 2 KB.
    pub(crate) async fn model(&self, latency_ms: u64, ledger: Option<&Path>) -> anyhow::Result<Model> {
        self.scripted(Script { latency_ms, ledger, ..Script::default() }).await
    }

    /// A scripted model.
    pub(crate) async fn scripted(&self, script: Script<'_>) -> anyhow::Result<Model> {
        #[derive(Deserialize)]
        struct Ready {
            url: String,
        }
        let Script { latency_ms, review_latency_ms, answer_bytes, ledger, hold } = script;
        let mut command = self.command("scripted-model");
        command.args(["--latency-ms", &latency_ms.to_string()]).stdout(Stdio::piped());
        command.args(["--answer-bytes", &answer_bytes.to_string()]);
        if let Some(ms) = review_latency_ms {
            command.args(["--review-latency-ms", &ms.to_string()]);
        }
        if let Some(ledger) = ledger {
            command.arg("--ledger").arg(ledger);
        }
        for kind in hold {
            command.args(["--hold", kind]).stdin(Stdio::piped());
        }
        let mut child = command.spawn().context("starting the scripted model")?;
        let output = child.stdout.take().context("the scripted model has no output")?;
        let mut line = String::new();
        timeout(PATIENCE, BufReader::new(output).read_line(&mut line)).await??;
        let Ready { url } = serde_json::from_str(&line).context("reading where the model listens")?;
        Ok(Model { input: child.stdin.take(), running: Running { child }, url })
    }

    /// A server on the state in `state`, ready for calls.
    pub(crate) async fn server(
        &self,
        state: &Path,
        model: &Model,
        settings: &[(&str, &str)],
    ) -> anyhow::Result<Server> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut command = self.command("fleet");
        command.arg("serve").args(["--listen", &format!("127.0.0.1:{port}")]);
        command.args(["--url", &model.url]).arg("--state").arg(state);
        // Nothing of this machine's own configuration counts.
        command.arg("--config").arg(empty_file(state)?);
        // Nobody waits for what a measurement leaves behind.
        command.env("FLEET__SERVER__SHUTDOWN_GRACE_S", "0");
        // The figures are those of proposals, reviews and revisions.
        command.env("FLEET__SELECTION__JUDGES", "0").env("FLEET__SELECTION__ARCHITECT", "false");
        // What is measured is the loop, not the code that proposals hold.
        command.env("FLEET__CHECKS__SANDBOX", "off");
        command.envs(settings.iter().copied()).env("FLEET_LOG", "warn").stderr(Stdio::null());
        let began = Instant::now();
        let child = command.spawn().context("starting the server")?;
        let url = format!("http://127.0.0.1:{port}");
        let ready_after =
            timeout(PATIENCE, ready(&url, began)).await.context("the server is not ready")??;
        Ok(Server { running: Running { child }, url, ready_after })
    }

    /// This program once more, in another role.
    pub(crate) fn again(&self) -> Command {
        self.command("bench")
    }

    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(self.dir.join(name));
        command.stdin(Stdio::null()).kill_on_drop(true);
        command
    }
}

fn empty_file(state: &Path) -> anyhow::Result<PathBuf> {
    let path = state.with_extension("toml");
    fs::write(&path, "").context("writing an empty configuration")?;
    Ok(path)
}

/// Waits until the server says that it serves; gives how long that took since `began`.
async fn ready(url: &str, began: Instant) -> anyhow::Result<Duration> {
    let endpoint = Endpoint::from_shared(url.to_owned())?;
    loop {
        if let Ok(channel) = endpoint.connect().await {
            let request = HealthCheckRequest { service: String::new() };
            let answer = HealthClient::new(channel).check(request).await;
            if answer.is_ok_and(|answer| answer.into_inner().status == ServingStatus::Serving as i32) {
                return Ok(began.elapsed());
            }
        }
        sleep(Duration::from_millis(1)).await;
    }
}

/// What a scripted model does.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Script<'a> {
    pub(crate) latency_ms: u64,
    /// As for other answers if nothing is said.
    pub(crate) review_latency_ms: Option<u64>,
    pub(crate) answer_bytes: usize,
    pub(crate) ledger: Option<&'a Path>,
    /// Kinds of jobs whose answers wait for [`Model::let_go`].
    pub(crate) hold: &'a [&'a str],
}

impl Default for Script<'_> {
    fn default() -> Self {
        Script { latency_ms: 0, review_latency_ms: None, answer_bytes: 2048, ledger: None, hold: &[] }
    }
}

/// A model at work.
pub(crate) struct Model {
    input: Option<ChildStdin>,
    pub(crate) running: Running,
    pub(crate) url: String,
}

impl Model {
    /// Lets the answers to jobs of a kind go out.
    pub(crate) async fn let_go(&mut self, kind: &str) -> anyhow::Result<()> {
        let input = self.input.as_mut().context("this model holds nothing")?;
        input.write_all(format!("{kind}\n").as_bytes()).await.context("talking to the model")
    }
}

/// A server at work.
pub(crate) struct Server {
    pub(crate) running: Running,
    pub(crate) url: String,
    /// How long after its start it was ready.
    pub(crate) ready_after: Duration,
}

impl Server {
    pub(crate) async fn client(&self) -> anyhow::Result<Client> {
        connect(&self.url).await
    }
}

/// A connection to the server at `url`.
pub(crate) async fn connect(url: &str) -> anyhow::Result<Client> {
    let channel = Endpoint::from_shared(url.to_owned())?.connect().await?;
    Ok(OrchestratorServiceClient::new(channel).max_decoding_message_size(usize::MAX))
}

/// A process that ends when it is let go.
pub(crate) struct Running {
    child: Child,
}

impl Running {
    /// Asks it to end, and waits.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        if let Some(pid) = self.child.id() {
            let asked = Command::new("kill").args(["-TERM", &pid.to_string()]).status().await?;
            ensure!(asked.success(), "process {pid} could not be asked to end");
        }
        timeout(PATIENCE, self.child.wait()).await.context("a program does not end")??;
        Ok(())
    }

    /// Ends it at once.
    pub(crate) async fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill().await.context("killing a program")
    }

    /// Memory in use, in MiB.
    pub(crate) fn memory_mib(&self) -> f64 {
        self.status("VmRSS:") / 1024.0
    }

    /// Memory in use, in MB.
    pub(crate) fn memory_mb(&self) -> f64 {
        self.status("VmRSS:") * 1024.0 / 1e6
    }

    /// The most memory that was in use at any time, in MB.
    pub(crate) fn peak_mb(&self) -> f64 {
        self.status("VmHWM:") * 1024.0 / 1e6
    }

    pub(crate) fn threads(&self) -> f64 {
        self.status("Threads:")
    }

    /// Open files, sockets and the like.
    pub(crate) fn descriptors(&self) -> f64 {
        let pid = self.child.id().unwrap_or_default();
        fs::read_dir(format!("/proc/{pid}/fd")).map_or(f64::NAN, |open| open.count() as f64)
    }

    fn status(&self, name: &str) -> f64 {
        let status = self.proc("status");
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(f64::NAN)
    }

    /// Time on cores so far.
    pub(crate) fn cpu(&self) -> Duration {
        // The name in parentheses may hold anything; user and system time are the 12th and 13th behind it.
        let stat = self.proc("stat");
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        let ticks: f64 = fields.skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
        Duration::from_secs_f64(ticks / TICKS)
    }

    fn proc(&self, file: &str) -> String {
        let pid = self.child.id().unwrap_or_default();
        fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default()
    }
}
