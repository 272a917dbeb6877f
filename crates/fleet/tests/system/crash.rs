//! The program is killed at random moments; nothing that was accepted or paid for is lost.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fleet_api::v1::DeliberateRequest;
use fleet_scripted::{Call, Reply, Script as _, Scripted};

use crate::support::{Client, Kept, Place, council, deliberate, eventually};

/// How often the program is killed, unless `FLEET_CRASH_KILLS` says otherwise.
const KILLS: usize = 6;
/// How often a job may be tried, as the spec has it.
const ATTEMPTS: usize = 3;

/// Chance that can be had again: `FLEET_CRASH_SEED` replays the moments, though not what else happens then.
struct Chance(u64);

impl Chance {
    fn new() -> Chance {
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos().into();
        let said = std::env::var("FLEET_CRASH_SEED").ok();
        let seed = said.map_or_else(now, |seed| seed.parse().expect("FLEET_CRASH_SEED is a number"));
        eprintln!("FLEET_CRASH_SEED={seed}");
        Chance(seed)
    }

    /// A number below `n` (SplitMix64).
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }
}

fn kills() -> usize {
    std::env::var("FLEET_CRASH_KILLS")
        .map_or(KILLS, |kills| kills.parse().expect("FLEET_CRASH_KILLS is a number"))
}

/// A model that takes up to 120 ms for an answer. Its ledger outlives whatever is killed.
async fn model() -> Scripted {
    let council = council(0);
    Scripted::start(move |call: &Call| -> Reply { council.reply(call).after_ms(call.number * 37 % 120) })
        .await
        .unwrap()
}

/// What was recorded at a kill, and how many calls had been made by then.
struct AtKill {
    kept: Kept,
    calls: usize,
}

impl AtKill {
    async fn of(place: &Place, model: &Scripted) -> AtKill {
        AtKill { kept: Kept::of(&place.state()).await, calls: model.calls().len() }
    }
}

fn check_calls(model: &Scripted, kills: &[AtKill]) {
    let calls = model.calls();
    for (nth, kill) in kills.iter().enumerate() {
        let after: BTreeSet<&str> = calls[kill.calls..].iter().map(|call| call.caller.as_str()).collect();
        let again: Vec<_> = after.iter().filter(|job| kill.kept.answered.contains(**job)).collect();
        assert!(again.is_empty(), "recorded at kill {nth} and asked for again: {again:?}");
    }
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    for call in &calls {
        *times.entry(&call.caller).or_default() += 1;
    }
    for (job, n) in times {
        assert!(n <= ATTEMPTS + kills.len(), "{job} was asked for {n} times");
    }
}

/// Submits tasks one after the other, noting which were accepted, until the server is gone.
async fn submit(mut client: Client, round: usize, accepted: Arc<Mutex<Vec<String>>>) {
    for nth in 0..40 {
        let task_id = format!("task-{round}-{nth}");
        let request = DeliberateRequest { task_id: task_id.clone(), ..deliberate("Sort a list") };
        match client.submit(request).await {
            Ok(id) => accepted.lock().unwrap().push(id),
            Err(_) => return,
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn every_accepted_task_ends_once_and_no_recorded_answer_is_asked_for_again() {
    let (mut chance, model, place) = (Chance::new(), model().await, Place::new());
    let accepted = Arc::new(Mutex::new(Vec::new()));
    let mut kills_so_far: Vec<AtKill> = Vec::new();
    for round in 0..kills() {
        let server = place.serve(&["--url", &model.url()]).await;
        let submitting = tokio::spawn(submit(server.client().await, round, Arc::clone(&accepted)));
        // The moment is what is random here; nothing is waited for.
        tokio::time::sleep(Duration::from_millis(30 + chance.below(700))).await;
        server.kill().await;
        submitting.await.unwrap();
        let at_kill = AtKill::of(&place, &model).await;
        for id in accepted.lock().unwrap().iter() {
            assert!(at_kill.kept.ends.contains_key(id), "{id} was accepted, and is not there");
        }
        check_calls(&model, &kills_so_far);
        kills_so_far.push(at_kill);
    }
    let server = place.serve(&["--url", &model.url()]).await;
    let client = server.client().await;
    let accepted = accepted.lock().unwrap().clone();
    assert!(accepted.len() > kills(), "the rounds were too short to show anything");
    for id in &accepted {
        client.ended(id).await;
    }
    // What was recorded without its caller having heard of it ends, too.
    let kept = eventually("all that was recorded has ended and is announced", async || {
        let kept = Kept::of(&place.state()).await;
        let over = kept.ends.keys().all(|id| kept.ends[id] > 0 && kept.announced.contains_key(id));
        over.then_some(kept)
    })
    .await;
    assert_eq!(server.stop().await.code, 0);
    for id in &accepted {
        assert!(kept.ends.contains_key(id));
    }
    for (id, ends) in &kept.ends {
        assert_eq!((*ends, kept.announced[id]), (1, 1), "{id} ends once and is announced once");
    }
    assert!(kills_so_far.iter().any(|kill| !kill.kept.answered.is_empty()), "no kill came after an answer");
    assert!(
        kills_so_far.iter().any(|kill| kill.kept.ends.values().any(|ends| *ends == 0)),
        "none came before an end"
    );
    check_calls(&model, &kills_so_far);
}

#[tokio::test]
async fn a_run_that_is_killed_again_and_again_is_resumed_to_its_end() {
    let (mut chance, model, place) = (Chance::new(), model().await, Place::new());
    let url = model.url();
    let begin = ["deliberate", "Sort a list", "--id", "mine", "--rounds", "2", "--url", &url];
    let go_on = ["resume", "mine", "--url", &url];
    let mut kills_so_far = Vec::new();
    for round in 0..4 {
        let run = place.fleet(if round == 0 { &begin } else { &go_on }).start();
        // From the moment on at which the task is recorded; then at any.
        run.says("deliberation mine").await;
        tokio::time::sleep(Duration::from_millis(chance.below(250))).await;
        run.signal("-KILL");
        run.ended().await;
        check_calls(&model, &kills_so_far);
        kills_so_far.push(AtKill::of(&place, &model).await);
    }
    let ended = place.fleet(&go_on).also(&["--json"]).end().await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let kept = Kept::of(&place.state()).await;
    assert_eq!(kept.ends["mine"], 1);
    assert!(kept.announced.values().all(|times| *times == 1));
    check_calls(&model, &kills_so_far);
}
