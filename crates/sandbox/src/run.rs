//! One supervisor at work, as seen by whoever asked for it.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use tokio::time::{Instant, sleep_until, timeout};

use crate::ending::END_MS_MAX;
use crate::helper::{NAME, SUPERVISE};
use crate::output::{Keeper, Output};
use crate::plan::{self, Plan, Report};
use crate::scratch;
use crate::supervise::START_MS_MAX;

/// How much longer than its parts a supervisor may take, in milliseconds.
const SPARE_MS: u64 = 2_000;
/// How long to read on when all writers should be gone, in milliseconds.
const DRAIN_MS_MAX: u64 = 2_000;
const CHUNK_BYTES: usize = 16 * 1024;
const REPORT_CHUNK_BYTES: usize = 512;
const REASON_CHARS_MAX: usize = 500;

/// What a supervisor told.
pub(crate) struct Told {
    pub(crate) report: Report,
    pub(crate) stdout: Output,
    pub(crate) stderr: Output,
}

/// Has a supervisor do what `plan` says.
pub(crate) async fn run(program: &Path, plan: &Plan, blobs: Vec<u8>) -> io::Result<Told> {
    let (control, theirs) = std::os::unix::net::UnixStream::pair()?;
    control.set_nonblocking(true)?;
    let mut supervisor = Command::new(program)
        .arg0(NAME)
        .arg(SUPERVISE)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let limits = &plan.inner.limits;
    let mut run = Run {
        stdout: Stream::new(supervisor.stdout.take(), limits.kept_bytes),
        stderr: Stream::new(supervisor.stderr.take(), limits.kept_bytes),
        supervisor,
        control: UnixStream::from_std(control)?,
        output_bytes_max: limits.output_bytes,
        too_much: false,
    };
    let all_ms = limits.wall_ms + START_MS_MAX + END_MS_MAX + SPARE_MS;
    let deadline = Instant::now() + Duration::from_millis(all_ms);
    let told = timeout(Duration::from_millis(START_MS_MAX), run.tell(plan, &blobs)).await;
    // One that went while it was told has said why.
    let reason = told.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).err();
    let report = run.report(deadline).await.map_err(|error| reason.unwrap_or(error));
    run.finish(report, plan).await
}

/// A reason, and what was written to standard error before anything was started.
pub(crate) fn with_words(reason: &str, stderr: &Output) -> String {
    let text = stderr.text();
    let words: String = text.trim().chars().take(REASON_CHARS_MAX).collect();
    if words.is_empty() { reason.to_owned() } else { format!("{reason}: {words}") }
}

/// One supervisor at work. When this is dropped its connection goes, and with it everything.
struct Run {
    supervisor: Child,
    control: UnixStream,
    stdout: Stream<ChildStdout>,
    stderr: Stream<ChildStderr>,
    output_bytes_max: u64,
    too_much: bool,
}

impl Run {
    async fn tell(&mut self, plan: &Plan, blobs: &[u8]) -> io::Result<()> {
        self.control.write_all(&plan::frame(plan)?).await?;
        self.control.write_all(blobs).await
    }

    /// What the supervisor says in the end; meanwhile takes what the command writes.
    async fn report(&mut self, deadline: Instant) -> io::Result<Report> {
        let mut frame: Vec<u8> = Vec::new();
        loop {
            if let Some(report) = parsed(&frame)? {
                return Ok(report);
            }
            let mut chunk = [0; REPORT_CHUNK_BYTES];
            // Output first: what was written before the end is read before it.
            tokio::select! { biased;
                () = self.stdout.take() => {}
                () = self.stderr.take() => {}
                read = self.control.read(&mut chunk) => match read? {
                    0 => return Err(io::Error::other("its supervisor is gone")),
                    bytes => frame.extend_from_slice(&chunk[..bytes]),
                },
                () = sleep_until(deadline) => return Err(io::Error::other("its supervisor did not end in time")),
            }
            if !self.too_much && self.stdout.written() + self.stderr.written() > self.output_bytes_max {
                self.too_much = true;
                // If it is gone, it needs not be told.
                let _ = self.control.write_all(&[plan::TOO_MUCH_OUTPUT]).await;
            }
        }
    }

    async fn finish(mut self, report: io::Result<Report>, plan: &Plan) -> io::Result<Told> {
        // Without the connection it ends, whatever it does.
        drop(self.control);
        let in_time = Duration::from_millis(END_MS_MAX + SPARE_MS);
        // One that takes longer still has to end something, and is left to it.
        let _ = timeout(in_time, self.supervisor.wait()).await;
        let drained = async {
            while !(self.stdout.ended() && self.stderr.ended()) {
                tokio::select! { biased; () = self.stdout.take() => {} () = self.stderr.take() => {} }
            }
        };
        // Nobody is left to write; should there be, they are not waited for.
        let _ = timeout(Duration::from_millis(DRAIN_MS_MAX), drained).await;
        if plan.scratch.exists() {
            // The supervisor did not come to it.
            let folder = plan.scratch.clone();
            let removed = tokio::task::spawn_blocking(move || scratch::remove(&folder)).await;
            if let Err(error) = removed.map_err(io::Error::other).flatten() {
                tracing::warn!(folder = %plan.scratch.display(), %error, "a scratch folder is left");
            }
        }
        let stderr = self.stderr.keeper.output();
        let report = report.map_err(|error| io::Error::other(with_words(&error.to_string(), &stderr)))?;
        Ok(Told { report, stdout: self.stdout.keeper.output(), stderr })
    }
}

/// A report, if all of it is there.
fn parsed(frame: &[u8]) -> io::Result<Option<Report>> {
    let Some((length, json)) = frame.split_first_chunk() else { return Ok(None) };
    let length = plan::length_of(*length)?;
    Ok(if json.len() < length { None } else { Some(serde_json::from_slice(&json[..length])?) })
}

/// One stream of a command, read into what is kept of it.
struct Stream<R> {
    from: Option<R>,
    keeper: Keeper,
    chunk: Box<[u8; CHUNK_BYTES]>,
}

impl<R: AsyncRead + Unpin> Stream<R> {
    fn new(from: Option<R>, kept_bytes: usize) -> Self {
        Self { from, keeper: Keeper::new(kept_bytes), chunk: Box::new([0; CHUNK_BYTES]) }
    }

    /// Takes what comes next; never returns after the end.
    async fn take(&mut self) {
        let Some(from) = &mut self.from else { return std::future::pending().await };
        match from.read(&mut self.chunk[..]).await {
            Ok(0) | Err(_) => self.from = None,
            Ok(bytes) => self.keeper.take(&self.chunk[..bytes]),
        }
    }

    fn ended(&self) -> bool {
        self.from.is_none()
    }

    fn written(&self) -> u64 {
        self.keeper.written
    }
}
