//! How streams and subjects are called.

use fleet_deliberation::{DeliberationId, JobId};
use fleet_orchestrator::port::HistoryId;

/// Names that all begin with one prefix, so that several installations share a NATS.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    prefix: String,
    /// Records of histories.
    pub(crate) log: &'static str,
    pub(crate) answers: &'static str,
    pub(crate) jobs: &'static str,
    pub(crate) announcements: &'static str,
    pub(crate) marks: &'static str,
}

impl Names {
    /// `prefix` is made of small letters, digits and `-`, and begins with a letter.
    pub(crate) fn new(prefix: &str) -> Names {
        let stream = |name: &str| -> &'static str {
            let prefix = prefix.to_ascii_uppercase().replace('-', "_");
            // A handful of names for the life of a process.
            Box::leak(format!("{prefix}_{name}").into_boxed_str())
        };
        Names {
            prefix: prefix.to_owned(),
            log: stream("LOG"),
            answers: stream("ANSWERS"),
            jobs: stream("JOBS"),
            announcements: stream("ANNOUNCEMENTS"),
            marks: stream("MARKS"),
        }
    }

    /// Where records of all histories are, as a filter.
    pub(crate) fn records(&self) -> String {
        format!("{}.log.>", self.prefix)
    }

    /// Where the records of a history are: `{prefix}.log.{kind}.{id}`.
    pub(crate) fn history(&self, history: &HistoryId) -> String {
        let parts: Vec<String> = history.as_str().splitn(2, ':').map(encoded).collect();
        format!("{}.log.{}", self.prefix, parts.join("."))
    }

    /// The history whose records are on a subject.
    pub(crate) fn history_on(&self, subject: &str) -> Option<HistoryId> {
        let parts = subject.strip_prefix(&self.prefix)?.strip_prefix(".log.")?.split('.');
        let parts: Vec<String> = parts.map(decoded).collect::<Option<_>>()?;
        Some(HistoryId::from_stored(&parts.join(":")))
    }

    pub(crate) fn all_answers(&self) -> String {
        format!("{}.answer.>", self.prefix)
    }

    /// Where the answer of a job is: `{prefix}.answer.{deliberation}.{round}.{kind}.{subject}`.
    pub(crate) fn answer(&self, job: &JobId) -> String {
        format!("{}.answer.{}", self.prefix, tokens(job))
    }

    /// Where a part of an answer is that is too large for one message.
    pub(crate) fn answer_part(&self, job: &JobId, of: &str, part: usize) -> String {
        format!("{}.answer.{}.{PART}.{of}.{part}", self.prefix, tokens(job))
    }

    /// Whether a subject of answers is that of a part.
    pub(crate) fn is_part(&self, subject: &str) -> bool {
        // Prefix, `answer` and four of a job come before it.
        subject.split('.').nth(6) == Some(PART)
    }

    pub(crate) fn answers_of(&self, deliberation: &DeliberationId) -> String {
        format!("{}.answer.{}.>", self.prefix, encoded(deliberation.as_str()))
    }

    pub(crate) fn all_jobs(&self) -> String {
        format!("{}.job.>", self.prefix)
    }

    /// Where the state of a job is: `{prefix}.job.{deliberation}.{round}.{kind}.{subject}`.
    pub(crate) fn job(&self, job: &JobId) -> String {
        format!("{}.job.{}", self.prefix, tokens(job))
    }

    pub(crate) fn jobs_of(&self, deliberation: &DeliberationId) -> String {
        format!("{}.job.{}.>", self.prefix, encoded(deliberation.as_str()))
    }

    pub(crate) fn all_marks(&self) -> String {
        format!("{}.mark.>", self.prefix)
    }

    pub(crate) fn mark(&self, name: &str) -> String {
        format!("{}.mark.{name}", self.prefix)
    }

    /// Where a message of a stream is told of once it is stored, as a filter.
    pub(crate) fn stored(&self, filter: &str) -> String {
        let rest = filter.strip_prefix(&self.prefix).unwrap_or(filter);
        format!("{}.stored{rest}", self.prefix)
    }

    /// Where all that is stored is told of.
    pub(crate) fn all_stored(&self) -> String {
        format!("{}.stored.>", self.prefix)
    }
}

const PART: &str = "part";

/// A job as four tokens. Its own text has four parts in which nothing is left that a broker would take as its own.
fn tokens(job: &JobId) -> String {
    job.to_string().replace('/', ".")
}

/// A text as one token: every byte that is not a letter, a digit, `-`, `_` or `~` of ASCII as `%XX`; nothing as `%`.
fn encoded(text: &str) -> String {
    if text.is_empty() {
        return "%".into();
    }
    let mut token = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_~".contains(&byte) {
            token.push(char::from(byte));
        } else {
            token.push_str(&format!("%{byte:02X}"));
        }
    }
    token
}

/// Takes back what [`encoded`] gave.
fn decoded(token: &str) -> Option<String> {
    if token == "%" {
        return Some(String::new());
    }
    let mut bytes = Vec::with_capacity(token.len());
    let mut rest = token.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        if *first == b'%' {
            let digits = std::str::from_utf8(behind.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &behind[2..];
        } else {
            bytes.push(*first);
            rest = behind;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_is_read_back_from_its_subject() {
        let names = Names::new("fleet");
        for text in ["deliberation:a", "deliberation:a.b:c", "hour:7:DEV", "council:ä > *", "odd", "odd:"] {
            let history = HistoryId::from_stored(text);
            let subject = names.history(&history);
            assert!(subject.split('.').all(|token| !token.is_empty()), "{subject}");
            assert!(!subject.contains(['*', '>', ' ']), "{subject}");
            assert_eq!(names.history_on(&subject), Some(history));
        }
    }

    #[test]
    fn a_part_is_told_from_an_answer() {
        let names = Names::new("fleet");
        let job: JobId = "a.b/0/propose/part".parse().expect("a job");
        assert!(!names.is_part(&names.answer(&job)));
        assert!(names.is_part(&names.answer_part(&job, "x", 0)));
    }
}
