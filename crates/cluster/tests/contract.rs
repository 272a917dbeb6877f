//! The ports keep their promises, against a real server each time.

mod common;

use std::sync::Arc;

use common::{Nats, WallClock, open, settings};
use fleet_cluster::{Cluster, Settings};
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

    /// Rules that keep leases without a beat, and are not about how they run out.
    const KEEP: [&str; 7] = [
        "jobs_are_leased_first_come_first_served",
        "a_higher_priority_goes_first",
        "deliberations_take_turns",
        "a_lease_waits_for_a_job",
        "each_of_many_who_wait_gets_a_job",
        "a_job_is_leased_to_one_worker_at_a_time",
        "a_lease_that_nobody_waits_for_takes_nothing",
    ];

    fn lease_ms(rule: &str) -> u64 {
        // Time is real here, and the machine may be busy with other tests.
        if KEEP.contains(&rule) { 60_000 } else { 1_200 }
    }

    macro_rules! rule {
        ($rule:ident) => {
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $rule() {
                let nats = Nats::start();
                let clock: Arc<dyn Clock> = Arc::new(WallClock);
                let settings = Settings { lease_ms: lease_ms(stringify!($rule)), ..settings(&nats) };
                let cluster = Cluster::open(settings, Arc::clone(&clock)).await.expect("it opens");
                contract::job_queue::$rule(Arc::clone(&cluster.jobs), clock).await;
            }
        };
    }
    each_rule_of_job_queue!(rule);
}
