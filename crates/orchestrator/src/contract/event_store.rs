//! What an event store promises of single histories and of listings. Of the log as a whole: `log.rs`.

use std::sync::Arc;

use bytes::Bytes;
use fleet_deliberation::{Role, Timestamp};
use tokio::task::JoinSet;

pub use super::log::*;
use super::sample::{entry, history, last};
use super::wait::soon;
use crate::port::{EventStore, HistoryId, HistoryKind, Listing, Sequence, StoreError, Stored};

/// Calls a macro with the name of each rule.
#[macro_export]
macro_rules! each_rule_of_event_store {
    ($rule:ident) => {
        $rule!(records_are_read_back_as_they_were_appended);
        $rule!(a_history_that_is_not_there_has_no_records);
        $rule!(an_append_elsewhere_than_at_the_end_conflicts_and_leaves_nothing);
        $rule!(nothing_comes_after_the_record_that_ends);
        $rule!(histories_with_similar_names_are_kept_apart);
        $rule!(of_appends_at_the_same_place_exactly_one_wins);
        $rule!(of_first_records_exactly_one_opens_the_history);
        $rule!(whoever_decides_again_after_a_conflict_gets_in);
        $rule!(an_append_nobody_waits_for_is_there_whole_or_not_at_all);
        $rule!(a_store_that_takes_records_says_so_and_is_left_as_it_was);
        $rule!(open_histories_are_listed_oldest_first);
        $rule!(the_newest_histories_are_listed_newest_first);
        $rule!(histories_that_ended_before_a_moment_are_expired);
        $rule!(a_store_that_is_too_large_expires_what_ended_first);
        $rule!(a_forgotten_history_is_gone_for_good);
        $rule!(an_open_history_is_not_forgotten);
        $rule!(the_log_is_followed_in_order);
        $rule!(the_end_is_the_place_of_the_last_record);
        $rule!(a_tail_waits_for_the_next_record);
        $rule!(a_tail_from_beyond_the_end_gives_only_what_is_behind_it);
        $rule!(a_tail_leaves_nothing_out_while_many_append);
        $rule!(a_tail_does_not_give_what_was_forgotten);
        $rule!(a_position_is_not_given_again_after_forgetting);
    };
}

/// Appends `texts` one after another and gives their sequences.
pub(super) async fn append_all(store: &dyn EventStore, history: &HistoryId, texts: &[&str]) -> Vec<Sequence> {
    let mut sequences = Vec::new();
    let mut after = Sequence::default();
    for text in texts {
        after = soon(store.append(history, after, entry(text, 1))).await.expect("appends");
        sequences.push(after);
    }
    sequences
}

pub(super) fn texts(records: &[Stored]) -> Vec<&str> {
    records.iter().map(|stored| std::str::from_utf8(&stored.entry.body).expect("text")).collect()
}

async fn read(store: &dyn EventStore, history: &HistoryId) -> Vec<Stored> {
    soon(store.read(history, Sequence::default())).await.expect("reads")
}

fn conflicts<T: std::fmt::Debug>(result: Result<T, StoreError>) -> bool {
    match result {
        Err(StoreError::Conflict) => true,
        Ok(_) => false,
        other => panic!("neither done nor a conflict: {other:?}"),
    }
}

/// A record is read back byte for byte, with its time, in order, and from behind any of them.
pub async fn records_are_read_back_as_they_were_appended(store: Arc<dyn EventStore>) {
    let id = history("a");
    let bodies = [Bytes::from_static(b"{}"), (0..=255).collect(), vec![b'x'; 512 * 1024].into()];
    let mut after = Sequence::default();
    let mut places = vec![after];
    for (at, body) in (1000..).zip(&bodies) {
        let entry = crate::port::Entry { body: body.clone(), at: Timestamp(at), ends: at == 1002 };
        let sequence = soon(store.append(&id, after, entry)).await.expect("appends");
        assert!(sequence > after, "sequences rise");
        after = sequence;
        places.push(after);
    }
    for (skipped, place) in places.iter().enumerate() {
        let records = soon(store.read(&id, *place)).await.expect("reads");
        assert_eq!(records.len(), bodies.len() - skipped);
        for (n, record) in (skipped..).zip(&records) {
            assert_eq!(record.history, id);
            assert_eq!(record.sequence, places[n + 1]);
            assert_eq!(record.entry.body, bodies[n]);
            assert_eq!(record.entry.at, Timestamp(1000 + n as u64));
            assert_eq!(record.entry.ends, n == 2);
        }
        assert!(records.is_sorted_by(|a, b| a.position < b.position), "positions rise");
    }
}

/// Reading what is not there is no error.
pub async fn a_history_that_is_not_there_has_no_records(store: Arc<dyn EventStore>) {
    assert!(read(&*store, &history("nowhere")).await.is_empty());
    append_all(&*store, &history("somewhere"), &["a"]).await;
    assert!(read(&*store, &history("nowhere")).await.is_empty());
}

/// An append names the place it was decided on; at any other it conflicts, and nothing of it is there.
pub async fn an_append_elsewhere_than_at_the_end_conflicts_and_leaves_nothing(store: Arc<dyn EventStore>) {
    let id = history("a");
    let ahead = Sequence(7);
    assert!(conflicts(soon(store.append(&id, ahead, entry("too early", 1))).await));
    assert!(read(&*store, &id).await.is_empty());
    let places = append_all(&*store, &id, &["one", "two", "three"]).await;
    let beyond = Sequence(places[2].0 + 1);
    for place in [Sequence::default(), places[0], places[1], beyond] {
        assert!(conflicts(soon(store.append(&id, place, entry("elsewhere", 1))).await), "at {place:?}");
    }
    assert_eq!(texts(&read(&*store, &id).await), ["one", "two", "three"]);
    soon(store.append(&id, places[2], entry("four", 1))).await.expect("appends at the end");
    let open = soon(store.histories(Listing::Open(HistoryKind::Deliberation))).await.expect("lists");
    assert_eq!(open.len(), 1, "a refused append opens nothing");
}

/// After a record that ends its history every append conflicts.
pub async fn nothing_comes_after_the_record_that_ends(store: Arc<dyn EventStore>) {
    let id = history("a");
    let first = soon(store.append(&id, Sequence::default(), entry("one", 1))).await.expect("appends");
    let end = soon(store.append(&id, first, last("two", 2))).await.expect("appends");
    for place in [Sequence::default(), first, end, Sequence(end.0 + 1)] {
        assert!(conflicts(soon(store.append(&id, place, entry("late", 3))).await), "at {place:?}");
    }
    let brief = history("brief");
    let end = soon(store.append(&brief, Sequence::default(), last("all", 1))).await.expect("appends");
    assert!(conflicts(soon(store.append(&brief, end, entry("late", 2))).await));
    assert_eq!(texts(&read(&*store, &id).await), ["one", "two"]);
}

/// Names that stores, brokers or patterns might confuse name histories of their own.
pub async fn histories_with_similar_names_are_kept_apart(store: Arc<dyn EventStore>) {
    let names = ["a", "A", "a/b", "a.b", "a.*", "a>", "a%2Fb", "ä", "a\u{308}", "a'\"`;--", "a:b", "_", "*"];
    for name in names {
        append_all(&*store, &history(name), &[name]).await;
    }
    for name in names {
        let records = read(&*store, &history(name)).await;
        assert_eq!(texts(&records), [name]);
        assert_eq!(records[0].history, history(name));
    }
}

/// Of many appends decided on the same place one is done and all others conflict.
pub async fn of_appends_at_the_same_place_exactly_one_wins(store: Arc<dyn EventStore>) {
    let id = history("a");
    let mut after = append_all(&*store, &id, &["first"]).await[0];
    for round in 0..10 {
        let winners = race(&store, &id, after).await;
        assert_eq!(winners.len(), 1, "in round {round}");
        after = winners[0].1;
        let records = read(&*store, &id).await;
        assert_eq!(records.len(), round + 2);
        assert_eq!(texts(&records)[round + 1], winners[0].0, "the winner's record is the one that is there");
    }
}

/// The same holds for the record that opens a history.
pub async fn of_first_records_exactly_one_opens_the_history(store: Arc<dyn EventStore>) {
    for name in ["a", "b", "c", "d"] {
        let id = history(name);
        let winners = race(&store, &id, Sequence::default()).await;
        assert_eq!(winners.len(), 1);
        assert_eq!(texts(&read(&*store, &id).await), [winners[0].0.as_str()]);
    }
    let open = soon(store.histories(Listing::Open(HistoryKind::Deliberation))).await.expect("lists");
    assert_eq!(open.len(), 4);
}

/// Many append at one place; gives those that were done.
async fn race(store: &Arc<dyn EventStore>, id: &HistoryId, after: Sequence) -> Vec<(String, Sequence)> {
    let mut racers = JoinSet::new();
    for racer in 0..32 {
        let (store, id, text) = (Arc::clone(store), id.clone(), format!("racer {racer}"));
        racers.spawn(async move {
            match store.append(&id, after, entry(&text, 1)).await {
                Ok(sequence) => Some((text, sequence)),
                error => {
                    assert!(conflicts(error));
                    None
                }
            }
        });
    }
    soon(racers.join_all()).await.into_iter().flatten().collect()
}

/// Writers that read and decide again after each conflict all get all of theirs in, each once.
pub async fn whoever_decides_again_after_a_conflict_gets_in(store: Arc<dyn EventStore>) {
    let id = history("a");
    let mut writers = JoinSet::new();
    for writer in 0..8 {
        let (store, id) = (Arc::clone(&store), id.clone());
        writers.spawn(async move {
            for n in 0..10 {
                let text = format!("{writer}-{n}");
                loop {
                    let records = store.read(&id, Sequence::default()).await.expect("reads");
                    let after = records.last().map_or(Sequence::default(), |stored| stored.sequence);
                    if !conflicts(store.append(&id, after, entry(&text, 1)).await) {
                        break;
                    }
                }
            }
        });
    }
    soon(writers.join_all()).await;
    let records = read(&*store, &id).await;
    let mut texts = texts(&records);
    assert_eq!(texts.len(), 80);
    texts.sort_unstable();
    texts.dedup();
    assert_eq!(texts.len(), 80);
}

/// Giving up on an append does not break it in two, nor the history.
pub async fn an_append_nobody_waits_for_is_there_whole_or_not_at_all(store: Arc<dyn EventStore>) {
    let id = history("a");
    let mut there = 0;
    for n in 0..20 {
        let before = read(&*store, &id).await;
        let after = before.last().map_or(Sequence::default(), |stored| stored.sequence);
        let text = format!("dropped {n}");
        let mut append = Box::pin(store.append(&id, after, entry(&text, 1)));
        // Looked at once, so that it has begun, and dropped.
        _ = futures_util::poll!(&mut append);
        drop(append);
        // Whatever became of it, the history goes on behind one of two places.
        loop {
            let records = read(&*store, &id).await;
            let after = records.last().map_or(Sequence::default(), |stored| stored.sequence);
            let next = format!("kept {n}");
            if !conflicts(soon(store.append(&id, after, entry(&next, 1))).await) {
                break;
            }
        }
        let records = read(&*store, &id).await;
        let dropped = texts(&records).iter().filter(|found| **found == text).count();
        assert!(dropped <= 1);
        there += dropped;
        assert_eq!(records.len(), n + 1 + there);
        assert_eq!(texts(&records).last(), Some(&format!("kept {n}").as_str()));
    }
}

/// To find out whether a store can be written is no record.
pub async fn a_store_that_takes_records_says_so_and_is_left_as_it_was(store: Arc<dyn EventStore>) {
    let id = history("a");
    soon(store.writable()).await.expect("it can be written");
    let first = append_all(&*store, &id, &["one"]).await;
    let end = soon(store.end()).await.expect("there is an end");
    for _ in 0..3 {
        soon(store.writable()).await.expect("it can be written");
    }
    assert_eq!(soon(store.end()).await.expect("there is an end"), end);
    assert_eq!(
        soon(store.histories(Listing::Open(HistoryKind::Deliberation))).await.expect("they are listed").len(),
        1
    );
    soon(store.append(&id, first[0], entry("two", 2))).await.expect("the next record follows");
}

async fn listed(store: &dyn EventStore, listing: Listing) -> Vec<String> {
    let histories = soon(store.histories(listing)).await.expect("lists");
    let name = |id: &HistoryId| id.as_deliberation().map(|id| id.to_string()).unwrap_or_default();
    histories.iter().map(|history| name(&history.id)).collect()
}

/// Begins the history of a council.
async fn council(store: &dyn EventStore) -> HistoryId {
    let id = HistoryId::council(&Role::new("deliberation:DEV").expect("a name"));
    soon(store.append(&id, Sequence::default(), entry("made", 60))).await.expect("appends");
    id
}

/// Opens a history and, if `ended_at` is given, ends it with a body of `bytes` bytes.
async fn open(store: &dyn EventStore, name: &str, opened_at: u64, ended_at: Option<u64>, bytes: usize) {
    let id = history(name);
    let first = soon(store.append(&id, Sequence::default(), entry("opened", opened_at))).await;
    if let Some(at) = ended_at {
        soon(store.append(&id, first.expect("appends"), last(&"x".repeat(bytes), at)))
            .await
            .expect("appends");
    }
}

/// Every history that has not ended is listed, in the order in which they were opened.
pub async fn open_histories_are_listed_oldest_first(store: Arc<dyn EventStore>) {
    assert!(listed(&*store, Listing::Open(HistoryKind::Deliberation)).await.is_empty());
    open(&*store, "c", 10, None, 0).await;
    open(&*store, "b", 20, Some(50), 2).await;
    open(&*store, "a", 30, None, 0).await;
    open(&*store, "d", 40, None, 0).await;
    assert_eq!(listed(&*store, Listing::Open(HistoryKind::Deliberation)).await, ["c", "a", "d"]);
    let histories = soon(store.histories(Listing::Open(HistoryKind::Deliberation))).await.expect("lists");
    assert_eq!(histories[1].id, history("a"));
    assert_eq!(histories[1].opened_at, Timestamp(30));
    assert_eq!(histories[1].ended_at, None);
    for n in 0..300 {
        open(&*store, &format!("many-{n}"), 50 + n, None, 0).await;
    }
    assert_eq!(
        listed(&*store, Listing::Open(HistoryKind::Deliberation)).await.len(),
        303,
        "none is left out"
    );
    let council = council(&*store).await;
    assert_eq!(listed(&*store, Listing::Open(HistoryKind::Deliberation)).await.len(), 303);
    let councils = soon(store.histories(Listing::Open(HistoryKind::Council))).await.expect("lists");
    assert!(councils.iter().map(|info| &info.id).eq([&council]));
}

/// The histories opened last are listed, whether they have ended or not, and no more than asked for.
pub async fn the_newest_histories_are_listed_newest_first(store: Arc<dyn EventStore>) {
    open(&*store, "a", 10, None, 0).await;
    open(&*store, "b", 20, Some(25), 2).await;
    open(&*store, "c", 30, Some(35), 2).await;
    assert_eq!(
        listed(&*store, Listing::Newest { kind: HistoryKind::Deliberation, limit: 2 }).await,
        ["c", "b"]
    );
    assert_eq!(
        listed(&*store, Listing::Newest { kind: HistoryKind::Deliberation, limit: 10 }).await,
        ["c", "b", "a"]
    );
    assert!(listed(&*store, Listing::Newest { kind: HistoryKind::Deliberation, limit: 0 }).await.is_empty());
    let council = council(&*store).await;
    let councils = Listing::Newest { kind: HistoryKind::Council, limit: 10 };
    let councils = soon(store.histories(councils)).await.expect("lists");
    assert!(councils.iter().map(|info| &info.id).eq([&council]));
    let newest = soon(store.histories(Listing::Newest { kind: HistoryKind::Deliberation, limit: 1 }))
        .await
        .expect("lists");
    assert_eq!(newest[0].opened_at, Timestamp(30));
    assert_eq!(newest[0].ended_at, Some(Timestamp(35)));
}

/// What ended before the moment is listed, oldest end first; what is open never is.
pub async fn histories_that_ended_before_a_moment_are_expired(store: Arc<dyn EventStore>) {
    open(&*store, "open", 1, None, 0).await;
    open(&*store, "late", 2, Some(400), 2).await;
    open(&*store, "middle", 3, Some(300), 2).await;
    open(&*store, "early", 4, Some(200), 2).await;
    let expired =
        |before, limit| Listing::Expired { ended_before: Timestamp(before), bytes_max: u64::MAX, limit };
    assert!(listed(&*store, expired(200, 10)).await.is_empty());
    assert_eq!(listed(&*store, expired(201, 10)).await, ["early"]);
    assert_eq!(listed(&*store, expired(1000, 10)).await, ["early", "middle", "late"]);
    assert_eq!(listed(&*store, expired(1000, 2)).await, ["early", "middle"]);
}

/// A store over its size names as many ended histories as it takes, oldest end first, however young.
pub async fn a_store_that_is_too_large_expires_what_ended_first(store: Arc<dyn EventStore>) {
    const BYTES: usize = 256 * 1024;
    open(&*store, "open", 1, None, 0).await;
    for n in 0..10 {
        // Opened in one order, ended in the other.
        open(&*store, &format!("ended-{n}"), 10 + n, Some(100 - n), BYTES).await;
    }
    let expired = |bytes_max, limit| Listing::Expired { ended_before: Timestamp(0), bytes_max, limit };
    assert!(listed(&*store, expired(u64::MAX, 100)).await.is_empty());
    assert_eq!(listed(&*store, expired(0, 100)).await.len(), 10, "open histories stay");
    assert_eq!(listed(&*store, expired(0, 3)).await, ["ended-9", "ended-8", "ended-7"]);
    // What a store counts beside the text is its own business; it must not be as much again.
    let half = listed(&*store, expired(5 * BYTES as u64, 100)).await;
    assert!((4..10).contains(&half.len()), "{} of 10 are to go", half.len());
    assert_eq!(half[0], "ended-9");
}

/// A forgotten history is in no reading and no listing, others are unharmed, and twice is not too often.
pub async fn a_forgotten_history_is_gone_for_good(store: Arc<dyn EventStore>) {
    open(&*store, "goes", 1, Some(5), 2).await;
    open(&*store, "stays", 2, Some(6), 2).await;
    soon(store.forget(&history("goes"))).await.expect("forgets");
    soon(store.forget(&history("goes"))).await.expect("is not there any more");
    soon(store.forget(&history("never-there"))).await.expect("was never there");
    assert!(read(&*store, &history("goes")).await.is_empty());
    assert_eq!(
        listed(&*store, Listing::Newest { kind: HistoryKind::Deliberation, limit: 10 }).await,
        ["stays"]
    );
    let all = Listing::Expired { ended_before: Timestamp(u64::MAX), bytes_max: 0, limit: 10 };
    assert_eq!(listed(&*store, all).await, ["stays"]);
    assert_eq!(read(&*store, &history("stays")).await.len(), 2);
}

/// Forgetting is for histories that have ended.
pub async fn an_open_history_is_not_forgotten(store: Arc<dyn EventStore>) {
    open(&*store, "a", 1, None, 0).await;
    assert!(conflicts(soon(store.forget(&history("a"))).await));
    assert_eq!(texts(&read(&*store, &history("a")).await), ["opened"]);
}
