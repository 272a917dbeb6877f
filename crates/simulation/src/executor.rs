//! Runs futures in one thread in an order that a seed chooses.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use crate::rng::Rng;

pub(crate) type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Who a task belongs to; what dies together has the same owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Owner {
    Client,
    Process(usize),
}

struct Slot {
    owner: Owner,
    task: Task,
    ready: Arc<Ready>,
    waker: Waker,
}

struct Ready(AtomicBool);

impl Wake for Ready {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[derive(Default)]
pub(crate) struct Executor {
    slots: BTreeMap<u64, Slot>,
    next: u64,
}

impl Executor {
    pub(crate) fn spawn(&mut self, owner: Owner, task: Task) {
        let ready = Arc::new(Ready(AtomicBool::new(true)));
        let waker = Waker::from(Arc::clone(&ready));
        self.slots.insert(self.next, Slot { owner, task, ready, waker });
        self.next += 1;
    }

    /// Drops every task of an owner, wherever it stands.
    pub(crate) fn kill(&mut self, owner: Owner) {
        self.slots.retain(|_, slot| slot.owner != owner);
    }

    pub(crate) fn owns_tasks(&self, owner: Owner) -> bool {
        self.slots.values().any(|slot| slot.owner == owner)
    }

    /// Polls one ready task; gives its number, or `None` if none is ready.
    pub(crate) fn step(&mut self, rng: &mut Rng) -> Option<u64> {
        let ready: Vec<u64> =
            self.slots.iter().filter(|(_, s)| s.ready.0.load(Ordering::Relaxed)).map(|(id, _)| *id).collect();
        let chosen = *ready.get(usize::try_from(rng.below(ready.len() as u64)).unwrap_or(0))?;
        let slot = self.slots.get_mut(&chosen)?;
        slot.ready.0.store(false, Ordering::Relaxed);
        let mut context = Context::from_waker(&slot.waker);
        if let Poll::Ready(()) = slot.task.as_mut().poll(&mut context) {
            self.slots.remove(&chosen);
        }
        Some(chosen)
    }
}
