//! What an event store promises of the log as a whole.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::task::JoinSet;

use super::event_store::{append_all, texts};
use super::sample::{entry, history, last};
use super::wait::{soon, waits};
use crate::port::{EventStore, Position, Sequence, Stored};

/// Follows the log from `after` until `count` records came, `limit` at a time.
async fn follow(store: &dyn EventStore, mut after: Position, count: usize, limit: usize) -> Vec<Stored> {
    let mut followed = Vec::new();
    while followed.len() < count {
        let records = soon(store.tail(after, limit)).await.expect("tails");
        assert!((1..=limit).contains(&records.len()), "{} of at most {limit} came", records.len());
        for record in &records {
            assert!(record.position > after, "positions rise");
            after = record.position;
        }
        followed.extend(records);
    }
    followed
}

/// The log gives every record as it was appended, in the order of appending, from any place on.
pub async fn the_log_is_followed_in_order(store: Arc<dyn EventStore>) {
    let (a, b) = (history("a"), history("b"));
    let first = append_all(&*store, &a, &["one"]).await[0];
    append_all(&*store, &b, &["two", "three"]).await;
    let at_end = soon(store.append(&a, first, last("four", 9))).await.expect("appends");
    for limit in [1, 2, 3, 100] {
        let records = follow(&*store, Position::default(), 4, limit).await;
        assert_eq!(texts(&records), ["one", "two", "three", "four"]);
        assert_eq!(records[1].history, b);
        assert_eq!((&records[3].history, records[3].sequence), (&a, at_end));
        assert!(records[3].entry.ends && !records[2].entry.ends);
        let rest = follow(&*store, records[1].position, 2, limit).await;
        assert_eq!(texts(&rest), ["three", "four"]);
    }
    let read = soon(store.read(&a, Sequence::default())).await.expect("reads");
    let tailed = follow(&*store, Position::default(), 4, 100).await;
    assert_eq!(read[1].position, tailed[3].position, "a record has one place, however it is read");
}

/// The end is where the last record is, and 0 before the first.
pub async fn the_end_is_the_place_of_the_last_record(store: Arc<dyn EventStore>) {
    assert_eq!(soon(store.end()).await.expect("ends"), Position::default());
    append_all(&*store, &history("a"), &["one", "two"]).await;
    append_all(&*store, &history("b"), &["three"]).await;
    let records = follow(&*store, Position::default(), 3, 100).await;
    assert_eq!(soon(store.end()).await.expect("ends"), records[2].position);
}

/// Where there is nothing yet a tail waits, and every one that waits is woken.
pub async fn a_tail_waits_for_the_next_record(store: Arc<dyn EventStore>) {
    let mut first = Box::pin(store.tail(Position::default(), 10));
    waits(&mut first).await;
    append_all(&*store, &history("a"), &["one"]).await;
    assert_eq!(texts(&soon(first).await.expect("tails")), ["one"]);

    let end = soon(store.end()).await.expect("ends");
    let mut tails = JoinSet::new();
    for _ in 0..5 {
        let store = Arc::clone(&store);
        tails.spawn(async move { store.tail(end, 10).await.expect("tails") });
    }
    let mut here = Box::pin(store.tail(end, 10));
    waits(&mut here).await;
    append_all(&*store, &history("b"), &["two"]).await;
    assert_eq!(texts(&soon(here).await.expect("tails")), ["two"]);
    for records in soon(tails.join_all()).await {
        assert_eq!(texts(&records), ["two"]);
    }
}

/// A tail from beyond the end, as after a restore of older state, waits for what is behind its place.
pub async fn a_tail_from_beyond_the_end_gives_only_what_is_behind_it(store: Arc<dyn EventStore>) {
    append_all(&*store, &history("a"), &["one"]).await;
    let beyond = Position(soon(store.end()).await.expect("ends").0 + 1);
    let mut tail = Box::pin(store.tail(beyond, 10));
    waits(&mut tail).await;
    append_all(&*store, &history("b"), &["two", "three", "four"]).await;
    let records = soon(tail).await.expect("tails");
    assert!(!records.is_empty() && records.iter().all(|record| record.position > beyond));
}

/// Followers at any pace get every record once, in one order, and each history's own order, while many
/// append.
pub async fn a_tail_leaves_nothing_out_while_many_append(store: Arc<dyn EventStore>) {
    const WRITERS: usize = 24;
    const RECORDS: usize = 25;
    let mut followers = JoinSet::new();
    for limit in [1, 7, 1000] {
        let store = Arc::clone(&store);
        followers.spawn(async move { follow(&*store, Position::default(), WRITERS * RECORDS, limit).await });
    }
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let store = Arc::clone(&store);
        writers.spawn(async move {
            let id = history(&format!("writer-{writer}"));
            let mut after = Sequence::default();
            for n in 0..RECORDS {
                after = store.append(&id, after, entry(&n.to_string(), 1)).await.expect("appends");
            }
        });
    }
    soon(writers.join_all()).await;
    let followed = soon(followers.join_all()).await;
    let place = |record: &Stored| (record.position, record.history.clone(), record.sequence);
    let first: Vec<_> = followed[0].iter().map(place).collect();
    for records in &followed {
        assert_eq!(records.iter().map(place).collect::<Vec<_>>(), first, "all followers see one log");
        let mut counts = BTreeMap::new();
        for (record, text) in records.iter().zip(texts(records)) {
            let count = counts.entry(record.history.clone()).or_insert(0);
            assert_eq!(text, count.to_string(), "a history's records come in its order");
            *count += 1;
        }
        assert!(counts.len() == WRITERS && counts.values().all(|count| *count == RECORDS));
    }
    let late = follow(&*store, Position::default(), WRITERS * RECORDS, 100).await;
    assert_eq!(late.iter().map(place).collect::<Vec<_>>(), first, "and whoever comes later the same");
}

/// Who follows the log after something was forgotten gets the rest.
pub async fn a_tail_does_not_give_what_was_forgotten(store: Arc<dyn EventStore>) {
    for name in ["a", "b", "c"] {
        let first = append_all(&*store, &history(name), &[name]).await[0];
        soon(store.append(&history(name), first, last(name, 2))).await.expect("appends");
    }
    soon(store.forget(&history("b"))).await.expect("forgets");
    let records = follow(&*store, Position::default(), 4, 100).await;
    assert_eq!(texts(&records), ["a", "a", "c", "c"]);

    // Only what was forgotten lies behind this place, so the tail waits.
    let end = records[3].position;
    let before_c = records[1].position;
    soon(store.forget(&history("c"))).await.expect("forgets");
    let mut tail = Box::pin(store.tail(before_c, 10));
    waits(&mut tail).await;
    append_all(&*store, &history("d"), &["d"]).await;
    let records = soon(tail).await.expect("tails");
    assert_eq!(texts(&records), ["d"]);
    assert!(records[0].position > end);
}

/// A follower remembers a position; a later record never takes one that was given before, nor lies
/// before it.
pub async fn a_position_is_not_given_again_after_forgetting(store: Arc<dyn EventStore>) {
    soon(store.append(&history("a"), Sequence::default(), last("a", 1))).await.expect("appends");
    let end = soon(store.end()).await.expect("ends");
    soon(store.forget(&history("a"))).await.expect("forgets");
    append_all(&*store, &history("b"), &["b"]).await;
    assert!(soon(store.end()).await.expect("ends") > end);
    let records = soon(store.tail(end, 10)).await.expect("tails");
    assert_eq!(texts(&records), ["b"]);
}
