//! Where work stands in a trace. Identities are made from what the work is for, so that every process that
//! takes part, also after a restart, names the same spans.
//!
//! The form is that of W3C Trace Context, level 1, header `traceparent`.

use std::fmt;
use std::str::FromStr;

use fleet_deliberation::{DeliberationId, Digest, JobId};

/// A place in a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    /// The trace; never 0.
    pub trace_id: u128,
    /// The span; never 0.
    pub span_id: u64,
    /// Whether whoever began the trace records it.
    pub sampled: bool,
}

/// Why a text is no `traceparent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a traceparent as W3C Trace Context writes it")]
pub struct BadTrace;

impl TraceContext {
    /// The span of a deliberation: within the trace it was submitted in, if it was, else in one of its own.
    #[must_use]
    pub fn of_deliberation(id: &DeliberationId, submitted_in: &str) -> TraceContext {
        let hash = hash(&["deliberation", id.as_str()]);
        match submitted_in.parse::<TraceContext>() {
            Ok(parent) => TraceContext { span_id: low(hash), ..parent },
            Err(BadTrace) => TraceContext { trace_id: hash.max(1), span_id: low(hash), sampled: true },
        }
    }

    /// The span of an attempt at a job, within its deliberation's.
    #[must_use]
    pub fn of_attempt(self, job: &JobId, attempt: u32) -> TraceContext {
        TraceContext { span_id: low(hash(&["job", &job.to_string(), &attempt.to_string()])), ..self }
    }

    /// The span of the `nth` call within an attempt, from 1.
    #[must_use]
    pub fn of_call(self, job: &JobId, attempt: u32, nth: u32) -> TraceContext {
        let (attempt, nth) = (attempt.to_string(), nth.to_string());
        TraceContext { span_id: low(hash(&["call", &job.to_string(), &attempt, &nth])), ..self }
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace_id, self.span_id, u8::from(self.sampled))
    }
}

impl FromStr for TraceContext {
    type Err = BadTrace;

    fn from_str(text: &str) -> Result<TraceContext, BadTrace> {
        let lower_hex = |part: &str| part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        let mut parts = text.trim().split('-');
        let mut next = |digits: usize| {
            let part = parts.next().ok_or(BadTrace)?;
            if part.len() == digits && lower_hex(part) { Ok(part) } else { Err(BadTrace) }
        };
        let (version, trace_id, span_id, flags) = (next(2)?, next(32)?, next(16)?, next(2)?);
        // Later versions may add parts; this one has four. `ff` is no version.
        if version == "ff" || (version == "00" && parts.next().is_some()) {
            return Err(BadTrace);
        }
        let trace_id = u128::from_str_radix(trace_id, 16).map_err(|_| BadTrace)?;
        let span_id = u64::from_str_radix(span_id, 16).map_err(|_| BadTrace)?;
        let flags = u8::from_str_radix(flags, 16).map_err(|_| BadTrace)?;
        if trace_id == 0 || span_id == 0 {
            return Err(BadTrace);
        }
        Ok(TraceContext { trace_id, span_id, sampled: flags & 1 == 1 })
    }
}

/// The first half of the SHA-256 of some texts.
fn hash(parts: &[&str]) -> u128 {
    // No part holds a line feed.
    let digest = Digest::of(parts.join("\n").as_bytes()).to_string();
    u128::from_str_radix(&digest[..32], 16).unwrap_or(1)
}

fn low(hash: u128) -> u64 {
    // The low half; truncation is what is meant.
    ((hash & u128::from(u64::MAX)) as u64).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_traceparent_is_read_and_written_and_nonsense_is_refused() {
        let parent: TraceContext = PARENT.parse().unwrap();
        assert_eq!(parent.to_string(), PARENT);
        assert!(parent.sampled);
        let later = format!("cc{}-and-more", &PARENT[2..]);
        assert_eq!(later.parse::<TraceContext>(), Ok(parent));
        for nonsense in [
            "",
            "00",
            "00-0-0-0",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-02",
            "00-4bf92f3577b34da6a3ce929d0e0e473\u{e9}-00f067aa0ba902b7-01",
        ] {
            assert_eq!(nonsense.parse::<TraceContext>(), Err(BadTrace), "{nonsense:?}");
        }
    }

    #[test]
    fn the_same_work_has_the_same_span_and_other_work_another() {
        let id = DeliberationId::new("task").unwrap();
        let alone = TraceContext::of_deliberation(&id, "");
        assert_eq!(alone, TraceContext::of_deliberation(&id, "no trace"));
        let within = TraceContext::of_deliberation(&id, PARENT);
        assert_eq!(within.trace_id, PARENT.parse::<TraceContext>().unwrap().trace_id);
        assert_eq!(within.span_id, alone.span_id);
        let job: JobId = "task/0/propose/a".parse().unwrap();
        let spans = [
            within,
            within.of_attempt(&job, 1),
            within.of_attempt(&job, 2),
            within.of_call(&job, 1, 1),
            within.of_call(&job, 1, 2),
        ];
        for (at, span) in spans.iter().enumerate() {
            assert!(spans[..at].iter().all(|other| other.span_id != span.span_id));
        }
    }
}
