//! `Orchestrate`: the whole of a deliberation in one call, which waits for the winner.

use fleet_api::v1 as wire;
use fleet_deliberation::{
    AGENTS_MAX, JUDGES_MAX, MONEY_MAX, Priority, ROUNDS_MAX, Rejection, TEST_WRITERS_MAX, TOP_K_MAX,
};
use fleet_orchestrator::stats::ORCHESTRATED;
use fleet_orchestrator::{HandleError, Request, View, announcement};
use tonic::Status;

use super::answer;
use super::ask;
use super::status::malformed;

/// The names of `custom_params` that mean something.
const PARAMETERS: [&str; 7] =
    ["budget_money", "budget_tokens", "judges", "num_agents", "priority", "test_writers", "top_k"];

const ROUNDS: &str = "options.deliberation_rounds";

/// A request to orchestrate.
pub(super) fn request(request: wire::OrchestrateRequest) -> Result<Request, Status> {
    if request.context_options.is_some_and(|options| options != wire::ContextOptions::default()) {
        let sentence = "context_options: the context of stories is not kept yet; leave them out, and send what agents \
                        should know as constraints.metadata";
        return Err(Status::unimplemented(sentence));
    }
    let mut constraints = request.constraints.unwrap_or_default();
    let about = [("case_id", request.case_id), ("story_id", request.story_id), ("plan_id", request.plan_id)];
    for (name, id) in about.into_iter().filter(|(_, id)| !id.is_empty()) {
        constraints.metadata.entry(name.to_owned()).or_insert(id);
    }
    let mut asked = wire::DeliberateRequest {
        task_id: request.task_id,
        task_description: request.task_description,
        role: request.role,
        constraints: Some(constraints),
        ..wire::DeliberateRequest::default()
    };
    if let Some(options) = request.options {
        take_options(&mut asked, options)?;
    }
    Ok(Request { submitter: ORCHESTRATED.into(), ..ask::submission(asked)? })
}

/// A refusal that names the field as this call has it.
pub(super) fn in_options(error: HandleError) -> HandleError {
    match error {
        HandleError::Rejected(Rejection::Malformed { field, reason }) => {
            let field = match field.as_str() {
                "rounds" => ROUNDS.to_owned(),
                name if PARAMETERS.contains(&name) => format!("options.custom_params.{name}"),
                _ => field,
            };
            Rejection::Malformed { field, reason }.into()
        }
        other => other,
    }
}

fn take_options(
    asked: &mut wire::DeliberateRequest,
    options: wire::OrchestratorOptions,
) -> Result<(), Status> {
    let rounds = ask::number(ROUNDS, options.deliberation_rounds, ROUNDS_MAX as usize)?;
    asked.rounds = match (options.enable_peer_review, rounds) {
        // 0 says nothing: as the server is configured.
        (true, None) => None,
        (true, Some(_)) => Some(options.deliberation_rounds),
        (false, None) => Some(0),
        (false, Some(rounds)) => {
            let reason = format!(
                "is {rounds}, but options.enable_peer_review is false; set it, or leave out the rounds"
            );
            return Err(malformed(ROUNDS, reason));
        }
    };
    asked.architect = Some(options.enable_architect_selection);
    for (name, value) in options.custom_params {
        let field = format!("options.custom_params.{name}");
        let number = |min: i32, max: usize| match value.trim().parse::<i32>() {
            Ok(n) if n >= min && usize::try_from(n).is_ok_and(|n| n <= max) => Ok(n),
            _ => Err(malformed(&field, format!("is {value:?}; it must be a number from {min} to {max}"))),
        };
        match name.as_str() {
            "budget_tokens" => {
                let n = value.trim().parse().ok().filter(|n| *n > 0);
                let bad = || malformed(&field, format!("is {value:?}; it must be a number from 1"));
                asked.budget_tokens = n.ok_or_else(bad)?;
            }
            "budget_money" => {
                let n = value.trim().parse().ok().filter(|n| *n > 0.0 && *n <= MONEY_MAX);
                let bad = || {
                    malformed(
                        &field,
                        format!("is {value:?}; it must be a number above 0 and up to {MONEY_MAX}"),
                    )
                };
                asked.budget_money = n.ok_or_else(bad)?;
            }
            "judges" => asked.judges = Some(number(0, JUDGES_MAX as usize)?),
            "test_writers" => asked.test_writers = Some(number(0, TEST_WRITERS_MAX as usize)?),
            "top_k" => asked.top_k = number(2, TOP_K_MAX as usize)?,
            "num_agents" => asked.num_agents = number(1, AGENTS_MAX)?,
            "priority" => asked.priority = priority(&field, &value)?,
            _ => {
                let known = PARAMETERS.join(", ");
                return Err(malformed(&field, format!("is not known; known are {known}")));
            }
        }
    }
    Ok(())
}

/// A priority in the words of plans, as the wire has it.
fn priority(field: &str, value: &str) -> Result<i32, Status> {
    let priority = match value.trim().to_ascii_uppercase().as_str() {
        "LOW" => Priority::Low,
        "MEDIUM" => Priority::Normal,
        "HIGH" => Priority::High,
        _ => return Err(malformed(field, format!("is {value:?}; it must be LOW, MEDIUM or HIGH"))),
    };
    Ok(match priority {
        Priority::Low => 1,
        Priority::Normal => 3,
        Priority::High => 5,
    })
}

/// The winner and the others; an error where there is no verdict. Where no proposal is acceptable there is no winner,
/// and the metadata says so.
pub(super) fn response(
    view: &View,
    now: fleet_deliberation::Timestamp,
) -> Result<wire::OrchestrateResponse, Status> {
    let id = view.state.id();
    if let Some(error_type) = announcement::error_type(&view.state) {
        let message =
            format!("task {id} ended without a verdict: {}", announcement::error_message(&view.state));
        return Err(match error_type {
            "timeout" => Status::deadline_exceeded(message),
            "cancelled" => Status::cancelled(message),
            _ => Status::unavailable(message),
        });
    }
    if view.state.ended.is_none() {
        let message = format!(
            "task {id} is still under way; GetDeliberationResult with this task_id has its verdict later"
        );
        return Err(Status::deadline_exceeded(message));
    }
    let result = answer::result(view, false, now);
    let mut candidates = result.results;
    let winner = (!result.winner_id.is_empty() && !candidates.is_empty()).then(|| candidates.remove(0));
    Ok(wire::OrchestrateResponse {
        winner,
        candidates,
        execution_id: id.to_string(),
        duration_ms: result.duration_ms,
        metadata: result.metadata,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_field_as_this_call_has_it() {
        let field = |field: &str| {
            let malformed = Rejection::Malformed { field: field.into(), reason: "is too small".into() };
            match in_options(malformed.into()) {
                HandleError::Rejected(Rejection::Malformed { field, .. }) => field,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(field("budget_tokens"), "options.custom_params.budget_tokens");
        assert_eq!(field("judges"), "options.custom_params.judges");
        assert_eq!(field("rounds"), "options.deliberation_rounds");
        assert_eq!(field("task_description"), "task_description");
    }
}
