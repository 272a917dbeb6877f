//! The ports keep their promises, against a real server each time.

mod common;

use std::sync::Arc;

use common::{Nats, WallClock, open};
use fleet_orchestrator::port::Clock;
use fleet_orchestrator::{
    contract, each_rule_of_announcements, each_rule_of_answers, each_rule_of_event_store,
    each_rule_of_job_queue,
};

mod events {
    use super::*;

    macro_rules! rule {
        ($rule:ident) => {
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $rule() {
                let nats = Nats::start();
                let cluster = open(&nats).await;
                contract::event_store::$rule(Arc::clone(&cluster.events)).await;
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
                let nats = Nats::start();
                let cluster = open(&nats).await;
                contract::answers::$rule(Arc::clone(&cluster.answers)).await;
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
                let nats = Nats::start();
                let cluster = open(&nats).await;
                contract::announcements::$rule(Arc::clone(&cluster.announcements)).await;
            }
        };
    }
    each_rule_of_announcements!(rule);
}

mod jobs {
    use super::*;

    macro_rules! rule {
        ($rule:ident) => {
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $rule() {
                let nats = Nats::start();
                let cluster = open(&nats).await;
                let clock: Arc<dyn Clock> = Arc::new(WallClock);
                contract::job_queue::$rule(Arc::clone(&cluster.jobs), clock).await;
            }
        };
    }
    each_rule_of_job_queue!(rule);
}
