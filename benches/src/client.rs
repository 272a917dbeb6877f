//! What the measurements ask of the server.

use fleet_api::v1::{DeliberateRequest, TaskConstraints};

/// A task as a user would submit it.
pub(crate) fn task(id: String, wait: bool) -> DeliberateRequest {
    DeliberateRequest {
        task_description: "Write a function that sums every nth value of a list, for a service that \
            reads measurements from many sensors. It must not fail on an empty list, and callers must \
            be able to tell a sum of nothing from a sum of zeros."
            .into(),
        role: "DEV".into(),
        constraints: Some(TaskConstraints {
            rubric: "Correct first, then simple, then fast.".into(),
            requirements: vec!["Python 3.11".into(), "With tests".into(), "No dependencies".into()],
            ..TaskConstraints::default()
        }),
        task_id: id,
        wait: Some(wait),
        ..DeliberateRequest::default()
    }
}
