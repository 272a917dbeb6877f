//! The one table from errors to gRPC statuses.

use std::time::Duration;

use fleet_deliberation::Rejection;
use fleet_orchestrator::port::StoreError;
use fleet_orchestrator::{HandleError, chain};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

/// When a client may try again after the store was away.
const STORE_RETRY: Duration = Duration::from_secs(1);

/// The most bytes of a message. It travels in a header, and one that is too long takes the whole connection
/// along; what it repeats of a request may be any length.
const MESSAGE_BYTES_MAX: usize = 1024;

/// An error as the caller sees it. Causes stay in the log.
pub(crate) fn status(error: HandleError) -> Status {
    let message = shortened(error.to_string());
    match error {
        HandleError::Rejected(rejection) => match rejection {
            Rejection::Unknown(_) => Status::not_found(message),
            Rejection::Malformed { field, reason } => malformed(&field, reason),
            Rejection::OtherContent(_) | Rejection::Taken(_) => Status::already_exists(message),
            Rejection::NotThere(_) => Status::not_found(message),
            Rejection::NotNow(_) => Status::failed_precondition(message),
        },
        HandleError::NoCouncil { .. } | HandleError::NoLongerServed { .. } => Status::not_found(message),
        HandleError::Busy { retry_after_ms, .. } | HandleError::Exhausted { retry_after_ms, .. } => {
            later(Code::ResourceExhausted, message, Duration::from_millis(retry_after_ms))
        }
        HandleError::Closing { retry_after_ms } => {
            later(Code::Unavailable, message, Duration::from_millis(retry_after_ms))
        }
        HandleError::Store(error) => {
            tracing::error!(error = chain(&error), "a call failed");
            match error {
                StoreError::Conflict => Status::aborted("others changed it at the same time; try again"),
                StoreError::Full => later(
                    Code::ResourceExhausted,
                    format!("{message}: its disk needs room; try again with the same task_id"),
                    STORE_RETRY,
                ),
                StoreError::Unavailable(_) => later(
                    Code::Unavailable,
                    format!("{message}; try again with the same task_id"),
                    STORE_RETRY,
                ),
                StoreError::Corrupt(..) => {
                    Status::internal("what is stored cannot be read; the log has details")
                }
            }
        }
    }
}

/// A field of a request that is out of its bounds.
pub(crate) fn malformed(field: &str, reason: impl Into<String>) -> Status {
    let (field, reason) = (shortened(field.to_owned()), shortened(reason.into()));
    let message = shortened(format!("{field} {reason}"));
    let details = ErrorDetails::with_bad_request_violation(field, reason);
    Status::with_error_details(Code::InvalidArgument, message, details)
}

fn shortened(text: String) -> String {
    if text.len() <= MESSAGE_BYTES_MAX {
        return text;
    }
    let end = (0..MESSAGE_BYTES_MAX).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{}…", &text[..end])
}

/// A refusal for now, with a hint when to come back.
pub(crate) fn later(code: Code, message: String, after: Duration) -> Status {
    Status::with_error_details(code, message, ErrorDetails::with_retry_info(Some(after)))
}

#[cfg(test)]
mod tests {
    use fleet_deliberation::DeliberationId;
    use fleet_orchestrator::port::Sequence;
    use tonic_types::StatusExt as _;

    use super::*;

    #[test]
    fn every_error_has_its_code_and_says_whether_to_come_back() {
        let id = || DeliberationId::new("task").unwrap();
        let cause = || "the secret cause".into();
        let rejected = |rejection| HandleError::Rejected(rejection);
        let served =
            HandleError::NoLongerServed { id: id(), ended_at: "2026-11-20T10:00:00Z".into(), served_s: 1 };
        let table = [
            (rejected(Rejection::Unknown(id())), Code::NotFound, false),
            (
                rejected(Rejection::Malformed { field: "rounds".into(), reason: "is 11".into() }),
                Code::InvalidArgument,
                false,
            ),
            (rejected(Rejection::OtherContent(id())), Code::AlreadyExists, false),
            (rejected(Rejection::Taken("there".into())), Code::AlreadyExists, false),
            (rejected(Rejection::NotThere("gone".into())), Code::NotFound, false),
            (rejected(Rejection::NotNow("not now".into())), Code::FailedPrecondition, false),
            (HandleError::NoCouncil { role: "SAGE".into(), existing: Vec::new() }, Code::NotFound, false),
            (served, Code::NotFound, false),
            (HandleError::Busy { limit: 1, retry_after_ms: 1000 }, Code::ResourceExhausted, true),
            (
                HandleError::Exhausted {
                    role: fleet_deliberation::Role::new("DEV").unwrap(),
                    hourly: fleet_deliberation::Budget { tokens: Some(7), money_micros: None },
                    left: fleet_deliberation::Budget { tokens: Some(1), money_micros: None },
                    retry_after_ms: 1000,
                },
                Code::ResourceExhausted,
                true,
            ),
            (HandleError::Closing { retry_after_ms: 1000 }, Code::Unavailable, true),
            (HandleError::Store(StoreError::Conflict), Code::Aborted, false),
            (HandleError::Store(StoreError::Full), Code::ResourceExhausted, true),
            (HandleError::Store(StoreError::Unavailable(cause())), Code::Unavailable, true),
            (HandleError::Store(StoreError::Corrupt(Sequence(1), cause())), Code::Internal, false),
        ];
        for (error, code, again) in table {
            let said = error.to_string();
            let status = status(error);
            assert_eq!(status.code(), code, "{said}");
            assert_eq!(status.get_details_retry_info().is_some(), again, "{said}");
            assert!(!status.message().contains("secret"), "causes stay in the log: {status}");
            assert!(!status.message().is_empty(), "{said}");
        }
    }

    #[test]
    fn a_field_out_of_its_bounds_is_named_in_the_details() {
        let status = malformed("rounds", "is 11; it must lie between 0 and 10");
        assert_eq!(status.message(), "rounds is 11; it must lie between 0 and 10");
        let details = status.get_details_bad_request().expect("details");
        assert_eq!(details.field_violations[0].field, "rounds");
    }
}
