//! Where requests go: to the pool of their profile, to an agent's own server, or to the simulated model.

mod support;

use std::sync::{Arc, Mutex};

use fleet_deliberation::FailureKind;
use fleet_llm::{
    BadModels, LABEL, Limits, Models, ModelsSettings, ProfileSettings, SIMULATED, ServerSettings,
    SimulatedSettings,
};
use fleet_orchestrator::TraceContext;
use fleet_orchestrator::port::{LanguageModel, ModelError, ModelRequest, NoObserver};
use fleet_scripted::{Call, Reply, Scripted, Settings};
use serde_json::{Value, json};
use support::world::{NoChance, WallClock, models, models_told, profile, server, settings, status};
use support::{closed_url, request};

async fn answering(text: &'static str) -> Scripted {
    Scripted::start(move |call: &Call| Reply::answer(call, text, 2)).await.expect("a free port")
}

async fn ask(models: &Models, request: &ModelRequest) -> Result<String, ModelError> {
    models.complete(request, &|_| {}).await.map(|generation| generation.text)
}

fn quick() -> SimulatedSettings {
    SimulatedSettings { latency_ms: 0, ..SimulatedSettings::default() }
}

#[tokio::test]
async fn each_profile_has_its_servers() {
    let (coder, judge) = (answering("code").await, answering("words").await);
    let settings = ModelsSettings {
        profiles: [
            ("coder".to_owned(), profile([server(&coder.url())])),
            ("judge".to_owned(), profile([server(&judge.url())])),
        ]
        .into(),
        ..ModelsSettings::default()
    };
    let (models, notes) = models_told(settings);
    let to = |name: &str| ModelRequest { profile: name.into(), ..request() };
    assert_eq!(ask(&models, &to("coder")).await.unwrap(), "code");
    assert_eq!(ask(&models, &to("judge")).await.unwrap(), "words");
    let servers: Vec<String> = notes.calls().into_iter().map(|call| call.server).collect();
    assert_eq!(servers, [coder.url(), judge.url()]);
    assert_eq!(models.profiles().collect::<Vec<_>>(), ["coder", "judge"]);
    assert_eq!(models.servers("judge")[0].label(), judge.url());
    assert!(models.servers("nobody").is_empty());
}

#[tokio::test]
async fn an_unknown_profile_is_named_with_what_to_do() {
    let models = models([server(&closed_url())]);
    let lost = ModelRequest { profile: "coder".into(), ..request() };
    let failed = ask(&models, &lost).await.unwrap_err();
    assert_eq!(failed.kind, FailureKind::NotFound);
    for part in ["\"coder\"", "known: default", "task-1", "[profiles.coder]", "cancel"] {
        assert!(failed.message.contains(part), "{part}: {failed}");
    }
}

#[tokio::test]
async fn the_simulated_model_answers_for_its_name_and_its_calls_are_told_of() {
    let settings = ModelsSettings { simulated: quick(), ..settings(profile([server(&closed_url())])) };
    let (models, notes) = models_told(settings);
    let by_model = ModelRequest { model: SIMULATED.into(), ..request() };
    let by_profile = ModelRequest { profile: SIMULATED.into(), ..by_model.clone() };
    for request in [by_model, by_profile] {
        assert!(ask(&models, &request).await.unwrap().contains(LABEL));
    }
    assert!(notes.calls().iter().all(|call| call.server == SIMULATED && call.came_of_it == Some(Ok(()))));
    assert_eq!(notes.calls().len(), 2);
    // What was begun with a real model is not ended by this one.
    let real = ModelRequest { profile: SIMULATED.into(), ..request() };
    assert!(ask(&models, &real).await.is_err());
}

#[tokio::test]
async fn an_agents_own_server_is_asked_without_any_key() {
    let (seen, own) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
    let notes = |into: &Arc<Mutex<Vec<Option<String>>>>| {
        let into = Arc::clone(into);
        move |call: &Call| {
            into.lock().unwrap().push(call.header("authorization").map(Into::into));
            Reply::answer(call, "yes", 1)
        }
    };
    let configured = Scripted::start(notes(&seen)).await.unwrap();
    let agents = Scripted::start(notes(&own)).await.unwrap();
    let with_key = ServerSettings { api_key: Some("sk-secret".into()), ..server(&configured.url()) };
    let models = models([with_key]);
    ask(&models, &request()).await.unwrap();
    for url in [agents.url(), configured.url()] {
        let request = ModelRequest { endpoint: Some(url.into()), ..request() };
        assert_eq!(ask(&models, &request).await.unwrap(), "yes");
    }
    assert_eq!(*seen.lock().unwrap(), [Some("Bearer sk-secret".to_owned()), None]);
    assert_eq!(*own.lock().unwrap(), [None]);
    // Each has a pool that stands for itself.
    let names: Vec<_> = models.status().into_iter().map(|pool| pool.profile).collect();
    assert_eq!(names, [Some("default".to_owned()), None, None]);
}

#[tokio::test]
async fn an_endpoint_that_is_none_is_a_fault_of_the_request() {
    let models = models([server(&closed_url())]);
    let request = ModelRequest { endpoint: Some("nowhere".into()), ..request() };
    assert_eq!(ask(&models, &request).await.unwrap_err().kind, FailureKind::BadRequest);
    let request = ModelRequest { endpoint: Some(closed_url().into()), ..request };
    assert_eq!(ask(&models, &request).await.unwrap_err().kind, FailureKind::Connection);
}

#[tokio::test]
async fn parameters_are_passed_on_and_the_programs_own_are_refused() {
    let seen = Arc::new(Mutex::new(Value::Null));
    let into = Arc::clone(&seen);
    let server = Scripted::start(move |call: &Call| {
        *into.lock().unwrap() = serde_json::from_slice(&call.body).unwrap();
        Reply::answer(call, "yes", 1)
    });
    let server = server.await.unwrap();
    let models = models([support::world::server(&server.url())]);
    let with = |parameters: Value| {
        let parameters: std::collections::BTreeMap<String, Value> =
            serde_json::from_value(parameters).unwrap();
        ModelRequest { parameters: Arc::new(parameters), ..request() }
    };
    let good = json!({"top_p": 0.9, "seed": 7, "stop": ["END"], "chat_template_kwargs": {"x": [1, null]}});
    ask(&models, &with(good.clone())).await.unwrap();
    let body = seen.lock().unwrap().clone();
    for (name, value) in good.as_object().unwrap() {
        assert_eq!(&body[name], value);
    }
    assert_eq!(
        (&body["model"], &body["temperature"], &body["stream"]),
        (&json!("tiny"), &json!(0.91), &json!(true))
    );
    for bad in [json!({"model": "other"}), json!({"n": 4}), json!({"top_p": 2}), json!({"stream": false})] {
        let failed = ask(&models, &with(bad)).await.unwrap_err();
        assert_eq!(failed.kind, FailureKind::BadRequest);
    }
    assert_eq!(server.calls().len(), 1, "what is refused is not sent");
}

#[tokio::test]
async fn each_call_says_where_it_stands_in_the_trace() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let into = Arc::clone(&seen);
    let server = Scripted::start(move |call: &Call| {
        into.lock().unwrap().push(call.header("traceparent").unwrap_or_default().to_owned());
        Reply::answer(call, "yes", 1)
    });
    let server = server.await.unwrap();
    let models = models([support::world::server(&closed_url()), support::world::server(&server.url())]);
    let submitted_in = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    for attempt in [1, 2] {
        let request = ModelRequest { trace: submitted_in.into(), attempt, ..request() };
        ask(&models, &request).await.unwrap();
    }
    let of = |attempt, nth| {
        let request = request();
        TraceContext::of_deliberation(&request.job.deliberation, submitted_in)
            .of_call(&request.job, attempt, nth)
            .to_string()
    };
    // One of the attempts begins with the server that is not there.
    let seen = seen.lock().unwrap().clone();
    assert!(seen == [of(1, 1), of(2, 2)] || seen == [of(1, 2), of(2, 1)], "{seen:?}");
}

#[tokio::test]
async fn settings_that_make_no_sense_are_refused() {
    support::ring();
    let make = |profiles: Vec<(&str, ProfileSettings)>| {
        let profiles = profiles.into_iter().map(|(name, profile)| (name.to_owned(), profile)).collect();
        let settings = ModelsSettings { profiles, ..ModelsSettings::default() };
        Models::new(settings, Arc::new(WallClock), Arc::new(NoChance), Arc::new(NoObserver)).err()
    };
    let at = |url: &str| profile([server(url)]);
    assert!(matches!(make(vec![("a", profile([]))]), Some(BadModels::NoServer(_))));
    assert!(matches!(make(vec![(SIMULATED, at("http://h"))]), Some(BadModels::Reserved(_))));
    assert!(matches!(make(vec![("a", at("h:80"))]), Some(BadModels::Server { .. })));
    let twice = profile([server("http://h:8000"), server("http://h:8000/v1/")]);
    assert!(matches!(make(vec![("a", twice)]), Some(BadModels::Twice { .. })));
    let versions = profile([server("http://h?version=1"), server("http://h?version=2")]);
    assert!(make(vec![("a", versions)]).is_none(), "what a URL asks for makes it another");
    let bounded = |calls_max| profile([ServerSettings { calls_max, ..server("http://h") }]);
    let disagree = make(vec![("a", bounded(1)), ("b", bounded(2))]).expect("they do not agree");
    assert!(matches!(disagree, BadModels::Disagree { .. }), "{disagree}");
    assert!(make(vec![("a", bounded(2)), ("b", bounded(2))]).is_none());
    let other_key = ServerSettings { api_key: Some("k".into()), ..server("http://h") };
    assert!(make(vec![("a", bounded(2)), ("b", profile([other_key]))]).is_none(), "another account");
    let slower = ServerSettings { limits: Limits { total_ms: 1, ..Limits::default() }, ..server("http://h") };
    assert!(matches!(
        make(vec![("a", at("http://h")), ("b", profile([slower]))]),
        Some(BadModels::Disagree { .. })
    ));
    assert!(make(vec![]).is_none(), "the simulated model alone");
}

#[tokio::test]
async fn a_server_that_two_profiles_name_has_one_set_of_limits() {
    let slow = Scripted::start(|_: &Call| Reply::silence()).await.unwrap();
    let bounded = || profile([ServerSettings { calls_max: 1, ..server(&slow.url()) }]);
    let settings = ModelsSettings {
        profiles: [("a".to_owned(), bounded()), ("b".to_owned(), bounded())].into(),
        ..ModelsSettings::default()
    };
    let (models, _) = models_told(settings);
    let first = ModelRequest { profile: "a".into(), ..request() };
    let mut held = Box::pin(models.complete(&first, &|_| {}));
    while slow.calls().is_empty() {
        tokio::select! {
            _ = &mut held => panic!("it has no end"),
            () = tokio::task::yield_now() => {}
        }
    }
    let second = ModelRequest { profile: "b".into(), timeout_ms: 20, ..request() };
    let failed = ask(&models, &second).await.unwrap_err();
    assert_eq!(failed.kind, FailureKind::Timeout);
    assert!(failed.message.contains("1 of 1 calls are under way"), "{failed}");
    assert_eq!(slow.calls().len(), 1);
    drop(held);
    assert_eq!(status(&models).servers[0].under_way, 0);
}

#[tokio::test]
async fn no_key_is_shown_by_anything() {
    let settings = || Settings { api_key: Some("sk-other".into()), ..Settings::default() };
    let picky = Scripted::with(settings(), |call: &Call| Reply::answer(call, "yes", 1)).await.unwrap();
    let url = picky.url().replace("http://", "http://me:sk-in-url@");
    let with_key =
        ServerSettings { api_key: Some("sk-secret".into()), ..server(&format!("{url}?key=sk-query")) };
    let settings = support::world::settings(profile([with_key.clone()]));
    let mut shown = format!(
        "{settings:?} {with_key:?} {:?}",
        support::config(&url, Some("sk-secret"), Limits::default())
    );
    let (models, notes) = models_told(settings);
    models.look().await;
    shown += &ask(&models, &request()).await.unwrap_err().to_string();
    shown += &format!("{:?} {:?}", models.status(), notes.calls());
    let server = models.servers("default").remove(0);
    shown += &format!("{:?} {:?}", server.models().await, server.test_call("m", Arc::default()).await);
    for key in ["sk-secret", "sk-in-url", "sk-query"] {
        assert!(!shown.contains(key), "{shown}");
    }
    assert!(shown.contains("it refuses the key"), "{shown}");
}

#[tokio::test]
async fn a_test_call_is_timed() {
    let server = Scripted::start(|call: &Call| match call.number {
        1 => Reply::answer(call, "one two three four five six", 6).after_ms(20).between_ms(10),
        2 => Reply::answer(call, "<think>hm hm hm hm hm hm hm hm hm", 6).between_ms(2),
        _ => Reply::error(500, "x", "no"),
    });
    let server = server.await.unwrap();
    let models = models([support::world::server(&server.url())]);
    let client = models.servers("default").remove(0);
    let call = client.test_call("tiny", Arc::default()).await.unwrap();
    assert_eq!((call.model.as_str(), call.tokens), ("tiny", 7));
    assert!(call.first_token_ms >= 20 && call.total_ms >= call.first_token_ms + 50, "{call:?}");
    assert!(call.tokens_per_second.is_some_and(|rate| rate > 0.0 && rate < 120.0), "{call:?}");
    let reasoned = client.test_call("tiny", Arc::default()).await.unwrap();
    assert_eq!((reasoned.text.as_str(), reasoned.tokens), ("", 6));
    assert_eq!(client.test_call("tiny", Arc::default()).await.unwrap_err().kind, FailureKind::Server);
    assert_eq!(client.models().await.unwrap(), ["scripted"]);
}
