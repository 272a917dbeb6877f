//! Processes that end with the test that started them.

use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::{Client, PATIENCE, eventually, until};

/// A program that is not started yet.
pub(crate) struct Program {
    command: Command,
    input: Option<String>,
}

/// How a program ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The exit code; 128 and the signal's number where a signal ended it, as shells say it.
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Program {
    pub(crate) fn new(program: &Path, arguments: &[&str]) -> Program {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.kill_on_drop(true);
        Program { command, input: None }
    }

    /// Without any of the environment of the tests.
    pub(crate) fn clean(mut self) -> Program {
        self.command.env_clear();
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Program {
        self.command.env(name, value);
        self
    }

    pub(crate) fn also(mut self, arguments: &[&str]) -> Program {
        self.command.args(arguments);
        self
    }

    /// What the program reads from standard input.
    pub(crate) fn reads(mut self, input: &str) -> Program {
        self.command.stdin(Stdio::piped());
        self.input = Some(input.to_owned());
        self
    }

    pub(crate) fn start(mut self) -> Running {
        let mut child = self.command.spawn().unwrap();
        if let Some(input) = self.input {
            let mut stdin = child.stdin.take().unwrap();
            tokio::spawn(async move { stdin.write_all(input.as_bytes()).await });
        }
        let stdout = Heard::of(child.stdout.take().unwrap());
        let stderr = Heard::of(child.stderr.take().unwrap());
        Running { child, stdout: Some(stdout), stderr: Some(stderr) }
    }

    /// Runs the program to its end.
    pub(crate) async fn end(self) -> Ended {
        self.start().ended().await
    }
}

/// A program that runs; killed when it goes out of scope.
pub(crate) struct Running {
    child: Child,
    stdout: Option<Heard>,
    stderr: Option<Heard>,
}

impl Running {
    /// What it has written to standard error so far.
    pub(crate) fn stderr(&self) -> String {
        self.stderr.as_ref().map(Heard::text).unwrap_or_default()
    }

    /// What it has written to standard output so far.
    pub(crate) fn stdout(&self) -> String {
        self.stdout.as_ref().map(Heard::text).unwrap_or_default()
    }

    /// Nobody reads its standard output any more.
    pub(crate) fn close_stdout(&mut self) {
        self.stdout = None;
    }

    /// Nobody reads its standard error any more.
    pub(crate) fn close_stderr(&mut self) {
        self.stderr = None;
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id().expect("it has not been waited for")
    }

    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.pid().to_string();
        assert!(std::process::Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    /// Waits until standard error says something.
    pub(crate) async fn says(&self, what: &str) {
        until(what, || self.stderr().contains(what)).await;
    }

    pub(crate) async fn ended(self) -> Ended {
        self.ended_within(PATIENCE).await
    }

    /// Waits for the end of a program that has much to do.
    pub(crate) async fn ended_within(mut self, patience: Duration) -> Ended {
        let status = timeout(patience, self.child.wait()).await;
        let status =
            status.unwrap_or_else(|_| panic!("it does not end; it said: {}", self.stderr())).unwrap();
        use std::os::unix::process::ExitStatusExt as _;
        let code = status.code().or(status.signal().map(|signal| 128 + signal)).unwrap();
        let (stdout, stderr) = (whole(self.stdout).await, whole(self.stderr).await);
        Ended { code, stdout, stderr }
    }
}

async fn whole(heard: Option<Heard>) -> String {
    match heard {
        Some(mut heard) => {
            timeout(PATIENCE, &mut heard.reader).await.expect("the pipe closes with the program").unwrap();
            heard.text()
        }
        None => String::new(),
    }
}

/// What comes out of a pipe.
struct Heard {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Heard {
    fn of(mut pipe: impl AsyncRead + Unpin + Send + 'static) -> Heard {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&bytes);
        let reader = tokio::spawn(async move {
            let mut piece = [0; 4096];
            while let Ok(n @ 1..) = pipe.read(&mut piece).await {
                kept.lock().unwrap().extend_from_slice(&piece[..n]);
            }
        });
        Heard { bytes, reader }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().unwrap()).into_owned()
    }
}

impl Drop for Heard {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// What a line of a log for programs says, or the line.
fn spoken(line: &str) -> String {
    let json: Option<serde_json::Value> = serde_json::from_str(line).ok();
    let message = json.as_ref().and_then(|json| json["message"].as_str());
    message.unwrap_or(line).to_owned()
}

/// A server that serves; killed when it goes out of scope.
pub(crate) struct Server {
    pub(crate) running: Running,
    pub(crate) address: String,
}

impl Server {
    pub(crate) async fn of(program: Program) -> Server {
        let mut running = program.start();
        let address = eventually("it serves", || {
            let said = running.stderr();
            let ended = running.child.try_wait().unwrap();
            assert!(ended.is_none(), "the server ended: {said}");
            // The line that follows it shows that the address is there whole.
            let lines = || said.lines().map(spoken);
            let whole = lines().any(|line| line.starts_with("model: "));
            let line = lines().filter(|_| whole).find(|line| line.contains("serves gRPC on "));
            let address = line.and_then(|line| Some(line.rsplit_once(' ')?.1.to_owned()));
            std::future::ready(address)
        })
        .await;
        Server { running, address }
    }

    /// A connection of its own to the server.
    pub(crate) async fn client(&self) -> Client {
        Client::connect(format!("http://{}", self.address)).await.unwrap()
    }

    pub(crate) async fn kill(self) {
        self.running.signal("-KILL");
        assert_eq!(self.running.ended().await.code, 128 + 9);
    }

    /// Tells the server to stop, and waits until it has.
    pub(crate) async fn stop(self) -> Ended {
        self.running.signal("-TERM");
        self.running.ended().await
    }
}
