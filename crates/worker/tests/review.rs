//! Reviews in every form models write them in.

use std::time::{Duration, Instant};

use fleet_deliberation::{Review, Severity};
use fleet_worker::review::{Unreadable, read_review, schema};
use proptest::prelude::*;

fn review(text: &str) -> Review {
    read_review(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn score(text: &str) -> f64 {
    review(text).score
}

const JSON: &str = r#"{"findings": [
    {"severity": "low", "location": "line 3", "claim": "The name says little.", "evidence": "x"},
    {"severity": "high", "location": "", "claim": "No base case.", "evidence": "f(0) recurses"}
], "score": 7, "summary": "Nearly."}"#;

fn check_whole(text: &str) {
    let review = review(text);
    assert_eq!(review.score, 0.7, "{text}");
    assert_eq!(review.summary, "Nearly.");
    let findings: Vec<_> = review.findings.iter().map(|f| (f.severity, f.claim.as_str())).collect();
    assert_eq!(findings, [(Severity::High, "No base case."), (Severity::Low, "The name says little.")]);
    assert_eq!(review.findings[0].evidence, "f(0) recurses");
    assert_eq!(review.findings[1].location, "line 3");
}

#[test]
fn json_is_found_wherever_it_stands() {
    check_whole(JSON);
    check_whole(&format!("```json\n{JSON}\n```"));
    check_whole(&format!("Here is {{my}} review {{:\n\n```\n{JSON}\n```\nScore: 2/10"));
    check_whole(&format!("I looked at f(x) {{ return }} and think:\n{JSON}\nThat is all."));
    check_whole(&format!("{{\"review\": {JSON}}}"));
}

#[test]
fn nearly_json_is_mended() {
    check_whole(&JSON.replace("}\n]", "},\n]").replace("\"Nearly.\"", "\"Nearly.\", // so\n"));
    assert_eq!(review("{\"score\": 7, \"summary\": \"two\nlines\"}").summary, "two\nlines");
    assert_eq!(score(r#"{"Score": 7, "Findings": null}"#), 0.7);
}

#[test]
fn json_that_was_cut_off_behind_its_score_is_closed() {
    let whole = r#"{"score": 7, "summary": "Nearly.", "findings": [{"severity": "high", "claim": "No base case."}, {"severity": "low", "claim": "x"}]}"#;
    let behind = whole.find(", \"summary").unwrap();
    for end in behind..whole.len() {
        assert_eq!(score(&whole[..end]), 0.7, "{}", &whole[..end]);
    }
    let one = &whole[..whole.find(", {\"severity\": \"low").unwrap() + 20];
    assert_eq!(review(one).findings.len(), 1);
    assert_eq!(read_review(r#"{"findings": [{"claim": "x"}], "sco"#), Err(Unreadable::NoScore));
}

#[test]
fn a_score_is_taken_in_the_usual_forms() {
    for (form, expected) in [
        ("7", 0.7),
        ("7.5", 0.75),
        ("10", 1.0),
        ("0", 0.0),
        (r#""8""#, 0.8),
        (r#""8/10""#, 0.8),
        (r#""4 out of 5""#, 0.8),
        (r#""0.8/1""#, 0.8),
        (r#""80%""#, 0.8),
        (r#""85/100""#, 0.85),
        (r#""**9** / 10""#, 0.9),
        ("0.8", 0.08),
        (r#""7,5""#, 0.75),
    ] {
        let read = score(&format!("{{\"score\": {form}}}"));
        assert!((read - expected).abs() < 1e-9, "{form}: {read}");
    }
    for form in ["11", "-1", "1e400", r#""high""#, r#""5/0""#, r#""11/10""#, "true", "[7]", r#""""#] {
        assert!(read_review(&format!("{{\"score\": {form}}}")).is_err(), "{form}");
    }
    assert_eq!(read_review(r#"{"score": 85} Score: 7/10"#), Err(Unreadable::BadScore));
}

#[test]
fn words_for_severity_are_understood() {
    use Severity::{High, Low, Medium};
    for (word, expected) in [
        ("critical", High),
        ("MAJOR", High),
        ("High (3)", High),
        ("moderate", Medium),
        ("minor", Low),
        ("nit: x", Low),
        ("", Medium),
        ("purple", Medium),
    ] {
        let text = format!(r#"{{"score": 5, "findings": [{{"severity": "{word}", "message": "x"}}]}}"#);
        assert_eq!(review(&text).findings[0].severity, expected, "{word}");
    }
    assert_eq!(review(r#"{"score": 5, "issues": ["no tests", "", 7]}"#).findings.len(), 1);
}

#[test]
fn prose_is_read_as_a_last_resort() {
    let review = review(
        "## Review\n\nThe approach is sound.\n\n- **High:** No base case.\n- names are short\n* [minor] spacing\n\
         - low-level access\n\
         1. critical - crashes on 0\n\n**Score:** 7/10\n",
    );
    assert_eq!(review.score, 0.7);
    assert_eq!(review.summary, "The approach is sound.");
    let findings: Vec<_> = review.findings.iter().map(|f| (f.severity, f.claim.as_str())).collect();
    let expected = [
        (Severity::High, "No base case."),
        (Severity::High, "crashes on 0"),
        (Severity::Medium, "names are short"),
        (Severity::Medium, "low-level access"),
        (Severity::Low, "spacing"),
    ];
    assert_eq!(findings, expected);
    assert_eq!(score("Overall score (out of 10): 8.5 because"), 0.85);
    assert_eq!(score("{'score': 6, 'findings': []}"), 0.6);
    assert_eq!(score("Score is 6 of 10"), 0.6);
    assert_eq!(read_review("It scores well, I like it."), Err(Unreadable::NoScore));
    assert_eq!(read_review("Score: good"), Err(Unreadable::BadScore));
    assert_eq!(read_review(" \n"), Err(Unreadable::Empty));
}

#[test]
fn a_review_is_kept_within_bounds() {
    let long = "é".repeat(5_000);
    let finding = format!(r#"{{"severity": "low", "claim": "{long}"}},"#);
    let review = review(&format!(r#"{{"score": 5, "findings": [{}]}}"#, finding.repeat(90)));
    assert_eq!(review.findings.len(), 50);
    assert!(review.findings[0].claim.len() < 4_100);
}

#[test]
fn the_schema_asks_for_what_is_read() {
    let schema = schema();
    let score = &schema["properties"]["score"];
    assert_eq!((score["minimum"].as_u64(), score["maximum"].as_u64()), (Some(0), Some(10)));
    assert_eq!(schema["required"].as_array().unwrap().len(), 3);
}

#[test]
fn a_million_bytes_of_anything_are_read_in_time() {
    for part in [
        "{",
        "[",
        "\"",
        "{\"a\":",
        "```{\"",
        "{\"a\": [1,",
        "score: ",
        "- x\n",
        "\\",
        "\n",
        "{}",
        "{\"score\": \"x\", ",
        "{ x ",
        "é",
        "/",
        "/*",
        "//",
        "{\"a\" ",
        "},",
        "```\n",
    ] {
        let text = part.repeat((1 << 20) / part.len());
        let begun = Instant::now();
        let _ = read_review(&text);
        // Far above what it takes in a debug build; quadratic work would take minutes.
        assert!(begun.elapsed() < Duration::from_secs(5), "{part:?} took {:?}", begun.elapsed());
    }
}

proptest! {
    #[test]
    fn whatever_is_read_is_a_score_within_bounds(
        parts in proptest::collection::vec(prop_oneof![
            Just("{".to_owned()), Just("}".into()), Just("[".into()), Just("]".into()), Just("\"".into()),
            Just(":".into()), Just(",".into()), Just("\\".into()), Just("\"score\"".into()), Just("score: ".into()),
            Just("\"findings\": [".into()), Just("```json\n".into()), Just("- ".into()), Just("\n".into()),
            "[0-9./%]{0,4}", "\\PC{0,6}",
        ], 0..40),
    ) {
        if let Ok(review) = read_review(&parts.concat()) {
            prop_assert!((0.0..=1.0).contains(&review.score));
        }
    }

    #[test]
    fn any_text_is_survived(text in ".{0,400}") {
        let _ = read_review(&text);
    }

    #[test]
    fn cutting_a_review_anywhere_never_changes_its_score(end in 0usize..JSON.len()) {
        if let Ok(review) = read_review(&JSON[..end]) {
            prop_assert_eq!(review.score, 0.7);
        }
    }
}
