//! A clock that moves when it is told to, chance that is none, and calls that are polled by hand.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use async_trait::async_trait;
use fleet_deliberation::{DeliberationId, Priority, Timestamp};
use fleet_orchestrator::port::{Clock, Entropy};

use crate::pool::gate::{Gate, NoPlace};
use crate::pool::line::Ask;
use crate::pool::place::Place;
use crate::pool::standing::Bounds;

pub(super) const HEALTH_EVERY_MS: u64 = 10_000;

#[derive(Default)]
struct Moments {
    now: Timestamp,
    sleepers: BTreeMap<(Timestamp, u64), Waker>,
    begun: u64,
}

#[derive(Default, Clone)]
pub(super) struct TestClock(Arc<Mutex<Moments>>);

impl TestClock {
    pub(super) fn advance(&self, ms: u64) {
        let mut moments = self.0.lock().unwrap();
        moments.now = moments.now.plus_ms(ms);
        let due = (moments.now.plus_ms(1), 0);
        let later = moments.sleepers.split_off(&due);
        let woken = std::mem::replace(&mut moments.sleepers, later);
        drop(moments);
        woken.into_values().for_each(Waker::wake);
    }
}

struct Sleep {
    clock: TestClock,
    until: Timestamp,
    number: u64,
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut moments = self.clock.0.lock().unwrap();
        if moments.now >= self.until {
            return Poll::Ready(());
        }
        moments.sleepers.insert((self.until, self.number), context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.clock.0.lock().unwrap().sleepers.remove(&(self.until, self.number));
    }
}

#[async_trait]
impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        self.0.lock().unwrap().now
    }

    async fn sleep_until(&self, until: Timestamp) {
        let number = {
            let mut moments = self.0.lock().unwrap();
            moments.begun += 1;
            moments.begun
        };
        Sleep { clock: self.clone(), until, number }.await;
    }
}

pub(super) struct NoChance;

impl Entropy for NoChance {
    fn bits(&self) -> u64 {
        0
    }
}

/// A gate before servers of so many calls and tokens a minute.
pub(super) fn gate(clock: &TestClock, bounds: &[(u32, u64)]) -> Arc<Gate> {
    let bounds = bounds.iter().map(|&(calls_max, tokens_per_minute_max)| {
        ("http://h".to_owned(), Bounds { calls_max, tokens_per_minute_max })
    });
    Arc::new(Gate::new(bounds, HEALTH_EVERY_MS, Arc::new(clock.clone()), Arc::new(NoChance)))
}

pub(super) fn ask(deliberation: &str, servers: &[usize]) -> Ask {
    Ask {
        deliberation: DeliberationId::new(deliberation).unwrap(),
        priority: Priority::Normal,
        tokens: 0,
        model: "m".into(),
        servers: servers.to_vec(),
    }
}

#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

type Placing = Pin<Box<dyn Future<Output = Result<Place, NoPlace>>>>;

/// A call that asks for a place, and is polled when it was woken and not otherwise.
pub(super) struct Caller {
    placing: Option<Placing>,
    woken: Arc<Flag>,
    pub(super) came: Option<Result<Place, NoPlace>>,
}

impl Caller {
    pub(super) fn new(gate: &Arc<Gate>, ask: Ask, deadline: Timestamp) -> Caller {
        let gate = Arc::clone(gate);
        let placing: Placing = Box::pin(async move { gate.place(ask, deadline).await });
        let woken = Arc::new(Flag(AtomicBool::new(true)));
        Caller { placing: Some(placing), woken, came: None }
    }

    /// One that asks for nothing.
    pub(super) fn gone() -> Caller {
        Caller { placing: None, woken: Arc::default(), came: None }
    }

    /// Polls it if it was woken; true if it was.
    pub(super) fn poll(&mut self) -> bool {
        let Some(placing) = &mut self.placing else { return false };
        if !self.woken.0.swap(false, Ordering::Relaxed) {
            return false;
        }
        let waker = Waker::from(Arc::clone(&self.woken));
        if let Poll::Ready(came) = placing.as_mut().poll(&mut Context::from_waker(&waker)) {
            self.placing = None;
            self.came = Some(came);
        }
        true
    }

    pub(super) fn waits(&self) -> bool {
        self.placing.is_some()
    }

    /// The server of its place.
    pub(super) fn server(&self) -> Option<usize> {
        self.came.as_ref()?.as_ref().ok().map(Place::server)
    }
}

/// Polls whoever was woken until nobody is.
pub(super) fn settle<'a>(callers: impl IntoIterator<Item = &'a mut Caller>) {
    let mut callers: Vec<&mut Caller> = callers.into_iter().collect();
    while callers.iter_mut().any(|caller| caller.poll()) {}
}

/// Asks, and polls once.
pub(super) fn call(gate: &Arc<Gate>, ask: Ask) -> Caller {
    let mut caller = Caller::new(gate, ask, Timestamp(3_600_000));
    settle([&mut caller]);
    caller
}
