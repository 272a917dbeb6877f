//! What a job queue promises. The clock given is the one the queue goes by.

use std::sync::Arc;

use fleet_deliberation::{JobId, Priority, Timestamp};
use tokio::task::JoinSet;

use super::sample::{job, jobs};
use super::wait::{soon, waits};
use crate::port::{Clock, JobQueue, Lease, StoreError};

/// Calls a macro with the name of each rule.
#[macro_export]
macro_rules! each_rule_of_job_queue {
    ($rule:ident) => {
        $rule!(jobs_are_leased_first_come_first_served);
        $rule!(a_higher_priority_goes_first);
        $rule!(deliberations_take_turns);
        $rule!(a_job_that_is_there_is_left_as_it_is);
        $rule!(a_lease_waits_for_a_job);
        $rule!(each_of_many_who_wait_gets_a_job);
        $rule!(a_job_is_leased_to_one_worker_at_a_time);
        $rule!(a_lease_that_nobody_waits_for_takes_nothing);
        $rule!(a_finished_job_is_not_offered_unless_it_is_put_again);
        $rule!(a_released_job_comes_again_not_before_its_moment);
        $rule!(a_job_that_waits_for_its_moment_holds_up_no_other);
        $rule!(a_lease_without_a_beat_runs_out);
        $rule!(a_lease_runs_out_also_while_others_wait);
        $rule!(beats_keep_a_lease);
        $rule!(a_lease_that_ran_out_does_nothing);
    };
}

async fn put(queue: &dyn JobQueue, jobs: &[JobId]) {
    soon(queue.put(jobs, Priority::Normal)).await.expect("puts");
}

async fn lease(queue: &dyn JobQueue, slots: usize) -> Vec<Lease> {
    let leases = soon(queue.lease(slots)).await.expect("leases");
    assert!((1..=slots).contains(&leases.len()), "{} leases for {slots} slots", leases.len());
    leases
}

async fn lease_one(queue: &dyn JobQueue) -> Lease {
    lease(queue, 1).await.remove(0)
}

async fn finish(queue: &dyn JobQueue, lease: &Lease) {
    soon(queue.finish(lease)).await.expect("finishes");
}

/// Jobs of a higher priority come before all others, whenever they were put.
pub async fn a_higher_priority_goes_first(queue: Arc<dyn JobQueue>, _: Arc<dyn Clock>) {
    for (name, priority) in [("l", Priority::Low), ("n", Priority::Normal), ("h", Priority::High)] {
        soon(queue.put(&jobs(name, 2), priority)).await.expect("puts");
    }
    let mut leased = Vec::new();
    while leased.len() < 6 {
        leased.extend(lease(&*queue, 2).await.into_iter().map(|lease| lease.job));
    }
    assert_eq!(leased, [jobs("h", 2), jobs("n", 2), jobs("l", 2)].concat());
}

/// A deliberation with many jobs does not hold up one with few: among equals they take turns.
pub async fn deliberations_take_turns(queue: Arc<dyn JobQueue>, _: Arc<dyn Clock>) {
    let (many, few) = (jobs("many", 6), jobs("few", 2));
    put(&*queue, &many).await;
    put(&*queue, &few).await;
    let mut leased = Vec::new();
    while leased.len() < 8 {
        leased.extend(lease(&*queue, 1).await.into_iter().map(|lease| lease.job));
    }
    let turns = [&many[0], &few[0], &many[1], &few[1], &many[2], &many[3], &many[4], &many[5]];
    assert!(leased.iter().eq(turns), "{leased:?}");
}

/// Jobs of one deliberation come in the order they were put, each as its first attempt.
pub async fn jobs_are_leased_first_come_first_served(queue: Arc<dyn JobQueue>, _: Arc<dyn Clock>) {
    let jobs = jobs("a", 10);
    put(&*queue, &jobs[..4]).await;
    put(&*queue, &jobs[4..]).await;
    let mut leased = Vec::new();
    while leased.len() < jobs.len() {
        leased.extend(lease(&*queue, 3).await);
    }
    assert!(leased.iter().map(|lease| &lease.job).eq(&jobs));
    assert!(leased.iter().all(|lease| lease.attempt == 1));
}

/// Putting a job again that waits, is leased or waits for its moment changes nothing.
pub async fn a_job_that_is_there_is_left_as_it_is(queue: Arc<dyn JobQueue>, clock: Arc<dyn Clock>) {
    let (a, b) = (job("a", "x"), job("b", "x"));
    put(&*queue, &[a.clone(), a.clone()]).await;
    put(&*queue, std::slice::from_ref(&a)).await;
    let first = lease_one(&*queue).await;
    put(&*queue, std::slice::from_ref(&a)).await;
    put(&*queue, &[b.clone(), a.clone()]).await;
    let second = lease_one(&*queue).await;
    assert_eq!((&first.job, &second.job), (&a, &b));
    let moment = clock.now().plus_ms(queue.beat_ms());
    soon(queue.release(&first, moment)).await.expect("releases");
    put(&*queue, std::slice::from_ref(&a)).await;
    finish(&*queue, &second).await;
    let again = lease_one(&*queue).await;
    assert_eq!((&again.job, again.attempt), (&a, 2));
    assert!(clock.now() >= moment, "putting it did not make it come sooner");
}

/// Where there is no job a lease waits, and is woken by one.
pub async fn a_lease_waits_for_a_job(queue: Arc<dyn JobQueue>, _: Arc<dyn Clock>) {
    let mut waiting = Box::pin(queue.lease(3));
    waits(&mut waiting).await;
    put(&*queue, &[job("a", "x")]).await;
    assert_eq!(soon(waiting).await.expect("leases")[0].job, job("a", "x"));
}

/// As many who wait are woken as there are jobs.
pub async fn each_of_many_who_wait_gets_a_job(queue: Arc<dyn JobQueue>, _: Arc<dyn Clock>) {
    let mut workers = JoinSet::new();
    for _ in 0..8 {
        let queue = Arc::clone(&queue);
        workers.spawn(async move { lease_one(&*queue).await.job });
    }
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    let jobs = jobs("a", 8);
    put(&*queue, &jobs[..1]).await;
    put(&*queue, &jobs[1..]).await;
    let mut leased = soon(workers.join_all()).await;
    leased.sort_unstable();
    assert_eq!(leased, jobs);
}

/// However many ask at once, each job goes to one of them.
pub async fn a_job_is_leased_to_one_worker_at_a_time(queue: Arc<dyn JobQueue>, _: Arc<dyn Clock>) {
    const JOBS: usize = 240;
    let jobs = jobs("a", JOBS);
    let mut workers = JoinSet::new();
    for _ in 0..12 {
        let queue = Arc::clone(&queue);
        workers.spawn(async move {
            let mut leased = Vec::new();
            // Leases are kept, so that a job given twice would show.
            while leased.len() < JOBS / 12 {
                let slots = (JOBS / 12 - leased.len()).min(3);
                leased.extend(lease(&*queue, slots).await);
                tokio::task::yield_now().await;
            }
            leased
        });
    }
    for some in jobs.chunks(7) {
        put(&*queue, some).await;
        put(&*queue, some).await;
    }
    let mut leased: Vec<Lease> = soon(workers.join_all()).await.into_iter().flatten().collect();
    leased.sort_unstable_by(|a, b| a.job.cmp(&b.job));
    assert!(leased.iter().map(|lease| &lease.job).eq(&jobs));
    assert!(leased.iter().all(|lease| lease.attempt == 1));
}

/// A worker that gives up waiting takes no job along.
pub async fn a_lease_that_nobody_waits_for_takes_nothing(queue: Arc<dyn JobQueue>, _: Arc<dyn Clock>) {
    for _ in 0..5 {
        let mut waiting = Box::pin(queue.lease(1));
        waits(&mut waiting).await;
    }
    put(&*queue, &[job("a", "x")]).await;
    assert_eq!(lease_one(&*queue).await.attempt, 1);
}

/// A finished job comes again only when it is put.
pub async fn a_finished_job_is_not_offered_unless_it_is_put_again(
    queue: Arc<dyn JobQueue>,
    clock: Arc<dyn Clock>,
) {
    let (a, b) = (job("a", "x"), job("b", "x"));
    put(&*queue, std::slice::from_ref(&a)).await;
    let done = lease_one(&*queue).await;
    finish(&*queue, &done).await;
    finish(&*queue, &done).await;
    // Long enough for a lease to have run out.
    clock.sleep_until(clock.now().plus_ms(10 * queue.beat_ms())).await;
    put(&*queue, std::slice::from_ref(&b)).await;
    assert_eq!(lease_one(&*queue).await.job, b);
    put(&*queue, std::slice::from_ref(&a)).await;
    assert_eq!(lease_one(&*queue).await.job, a);
}

/// A job that is given back comes again as a further attempt, when its moment has come.
pub async fn a_released_job_comes_again_not_before_its_moment(
    queue: Arc<dyn JobQueue>,
    clock: Arc<dyn Clock>,
) {
    put(&*queue, &[job("a", "x")]).await;
    let (mut moment, mut tokens) = (Timestamp(0), Vec::new());
    for (attempt, wait_ms) in [(1, 20), (2, 0), (3, 50), (4, 1), (5, 20)] {
        let lease = lease_one(&*queue).await;
        assert!(clock.now() >= moment);
        assert_eq!((lease.attempt, &lease.job), (attempt, &job("a", "x")));
        assert!(!tokens.contains(&lease.token), "each lease has a token of its own");
        tokens.push(lease.token);
        moment = clock.now().plus_ms(wait_ms);
        soon(queue.release(&lease, moment)).await.expect("releases");
    }
    let lease = lease_one(&*queue).await;
    soon(queue.release(&lease, Timestamp(0))).await.expect("a moment that has been is now");
    assert_eq!(lease_one(&*queue).await.attempt, 7);
}

/// While one job waits for its moment, others are leased.
pub async fn a_job_that_waits_for_its_moment_holds_up_no_other(
    queue: Arc<dyn JobQueue>,
    clock: Arc<dyn Clock>,
) {
    let jobs = jobs("a", 3);
    put(&*queue, &jobs).await;
    let first = lease_one(&*queue).await;
    let moment = clock.now().plus_ms(queue.beat_ms());
    soon(queue.release(&first, moment)).await.expect("releases");
    let others = [lease_one(&*queue).await, lease_one(&*queue).await];
    assert_eq!((&others[0].job, &others[1].job), (&jobs[1], &jobs[2]));
    for other in &others {
        finish(&*queue, other).await;
    }
    let again = lease_one(&*queue).await;
    assert_eq!((&again.job, again.attempt), (&jobs[0], 2));
    assert!(clock.now() >= moment);
}

/// A job whose worker is silent comes again as a further attempt, but not before a beat was due.
pub async fn a_lease_without_a_beat_runs_out(queue: Arc<dyn JobQueue>, clock: Arc<dyn Clock>) {
    put(&*queue, &[job("a", "x")]).await;
    let mut tokens = Vec::new();
    for attempt in 1..=3 {
        let asked_at = clock.now();
        let lease = lease_one(&*queue).await;
        assert_eq!((lease.attempt, &lease.job), (attempt, &job("a", "x")));
        assert!(!tokens.contains(&lease.token), "each lease has a token of its own");
        if attempt > 1 {
            assert!(clock.now().ms_since(asked_at) >= queue.beat_ms(), "it ran out too soon");
        }
        tokens.push(lease.token);
    }
}

/// Who waited before a job was leased to another gets it when that lease runs out.
pub async fn a_lease_runs_out_also_while_others_wait(queue: Arc<dyn JobQueue>, _: Arc<dyn Clock>) {
    let mut waiting = [Box::pin(queue.lease(1)), Box::pin(queue.lease(1)), Box::pin(queue.lease(1))];
    for waiting in &mut waiting {
        waits(waiting).await;
    }
    put(&*queue, &[job("a", "x")]).await;
    let [first, second, third] = waiting;
    let (first, rest) = soon(futures_util::future::select(first, second)).await.factor_first();
    assert_eq!(first.expect("leases")[0].attempt, 1);
    // One of the others gives up; the last one is still there.
    drop(rest);
    assert_eq!(soon(third).await.expect("leases")[0].attempt, 2);
}

/// As long as the worker beats as often as it should, nobody else gets the job.
pub async fn beats_keep_a_lease(queue: Arc<dyn JobQueue>, clock: Arc<dyn Clock>) {
    put(&*queue, &[job("a", "x")]).await;
    let lease = lease_one(&*queue).await;
    let mut other = Box::pin(queue.lease(1));
    for _ in 0..12 {
        clock.sleep_until(clock.now().plus_ms(queue.beat_ms())).await;
        soon(queue.beat(&lease)).await.expect("the lease holds");
        waits(&mut other).await;
    }
    let silent_since = clock.now();
    assert_eq!(soon(other).await.expect("leases")[0].attempt, 2);
    assert!(clock.now().ms_since(silent_since) >= queue.beat_ms());
}

/// A worker that comes back too late is told so by its beat, and cannot take the job from the next one.
pub async fn a_lease_that_ran_out_does_nothing(queue: Arc<dyn JobQueue>, _: Arc<dyn Clock>) {
    put(&*queue, &[job("a", "x")]).await;
    let old = lease_one(&*queue).await;
    let new = lease_one(&*queue).await;
    assert_eq!(new.attempt, 2);
    let beat = soon(queue.beat(&old)).await;
    assert!(matches!(beat, Err(StoreError::Conflict)), "{beat:?}");
    soon(queue.release(&old, Timestamp(0))).await.expect("nothing happens");
    finish(&*queue, &old).await;
    soon(queue.beat(&new)).await.expect("the new lease holds");
    let third = lease_one(&*queue).await;
    assert_eq!(third.attempt, 3, "the old lease neither ended the job nor gave it back");
    finish(&*queue, &third).await;
}
