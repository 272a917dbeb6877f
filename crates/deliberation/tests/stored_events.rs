//! Stored events stay readable: the form of every event, as records of this version hold it.

#![allow(clippy::unwrap_used, clippy::allow_attributes, reason = "tests")]

mod common;

use common::{AT, Council};
use fleet_deliberation::{
    Budget, CheckKind,
    CheckOutcome::{Fail, Pass, Skipped},
    CheckSummary, Command, Digest, Event, FindingCounts, JobKind, Preference, Prices, Record, RecordError,
    Sketch, Tally, replay,
};

/// A summary in which everything occurs that a tally may hold.
fn checks_of_every_kind() -> CheckSummary {
    let tests = Tally { faults: 1, high: Some(1), tests: 3, tests_passed: 2, ..Tally::of(Fail) };
    let [policy, lint, run] = [Pass, Skipped, Fail].map(Tally::of);
    let run = Tally { ran: true, ..run };
    [
        (CheckKind::Policy, policy),
        (CheckKind::Lint, lint),
        (CheckKind::DryRun, run),
        (CheckKind::Tests, tests),
    ]
    .into_iter()
    .collect()
}

/// A history in which every kind of event occurs.
fn every_kind() -> Vec<Event> {
    let council = Council { with_everything: true, ..Council::of(["a", "b", "c"]).rounds(2) };
    let mut events = common::history(
        &council,
        [
            council.text("a", 0),
            council.checked_with("a", 0, checks_of_every_kind(), Sketch::of(0..100)),
            council.text("b", 0),
            council.failed("b", 0, JobKind::Check),
            council.failed("c", 0, JobKind::Propose),
            council.reviewed_with("a", 1, 0.75, FindingCounts { high: 1, medium: 2, low: 3, advice: 4 }),
            council.text("a", 1),
            council.checked("a", 1, Fail, 2),
            council.failed("b", 1, JobKind::Critique),
            council.reviewed("b", 2, 0.25, 1),
            council.text("b", 2),
            council.checked("b", 2, Pass, 0),
            council.reviewed("a", 2, 0.5, 3),
            council.failed("a", 2, JobKind::Revise),
        ],
    );
    let renewed = Command::Renew { at: AT.plus_ms(90_000) };
    for reason in [
        renewed,
        Command::Cancel { reason: "enough".into(), at: AT },
        Command::Expire { at: AT.plus_ms(100_000) },
    ] {
        let open = replay(events.iter().take(1));
        events.extend(fleet_deliberation::decide(open.as_ref(), reason).unwrap());
    }
    events
}

/// A history in which every kind of event occurs that tells near ties apart.
fn near_ties() -> Vec<Event> {
    let council = Council::of(["a", "b", "c"]).selecting(1, 2, true).testing(2);
    let mut commands: Vec<Command> = ["a", "b", "c"].map(|agent| council.text(agent, 0)).into();
    commands.extend(["a", "b", "c"].map(|agent| council.checked(agent, 0, Pass, 0)));
    commands.extend([council.wrote_tests("a"), council.failed("b", 0, JobKind::Test)]);
    commands.extend([council.tried("b", &[("a/empty", true)]), council.tried("c", &[("a/empty", true)])]);
    commands.push(council.failed("a", 0, JobKind::Trial));
    commands.push(council.judged("c", 0, Preference::Second));
    let chosen = council.chosen("b", &["b/lint", "a/lint/1"]);
    let asked = [commands, vec![council.failed("c", 1, JobKind::Judge)]].concat();
    let failed = [asked.clone(), vec![council.failed("s", 0, JobKind::Select)]].concat();
    let mut events = common::history(&council, [asked, vec![chosen]].concat());
    events.extend(common::history(&council, failed));
    events.push(Event::TestsSkipped { asked_for: 2 });
    events
}

/// A history in which everything occurs that a budget adds.
fn budgeted() -> Vec<Event> {
    let prices = Some(Prices { prompt: 150_000, completion: 600_000 });
    let budget = Budget { tokens: Some(60_000), money_micros: Some(20_000) };
    let council = Council { budget, prices, ..Council::of(["a", "b", "c"]) }.rounds(1).selecting(1, 2, true);
    let texts = ["a", "b", "c"].map(|agent| council.text(agent, 0));
    let checks = ["a", "b", "c"].map(|agent| council.checked(agent, 0, Pass, 0));
    common::history(&council, [&texts[..], &checks[..]].concat())
}

#[test]
fn every_event_is_stored_in_this_form() {
    let events = [every_kind(), near_ties(), budgeted()].concat();
    let mut kinds: Vec<&str> = events.iter().map(Event::kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!(kinds.len(), 32, "a kind of event is missing here: {kinds:?}");
    let record = Record::new(AT, Digest::of(b"the record before"), events);
    let stored: serde_json::Value = serde_json::from_slice(&record.encode()).unwrap();
    insta::assert_json_snapshot!("record_v4", stored);
}

#[test]
fn records_of_earlier_forms_are_read_whole() {
    let golden: [(u32, &[u8]); 3] = [
        (1, include_bytes!("golden/record_v1.json")),
        (2, include_bytes!("golden/record_v2.json")),
        (3, include_bytes!("golden/record_v3.json")),
    ];
    for (form, bytes) in golden {
        let record = <Record>::decode(bytes).unwrap();
        assert_eq!(record.schema, form);
        let kinds = |events: &[Event]| events.iter().map(Event::kind).collect::<Vec<_>>();
        assert_eq!(kinds(&record.events), kinds(&every_kind()));
        // Nothing was passed over, and nothing made up: written again, it is the same.
        let written = serde_json::to_value(&record.events).unwrap();
        let stored: serde_json::Value = serde_json::from_slice(bytes).unwrap();
        assert_eq!(written, stored["events"], "form {form}");
    }
}

#[test]
fn findings_that_were_not_weighed_yet_count_as_medium_ones() {
    let record = <Record>::decode(include_bytes!("golden/record_v2.json")).unwrap();
    let open = record.events.iter().take_while(|event| event.kind() != "ended");
    let state = replay(open).unwrap();
    let verdict = state.verdict();
    let weights = verdict.ranking.iter().map(|ranked| ranked.merit.as_ref().unwrap().findings_weight);
    assert_eq!(weights.collect::<Vec<_>>(), [2, 24]);
}

#[test]
fn a_record_of_a_later_form_says_so() {
    let later = br#"{"schema":5,"at":0,"previous":"","events":[{"type":"unheard_of"}]}"#;
    assert!(matches!(<Record>::decode(later), Err(RecordError::Newer { found: 5 })));
    assert!(matches!(<Record>::decode(b"{}"), Err(RecordError::Unreadable(_))));
}
