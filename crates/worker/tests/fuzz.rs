//! Spoilt reviews, for a fixed time: whatever a model writes is a review within its bounds, or none.

use fleet_scripted::fuzz;
use fleet_worker::TEXT_BYTES_MAX;
use fleet_worker::review::{FINDINGS_MAX, read_review};

const CORPUS: [&[u8]; 5] = [
    include_bytes!("corpus/json.txt"),
    include_bytes!("corpus/fenced.txt"),
    include_bytes!("corpus/prose.txt"),
    include_bytes!("corpus/wrapped.txt"),
    include_bytes!("corpus/cut.txt"),
];

const WORDS: [&[u8]; 32] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b"\\",
    b",",
    b":",
    b"//",
    b"/*",
    b"\n",
    b"```json\n",
    b"```",
    b"- ",
    b"1. ",
    b"* ",
    b"\"score\": ",
    b"score: ",
    b"rating",
    b"/10",
    b"%",
    b" out of ",
    b"-1",
    b"1e999",
    b"99999999999999999999",
    b"\"findings\": [",
    b"{\"review\": ",
    b"high",
    b"\\ud800",
    b"\xff\xfe",
    "é–".as_bytes(),
    b"null",
];

/// What a text may have at the end that says it was shortened.
const SHORTENED: usize = "…".len();

#[test]
fn whatever_a_model_writes_is_a_review_within_bounds_or_none() {
    fuzz("reviews", &CORPUS, &WORDS, |input, _| {
        let text = String::from_utf8_lossy(input);
        let read = read_review(&text);
        assert_eq!(read, read_review(&text), "read again, it is the same");
        let Ok(review) = read else { return };
        assert!((0.0..=1.0).contains(&review.score), "{}", review.score);
        assert!(review.findings.len() <= FINDINGS_MAX);
        assert!(review.findings.is_sorted_by(|one, next| one.severity >= next.severity));
        for finding in &review.findings {
            assert!(!finding.claim.trim().is_empty());
            for text in [&finding.location, &finding.claim, &finding.evidence] {
                assert!(text.len() <= TEXT_BYTES_MAX + SHORTENED);
            }
        }
        assert!(review.summary.len() <= TEXT_BYTES_MAX + SHORTENED);
    });
}
