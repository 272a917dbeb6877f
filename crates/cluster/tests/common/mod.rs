//! A real NATS server on a free port of this machine, in a folder of its own.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use fleet_cluster::{Cluster, Settings};
use fleet_deliberation::Timestamp;
use fleet_orchestrator::port::Clock;
use tempfile::TempDir;

/// What a server may take until it serves.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server that is killed when it goes out of scope.
pub(crate) struct Nats {
    dir: TempDir,
    child: Child,
    port: u16,
}

impl Nats {
    /// Starts a server as it is by default.
    pub(crate) fn start() -> Nats {
        let mut nats = Nats::begin("alone", "");
        nats.wait_until_it_serves();
        nats
    }

    /// Starts three servers that make one cluster, and waits until they have found each other.
    pub(crate) fn start_three() -> [Nats; 3] {
        let probes = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").expect("a port"));
        let ports = probes.each_ref().map(|probe| probe.local_addr().expect("an address").port());
        drop(probes);
        let routes = ports.map(|port| format!("nats://127.0.0.1:{port}")).join(", ");
        let mut nodes = [0, 1, 2].map(|n| {
            let cluster = format!(
                "cluster {{\n  name: three\n  listen: \"127.0.0.1:{}\"\n  routes: [{routes}]\n}}\n",
                ports[n]
            );
            Nats::begin(&format!("node-{n}"), &cluster)
        });
        nodes.iter_mut().for_each(Nats::wait_until_it_serves);
        nodes
    }

    /// Starts a server with further parts of configuration.
    fn begin(name: &str, further: &str) -> Nats {
        let dir = tempfile::tempdir().expect("a folder");
        let store = dir.path().join("store");
        let config = format!("server_name: {name}\njetstream {{\n  store_dir: {store:?}\n}}\n{further}");
        std::fs::write(dir.path().join("nats.conf"), config).expect("a file");
        let child = spawn(dir.path(), None);
        // From here on the child ends with this value.
        let mut nats = Nats { dir, child, port: 0 };
        nats.port = nats.told_port();
        nats
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Ends the server in the middle of whatever it does.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
    }

    /// Starts it again where it was, with what it had.
    pub(crate) fn start_again(&mut self) {
        self.child = spawn(self.dir.path(), Some(self.port));
        self.wait_until_it_serves();
    }

    /// Stops it without ending it, or lets it go on: connections stay, and nothing is answered.
    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status().expect("kill(1) can be started");
        assert!(sent.success());
    }

    /// The port that the server took, as it tells in a file of its own.
    fn told_port(&mut self) -> u16 {
        let file = self.dir.path().join(format!("nats-server_{}.ports", self.child.id()));
        self.until("tells its port", || {
            let text = std::fs::read_to_string(&file).ok()?;
            let (_, rest) = text.split_once("nats://")?;
            rest.split(['"', '/']).next()?.rsplit_once(':')?.1.parse().ok()
        })
    }

    fn wait_until_it_serves(&mut self) {
        let port = self.port;
        self.until("serves", || TcpStream::connect(("127.0.0.1", port)).ok().map(|_| ()));
    }

    fn until<T>(&mut self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let began = Instant::now();
        loop {
            if let Some(found) = look() {
                return found;
            }
            let log = || std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
            let ended = self.child.try_wait().expect("it can be looked at");
            assert!(ended.is_none(), "nats-server ended: {}", log());
            assert!(began.elapsed() < PATIENCE, "nats-server never {what}: {}", log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(dir: &Path, port: Option<u16>) -> Child {
    let port = port.map_or_else(|| "-1".to_owned(), |port| port.to_string());
    Command::new(needed(".venv/bin/nats-server"))
        .args(["--addr", "127.0.0.1", "--port", &port])
        .arg("--config")
        .arg(dir.join("nats.conf"))
        .arg("--log")
        .arg(dir.join("log"))
        .arg("--ports_file_dir")
        .arg(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("nats-server can be started")
}

/// What tests/setup.sh brings. A test that lacks it has failed.
fn needed(path: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    assert!(path.exists(), "{} is missing: run make test", path.display());
    path
}

/// Settings for one server, with small streams and short waits.
pub(crate) fn settings(nats: &Nats) -> Settings {
    const MIB: u64 = 1024 * 1024;
    Settings {
        servers: vec![nats.url()],
        log_bytes_max: 64 * MIB,
        answers_bytes_max: 64 * MIB,
        jobs_bytes_max: 16 * MIB,
        announcements_bytes_max: 16 * MIB,
        lease_ms: 600,
        ..Settings::default()
    }
}

pub(crate) async fn open(nats: &Nats) -> Cluster {
    Cluster::open(settings(nats), Arc::new(WallClock)).await.expect("it opens")
}

/// The time of the machine.
pub(crate) struct WallClock;

#[async_trait]
impl Clock for WallClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later than 1970");
        Timestamp(since.as_millis() as u64)
    }

    async fn sleep_until(&self, moment: Timestamp) {
        while self.now() < moment {
            tokio::time::sleep(Duration::from_millis(moment.ms_since(self.now()))).await;
        }
    }
}
