//! The ports keep their promises.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::sync::Arc;

use async_trait::async_trait;
use fleet_deliberation::Timestamp;
use fleet_embedded::{Embedded, Settings, SystemClock, SystemEntropy, Ticks};
use fleet_orchestrator::port::{Clock, JobQueue};
use fleet_orchestrator::{
    contract, each_rule_of_announcements, each_rule_of_answers, each_rule_of_clock, each_rule_of_entropy,
    each_rule_of_event_store, each_rule_of_job_queue, each_rule_of_progress,
};
use tempfile::TempDir;
use tokio::time::{Duration, Instant};

fn fresh(clock: Arc<dyn Clock>) -> (TempDir, Embedded) {
    let dir = tempfile::tempdir().unwrap();
    let store = Embedded::open(dir.path(), Settings::default(), clock).unwrap();
    (dir, store)
}

mod events {
    use super::*;

    macro_rules! rule {
        ($rule:ident) => {
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $rule() {
                let (_dir, store) = fresh(Arc::new(SystemClock));
                contract::event_store::$rule(Arc::clone(&store.events)).await;
                store.close().await;
            }
        };
    }
    each_rule_of_event_store!(rule);
}

mod answers {
    use super::*;

    macro_rules! rule {
        ($rule:ident) => {
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $rule() {
                let (_dir, store) = fresh(Arc::new(SystemClock));
                contract::answers::$rule(Arc::clone(&store.answers)).await;
                store.close().await;
            }
        };
    }
    each_rule_of_answers!(rule);
}

mod announcements {
    use super::*;

    macro_rules! rule {
        ($rule:ident) => {
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $rule() {
                let (_dir, store) = fresh(Arc::new(SystemClock));
                contract::announcements::$rule(Arc::clone(&store.announcements)).await;
                store.close().await;
            }
        };
    }
    each_rule_of_announcements!(rule);
}

mod jobs {
    use super::*;

    /// The time of a runtime that stands still, and jumps ahead when all tasks wait for it. Jobs wait for
    /// nothing else.
    struct StandingClock(Instant);

    const MIDNIGHT: Timestamp = Timestamp(1_800_000_000_000);

    #[async_trait]
    impl Clock for StandingClock {
        fn now(&self) -> Timestamp {
            MIDNIGHT.plus_ms(self.0.elapsed().as_millis() as u64)
        }

        async fn sleep_until(&self, moment: Timestamp) {
            tokio::time::sleep(Duration::from_millis(moment.ms_since(self.now()))).await;
        }
    }

    fn queue(clock: &Arc<dyn Clock>) -> (TempDir, Embedded, Arc<dyn JobQueue>) {
        let (dir, store) = fresh(Arc::clone(clock));
        let jobs = Arc::clone(&store.jobs);
        (dir, store, jobs)
    }

    macro_rules! rule {
        ($rule:ident) => {
            #[tokio::test(start_paused = true)]
            async fn $rule() {
                let clock: Arc<dyn Clock> = Arc::new(StandingClock(Instant::now()));
                let (_dir, _store, jobs) = queue(&clock);
                contract::job_queue::$rule(jobs, clock).await;
            }
        };
    }
    each_rule_of_job_queue!(rule);

    mod on_many_threads {
        use super::*;

        #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
        async fn a_job_is_leased_to_one_worker_at_a_time() {
            let clock: Arc<dyn Clock> = Arc::new(SystemClock);
            let (_dir, store, jobs) = queue(&clock);
            contract::job_queue::a_job_is_leased_to_one_worker_at_a_time(Arc::clone(&jobs), clock).await;
            store.close().await;
        }

        #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
        async fn each_of_many_who_wait_gets_a_job() {
            let clock: Arc<dyn Clock> = Arc::new(SystemClock);
            let (_dir, store, jobs) = queue(&clock);
            contract::job_queue::each_of_many_who_wait_gets_a_job(Arc::clone(&jobs), clock).await;
            store.close().await;
        }
    }
}

mod progress {
    use super::*;

    macro_rules! rule {
        ($rule:ident) => {
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $rule() {
                contract::progress::$rule(Arc::new(Ticks::new())).await;
            }
        };
    }
    each_rule_of_progress!(rule);
}

mod clock {
    use super::*;

    macro_rules! rule {
        ($rule:ident) => {
            #[tokio::test]
            async fn $rule() {
                contract::clock::$rule(Arc::new(SystemClock)).await;
            }
        };
    }
    each_rule_of_clock!(rule);
}

mod entropy {
    use super::*;

    macro_rules! rule {
        ($rule:ident) => {
            #[tokio::test]
            async fn $rule() {
                contract::entropy::$rule(Arc::new(SystemEntropy)).await;
            }
        };
    }
    each_rule_of_entropy!(rule);
}
