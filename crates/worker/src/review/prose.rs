//! A review that was written as prose: a line with the score, findings as bullets.

use fleet_deliberation::{Finding, Review, Severity};

use super::{Unreadable, review, score_in, severity_of, shortened};

/// The most lines that are looked at.
const LINES_MAX: usize = 20_000;

pub(super) fn read(text: &str) -> Result<Review, Unreadable> {
    let mut found = None;
    let mut named = false;
    let mut findings = Vec::new();
    let mut summary = "";
    for line in text.lines().take(LINES_MAX) {
        let line = line.trim();
        if let Some(behind) = behind_score(line) {
            named = true;
            // The last one counts: a review that weighs as it goes gives its total at the end.
            found = score_in(behind).or(found);
        } else if let Some(item) = bullet(line) {
            findings.push(finding(item));
        } else if summary.is_empty() && line.chars().any(char::is_alphanumeric) && !line.starts_with('#') {
            summary = line;
        }
    }
    match (found, named) {
        (Some(score), _) => {
            findings.retain(|finding| !finding.claim.is_empty());
            Ok(review(score, findings, summary))
        }
        (None, true) => Err(Unreadable::BadScore),
        (None, false) => Err(Unreadable::NoScore),
    }
}

/// What stands behind `score:` in a line such as `**Overall score**: 7/10`, without the colon.
fn behind_score(line: &str) -> Option<&str> {
    // Only a short line, or the beginning of a longer one, names the score.
    let head_end = (0..=60.min(line.len())).rev().find(|at| line.is_char_boundary(*at))?;
    let head = line[..head_end].to_ascii_lowercase();
    let (at, word) = ["score", "rating", "grade"]
        .iter()
        .filter_map(|word| Some((head.find(word)?, word)))
        .min_by_key(|(at, _)| *at)?;
    let rest = line[at + word.len()..].trim_start_matches(['*', '_', '`', ' ', '"', '\'']);
    let rest = ["(out of 10)", "(0-10)", "(1-10)", "(/10)"]
        .iter()
        .find_map(|note| rest.strip_prefix(note))
        .unwrap_or(rest);
    let rest = rest.trim_start_matches(['*', '_', '`', ' ', '"', '\'']);
    rest.strip_prefix([':', '=', '-', '–']).or_else(|| rest.strip_prefix("is "))
}

/// What a bullet or a numbered item says.
fn bullet(line: &str) -> Option<&str> {
    let item = line.strip_prefix(['-', '*', '•']).or_else(|| {
        let digits = line.bytes().take(3).take_while(u8::is_ascii_digit).count();
        if digits == 0 { None } else { line[digits..].strip_prefix(['.', ')']) }
    })?;
    // `**bold**` and `---` are no items.
    item.starts_with(char::is_whitespace).then(|| item.trim())
}

/// A finding such as `[high] No test covers n = 0.` or `**Minor:** names.`
fn finding(item: &str) -> Finding {
    let inner = item.trim_start_matches(['[', '*', '(', '_']);
    let word_end = inner.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(inner.len());
    let tail = inner[word_end..].trim_start_matches([']', '*', ')', '_']);
    // `critical - x` bears a label, `low-level x` does not.
    let labelled = inner.len() < item.len() || [":", " -", " –"].iter().any(|mark| tail.starts_with(mark));
    match severity_of(&inner[..word_end]).filter(|_| labelled) {
        Some(severity) => {
            let claim = tail.trim_start_matches([':', '-', '–', '*', ' ', ']']);
            Finding::new(severity, "", shortened(claim), "")
        }
        None => Finding::new(Severity::Medium, "", shortened(item), ""),
    }
}
