//! Model servers as operators configure them: several profiles, several servers, agents with their own.

use std::collections::BTreeSet;

use fleet_api::v1 as wire;
use fleet_api::v1::DeliberateRequest;
use fleet_scripted::{Call, Reply, Scripted};
use serde_json::Value;

use crate::support::{Client, Ended, Place, answers, council, deliberate};

fn json(ended: &Ended) -> Value {
    serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{} {}", ended.stdout, ended.stderr))
}

async fn verdict(client: &Client, role: &str) -> wire::DeliberateResponse {
    let request = DeliberateRequest { role: role.into(), wait: Some(true), ..deliberate("Sort a list") };
    client.calls.clone().deliberate(request).await.unwrap().into_inner()
}

fn agents_of(model: &Scripted) -> BTreeSet<String> {
    let subject = |caller: &str| caller.split('/').nth(3).unwrap_or_default().to_owned();
    model.calls().iter().map(|call| subject(&call.caller)).collect()
}

#[tokio::test]
async fn each_role_speaks_through_the_servers_of_its_profile() {
    let (main, one, two) = (answers(0).await, answers(0).await, answers(0).await);
    let place = Place::new();
    let file = place.file(
        "fleet.toml",
        &format!(
            "[model]\nurl = '{}'\nname = 'main'\n[profiles.pair]\nurl = ['{}', '{}']\nname = 'small'\n\
             temperature = 0.1\nparameters.top_p = 0.5\n[councils]\nQA.profile = 'pair'\nQA.rounds = 0\n",
            main.url(),
            one.url(),
            two.url()
        ),
    );
    let server = place.serve(&["--config", &file]).await;
    let client = server.client().await;
    assert_eq!(verdict(&client, "DEV").await.status, "COMPLETED");
    assert_eq!((main.calls().len(), one.calls().len() + two.calls().len()), (9, 0));
    for _ in 0..12 {
        assert_eq!(verdict(&client, "QA").await.status, "COMPLETED");
    }
    assert_eq!(main.calls().len(), 9, "the councils of other profiles ask it nothing");
    let calls = [one.calls(), two.calls()];
    assert_eq!(calls[0].len() + calls[1].len(), 36, "QA has no review");
    assert!(calls.iter().all(|calls| !calls.is_empty()), "both servers take their share");
    assert!(calls.iter().flatten().all(|call| call.model == "small"));
    // What the agents of one deliberation share is cached by the server that has seen it.
    let deliberation = |caller: &str| caller.split('/').next().unwrap_or_default().to_owned();
    let at: Vec<BTreeSet<String>> =
        calls.iter().map(|calls| calls.iter().map(|call| deliberation(&call.caller)).collect()).collect();
    assert!(at[0].is_disjoint(&at[1]), "agents of one deliberation go to one server");
}

#[tokio::test]
async fn a_server_that_is_gone_is_left_for_the_other_at_no_attempt_s_cost() {
    let (stays, goes) = (answers(0).await, answers(0).await);
    let place = Place::new();
    let file = place
        .file("fleet.toml", &format!("[model]\nurl = ['{}', '{}']\nname = 'm'\n", goes.url(), stays.url()));
    let server = place.serve(&["--config", &file]).await;
    drop(goes);
    let client = server.client().await;
    for _ in 0..6 {
        let verdict = verdict(&client, "DEV").await;
        assert_eq!((verdict.status.as_str(), verdict.results.len()), ("COMPLETED", 3));
    }
    assert_eq!(stays.calls().len(), 54, "every call was made once, and answered");
}

#[tokio::test]
async fn an_agent_with_a_server_of_its_own_speaks_through_it_and_no_key_goes_there() {
    let (main, own) = (answers(0).await, {
        let council = council(0);
        let script = move |call: &Call| match call.header("authorization").is_some() {
            true => Reply::error(401, "authentication_error", "a key came to a server it was not meant for"),
            false => fleet_scripted::Script::reply(&council, call),
        };
        Scripted::start(script).await.unwrap()
    });
    let place = Place::new();
    let server = place.serve_with(&["--url", &main.url()], &[("FLEET_API_KEY", "secret")]).await;
    let client = server.client().await;
    let registered = place
        .run(&["councils", "register", "DEV", "guest", "--endpoint", &own.url(), "--model", "theirs"])
        .await;
    assert_eq!(registered.code, 0, "{}", registered.stderr);
    let verdict = verdict(&client, "DEV").await;
    assert_eq!((verdict.status.as_str(), verdict.results.len()), ("COMPLETED", 4));
    assert!(own.calls().iter().all(|call| call.model == "theirs"));
    // It writes its own proposal and reviews the one of the agent it sits before.
    assert!(own.calls().len() >= 3, "{:?}", own.calls());
    assert!(agents_of(&main).contains("agent-dev-001"));
}

#[tokio::test]
async fn agents_whose_servers_are_gone_are_offline() {
    let (main, goes) = (answers(0).await, answers(0).await);
    let place = Place::new();
    let file = place.file(
        "fleet.toml",
        &format!(
            "[model]\nurl = '{}'\n[profiles.far]\nurl = '{}'\nname = 'far'\n[councils]\nQA.profile = 'far'\n",
            main.url(),
            goes.url()
        ),
    );
    drop(goes);
    let server = place.serve(&["--config", &file]).await;
    let offline = crate::support::eventually("the agents are offline", || async {
        let listed = json(&place.run(&["councils", "list", "QA", "--json"]).await);
        let agents = listed[0]["agents"].as_array().unwrap().clone();
        agents.iter().all(|agent| agent["status"] == "offline").then_some(())
    });
    offline.await;
    let dev = json(&place.run(&["councils", "list", "DEV", "--json"]).await);
    assert_eq!(dev[0]["agents"][0]["status"], "ready");
    server.stop().await;
}

#[tokio::test]
async fn the_models_command_times_a_call_to_every_server() {
    let (one, two) = (answers(5).await, answers(5).await);
    let place = Place::new();
    let nobody = format!(
        "http://127.0.0.1:{}",
        std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
    );
    let file = place.file(
        "fleet.toml",
        &format!(
            "[model]\nurl = ['{}', '{nobody}']\nname = 'scripted'\n[profiles.other]\nurl = '{}'\nname = 'scripted'\n",
            one.url(),
            two.url()
        ),
    );
    let asked = place.run(&["models", "--json", "--config", &file]).await;
    assert_eq!(asked.code, 8, "one of them does not answer: {}", asked.stdout);
    let rows = json(&asked);
    let row = |at: usize| (rows[at]["profile"].as_str().unwrap(), rows[at]["ok"].as_bool().unwrap());
    assert_eq!([row(0), row(1), row(2)], [("default", true), ("default", false), ("other", true)]);
    assert!(rows[0]["first_token_ms"].as_u64().is_some() && rows[0]["tokens"].as_u64().is_some());
    assert!(rows[1]["error"].as_str().unwrap().contains(&nobody), "{rows}");
    assert_eq!((one.calls().len(), two.calls().len()), (1, 1));

    let sound = place.run(&["models", "--profile", "other", "--config", &file]).await;
    assert_eq!(sound.code, 0, "{}", sound.stderr);
    assert!(sound.stdout.contains("FIRST TOKEN") && sound.stdout.contains(&two.url()), "{}", sound.stdout);
    let listed = place.run(&["models", "--list", "--profile", "other", "--config", &file]).await;
    assert_eq!((listed.code, two.calls().len()), (0, 2), "{}", listed.stdout);
    let unknown = place.run(&["models", "--profile", "none", "--config", &file]).await;
    assert_eq!(unknown.code, 6, "{}", unknown.stderr);
    assert!(unknown.stderr.contains("default, other"), "{}", unknown.stderr);
}

#[tokio::test]
async fn the_doctor_says_what_is_wrong_and_what_to_do() {
    let model = answers(0).await;
    let place = Place::new();
    let url = model.url();
    let with = |name: &str| place.file("fleet.toml", &format!("[model]\nurl = '{url}'\nname = '{name}'\n"));
    let well = place.run(&["doctor", "--config", &with("scripted")]).await;
    assert_eq!(well.code, 0, "{}", well.stdout);
    for says in
        ["answers (without a key) and serves scripted", "nothing was kept there yet", "synced to disk"]
    {
        assert!(well.stdout.contains(says), "{says}: {}", well.stdout);
    }
    assert!(!place.state().exists(), "looking keeps nothing");
    let other = place.run(&["doctor", "--json", "--config", &with("absent")]).await;
    assert_eq!(other.code, 8, "{}", other.stdout);
    let findings = json(&other);
    let sick: Vec<&Value> =
        findings.as_array().unwrap().iter().filter(|finding| finding["level"] == "problem").collect();
    assert_eq!(sick.len(), 1, "{findings}");
    assert!(
        sick[0]["found"].as_str().unwrap().contains("does not serve absent; it has scripted"),
        "{findings}"
    );
    assert!(sick[0]["advice"].as_str().unwrap().contains("model.name"), "{findings}");

    let server = place.serve(&["--config", &with("scripted")]).await;
    let seen = place.run(&["doctor", "--config", &with("scripted")]).await;
    assert!(seen.stdout.contains(&format!("{} is healthy", server.address)), "{}", seen.stdout);
    drop(server);
    drop(model);
    let gone = place.run(&["doctor", "--config", &with("scripted")]).await;
    assert_eq!(gone.code, 8, "{}", gone.stdout);
    assert!(gone.stdout.contains("does not serve") && gone.stdout.contains("start it"), "{}", gone.stdout);
}

#[tokio::test]
async fn a_server_begins_while_a_model_server_is_away_and_uses_it_once_it_is_there() {
    let main = answers(0).await;
    let place = Place::new();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let file = place.file(
        "fleet.toml",
        &format!(
            "[model]\nurl = '{}'\n[profiles.late]\nurl = 'http://127.0.0.1:{port}'\n[councils]\nQA.profile = 'late'\n",
            main.url()
        ),
    );
    // Whose council does not need it goes on; whose does is told.
    let dev = place.run(&["deliberate", "Sort a list", "--config", &file]).await;
    assert_eq!(dev.code, 0, "{}", dev.stderr);
    let qa = place.run(&["deliberate", "Sort a list", "--role", "QA", "--config", &file]).await;
    assert_eq!(qa.code, 8, "{}", qa.stderr);
    assert!(qa.stderr.contains("profile late") && qa.stderr.contains("profiles.late.url"), "{}", qa.stderr);

    let server = place.serve(&["--config", &file]).await;
    assert!(server.running.stderr().contains("NOT REACHED YET"), "{}", server.running.stderr());
    let client = server.client().await;
    assert_eq!(verdict(&client, "DEV").await.status, "COMPLETED");
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    let settings = fleet_scripted::Settings {
        models: vec!["scripted".into()],
        api_key: None,
        ledger: fleet_scripted::Ledger::none(),
    };
    let late = tokio::spawn(fleet_scripted::serve(listener, settings, council(0)));
    let done = crate::support::eventually("its council reaches a verdict", || async {
        let verdict = verdict(&client, "QA").await;
        (verdict.status == "COMPLETED").then_some(verdict)
    });
    assert_eq!(done.await.results.len(), 3);
    late.abort();
}

#[tokio::test]
async fn the_status_of_a_server_is_shown_with_its_figures() {
    let model = answers(0).await;
    let place = Place::new();
    let nobody = place.run(&["status"]).await;
    assert_eq!(nobody.code, 8, "{}", nobody.stderr);
    let server = place.serve(&["--url", &model.url()]).await;
    let client = server.client().await;
    assert_eq!(verdict(&client, "DEV").await.status, "COMPLETED");
    let status = json(&place.run(&["status", "--json"]).await);
    assert_eq!((&status["status"], &status["deliberations"]), (&"healthy".into(), &1.into()), "{status}");
    assert!(
        status["p50_ms"].as_f64().unwrap() > 0.0 && status["councils"]["DEV"]["success_rate"] == 1.0,
        "{status}"
    );
    let text = place.run(&["status"]).await.stdout;
    assert!(text.contains("is healthy") && text.contains("1 deliberations accepted (DEV 1)"), "{text}");
}

#[tokio::test]
async fn completions_and_manual_are_there_without_any_configuration() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = place.fleet(&["completions", shell]).env("FLEET__NO__SUCH", "1").end().await;
        assert_eq!(script.code, 0, "{}", script.stderr);
        assert!(script.stdout.contains("deliberate") && script.stdout.contains("councils"), "{shell}");
    }
    let page = place.run(&["man"]).await;
    assert!(page.stdout.contains(".TH fleet 1") && page.stdout.contains("deliberate"), "{}", page.stdout);
    let dir = place.path("man");
    assert_eq!(place.run(&["man", dir.to_str().unwrap()]).await.code, 0);
    assert!(dir.join("fleet-councils-create.1").exists());
}

#[tokio::test]
async fn quiet_says_nothing_but_what_went_wrong() {
    let model = answers(0).await;
    let place = Place::new();
    let url = model.url();
    let quiet = place.run(&["deliberate", "Sort a list", "--url", &url, "--quiet"]).await;
    assert_eq!((quiet.code, quiet.stderr.as_str()), (0, ""));
    assert!(quiet.stdout.contains("Winner: "), "{}", quiet.stdout);
    let wrong = place.run(&["result", "nobody", "-q"]).await;
    assert!(wrong.stderr.contains("there is no deliberation nobody"), "{}", wrong.stderr);
}

#[tokio::test]
async fn profiles_that_disagree_about_a_server_are_told_by_their_keys_and_places() {
    let place = Place::new();
    let refusal = async |text: &str| {
        let file = place.file("fleet.toml", text);
        let refused = place.run(&["serve", "--listen", "127.0.0.1:0", "--config", &file]).await;
        assert_eq!(refused.code, 2, "{}", refused.stderr);
        refused.stderr.replace(&file, "fleet.toml").trim_start_matches("fleet: ").trim_end().to_owned()
    };
    // Named models, so that nobody is asked for one.
    let model = "[model]\nurl = 'http://h:8000'\nname = 'm'\n";
    assert_eq!(
        refusal(&format!("{model}[profiles.big]\nurl = 'http://h:8000/v1'\nname = 'm'\ncalls_max = 4\n"))
            .await,
        "both profiles.big.url (fleet.toml:5) and model.url (fleet.toml:2) name http://h:8000, so they must agree on \
         it: profiles.big.calls_max is 4 (fleet.toml:7), and model.calls_max is 0 (default)"
    );
    assert_eq!(
        refusal("[model]\nname = 'm'\nurl = ['http://h:8000', 'http://h:8000/v1']\n").await,
        "model.url (fleet.toml:3) names http://h:8000 twice"
    );
    assert_eq!(
        refusal("[model]\nname = 'm'\nurl = 'http://h:99999'\n").await,
        "model.url is \"http://h:99999\" (fleet.toml:3); it must begin with http:// or https:// and a host, with a port \
         from 1 to 65535 or none, without user, password, ? or #"
    );
}
