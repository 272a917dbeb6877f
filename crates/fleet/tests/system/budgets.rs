//! Budgets as their user meets them: what is left out, what is refused, and what an hour has left.

use std::time::{SystemTime, UNIX_EPOCH};

use fleet_api::v1::{DeliberateRequest, GetStatusRequest};
use serde_json::Value;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::support::{Client, Ended, Place};

/// Runs one task, always the same, in a place of its own.
async fn told(id: &str, tokens: Option<u64>) -> Ended {
    let place = Place::new();
    let tokens = tokens.map(|tokens| tokens.to_string());
    let mut arguments = vec!["deliberate", "Return n factorial", "--id", id, "--json", "--top-k", "3"];
    if let Some(tokens) = &tokens {
        arguments.extend(["--budget-tokens", tokens]);
    }
    let program = place.fleet(&arguments).env("FLEET__MODEL__KIND", "simulated");
    program.env("FLEET__SELECTION__JUDGES", "3").env("FLEET__SIMULATED__LATENCY_MS", "0").end().await
}

fn event(ended: &Ended) -> Value {
    serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:?}"))
}

fn left_out(event: &Value) -> Vec<String> {
    let dropped = event["budget"]["dropped"].as_array().cloned().unwrap_or_default();
    dropped.iter().map(|one| one["what"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_small_budget_leaves_out_judges_a_smaller_one_reviews_then_agents_and_then_it_is_refused() {
    // The one with the most near ties, for which judges take the most.
    let (mut id, mut most) = ("", 0);
    for known in ["one", "two", "three", "four", "five", "six"] {
        let event = event(&told(known, None).await);
        assert!(event["budget"].is_null(), "{event}");
        let asked = event["near_ties"]["votes"]["asked"].as_u64().unwrap_or(0);
        if asked > most {
            (id, most) = (known, asked);
        }
    }
    assert!(most > 0, "none of these has near ties");

    let (mut judges, mut reviews, mut agents, mut refused) = (None, None, None, None);
    assert!(left_out(&event(&told(id, Some(10_000_000)).await)).is_empty());
    let mut tokens = 1_500_000;
    while refused.is_none() {
        tokens = tokens * 9 / 10;
        let ended = told(id, Some(tokens)).await;
        if ended.code == 2 {
            assert!(ended.stderr.contains("--budget-tokens is too small"), "{ended:?}");
            refused = Some(tokens);
            continue;
        }
        let event = event(&ended);
        let left_out = left_out(&event);
        let spent = event["budget"]["spent"]["tokens"].as_u64().unwrap();
        assert!(spent > 0 && spent <= tokens, "{event}");
        let leaves_out = |what: &str| left_out.iter().any(|known| known.contains(what));
        match () {
            () if leaves_out("the proposals of") => agents = agents.or(Some(tokens)),
            () if leaves_out("all reviews") => reviews = reviews.or(Some(tokens)),
            () if leaves_out("judges") => judges = judges.or(Some(tokens)),
            () => {}
        }
    }
    let order = [judges, reviews, agents, refused];
    assert!(order.iter().all(Option::is_some), "{order:?}");
    assert!(order.is_sorted_by(|more, less| more > less), "{order:?}");
}

#[tokio::test]
async fn money_is_bounded_only_where_prices_are_known_and_half_a_price_is_none() {
    let place = Place::new();
    let deliberate = ["deliberate", "x", "--budget-money", "0.5", "--json"];
    let with = |variables: &[(&str, &str)]| {
        let program = place.fleet(&deliberate).env("FLEET__MODEL__KIND", "simulated");
        let program = program.env("FLEET__SIMULATED__LATENCY_MS", "0");
        variables.iter().fold(program, |program, (name, value)| program.env(name, value))
    };
    let ended = with(&[]).end().await;
    assert_eq!(ended.code, 2, "{ended:?}");
    assert!(ended.stderr.contains("what agent-dev-001 costs is not known"), "{ended:?}");
    let ended = with(&[("FLEET__MODEL__PRICE_PROMPT", "0.15")]).end().await;
    assert!(ended.stderr.contains("model.price_completion"), "{ended:?}");
    let prices = [("FLEET__MODEL__PRICE_PROMPT", "0.15"), ("FLEET__MODEL__PRICE_COMPLETION", "0.6")];
    let ended = with(&prices).end().await;
    let event = event(&ended);
    let spent = event["budget"]["spent"]["money_micros"].as_u64().unwrap();
    assert!(spent > 0 && spent <= 500_000, "{event}");
    assert_eq!(event["budget"]["money_micros"], 500_000);
}

fn hour() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() / 3600
}

async fn ask(client: &Client, id: &str) -> Result<(), Status> {
    let request = DeliberateRequest {
        task_id: id.into(),
        task_description: "Return n factorial".into(),
        role: "DEV".into(),
        rounds: Some(0),
        judges: Some(0),
        architect: Some(false),
        wait: Some(false),
        ..DeliberateRequest::default()
    };
    client.calls.clone().deliberate(request).await.map(drop)
}

/// Uses up an hour; false if the hour turned meanwhile.
async fn uses_up_an_hour() -> bool {
    let began = hour();
    let place = Place::new();
    let variables = [
        ("FLEET__MODEL__KIND", "simulated"),
        ("FLEET__SIMULATED__LATENCY_MS", "3000"),
        ("FLEET__BUDGET__TOKENS", "120000"),
        ("FLEET__BUDGET__TOKENS_PER_HOUR", "200000"),
    ];
    let server = place.serve_with(&[], &variables).await;
    let client = server.client().await;
    ask(&client, "first").await.unwrap();
    ask(&client, "second").await.unwrap();
    ask(&client, "second").await.unwrap();
    let refused = ask(&client, "third").await;
    let status = client.calls.clone().get_status(GetStatusRequest { include_stats: true }).await.unwrap();
    if hour() != began {
        return false;
    }
    let hours = status.into_inner().hours;
    let of = |role: &str| hours.iter().find(|hour| hour.role == role).cloned().unwrap();
    assert_eq!((of("DEV").tokens_limit, of("DEV").tokens_reserved), (200_000, 200_000), "all of it is taken");
    assert_eq!((of("QA").tokens_limit, of("QA").tokens_reserved), (200_000, 0));
    let shown = place.run(&["status"]).await.stdout;
    assert!(shown.contains("DEV may take 200,000 tokens ("), "{shown}");
    let refused = refused.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused:?}");
    assert!(refused.message().contains("role DEV may spend 200,000 tokens an hour"), "{refused:?}");
    assert!(refused.message().contains("0 tokens, cannot open it"), "{refused:?}");
    assert!(refused.get_details_retry_info().is_some(), "{refused:?}");
    client.ended("first").await;
    client.ended("second").await;
    let granted = ask(&client, "third").await;
    granted.expect("those that have ended leave what they did not spend");
    // Nothing is forgotten when the server goes.
    server.kill().await;
    let server = place.serve_with(&[], &variables).await;
    let client = server.client().await;
    ask(&client, "fourth").await.expect("it is granted what is left beside the third");
    let refused = ask(&client, "fifth").await;
    if hour() != began {
        return false;
    }
    assert_eq!(refused.unwrap_err().code(), Code::ResourceExhausted);
    let verified = place.run(&["verify"]).await;
    assert_eq!(verified.code, 0, "what hours are kept in is sound: {verified:?}");
    true
}

#[tokio::test]
async fn a_council_s_hour_is_used_up_and_has_back_what_was_not_spent() {
    // Nobody can be sure that the clock does not strike meanwhile, but it does so once an hour.
    if !uses_up_an_hour().await {
        assert!(uses_up_an_hour().await);
    }
}

#[tokio::test]
async fn an_hour_is_bounded_only_where_a_deliberation_is() {
    let place = Place::new();
    let ended = place.fleet(&["config"]).env("FLEET__BUDGET__TOKENS_PER_HOUR", "5").end().await;
    assert!(ended.stderr.contains("be 0 where budget.tokens is"), "{ended:?}");
}
