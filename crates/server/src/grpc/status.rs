//! The one table from errors to gRPC statuses.

use std::time::Duration;

use fleet_deliberation::Rejection;
use fleet_orchestrator::port::StoreError;
use fleet_orchestrator::{HandleError, chain};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

/// When a client may try again after the store was away.
const STORE_RETRY: Duration = Duration::from_secs(1);

/// An error as the caller sees it. Causes stay in the log.
pub(crate) fn status(error: HandleError) -> Status {
    let message = error.to_string();
    match error {
        HandleError::Rejected(rejection) => match rejection {
            Rejection::Unknown(_) => Status::not_found(message),
            Rejection::Malformed { field, reason } => malformed(&field, reason),
            Rejection::OtherContent(_) => Status::already_exists(message),
            Rejection::NotNow(_) => Status::failed_precondition(message),
        },
        HandleError::NoCouncil { .. } | HandleError::NoLongerServed { .. } => Status::not_found(message),
        HandleError::Busy { retry_after_ms, .. } => {
            later(Code::ResourceExhausted, message, Duration::from_millis(retry_after_ms))
        }
        HandleError::Store(error) => {
            tracing::error!(error = chain(&error), "a call failed");
            match error {
                StoreError::Conflict => Status::aborted("others changed it at the same time; try again"),
                StoreError::Full => later(Code::ResourceExhausted, message, STORE_RETRY),
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
    let reason = reason.into();
    let message = format!("{field} {reason}");
    let details = ErrorDetails::with_bad_request_violation(field, reason);
    Status::with_error_details(Code::InvalidArgument, message, details)
}

fn later(code: Code, message: String, after: Duration) -> Status {
    Status::with_error_details(code, message, ErrorDetails::with_retry_info(Some(after)))
}
