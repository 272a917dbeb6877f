//! How judgements and choices are read from whatever a model wrote.

#![allow(clippy::unwrap_used, clippy::allow_attributes, reason = "tests")]

use fleet_deliberation::{AgentId, CITES_MAX, Preference};
use fleet_scripted::fuzz;
use fleet_worker::comparison::{Unreadable, read_choice, read_judgement};

#[test]
fn a_preference_is_read_from_json_alone_in_fences_and_within_prose() {
    for (text, expected) in [
        (r#"{"reason": "handles 0", "better": "A"}"#, Preference::First),
        ("Both parse.\n```json\n{\"better\": \"b\", \"reason\": \"\"}\n```", Preference::Second),
        (r#"I prefer {"winner": "Proposal B"} here."#, Preference::Second),
        (r#"{"better": "[[A]]"}"#, Preference::First),
        (r#"{"better": "tie"}"#, Preference::Neither),
        (r#"{"better": "A"} no, on second thought {"better": "B"}"#, Preference::Second),
    ] {
        assert_eq!(read_judgement(text).map(|judgement| judgement.preference), Ok(expected), "{text}");
    }
}

#[test]
fn what_says_nothing_is_no_judgement() {
    for text in ["", "A is better", "{}", r#"{"better": "C"}"#, r#"{"better": 1}"#, r#"{"better": ""}"#] {
        assert!(matches!(read_judgement(text), Err(Unreadable::NoPreference(_))), "{text}");
    }
}

fn agents() -> [AgentId; 2] {
    ["agent-1", "agent-2"].map(|name| AgentId::new(name).unwrap())
}

#[test]
fn a_choice_names_authors_and_cites_only_what_is_there() {
    let [first, second] = agents();
    let citable = ["A/lint", "A/lint/1", "B/tests", "B/finding/1"].map(str::to_owned);
    let read = |text| read_choice(text, &[&first, &second], &citable);
    let choice =
        read(r#"{"cites": ["b/tests", "A/lint/1", "C/lint", "B/tests"], "reason": "x", "choice": "B"}"#)
            .unwrap();
    assert_eq!(choice.chosen.author, second);
    assert_eq!(choice.chosen.cites, ["agent-2/tests", "agent-1/lint/1"]);
    let choice = read(r#"{"evidence": "A/lint, B/finding/1", "chosen": "a"}"#).unwrap();
    assert_eq!((choice.chosen.author, choice.chosen.cites.len()), (first.clone(), 2));
    assert_eq!(read(r#"{"cites": ["A/lint"], "choice": "C"}"#), Err(Unreadable::NoChoice));
    assert_eq!(read(r#"{"cites": ["A/policy"], "choice": "A"}"#), Err(Unreadable::NoEvidence));
    assert_eq!(read(r#"{"choice": "A"}"#), Err(Unreadable::NoEvidence));
}

#[test]
fn whatever_a_model_writes_is_a_choice_within_bounds_or_none() {
    let corpus: [&[u8]; 2] =
        [br#"{"cites": ["A/lint"], "reason": "x", "choice": "A"}"#, br#"{"reason": "x", "better": "B"}"#];
    let words: [&[u8]; 8] = [
        b"\"better\": ",
        b"\"choice\": ",
        b"\"cites\": [",
        b"A/lint",
        b"B",
        b"neither",
        b"{",
        "é".as_bytes(),
    ];
    let [first, second] = agents();
    let citable: Vec<String> = (0..100).map(|n| format!("A/lint/{n}")).collect();
    fuzz("comparisons", &corpus, &words, |input, _| {
        let text = String::from_utf8_lossy(input);
        let _ = read_judgement(&text);
        if let Ok(choice) = read_choice(&text, &[&first, &second], &citable) {
            assert!((1..=CITES_MAX).contains(&choice.chosen.cites.len()));
        }
    });
}
