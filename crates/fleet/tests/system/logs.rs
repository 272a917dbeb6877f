//! The log: for people or for programs, one line for each thing.

use serde_json::Value;

use crate::support::{Place, answers, deliberate, until};

#[tokio::test]
async fn a_log_for_programs_is_one_object_a_line() {
    let model = answers(0).await;
    let place = Place::new();
    let variables = [("FLEET_LOG_FORMAT", "json"), ("FLEET_LOG", "debug")];
    let profiles =
        place.file("fleet.toml", "[profiles.big]\nname = 'scripted'\n[profiles.small]\nname = 'scripted'\n");
    let server = place.serve_with(&["--url", &model.url(), "--config", &profiles], &variables).await;
    let client = server.client().await;
    let id = client.clone().submit(deliberate("Sort a list")).await.unwrap();
    client.ended(&id).await;
    let ended = server.stop().await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let mut said = Vec::new();
    for line in ended.stderr.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line} is no JSON"));
        for key in ["timestamp", "level", "message"] {
            assert!(line[key].is_string(), "{key}: {line}");
        }
        let message = line["message"].as_str().unwrap();
        assert!(!message.contains('\n'), "one fact a line: {line}");
        said.push(message.to_owned());
    }
    let models: Vec<&String> = said.iter().filter(|message| message.starts_with("model: ")).collect();
    let expected =
        ["big", "default", "small"].map(|name| format!("model: profile {name}: scripted at {}", model.url()));
    assert_eq!(models, expected.iter().collect::<Vec<_>>(), "each profile, by its name");
    for what in ["serves gRPC on ", "state: ", "stopping; "] {
        assert!(said.iter().any(|message| message.contains(what)), "{what}: {said:?}");
    }
}

#[tokio::test]
async fn why_a_server_does_not_start_is_an_error_in_its_log() {
    let place = Place::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let serve = place.fleet(&["serve", "--listen", &address]).env("FLEET_LOG_FORMAT", "json").end().await;
    assert_eq!(serve.code, 8, "{}", serve.stderr);
    let last: Value = serde_json::from_str(serve.stderr.lines().last().unwrap()).unwrap();
    assert_eq!(last["level"], "ERROR");
    assert!(last["message"].as_str().unwrap().contains(&address), "{last}");
}

#[tokio::test]
async fn an_error_that_is_handled_is_one_line_with_its_whole_chain() {
    for format in ["text", "json"] {
        let model = answers(0).await;
        let place = Place::new();
        let server = place.serve_with(&["--url", &model.url()], &[("FLEET_LOG_FORMAT", format)]).await;
        let client = server.client().await;
        let id = client.clone().submit(deliberate("Sort a list")).await.unwrap();
        client.ended(&id).await;
        assert_eq!(server.stop().await.code, 0);
        // What is stored is no record any more.
        let file = rusqlite::Connection::open(place.state().join("fleet.db")).unwrap();
        file.execute("UPDATE records SET body = x'00'", []).unwrap();
        drop(file);

        let server = place.serve_with(&["--url", &model.url()], &[("FLEET_LOG_FORMAT", format)]).await;
        let refused = server.client().await.result(&id).await.unwrap_err();
        assert_eq!(refused.code(), tonic::Code::Internal);
        until("the error is logged", || server.running.stderr().contains("a call failed")).await;
        let ended = server.stop().await;
        let lines: Vec<&str> = ended.stderr.lines().filter(|line| line.contains("a call failed")).collect();
        assert_eq!(lines.len(), 1, "{}", ended.stderr);
        assert!(lines[0].contains("is corrupt: "), "the cause is in the same line: {}", lines[0]);
        assert!(lines[0].contains("ERROR"), "{}", lines[0]);
    }
}

#[tokio::test]
async fn a_filter_that_is_none_is_refused_with_its_bad_part() {
    let place = Place::new();
    let ended = place.fleet(&["list"]).env("FLEET_LOG", "warn,fleet_llm=loud").end().await;
    assert_eq!(ended.code, 2, "{}", ended.stderr);
    assert!(ended.stderr.contains("environment FLEET_LOG"), "{}", ended.stderr);
    assert!(ended.stderr.contains("\"fleet_llm=loud\" is neither"), "{}", ended.stderr);
}
