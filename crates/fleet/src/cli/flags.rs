//! Refusals of fields of a request, in the words of the command line.

use fleet_deliberation::Rejection;
use fleet_orchestrator::HandleError;
use tonic_types::StatusExt as _;

use crate::{Exit, Problem};

/// A refusal in the words of the command line, where it is about something that was said there.
pub(crate) fn in_flags(error: anyhow::Error) -> anyhow::Error {
    let refused = match (error.downcast_ref::<HandleError>(), error.downcast_ref::<tonic::Status>()) {
        (Some(HandleError::Rejected(Rejection::Malformed { field, reason })), _) => {
            Some((field.clone(), reason.clone()))
        }
        (_, Some(status)) => status.get_details_bad_request().and_then(|details| {
            let violation = details.field_violations.into_iter().next()?;
            Some((violation.field, violation.description))
        }),
        _ => None,
    };
    match refused.as_ref().and_then(|(field, reason)| Some((flag_of(field)?, reason))) {
        Some((flag, reason)) => Problem::new(Exit::Refused, format!("{flag} {reason}")).into(),
        None => error,
    }
}

/// What sets a field of a request.
fn flag_of(field: &str) -> Option<String> {
    if let Some(name) = field.strip_prefix("config.custom_params.") {
        return Some(format!("--parameter {name}"));
    }
    let flag = match field {
        "task_description" => "the task",
        "task_id" => "--id",
        "rounds" | "config.deliberation_rounds" => "--rounds",
        "num_agents" => "--agents",
        "judges" => "--judges",
        "top_k" => "--top-k",
        "test_writers" => "--test-writers",
        "budget_tokens" => "--budget-tokens",
        "budget_money" => "--budget-money",
        "priority" => "--priority",
        "constraints.rubric" => "--rubric",
        "constraints.requirements" => "--require",
        "constraints.metadata" => "--metadata",
        "constraints.timeout_seconds" => "--timeout",
        "role" => "the role",
        "agent_id" => "the agent's name",
        "endpoint" => "--endpoint",
        "metadata.model" => "--model",
        "config.model_profile" | "capabilities.model_profile" => "--profile",
        "config.agent_type" => "--type",
        "capabilities.max_concurrent_tasks" => "--concurrent",
        _ => return None,
    };
    Some(flag.to_owned())
}
