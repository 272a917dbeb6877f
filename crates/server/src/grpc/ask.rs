//! What clients ask, from the wire.

use std::time::Duration;

use fleet_api::v1 as wire;
use fleet_deliberation::{
    AGENTS_MAX, Budget, DeliberationId, JUDGES_MAX, MONEY_MAX, Priority, ROUNDS_MAX, TEST_WRITERS_MAX,
    TIMEOUT_MS_MAX, TOP_K_MAX, Task, check_timeout,
};
use fleet_orchestrator::{Filter, HandleError, TraceContext};
use tonic::Status;
use tonic::metadata::MetadataMap;

use super::status::{malformed, status};

/// The longest reason that may be given, in bytes.
const REASON_BYTES_MAX: usize = 4096;

/// A request to deliberate.
pub(crate) fn submission(request: wire::DeliberateRequest) -> Result<fleet_orchestrator::Request, Status> {
    let constraints = request.constraints.unwrap_or_default();
    let rounds =
        request.rounds.map(|rounds| counted("rounds", rounds, 0, ROUNDS_MAX as usize)).transpose()?;
    // In the words of the earlier system; 0 is no bound.
    let rounds_max = number("constraints.max_iterations", constraints.max_iterations, usize::MAX)?;
    let timeout_ms = timeout_ms(constraints.timeout_seconds)?;
    let id = match request.task_id.as_str() {
        "" => None,
        id => Some(task_id(id)?),
    };
    Ok(fleet_orchestrator::Request {
        id,
        task: Task {
            description: request.task_description,
            rubric: constraints.rubric,
            requirements: constraints.requirements,
            metadata: constraints.metadata.into_iter().collect(),
        },
        role: request.role,
        rounds: rounds.map(to_u32),
        rounds_max: rounds_max.map(to_u32),
        agents: number("num_agents", request.num_agents, AGENTS_MAX)?.map(to_u32),
        timeout_ms,
        submitter: "grpc".into(),
        judges: request
            .judges
            .map(|judges| counted("judges", judges, 0, JUDGES_MAX as usize))
            .transpose()?
            .map(to_u32),
        // 0 says nothing, and a single one has nothing to be told apart from.
        top_k: match request.top_k {
            0 => None,
            top_k => Some(to_u32(counted("top_k", top_k, 2, TOP_K_MAX as usize)?)),
        },
        test_writers: request
            .test_writers
            .map(|writers| counted("test_writers", writers, 0, TEST_WRITERS_MAX as usize))
            .transpose()?
            .map(to_u32),
        architect: request.architect,
        budget: Budget {
            tokens: amount("budget_tokens", request.budget_tokens)?,
            money_micros: money("budget_money", request.budget_money)?,
        },
        priority: priority(request.priority)?,
        trace: String::new(),
    })
}

/// A priority in the words of plans.
fn priority(n: i32) -> Result<Option<Priority>, Status> {
    Ok(number("priority", n, 5)?.map(|n| match n {
        1 | 2 => Priority::Low,
        4 | 5 => Priority::High,
        _ => Priority::Normal,
    }))
}

/// Which deliberations are to be listed.
pub(crate) fn filter(status: i32, role: String, error_type: String) -> Result<Filter, Status> {
    let reason = || malformed("status", format!("is {status}; it must be a DeliberationStatus"));
    let wanted = wire::DeliberationStatus::try_from(status).map_err(|_| reason())?;
    let status = match wanted {
        wire::DeliberationStatus::Unknown => None,
        wire::DeliberationStatus::Pending => Some(fleet_deliberation::Status::Pending),
        wire::DeliberationStatus::InProgress => Some(fleet_deliberation::Status::InProgress),
        wire::DeliberationStatus::Completed => Some(fleet_deliberation::Status::Completed),
        wire::DeliberationStatus::Failed => Some(fleet_deliberation::Status::Failed),
        wire::DeliberationStatus::Timeout => Some(fleet_deliberation::Status::TimedOut),
    };
    let said = |text: String| Some(text).filter(|text| !text.is_empty());
    Ok(Filter { status, role: said(role), error_type: said(error_type) })
}

/// A task's id.
pub(crate) fn task_id(text: &str) -> Result<DeliberationId, Status> {
    DeliberationId::new(text).map_err(|error| malformed("task_id", error.to_string()))
}

/// The reason for a cancellation.
pub(crate) fn reason(text: String) -> Result<String, Status> {
    if text.len() <= REASON_BYTES_MAX {
        return Ok(text);
    }
    let reason = format!("has {} bytes; at most {REASON_BYTES_MAX} bytes are accepted", text.len());
    Err(malformed("reason", reason))
}

/// A number of which 0 says nothing.
pub(crate) fn number(field: &str, n: i32, max: usize) -> Result<Option<usize>, Status> {
    match n {
        0 => Ok(None),
        n => counted(field, n, 1, max).map(Some),
    }
}

/// An amount of which 0 says nothing.
fn amount(field: &str, n: i64) -> Result<Option<u64>, Status> {
    let n = u64::try_from(n).map_err(|_| malformed(field, format!("is {n}; it must be at least 0")))?;
    Ok((n > 0).then_some(n))
}

/// An amount of money, in millionths; 0 says nothing.
fn money(field: &str, n: f64) -> Result<Option<u64>, Status> {
    let micros = Budget::micros(n);
    let micros =
        micros.ok_or_else(|| malformed(field, format!("is {n}; it must lie between 0 and {MONEY_MAX}")));
    Ok(Some(micros?).filter(|_| n > 0.0))
}

fn counted(field: &str, n: i32, min: usize, max: usize) -> Result<usize, Status> {
    match usize::try_from(n) {
        Ok(n) if (min..=max).contains(&n) => Ok(n),
        _ if max == usize::MAX => Err(malformed(field, format!("is {n}; it must be at least {min}"))),
        _ => Err(malformed(field, format!("is {n}; it must lie between {min} and {max}"))),
    }
}

/// The longest a request may take, in milliseconds; 0 seconds say nothing.
fn timeout_ms(seconds: i32) -> Result<Option<u64>, Status> {
    const FIELD: &str = "constraints.timeout_seconds";
    let (1.., Ok(s)) = (seconds, u64::try_from(seconds)) else {
        return number(FIELD, seconds, (TIMEOUT_MS_MAX / 1000) as usize).map(|_| None);
    };
    let ms = s.saturating_mul(1000);
    check_timeout(FIELD, ms).map_err(|rejection| status(HandleError::Rejected(rejection)))?;
    Ok(Some(ms))
}

fn to_u32(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// What is left of the caller's deadline, from the header `grpc-timeout`: up to eight digits and a unit
/// (gRPC over HTTP/2, "Timeout").
pub(crate) fn time_left(metadata: &MetadataMap) -> Option<Duration> {
    let text = metadata.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 {
        return None;
    }
    let n: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(n * 3600),
        "M" => Duration::from_secs(n * 60),
        "S" => Duration::from_secs(n),
        "m" => Duration::from_millis(n),
        "u" => Duration::from_micros(n),
        "n" => Duration::from_nanos(n),
        _ => return None,
    })
}

/// The trace the caller is in, from the header `traceparent`; empty where there is none. One that cannot be
/// read, or that is there twice, is ignored, as W3C Trace Context wants it.
pub(crate) fn trace(metadata: &MetadataMap) -> String {
    let mut headers = metadata.get_all("traceparent").iter();
    let (Some(header), None) = (headers.next(), headers.next()) else { return String::new() };
    let context = header.to_str().ok().and_then(|header| header.parse::<TraceContext>().ok());
    context.map(|context| context.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_read_in_every_unit_and_nonsense_is_none() {
        let left = |text: &'static str| {
            let mut metadata = MetadataMap::new();
            metadata.insert("grpc-timeout", tonic::metadata::MetadataValue::from_static(text));
            time_left(&metadata)
        };
        assert_eq!(left("2H"), Some(Duration::from_secs(7200)));
        assert_eq!(left("3M"), Some(Duration::from_secs(180)));
        assert_eq!(left("4S"), Some(Duration::from_secs(4)));
        assert_eq!(left("5m"), Some(Duration::from_millis(5)));
        assert_eq!(left("6u"), Some(Duration::from_micros(6)));
        assert_eq!(left("7n"), Some(Duration::from_nanos(7)));
        assert_eq!(left("99999999H"), Some(Duration::from_secs(99_999_999 * 3600)));
        for nonsense in ["", "S", "5", "5x", "-5S", "100000000S", "1.5S"] {
            assert_eq!(left(nonsense), None, "{nonsense:?}");
        }
        assert_eq!(time_left(&MetadataMap::new()), None);
    }

    #[test]
    fn a_trace_is_taken_in_and_a_malformed_one_ignored() {
        let trace = |headers: &[&'static str]| {
            let mut metadata = MetadataMap::new();
            for header in headers {
                metadata.append("traceparent", tonic::metadata::MetadataValue::from_static(header));
            }
            trace(&metadata)
        };
        const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
        assert_eq!(trace(&[PARENT]), PARENT);
        let later = trace(&["01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00-more"]);
        assert_eq!(later, PARENT, "a later version is read as this one");
        assert_eq!(trace(&[]), "");
        assert_eq!(trace(&[PARENT, PARENT]), "", "which of them would it be?");
        assert_eq!(trace(&["00-xyz-00f067aa0ba902b7-00"]), "");
    }

    #[test]
    fn near_ties_are_two_at_least_unless_nothing_is_said_of_them() {
        let top_k =
            |top_k| submission(wire::DeliberateRequest { top_k, ..wire::DeliberateRequest::default() });
        assert_eq!(top_k(0).unwrap().top_k, None);
        assert_eq!(top_k(2).unwrap().top_k, Some(2));
        for wrong in [-1, 1, 9] {
            let refused = top_k(wrong).unwrap_err();
            assert!(refused.message().contains("must lie between 2 and 8"), "{refused:?}");
        }
    }

    #[test]
    fn the_iterations_of_earlier_clients_bound_the_rounds() {
        let rounds = |rounds, max_iterations| {
            let constraints = wire::TaskConstraints { max_iterations, ..wire::TaskConstraints::default() };
            let constraints = Some(constraints);
            let request =
                wire::DeliberateRequest { rounds, constraints, ..wire::DeliberateRequest::default() };
            submission(request).map(|request| (request.rounds, request.rounds_max)).ok()
        };
        assert_eq!(rounds(Some(3), 0), Some((Some(3), None)));
        assert_eq!(rounds(Some(3), 2), Some((Some(3), Some(2))));
        assert_eq!(rounds(None, 2), Some((None, Some(2))), "what was not said is not made up");
        assert_eq!(rounds(Some(11), 2), None);
    }
}
