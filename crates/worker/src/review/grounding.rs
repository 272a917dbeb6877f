//! Whether what a reviewer cites is there.

use fleet_deliberation::{CheckKind, CheckReport, Review};

/// The shortest quotation that is looked up, in characters: shorter ones are found anywhere, or are words that
/// somebody wrote in quotation marks for another reason.
const QUOTED_CHARS_MIN: usize = 12;

/// The most words beside a quotation that say nothing but where it stands: `see line 3:`.
const OWN_WORDS_MAX: usize = 4;

/// Looks up what each finding cites: ids of check results, and what it quotes from the proposal. A finding whose
/// evidence is not there keeps it, with the reason why it counts as advice.
///
/// What is neither an id nor a quotation, such as an input with what comes out, cannot be looked up and stands.
pub fn ground(review: &mut Review, proposal: &str, checks: &CheckReport) {
    let proposal = plain(proposal);
    for finding in &mut review.findings {
        finding.unfounded = unfounded(&finding.evidence, &proposal, checks).unwrap_or_default();
    }
}

fn unfounded(evidence: &str, proposal: &str, checks: &CheckReport) -> Option<String> {
    let (there, not_there): (Vec<_>, Vec<_>) =
        ids(evidence).partition(|(kind, n)| result_is_there(checks, *kind, *n));
    if let (true, Some((kind, n))) = (there.is_empty(), not_there.first()) {
        return Some(format!("there is no check result {}/{n}", kind.as_str()));
    }
    // What a check says may be quoted as well as the proposal.
    let said = |text: &str| {
        let results = checks.checks.values();
        results.flat_map(|result| &result.faults).any(|fault| plain(&fault.message).contains(text))
            || checks.checks.values().any(|result| plain(&result.message).contains(text))
            || checks
                .checks
                .values()
                .flat_map(|result| &result.run)
                .any(|run| plain(&run.output).contains(text))
    };
    if says_more(evidence) {
        return None;
    }
    let quoted: Vec<String> = quotations(evidence).map(plain).collect();
    let missing = |text: &&String| !proposal.contains(text.as_str()) && !said(text);
    match quoted.iter().find(missing) {
        Some(text) if quoted.iter().all(|text| missing(&text)) => {
            Some(format!("the proposal does not say {:?}", shortened(text)))
        }
        _ => None,
    }
}

/// The ids of check results in a text, such as `lint/1`.
fn ids(text: &str) -> impl Iterator<Item = (CheckKind, usize)> {
    let words = text.split(|c: char| !(c.is_alphanumeric() || c == '/'));
    words.filter_map(|word| {
        let (name, n) = word.split_once('/')?;
        let kind = CheckKind::ALL.into_iter().find(|kind| kind.as_str().eq_ignore_ascii_case(name))?;
        Some((kind, n.parse().ok()?))
    })
}

fn result_is_there(checks: &CheckReport, kind: CheckKind, n: usize) -> bool {
    checks
        .checks
        .get(&kind)
        .is_some_and(|result| (1..=result.faults.len().max(result.tests.len())).contains(&n))
}

/// What stands between backticks or double quotation marks, if it is long enough to be looked up.
fn quotations(text: &str) -> impl Iterator<Item = &str> {
    let fenced = text.contains("```");
    let marks: &[&str] = if fenced { &["```", "\""] } else { &["`", "\""] };
    let quoted = marks.iter().flat_map(move |mark| text.split(mark).skip(1).step_by(2));
    let code = quoted.map(move |quoted| match quoted.split_once('\n') {
        // Behind a fence stands the name of a language.
        Some((tag, code)) if fenced && !tag.contains(char::is_whitespace) => code,
        _ => quoted,
    });
    code.filter(|quoted| {
        // An elision or a placeholder in it: not word for word.
        quoted.chars().count() >= QUOTED_CHARS_MIN && !quoted.contains("...") && !quoted.contains('…')
    })
}

/// Whether evidence is more than quotations: words of the reviewer's own, such as what comes out of an input, cannot be
/// looked up.
fn says_more(evidence: &str) -> bool {
    let own = ['`', '"']
        .into_iter()
        .fold(evidence.to_owned(), |text, mark| text.split(mark).step_by(2).collect::<Vec<_>>().join(" "));
    own.split_whitespace().filter(|word| word.chars().any(char::is_alphanumeric)).count() > OWN_WORDS_MAX
}

/// Letters and signs without the white space between them: models break lines as they like.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

fn shortened(text: &str) -> String {
    text.chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use fleet_deliberation::{CheckOutcome, CheckResult, Fault, Severity};

    const PROPOSAL: &str = "```python\ndef last(items):\n    return items[len(items)]\n```";

    fn checks() -> CheckReport {
        let fault = Fault {
            rule: "syntax".into(),
            severity: Severity::High,
            language: "python".into(),
            line: 2,
            column: 1,
            message: "a parenthesis is not closed".into(),
            excerpt: String::new(),
        };
        let lint = CheckResult { faults: vec![fault], ..CheckResult::new(CheckOutcome::Fail, "") };
        CheckReport { checks: [(CheckKind::Lint, lint)].into(), ..CheckReport::default() }
    }

    fn why(evidence: &str) -> Option<String> {
        unfounded(evidence, &plain(PROPOSAL), &checks())
    }

    #[test]
    fn what_is_cited_must_be_there() {
        for there in [
            "lint/1",
            "see lint/1 and line 2",
            "`return items[len(items)]`",
            "`return  items[ len(items) ]` reads behind the end",
            "last([1]) raises IndexError; expected 1",
            "the check says \"parenthesis is not closed\"",
            "`items`",
            "`def last(items): ... return`",
            "lint/1, also lint/7",
            "`last([1, 2, 3, 4])` raises IndexError, and `4` should come out",
            "```python\nreturn items[len(items)]\n```",
        ] {
            assert_eq!(why(there), None, "{there}");
        }
        for (evidence, expected) in [
            ("lint/2", "there is no check result lint/2"),
            ("policy/1 shows it", "there is no check result policy/1"),
            ("`return items[-1] or None`", "the proposal does not say \"returnitems[-1]orNone\""),
        ] {
            assert_eq!(why(evidence).as_deref(), Some(expected), "{evidence}");
        }
    }
}
