//! Puts back jobs that were lost, and brings answers that nobody took in. After a start it is what
//! makes open deliberations go on where they were.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use fleet_deliberation::{Answer, DeliberationId, JobId};
use futures_util::StreamExt as _;
use tokio_util::sync::CancellationToken;

use crate::collector::take;
use crate::histories::Histories;
use crate::persist::persist;
use crate::port::{Answers, Clock, JobQueue, StoreError};
use crate::{Coordinator, chain};

/// How many deliberations are looked at at once.
const LOOKS_MAX: usize = 64;

/// Which deliberations a process works on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// All that are open.
    All,
    /// This one. The others end when their time is up; else nothing is decided, or spent, on them.
    Only(DeliberationId),
}

impl Scope {
    /// Whether `id` is worked on.
    #[must_use]
    pub fn holds(&self, id: &DeliberationId) -> bool {
        match self {
            Scope::All => true,
            Scope::Only(only) => only == id,
        }
    }
}

/// Looks after open deliberations.
pub struct Sweep {
    histories: Arc<Histories>,
    coordinator: Arc<Coordinator>,
    answers: Arc<dyn Answers>,
    queue: Arc<dyn JobQueue>,
    clock: Arc<dyn Clock>,
    scope: Scope,
    every_ms: u64,
    overdue_ms: u64,
}

impl Sweep {
    /// A sweep over `scope` every `every_ms`, for jobs that were asked for `overdue_ms` ago.
    #[must_use]
    pub fn new(
        coordinator: Arc<Coordinator>,
        answers: Arc<dyn Answers>,
        queue: Arc<dyn JobQueue>,
        clock: Arc<dyn Clock>,
        scope: Scope,
        (every_ms, overdue_ms): (u64, u64),
    ) -> Sweep {
        let histories = Arc::clone(coordinator.histories());
        Sweep { histories, coordinator, answers, queue, clock, scope, every_ms, overdue_ms }
    }

    /// Sweeps everything at once, then what is overdue again and again, until told to stop.
    pub async fn run(self, stop: CancellationToken) {
        stop.run_until_cancelled(self.again_and_again()).await;
    }

    async fn again_and_again(&self) {
        let mut overdue_ms = 0;
        loop {
            persist(&*self.clock, "sweeping open deliberations", || self.once(overdue_ms)).await;
            overdue_ms = self.overdue_ms;
            self.clock.sleep_until(self.clock.now().plus_ms(self.every_ms)).await;
        }
    }

    /// Looks at every open deliberation in scope once.
    async fn once(&self, overdue_ms: u64) -> Result<(), StoreError> {
        let ids = match &self.scope {
            Scope::Only(id) => vec![id.clone()],
            Scope::All => self.coordinator.count_open().await?,
        };
        let mut looks = futures_util::stream::iter(ids)
            .map(|id| async move {
                let result = self.look_after(&id, overdue_ms).await;
                (id, result)
            })
            .buffer_unordered(LOOKS_MAX);
        let mut looked = 0;
        while let Some((id, result)) = looks.next().await {
            match result {
                Ok(()) => {}
                Err(error @ StoreError::Corrupt(..)) => {
                    tracing::error!(deliberation.id = %id, error = chain(&error), "a history cannot be read");
                }
                Err(error) => return Err(error),
            }
            looked += 1;
            if looked % LOOKS_MAX == 0 {
                give_way().await;
            }
        }
        Ok(())
    }

    async fn look_after(&self, id: &DeliberationId, overdue_ms: u64) -> Result<(), StoreError> {
        let Some(loaded) = self.histories.load(id).await? else { return Ok(()) };
        let now = self.clock.now();
        let mut lost: Vec<JobId> = Vec::new();
        let mut found: Vec<Arc<Answer>> = Vec::new();
        for (job, window) in loaded.state.outstanding() {
            if window.from.plus_ms(overdue_ms) > now {
                continue;
            }
            match self.answers.find(&job).await? {
                Some(answer) => found.push(answer),
                None if window.until > now => lost.push(job),
                // Its time is over, and what follows is for the timers to bring up.
                None => {}
            }
        }
        if !lost.is_empty() {
            self.queue.put(&lost, loaded.state.submission().priority).await?;
        }
        if !found.is_empty() {
            take(&self.coordinator, &*self.clock, id, &found).await?;
        }
        Ok(())
    }
}

/// Lets others run: looks at what is in memory wait for nothing, and thousands of them are a long time.
async fn give_way() {
    let mut given = false;
    poll_fn(|context| {
        if std::mem::replace(&mut given, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
