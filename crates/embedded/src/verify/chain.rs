//! What the hashes of a history say of its records.

use std::collections::BTreeMap;

use fleet_deliberation::Digest;

use super::Fault;

/// A record as the chain sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Link {
    pub(super) sequence: u64,
    /// The hash of its bytes.
    pub(super) digest: Digest,
    /// What it says is the hash of the one before; `None` if it cannot be read.
    pub(super) previous: Option<Digest>,
}

/// What the history's head says of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    pub(super) records: u64,
    pub(super) digest: Digest,
}

/// What is wrong with the records of a history, which are in the order of their sequences. Records that
/// cannot be read are not named again.
pub(super) fn faults(links: &[Link], head: Option<Head>) -> Vec<(u64, Fault)> {
    let mut faults = missing(links, head);
    if let Some(moved) = moved(links) {
        faults.extend(moved.into_iter().map(|sequence| (sequence, Fault::Reordered)));
    } else {
        faults.extend(altered(links, head).into_iter().map(|sequence| (sequence, Fault::Altered)));
    }
    if let Some(head) = head {
        let added = links.iter().filter(|link| link.sequence > head.records);
        faults.extend(added.map(|link| (link.sequence, Fault::Added)));
    }
    faults.sort_unstable_by_key(|(sequence, _)| *sequence);
    faults
}

/// Sequences are given one by one from 1, so a gap is a record that is missing, and so is what the head
/// counts behind the last one.
fn missing(links: &[Link], head: Option<Head>) -> Vec<(u64, Fault)> {
    let mut missing = Vec::new();
    let mut expected = 1;
    for link in links {
        missing.extend((expected..link.sequence).map(|sequence| (sequence, Fault::Missing)));
        expected = link.sequence + 1;
    }
    let last = head.map_or(0, |head| head.records);
    missing.extend((expected..=last).map(|sequence| (sequence, Fault::CutOff)));
    missing
}

/// The places of records that stand elsewhere than they were chained, if all of them make one chain in another
/// order.
fn moved(links: &[Link]) -> Option<Vec<u64>> {
    let mut after: BTreeMap<&[u8], usize> = BTreeMap::new();
    for (place, link) in links.iter().enumerate() {
        if after.insert(link.previous.as_ref()?.as_bytes(), place).is_some() {
            return None;
        }
    }
    let (mut order, mut digest) = (Vec::with_capacity(links.len()), Digest::default());
    while let Some(place) = after.remove(&digest.as_bytes()[..]) {
        order.push(place);
        digest = links[place].digest;
    }
    let moved = order.iter().enumerate().filter(|(nth, place)| nth != *place);
    let moved: Vec<u64> = moved.map(|(nth, _)| links[nth].sequence).collect();
    (order.len() == links.len() && !moved.is_empty()).then_some(moved)
}

/// Goes back from the end. What is trusted says which hash the one before must have; what is not trusted
/// says it only where that comes out true, for its word on the one before may be what was altered.
fn altered(links: &[Link], head: Option<Head>) -> Vec<u64> {
    let mut altered = Vec::new();
    let mut said: Option<Digest> = None;
    let mut next = None;
    for (place, link) in links.iter().enumerate().rev() {
        let of_head = head.filter(|head| head.records == link.sequence).map(|head| head.digest);
        let said_by_next = said.filter(|_| next == Some(link.sequence + 1));
        let expected = of_head.or(said_by_next);
        let before = place.checked_sub(1).map_or(Digest::default(), |before| links[before].digest);
        let follows = place.checked_sub(1).is_none_or(|before| links[before].sequence + 1 == link.sequence);
        let Some(previous) = link.previous else {
            (said, next) = (None, Some(link.sequence));
            continue;
        };
        let trusted = expected.is_none_or(|expected| expected == link.digest);
        if !trusted {
            altered.push(link.sequence);
        } else if place == 0 && link.sequence == 1 && previous != Digest::default() {
            // It is as it was chained, and says that something came before the beginning.
            altered.push(link.sequence);
        }
        said = (trusted || (follows && previous == before)).then_some(previous);
        next = Some(link.sequence);
    }
    altered
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A history of so many records, each of bytes that hold the hash of the one before.
    fn history(records: u64) -> (Vec<Vec<u8>>, Head) {
        let (mut bodies, mut digest) = (Vec::new(), Digest::default());
        for n in 1..=records {
            let body = [&digest.as_bytes()[..], &n.to_be_bytes()].concat();
            digest = Digest::of(&body);
            bodies.push(body);
        }
        (bodies, Head { records, digest })
    }

    fn links(bodies: &[Vec<u8>]) -> Vec<Link> {
        let mut read: BTreeMap<Vec<u8>, Digest> = BTreeMap::new();
        read.insert(Digest::default().as_bytes().to_vec(), Digest::default());
        let all = history(20).0;
        read.extend(all.iter().map(|body| {
            let digest = Digest::of(body);
            (digest.as_bytes().to_vec(), digest)
        }));
        let link = |(sequence, body): (u64, &Vec<u8>)| Link {
            sequence,
            digest: Digest::of(body),
            previous: Some(read.get(&body[..32]).copied().unwrap_or_else(|| Digest::of(b"altered"))),
        };
        (1..).zip(bodies).map(link).collect()
    }

    #[test]
    fn a_history_as_it_was_written_has_no_faults() {
        for records in 0..6 {
            let (bodies, head) = history(records);
            assert_eq!(faults(&links(&bodies), Some(head)), []);
            assert_eq!(faults(&links(&bodies), None), []);
        }
    }

    #[test]
    fn an_altered_record_is_named_wherever_it_stands_and_whatever_was_hit_in_it() {
        for at in 0..5 {
            for byte in [0, 31, 39] {
                let (mut bodies, head) = history(5);
                bodies[at][byte] ^= 1;
                let found = faults(&links(&bodies), Some(head));
                assert_eq!(found, [(at as u64 + 1, Fault::Altered)], "byte {byte}");
            }
        }
    }

    #[test]
    fn two_altered_records_are_both_named_if_they_do_not_touch() {
        let (mut bodies, head) = history(6);
        bodies[1][39] ^= 1;
        bodies[4][39] ^= 1;
        assert_eq!(faults(&links(&bodies), Some(head)), [(2, Fault::Altered), (5, Fault::Altered)]);
    }

    #[test]
    fn records_in_each_others_place_are_named_as_such() {
        let (mut bodies, head) = history(6);
        bodies.swap(1, 4);
        assert_eq!(faults(&links(&bodies), Some(head)), [(2, Fault::Reordered), (5, Fault::Reordered)]);
    }

    #[test]
    fn a_missing_record_is_named_and_its_neighbours_are_not() {
        for gone in 1..=6 {
            let (bodies, head) = history(6);
            let mut left = links(&bodies);
            left.retain(|link| link.sequence != gone);
            let fault = if gone == 6 { Fault::CutOff } else { Fault::Missing };
            assert_eq!(faults(&left, Some(head)), [(gone, fault)]);
        }
    }

    #[test]
    fn a_history_without_its_end_is_only_found_by_its_head() {
        let (bodies, head) = history(6);
        let left = links(&bodies[..4]);
        assert_eq!(faults(&left, Some(head)), [(5, Fault::CutOff), (6, Fault::CutOff)]);
        assert_eq!(faults(&left, None), []);
    }

    #[test]
    fn a_record_that_the_head_does_not_know_was_added() {
        let (bodies, _) = history(6);
        let (_, head) = history(5);
        assert_eq!(faults(&links(&bodies), Some(head)), [(6, Fault::Added)]);
    }

    #[test]
    fn what_cannot_be_read_is_not_named_again_and_hides_nothing_else() {
        let (mut bodies, head) = history(6);
        bodies[4][39] ^= 1;
        let mut links = links(&bodies);
        links[2].previous = None;
        assert_eq!(faults(&links, Some(head)), [(5, Fault::Altered)]);
    }
}
