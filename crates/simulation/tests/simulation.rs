//! Runs the loop under many seeds. `SIM_SEEDS` says how many, `SIM_SEED` names one to be shown in full.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};

use fleet_simulation::{Report, run};

const SEEDS: u64 = 3_000;

fn variable(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is {text:?}, which is no number")))
}

#[test]
fn whatever_fails_everything_accepted_ends_once_and_nothing_is_asked_for_twice() {
    if let Some(seed) = variable("SIM_SEED") {
        let report = run(seed, true).unwrap_or_else(|broken| panic!("SIM_SEED={seed}: {broken}"));
        println!("{report:?}");
        return;
    }
    let seeds = variable("SIM_SEEDS").unwrap_or(SEEDS);
    let next = AtomicU64::new(0);
    let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let work = || {
        let mut reports: Vec<(u64, Result<Report, String>)> = Vec::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds {
                return reports;
            }
            reports.push((seed, run(seed, false)));
        }
    };
    let all: Vec<(u64, Result<Report, String>)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let broken: Vec<String> = all
        .iter()
        .filter_map(|(seed, result)| Some(format!("SIM_SEED={seed}: {}", result.as_ref().err()?)))
        .collect();
    assert!(broken.is_empty(), "{} of {seeds} seeds broke a promise:\n{}", broken.len(), broken.join("\n"));

    // A simulation in which nothing happens proves nothing.
    let sum = |of: fn(&Report) -> u64| all.iter().filter_map(|(_, r)| r.as_ref().ok()).map(of).sum::<u64>();
    let (accepted, completed) = (sum(|r| r.accepted as u64), sum(|r| r.completed as u64));
    let (crashes, calls, steps) = (sum(|r| r.crashes), sum(|r| r.calls), sum(|r| r.steps));
    let tried = sum(|r| r.tried as u64);
    let (judged, chosen) = (sum(|r| r.judged as u64), sum(|r| r.chosen as u64));
    println!(
        "{seeds} seeds: {accepted} deliberations, {completed} with a verdict ({tried} after trials, {judged} after judging, {chosen} with an \
         architect's choice), {crashes} crashes, {calls} model calls, {steps} steps"
    );
    let (cut, refused) = (sum(|r| r.cut as u64), sum(|r| r.refused));
    println!("{cut} verdicts with something left out for a budget, {refused} tasks refused for their hour");
    assert!(cut > seeds / 20 && refused > seeds / 100, "budgets are too few to tell: {cut}, {refused}");
    assert!(
        tried > seeds / 20 && judged > seeds / 20 && chosen > seeds / 20,
        "near ties are too few to tell: {tried}, {judged}, {chosen}"
    );
    assert!(completed * 2 > accepted && crashes > seeds / 10, "the faults are too many or too few to tell");
}

#[test]
fn a_seed_replays_exactly() {
    for seed in [1, 7, 42, 1_000, 2_718, 31_415] {
        assert_eq!(run(seed, false), run(seed, false), "seed {seed}");
    }
}
