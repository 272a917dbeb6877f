//! `fleet watch`: steps as lines, through restarts of the server and from files.

use std::sync::atomic::Ordering;

use fleet_api::v1::{self as wire, DeliberateRequest};
use fleet_scripted::{Council, Scripted};
use serde_json::Value;

use crate::support::{
    Client, Ended, HELD, Place, Server, answers, deliberate, held, kind_of, refuses, until,
};

const TASK: &str = "Plan a riverbank for the spring floods";

fn lines(ended: &Ended) -> Vec<Value> {
    ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn counted_through(lines: &[Value]) {
    let sequences: Vec<u64> = lines.iter().map(|line| line["sequence"].as_u64().unwrap()).collect();
    assert_eq!(sequences, (1..=lines.len() as u64).collect::<Vec<_>>());
    assert_eq!(lines.last().unwrap()["progress_percent"], 100);
}

async fn submitted(client: &mut Client, id: &str) {
    client.submit(DeliberateRequest { task_id: id.into(), ..deliberate(TASK) }).await.unwrap();
}

#[tokio::test]
async fn every_step_is_a_line_and_the_rest_is_had_behind_any_of_them() {
    let model = answers(0).await;
    let place = Place::new();
    let server = place.serve(&["--url", &model.url()]).await;
    let json = place.run(&["deliberate", TASK, "--id", "one", "--json", "--server", &server.address]).await;
    let whole = place.run(&["watch", "one", "--events"]).await;
    assert_eq!((whole.code, whole.stderr.as_str()), (0, ""));
    counted_through(&lines(&whole));
    let last = lines(&whole).pop().unwrap();
    assert_eq!((&last["status"], &last["partial_result"]["rank"]), (&"complete".into(), &1.into()));
    let times: Vec<u64> = lines(&whole).iter().map(|line| line["at_ms"].as_u64().unwrap()).collect();
    assert!(times.is_sorted() && times[0] > 1_700_000_000_000, "when it was recorded: {times:?}");
    let first = &lines(&whole)[1]["partial_result"];
    assert!(first["proposal"]["content"].as_str().unwrap().contains("```python"), "{first}");
    assert_eq!(first.get("score"), None, "there is no score before the verdict");
    let both = place.run(&["watch", "one", "--events", "--json", "--server", &server.address]).await;
    assert_eq!(both.stdout, whole.stdout.clone() + &json.stdout, "the result is the last line");
    let plain = place.run(&["watch", "one"]).await;
    let said: Vec<&str> = plain.stderr.lines().collect();
    assert_eq!(said.len(), lines(&whole).len(), "a line a step: {said:#?}");
    for (line, step) in said.iter().zip(lines(&whole)) {
        let words = step["current_step"].as_str().unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(line.ends_with(&format!("{:3} %  {words}", step["progress_percent"])), "{line}");
        assert!(line.split(' ').next().unwrap().ends_with('Z'), "with its time: {line}");
    }
    let quiet = place.run(&["watch", "one", "--quiet"]).await;
    assert_eq!((quiet.stdout, quiet.stderr.as_str()), (plain.stdout, ""));
    let json_alone = place.run(&["watch", "one", "--json"]).await;
    assert_eq!((json_alone.stdout, json_alone.stderr.as_str()), (json.stdout.clone(), ""));
    let after = place.run(&["watch", "one", "--events", "--after", "7"]).await;
    let rest: Vec<&str> = whole.stdout.lines().skip(7).collect();
    assert_eq!(after.stdout.lines().collect::<Vec<_>>(), rest);
    let end = whole.stdout.lines().count().to_string();
    let nothing = place.run(&["watch", "one", "--events", "--after", &end]).await;
    assert_eq!((nothing.code, nothing.stdout.as_str()), (0, ""));
    let beyond = place.run(&["watch", "one", "--events", "--after", "1000"]).await;
    assert_eq!(
        (beyond.code, beyond.stderr.contains("after_sequence is 1000")),
        (2, true),
        "{}",
        beyond.stderr
    );
    server.stop().await;
    let from_files = place.run(&["watch", "one", "--events"]).await;
    assert_eq!((from_files.code, from_files.stdout), (0, whole.stdout), "files tell the same");
}

#[tokio::test]
async fn what_is_written_is_only_among_the_lines_where_it_is_asked_for() {
    // Each answer takes far longer than anybody needs to come and see some of it.
    let model = Scripted::start(Council::new("scripted", 0, 600, 600, 100)).await.unwrap();
    let place = Place::new();
    let server = place.serve(&["--url", &model.url()]).await;
    let mut client = server.client().await;
    submitted(&mut client, "one").await;
    let with = place.fleet(&["watch", "one", "--events", "--tokens"]).start();
    let without = place.fleet(&["watch", "one", "--events"]).start();
    let writing = |text: &str| text.contains(r#""writing":{"job_id":"one/0/propose/agent-dev-00"#);
    until("it is written", || writing(&with.stdout()) && without.stdout().contains('\n')).await;
    let cancel = wire::CancelDeliberationRequest { task_id: "one".into(), reason: "seen".into() };
    client.calls.cancel_deliberation(cancel).await.unwrap();
    let (with, without) = (with.ended().await, without.ended().await);
    assert_eq!((with.code, without.code), (5, 5), "{} {}", with.stderr, without.stderr);
    counted_through(&lines(&without));
    let (written, steps): (Vec<Value>, Vec<Value>) =
        lines(&with).into_iter().partition(|line| line.get("writing").is_some());
    assert_eq!(steps, lines(&without));
    for line in written {
        assert_eq!((&line["sequence"], &line["progress_percent"]), (&1.into(), &0.into()), "{line}");
        assert!(line["current_step"].as_str().unwrap().ends_with(" writes its proposal"), "{line}");
        assert!(line["writing"]["delta"].is_string() && line["writing"]["attempt"] == 1, "{line}");
    }
}

#[tokio::test]
async fn a_watch_goes_on_with_a_server_that_was_killed_and_started_elsewhere() {
    let (model, let_go) = held("revise").await;
    let place = Place::new();
    let server = place.serve(&["--url", &model.url()]).await;
    submitted(&mut server.client().await, "long").await;
    let watch = place.fleet(&["watch", "long", "--events", "--json"]).start();
    let asked = |n: usize| model.calls().iter().filter(|call| kind_of(&call.caller) == "revise").count() >= n;
    until("revisions are asked for", || asked(3)).await;
    server.kill().await;
    watch.says("trying again").await;
    let server = place.serve(&["--url", &model.url()]).await;
    until("revisions are asked for again", || asked(6)).await;
    server.kill().await;
    let_go.store(true, Ordering::SeqCst);
    let server = place.serve(&["--url", &model.url()]).await;
    let ended = watch.ended().await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let mut lines = lines(&ended);
    let result = lines.pop().unwrap();
    assert_eq!((&result["task_id"], &result["status"]), (&"long".into(), &"completed".into()));
    counted_through(&lines);
    assert!(ended.stderr.lines().all(|line| line.ends_with("; trying again")), "{}", ended.stderr);
    drop(server);
}

#[tokio::test]
async fn a_run_on_a_server_outlives_the_server() {
    let (model, let_go) = held("critique").await;
    let place = Place::new();
    let url = model.url();
    let server = place.serve(&["--url", &url]).await;
    let address = server.address.clone();
    let run = place.fleet(&["deliberate", TASK, "--id", "far", "--json", "--server", &address]).start();
    until("reviews are asked for", || model.calls().iter().any(|call| kind_of(&call.caller) == "critique"))
        .await;
    let_go.store(true, Ordering::SeqCst);
    server.kill().await;
    run.says("trying again").await;
    let server = Server::of(place.fleet(&["serve", "--listen", &address, "--url", &url])).await;
    let ended = run.ended().await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_eq!(lines(&ended).len(), 1, "one object and nothing else: {}", ended.stdout);
    assert_eq!(lines(&ended)[0]["status"], "completed");
    drop(server);
}

#[tokio::test]
async fn a_run_without_a_server_is_followed_from_its_files() {
    let (model, let_go) = held("critique").await;
    let place = Place::new();
    let run = place.fleet(&["deliberate", TASK, "--id", "near", "--url", &model.url()]).start();
    until("reviews are asked for", || model.calls().iter().any(|call| kind_of(&call.caller) == "critique"))
        .await;
    let watch = place.fleet(&["watch", "near", "--events", "--tokens"]).start();
    watch.says("only seen through a server").await;
    let_go.store(true, Ordering::SeqCst);
    run.signal("-TERM");
    assert_eq!(run.ended().await.code, 130);
    // Nobody works on it, which a watcher says; what it was told until then stands.
    let left = watch.ended().await;
    assert_eq!(left.code, 10, "{}", left.stderr);
    let before = left.stdout.lines().count();
    let resume = place.fleet(&["resume", "near", "--url", &model.url()]).end().await;
    assert_eq!(resume.code, 0, "{}", resume.stderr);
    let rest = place.run(&["watch", "near", "--events", "--after", &before.to_string()]).await;
    assert_eq!(rest.code, 0, "{}", rest.stderr);
    counted_through(&[lines(&left), lines(&rest)].concat());
}

#[tokio::test]
async fn a_reader_of_lines_that_goes_away_ends_the_watch() {
    let model = answers(HELD).await;
    let place = Place::new();
    let server = place.serve(&["--url", &model.url()]).await;
    let mut client = server.client().await;
    submitted(&mut client, "one").await;
    let mut watch = place.fleet(&["watch", "one", "--events", "--tokens"]).start();
    watch.close_stdout();
    let cancel = wire::CancelDeliberationRequest { task_id: "one".into(), reason: String::new() };
    client.calls.cancel_deliberation(cancel).await.unwrap();
    let ended = watch.ended().await;
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
}

#[tokio::test]
async fn an_end_without_a_verdict_is_a_line_and_a_code() {
    let model = refuses().await;
    let place = Place::new();
    let server = place.serve(&["--url", &model.url(), "--model", "m"]).await;
    submitted(&mut server.client().await, "one").await;
    let ended = place.run(&["watch", "one", "--events"]).await;
    assert_eq!(ended.code, 3, "{}", ended.stderr);
    assert!(ended.stderr.starts_with("no verdict: 0 of 3 agents answered"), "{}", ended.stderr);
    counted_through(&lines(&ended));
    let last = lines(&ended).pop().unwrap();
    assert!(last["current_step"].as_str().unwrap().starts_with("no verdict: 0 of 3"), "{last}");
    let misused = place.run(&["watch", "one", "--tokens"]).await;
    assert_eq!((misused.code, misused.stderr.contains("--events")), (2, true), "{}", misused.stderr);
}

#[tokio::test]
async fn where_no_stream_is_free_the_end_is_heard_all_the_same() {
    let (model, let_go) = held("critique").await;
    let place = Place::new();
    let server = place.serve_with(&["--url", &model.url()], &[("FLEET__SERVER__STREAMS_MAX", "1")]).await;
    let mut client = server.client().await;
    submitted(&mut client, "other").await;
    let attach = DeliberateRequest { task_id: "other".into(), ..DeliberateRequest::default() };
    let _taken = client.calls.stream_deliberation(attach).await.unwrap();
    until("reviews are asked for", || model.calls().iter().any(|call| kind_of(&call.caller) == "critique"))
        .await;
    let_go.store(true, Ordering::SeqCst);
    submitted(&mut client, "one").await;
    let ended = place.run(&["watch", "one", "--json"]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(
        ended.stderr.contains("as many streams are open as may be, 1")
            && ended.stderr.contains("trying again"),
        "{}",
        ended.stderr
    );
    assert_eq!(lines(&ended)[0]["status"], "completed");
}
