//! What a council may spend in an hour, in a world without faults.
#![allow(clippy::unwrap_used, clippy::allow_attributes, reason = "tests")]

use std::future::pending;
use std::sync::Arc;

use async_trait::async_trait;
use fleet_deliberation::{Budget, DeliberationId, Generation, Role, Task};
use fleet_orchestrator::port::{Heard, LanguageModel, ModelError, ModelRequest};
use fleet_orchestrator::{Coordinator, CouncilBudget, HandleError, OrchestratorSettings, Request};
use fleet_simulation::calm::{Calm, settings};

/// Answers nothing, so that whatever was reserved stays so.
struct Silent;

#[async_trait]
impl LanguageModel for Silent {
    async fn complete(&self, _: &ModelRequest, _: Heard<'_>) -> Result<Generation, ModelError> {
        pending().await
    }
}

/// Four deliberations fit into an hour.
fn bounded() -> OrchestratorSettings {
    let tokens = |tokens| Budget { tokens: Some(tokens), money_micros: None };
    let mut settings = settings();
    (settings.coordinator.budget, settings.coordinator.hourly) = (tokens(200_000), tokens(800_000));
    settings
}

fn submit(calm: &Calm, coordinator: &Arc<Coordinator>, id: &str) -> Result<(), HandleError> {
    submit_to(calm, coordinator, id, "DEV")
}

fn submit_to(calm: &Calm, coordinator: &Arc<Coordinator>, id: &str, role: &str) -> Result<(), HandleError> {
    let request = Request {
        id: DeliberationId::new(id).ok(),
        task: Task { description: "sort".into(), ..Task::default() },
        role: role.into(),
        agents: Some(1),
        rounds: Some(0),
        ..Request::default()
    };
    let coordinator = Arc::clone(coordinator);
    calm.run(async move { coordinator.submit(request).await.map(drop) })
}

fn exhaust(calm: &Calm, coordinator: &Arc<Coordinator>) {
    for n in 0..4 {
        submit(calm, coordinator, &format!("t{n}")).unwrap();
    }
    refused(calm, coordinator, "first");
}

fn refused(calm: &Calm, coordinator: &Arc<Coordinator>, id: &str) {
    let refused = submit(calm, coordinator, id);
    assert!(matches!(refused, Err(HandleError::Exhausted { .. })), "{refused:?}");
}

#[test]
fn refusing_what_an_exhausted_hour_has_no_room_for_reads_nothing_of_the_others() {
    let calm = Calm::new();
    let coordinator = calm.start(bounded(), Arc::new(Silent));
    exhaust(&calm, &coordinator);
    let before = calm.reads();
    for n in 0..50 {
        refused(&calm, &coordinator, &format!("more{n}"));
    }
    // Each is looked for by its own id, once.
    assert_eq!(calm.reads() - before, 50);
}

#[test]
fn a_council_has_a_budget_of_its_own_and_each_hour_says_where_it_stands() {
    let calm = Calm::new();
    let mut settings = bounded();
    let tokens = |tokens| Budget { tokens: Some(tokens), money_micros: None };
    let own = CouncilBudget { each: tokens(300_000), hourly: tokens(500_000) };
    settings.coordinator.budgets.insert(Role::new("QA").unwrap(), own);
    let coordinator = calm.start(settings, Arc::new(Silent));
    submit(&calm, &coordinator, "dev").unwrap();
    submit_to(&calm, &coordinator, "qa", "QA").unwrap();
    let asked = Arc::clone(&coordinator);
    let hours = calm.run(async move { asked.hours().await.unwrap() });
    let of = |role: &str| {
        let hour = hours.iter().find(|hour| hour.role.as_str() == role).unwrap();
        (hour.hourly.tokens, hour.reserved.tokens, hour.spent.tokens)
    };
    assert_eq!(of("DEV"), (Some(800_000), 200_000, 0));
    assert_eq!(of("QA"), (Some(500_000), 300_000, 0));
    let qa = calm.state(&DeliberationId::new("qa").unwrap()).unwrap();
    assert_eq!(qa.submission().budget.tokens, Some(300_000));
}

#[test]
fn what_ends_here_makes_room_at_once() {
    let calm = Calm::new();
    let coordinator = calm.start(bounded(), Arc::new(Silent));
    exhaust(&calm, &coordinator);
    let (cancelled, of) = (Arc::clone(&coordinator), DeliberationId::new("t2").unwrap());
    calm.run(async move { cancelled.cancel(&of, "enough".into()).await.unwrap() });
    submit(&calm, &coordinator, "next").unwrap();
}

#[test]
fn a_process_that_starts_anew_asks_the_log_once_what_has_ended() {
    let calm = Calm::new();
    let coordinator = calm.start(bounded(), Arc::new(Silent));
    exhaust(&calm, &coordinator);
    let (cancelled, of) = (Arc::clone(&coordinator), DeliberationId::new("t2").unwrap());
    calm.run(async move { cancelled.cancel(&of, "enough".into()).await.unwrap() });
    // What the first process heard of is gone with it.
    let coordinator = calm.start(bounded(), Arc::new(Silent));
    submit(&calm, &coordinator, "next").unwrap();
    refused(&calm, &coordinator, "after");
}
