//! All ports on one connection, and what runs behind them.

use std::sync::Arc;

use fleet_orchestrator::port::{Announcements, Answers, Clock, EventStore, JobQueue};
use tokio::task::JoinHandle;

use crate::announcements::JetStreamAnnouncements;
use crate::answers::JetStreamAnswers;
use crate::error::OpenError;
use crate::event_store::JetStreamEventStore;
use crate::job_queue::JetStreamJobQueue;
use crate::link::Link;
use crate::names::Names;
use crate::streams;
use crate::wakes::Wakes;

/// How the ports are to work.
#[derive(Clone)]
pub struct Settings {
    /// Where NATS is: one address, or those of several servers of one cluster, such as `nats://127.0.0.1:4222`. May
    /// hold a name and a password, and is not printed.
    pub servers: Vec<String>,
    /// What the names of all streams and subjects begin with, but those of announcements: small letters, digits and
    /// `-`, a letter first, 1 to 32 of them.
    pub prefix: String,
    /// How many servers keep each stream: 1, 3 or 5, and no more than the cluster has. Streams that are there may
    /// have more, and not fewer.
    pub replicas: usize,
    /// The most bytes of records in a log that is made now. New deliberations are refused above 80 % of it.
    pub log_bytes_max: u64,
    /// The most bytes of answers, of a stream that is made now.
    pub answers_bytes_max: u64,
    /// The most bytes of jobs, of a stream that is made now.
    pub jobs_bytes_max: u64,
    /// The most bytes of announcements, of a stream that is made now; the oldest go first.
    pub announcements_bytes_max: u64,
    /// How long a call waits for NATS before it says that it is not available, in milliseconds. A write is tried
    /// again within it, and read back once behind it.
    pub call_ms: u64,
    /// How long a worker may be silent before its job is given to another, in milliseconds; at least 30.
    pub lease_ms: u64,
    /// How long the server knows which announcements it has, in milliseconds. At least as long as results are
    /// served.
    pub announced_ms: u64,
}

const GIB: u64 = 1024 * 1024 * 1024;

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            servers: vec!["nats://127.0.0.1:4222".into()],
            prefix: "fleet".into(),
            replicas: 1,
            log_bytes_max: 4 * GIB,
            answers_bytes_max: 16 * GIB,
            jobs_bytes_max: GIB / 4,
            announcements_bytes_max: GIB,
            call_ms: 5_000,
            lease_ms: 30_000,
            announced_ms: 2 * 3_600_000,
        }
    }
}

impl Settings {
    fn check(&self) -> Result<(), OpenError> {
        let wrong = |name, found: String, why| Err(OpenError::Setting { name, found, why });
        let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
        let starts = self.prefix.bytes().next().is_some_and(|c| c.is_ascii_lowercase());
        if !starts || self.prefix.len() > 32 || !self.prefix.bytes().all(plain) {
            let why = "it must be 1 to 32 small letters, digits and '-', a letter first";
            return wrong("prefix", format!("{:?}", self.prefix), why);
        }
        if self.servers.is_empty() {
            return wrong("servers", "empty".into(), "there must be an address");
        }
        if ![1, 3, 5].contains(&self.replicas) {
            return wrong("replicas", self.replicas.to_string(), "it must be 1, 3 or 5");
        }
        if self.lease_ms < 30 {
            return wrong("lease_ms", self.lease_ms.to_string(), "it must be at least 30");
        }
        if self.call_ms == 0 {
            return wrong("call_ms", "0".into(), "it must be at least 1");
        }
        Ok(())
    }
}

/// The ports on JetStream. What listens in the background ends with this value.
pub struct Cluster {
    /// Histories.
    pub events: Arc<dyn EventStore>,
    /// Answers.
    pub answers: Arc<dyn Answers>,
    /// Jobs.
    pub jobs: Arc<dyn JobQueue>,
    /// Announcements.
    pub announcements: Arc<dyn Announcements>,
    listener: JoinHandle<()>,
}

impl Cluster {
    /// Connects, makes the streams that are missing, and compares those that are there. Must be called on a runtime
    /// of Tokio.
    pub async fn open(settings: Settings, clock: Arc<dyn Clock>) -> Result<Cluster, OpenError> {
        settings.check()?;
        let link = Link::connect(&settings.servers, settings.call_ms).await?;
        let names = Arc::new(Names::new(&settings.prefix));
        for wanted in streams::wanted(&settings, &names) {
            streams::ensure(&link, &wanted).await?;
        }
        let wakes = Wakes::of(&[names.log, names.answers, names.jobs]);
        let stored = link
            .client
            .subscribe(names.all_stored())
            .await
            .map_err(|error| OpenError::Refused { stream: names.all_stored(), source: error.into() })?;
        let listener = tokio::spawn(wakes.clone().run(stored));
        Ok(Cluster {
            events: Arc::new(JetStreamEventStore::new(link.clone(), Arc::clone(&names), wakes.clone())),
            answers: Arc::new(JetStreamAnswers::new(link.clone(), Arc::clone(&names), wakes.clone())),
            jobs: Arc::new(JetStreamJobQueue::new(
                link.clone(),
                Arc::clone(&names),
                wakes,
                clock,
                settings.lease_ms,
            )),
            announcements: Arc::new(JetStreamAnnouncements::new(link, names, settings.announced_ms)),
            listener,
        })
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.listener.abort();
    }
}
