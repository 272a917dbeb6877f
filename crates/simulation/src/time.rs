//! The virtual clock, and chance.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use async_trait::async_trait;
use fleet_deliberation::Timestamp;
use fleet_orchestrator::port::{Clock, Entropy};

use crate::world::World;

impl World {
    pub(crate) async fn pause(&self, ms: u64) {
        let moment = self.lock().now.plus_ms(ms);
        self.until(moment).await;
    }

    pub(crate) fn until(&self, moment: Timestamp) -> impl Future<Output = ()> + Send + use<> {
        Sleep { world: self.clone(), moment, number: None }
    }
}

struct Sleep {
    world: World,
    moment: Timestamp,
    number: Option<u64>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let world = self.world.clone();
        let mut state = world.lock();
        if state.now >= self.moment {
            return Poll::Ready(());
        }
        let number = *self.number.get_or_insert_with(|| {
            state.timers_made += 1;
            state.timers_made
        });
        state.timers.insert((self.moment, number), context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.world.lock().timers.remove(&(self.moment, number));
        }
    }
}

#[async_trait]
impl Clock for World {
    fn now(&self) -> Timestamp {
        self.lock().now
    }

    async fn sleep_until(&self, moment: Timestamp) {
        self.until(moment).await;
    }
}

impl Entropy for World {
    fn bits(&self) -> u64 {
        self.lock().rng.bits()
    }
}
