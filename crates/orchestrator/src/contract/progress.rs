//! What progress promises to those who watch it, and to those who make it.

use std::pin::pin;
use std::sync::Arc;

use tokio::task::JoinSet;

use super::sample::{deliberation, job};
use super::wait::{soon, waits};
use crate::port::{Progress, Seen, Tick, TickWatch, Watching};

/// Calls a macro with the name of each rule.
#[macro_export]
macro_rules! each_rule_of_progress {
    ($rule:ident) => {
        $rule!(who_watches_sees_what_comes_from_then_on_in_its_order);
        $rule!(it_is_known_whether_anybody_watches);
        $rule!(each_sees_only_the_deliberation_it_watches);
        $rule!(who_waits_is_woken_and_may_turn_away_without_loss);
        $rule!(who_does_not_look_holds_nobody_up_loses_the_oldest_and_is_told_how_many);
        $rule!(many_may_tick_and_watch_at_once);
    };
}

/// A tick of a job for `agent` that has written so many tokens.
fn tick(name: &str, agent: &str, tokens: u64) -> Tick {
    let job = job(name, agent);
    let (agent, text) = (job.subject.clone(), format!("{tokens},").into());
    Tick { job, agent, attempt: 1, tokens, reasoning: false, text }
}

fn tokens(seen: &Seen) -> Vec<u64> {
    seen.ticks.iter().map(|tick| tick.tokens).collect()
}

/// Nothing of before, everything of after.
pub async fn who_watches_sees_what_comes_from_then_on_in_its_order<P: Progress + Watching>(ticks: Arc<P>) {
    let mut early = ticks.watch(&deliberation("a"));
    ticks.tick(tick("a", "x", 1));
    let mut late = ticks.watch(&deliberation("a"));
    ticks.tick(tick("a", "x", 2));
    ticks.tick(tick("a", "y", 3));
    let seen = soon(early.seen()).await;
    assert_eq!((tokens(&seen), seen.left_out), (vec![1, 2, 3], 0));
    assert_eq!(*seen.ticks[2], tick("a", "y", 3));
    assert_eq!(tokens(&soon(late.seen()).await), [2, 3]);
    ticks.tick(tick("a", "x", 4));
    assert_eq!(tokens(&soon(early.seen()).await), [4], "what was seen is not seen again");
}

/// From the first watch on until the last one is dropped.
pub async fn it_is_known_whether_anybody_watches<P: Progress + Watching>(ticks: Arc<P>) {
    let (a, b) = (deliberation("a"), deliberation("b"));
    assert!(!ticks.is_watched(&a));
    ticks.tick(tick("a", "x", 1));
    let (first, second) = (ticks.watch(&a), ticks.watch(&a));
    assert!(ticks.is_watched(&a) && !ticks.is_watched(&b));
    drop(first);
    assert!(ticks.is_watched(&a));
    drop(second);
    assert!(!ticks.is_watched(&a));
    let mut again = ticks.watch(&a);
    ticks.tick(tick("a", "x", 2));
    assert_eq!(tokens(&soon(again.seen()).await), [2]);
}

/// Also where others are watched.
pub async fn each_sees_only_the_deliberation_it_watches<P: Progress + Watching>(ticks: Arc<P>) {
    let (mut a, mut b) = (ticks.watch(&deliberation("a")), ticks.watch(&deliberation("b")));
    for (name, n) in [("a", 1), ("b", 2), ("c", 3), ("a", 4)] {
        ticks.tick(tick(name, "x", n));
    }
    assert_eq!(tokens(&soon(a.seen()).await), [1, 4]);
    assert_eq!(tokens(&soon(b.seen()).await), [2]);
}

/// A look that was dropped takes nothing with it.
pub async fn who_waits_is_woken_and_may_turn_away_without_loss<P: Progress + Watching>(ticks: Arc<P>) {
    let mut watch = ticks.watch(&deliberation("a"));
    {
        let mut look = pin!(watch.seen());
        waits(&mut look).await;
        ticks.tick(tick("a", "x", 1));
    }
    let seen = soon(watch.seen()).await;
    assert_eq!(tokens(&seen), [1]);
    let mut look = pin!(watch.seen());
    waits(&mut look).await;
    ticks.tick(tick("a", "x", 2));
    assert_eq!(tokens(&soon(look).await), [2]);
}

/// What is left is the newest, and together with what is told to be lost it is all there was.
pub async fn who_does_not_look_holds_nobody_up_loses_the_oldest_and_is_told_how_many<
    P: Progress + Watching,
>(
    ticks: Arc<P>,
) {
    const ALL: u64 = 100_000;
    let (mut slow, mut quick) = (ticks.watch(&deliberation("a")), ticks.watch(&deliberation("a")));
    let mut seen_by_quick = Vec::new();
    for n in 1..=ALL {
        ticks.tick(tick("a", "x", n));
        if n % 10 == 0 {
            seen_by_quick.extend(tokens(&soon(quick.seen()).await));
        }
    }
    assert_eq!(seen_by_quick, (1..=ALL).collect::<Vec<_>>(), "nobody waits for the slow one");
    let seen = soon(slow.seen()).await;
    assert!(seen.left_out > 0, "nobody keeps {ALL} ticks");
    assert_eq!(tokens(&seen), (seen.left_out + 1..=ALL).collect::<Vec<_>>());
    ticks.tick(tick("a", "x", ALL + 1));
    let seen = soon(slow.seen()).await;
    assert_eq!((tokens(&seen), seen.left_out), (vec![ALL + 1], 0), "what was told is not told again");
}

/// Each watcher accounts for every tick.
pub async fn many_may_tick_and_watch_at_once<P: Progress + Watching + 'static>(ticks: Arc<P>) {
    const EACH: u64 = 500;
    const AGENTS: u64 = 8;
    async fn account(mut watch: Box<dyn TickWatch>) {
        let (mut heard, mut last) = (0, [0; AGENTS as usize]);
        while heard < AGENTS * EACH {
            let seen = watch.seen().await;
            heard += seen.left_out + seen.ticks.len() as u64;
            for tick in seen.ticks {
                let agent: usize = tick.agent.as_str().parse().expect("a number");
                assert!(tick.tokens > last[agent], "the ticks of one agent come in their order");
                last[agent] = tick.tokens;
            }
        }
    }
    let mut all = JoinSet::new();
    for _ in 0..8 {
        all.spawn(account(ticks.watch(&deliberation("a"))));
    }
    for agent in 0..AGENTS {
        let ticks = Arc::clone(&ticks);
        all.spawn(async move {
            for n in 1..=EACH {
                ticks.tick(tick("a", &agent.to_string(), n));
                tokio::task::yield_now().await;
            }
        });
    }
    soon(all.join_all()).await;
    assert!(!ticks.is_watched(&deliberation("a")));
}
