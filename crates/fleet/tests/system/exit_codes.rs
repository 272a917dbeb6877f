//! Every kind of outcome ends the command with a code of its own.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::{HELD, Place, answers, council, held, refuses, root, until};
use fleet::Exit;
use fleet_scripted::{Call, Reply, Scripted};

const TASK: &str = "Plan a riverbank for the spring floods";

async fn ends(place: &Place, arguments: &[&str], code: i32, says: &[&str]) {
    let ended = place.run(arguments).await;
    assert_eq!(ended.code, code, "{arguments:?}: {}{}", ended.stdout, ended.stderr);
    for what in says {
        assert!(ended.stderr.contains(what), "{arguments:?} says {what:?}: {}", ended.stderr);
    }
    assert_eq!(ended.stdout, "", "{arguments:?} has nothing to print");
}

#[test]
fn the_documentation_names_every_code() {
    let codes = [
        Exit::Done,
        Exit::Unexpected,
        Exit::Refused,
        Exit::Failed,
        Exit::TimedOut,
        Exit::Cancelled,
        Exit::NotFound,
        Exit::Busy,
        Exit::Unavailable,
        Exit::Conflict,
        Exit::Open,
        Exit::NoneAcceptable,
        Exit::Differs,
        Exit::Tampered,
        Exit::Left,
    ];
    let text = std::fs::read_to_string(root().join("docs/errors.md")).expect("docs/errors.md is there");
    let documented: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(" |").next())
        .filter(|cell| cell.parse::<u8>().is_ok())
        .collect();
    assert_eq!(documented, codes.map(|code| (code as u8).to_string()), "the table of docs/errors.md");
}

#[tokio::test]
async fn what_is_not_acceptable_ends_with_2() {
    let model = answers(0).await;
    let (place, url) = (Place::new(), model.url());
    let with = |more: &[&'static str]| [&["deliberate", "--url", url.as_str()], more].concat();
    ends(&place, &with(&[]), 2, &["Usage: fleet deliberate"]).await;
    ends(&place, &with(&[TASK, "--no-such-flag"]), 2, &["--no-such-flag"]).await;
    ends(&place, &with(&[TASK, "--rounds", "11"]), 2, &["rounds", "between 0 and 10"]).await;
    ends(&place, &with(&[TASK, "--agents", "65"]), 2, &["--agents", "between 1 and 64"]).await;
    // On the wire 0 says nothing, so a server would take its default.
    ends(&place, &with(&[TASK, "--agents", "0"]), 2, &["--agents"]).await;
    ends(&place, &with(&[TASK, "--timeout", "0"]), 2, &["--timeout"]).await;
    ends(&place, &with(&["  "]), 2, &["the task", "empty"]).await;
    ends(&place, &with(&[TASK, "--id", "two words"]), 2, &["--id"]).await;
    ends(&place, &with(&["--file", "/nowhere/task.md"]), 2, &["/nowhere/task.md"]).await;
    ends(&place, &with(&[TASK, "--metadata", "novalue"]), 2, &["KEY=VALUE"]).await;
    ends(&place, &["deliberate", TASK, "--url", "no url"], 2, &["no url"]).await;
    let odd = place.file("odd.toml", "[modell]\nname = \"x\"\n");
    ends(&place, &["config", "--config", &odd], 2, &["modell", "odd.toml"]).await;
    let image = place.path("image.png");
    std::fs::write(&image, [0x89, 0x50, 0xff]).unwrap();
    let image = image.to_str().unwrap();
    ends(&place, &with(&[]).into_iter().chain(["--file", image]).collect::<Vec<_>>(), 2, &[image, "as text"])
        .await;
    assert_eq!(model.calls(), [], "nothing that is refused costs a call");
}

#[tokio::test]
async fn too_few_answers_end_with_3_and_say_why() {
    let model = refuses().await;
    let (place, url) = (Place::new(), model.url());
    let says = [
        "no verdict: 0 of 3 agents answered, 1 needed\n",
        "\n  agent-dev-001, agent-dev-002, agent-dev-003: http://",
        "(unauthorized)\n",
    ];
    ends(&place, &["deliberate", TASK, "--url", &url, "--model", "m"], 3, &says).await;
    assert_eq!(model.calls().len(), 3, "what cannot pass is not tried again");
    let ended = place.run(&["deliberate", TASK, "--url", &url, "--model", "m", "--json"]).await;
    let event: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((ended.code, &event["status"]), (3, &"failed".into()));
    assert_eq!(event["failed_agents"][0]["error_type"], "unauthorized");
    for key in ["task_id", "error", "timestamp"] {
        assert!(event[key].as_str().is_some_and(|text| !text.is_empty()), "{key}: {event}");
    }
}

#[tokio::test]
async fn a_council_goes_on_with_those_that_answered() {
    let council = council(0);
    let script = move |call: &Call| match call.caller.ends_with("agent-dev-002") {
        true => Reply::error(404, "not_found", "no such model"),
        false => fleet_scripted::Script::reply(&council, call),
    };
    let model = Scripted::start(script).await.unwrap();
    let ended = Place::new().run(&["deliberate", TASK, "--url", &model.url()]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stdout.contains("agent-dev-002      -  no proposal: "), "{}", ended.stdout);
    assert!(ended.stdout.contains("2 of 3 agents, "), "{}", ended.stdout);
}

#[tokio::test]
async fn time_that_was_up_before_anybody_went_on_ends_with_4() {
    let model = answers(HELD).await;
    let (place, url) = (Place::new(), model.url());
    let asked = ["deliberate", TASK, "--url", &url, "--timeout", "2", "--rounds", "0", "--id", "late"];
    let run = place.fleet(&asked).start();
    until("the model is asked", || model.calls().len() == 3).await;
    run.signal("-KILL");
    run.ended().await;
    // Its deadline is a moment in time, and nothing else that could be waited for.
    tokio::time::sleep(Duration::from_secs(2)).await;
    ends(&place, &["resume", "late", "--url", &url], 4, &["no verdict: no verdict within 2 s"]).await;
    let ended = place.run(&["result", "late", "--json"]).await;
    let event: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((ended.code, &event["status"]), (4, &"timeout".into()));
    assert_eq!(model.calls().len(), 3, "nobody is asked once it is too late");
}

#[tokio::test]
async fn silence_of_all_agents_ends_with_3_when_their_share_of_the_time_is_over() {
    let model = answers(HELD).await;
    let (place, url) = (Place::new(), model.url());
    let asked = ["deliberate", TASK, "--url", &url, "--timeout", "1"];
    // The call's own limit and the step's deadline are the same moment; either may be noticed first.
    ends(&place, &asked, 3, &["0 of 3 agents answered", "no verdict"]).await;
}

#[tokio::test]
async fn what_is_not_there_ends_with_6() {
    let model = answers(0).await;
    let (place, url) = (Place::new(), model.url());
    ends(&place, &["result", "nothing"], 6, &["nothing was ever submitted here"]).await;
    let says = ["no council of role \"SAGE\"", "ARCHITECT, DATA, DEV, DEVOPS, QA"];
    ends(&place, &["deliberate", TASK, "--role", "SAGE", "--url", &url], 6, &says).await;
    assert_eq!(place.run(&["deliberate", TASK, "--url", &url]).await.code, 0);
    for command in ["result", "watch", "cancel"] {
        ends(&place, &[command, "nobody"], 6, &["there is no deliberation nobody"]).await;
    }
    ends(&place, &["resume", "nobody", "--url", &url], 6, &["there is no deliberation nobody"]).await;
    let server = place.serve(&["--url", &url]).await;
    for command in ["result", "watch", "cancel"] {
        ends(&place, &[command, "nobody"], 6, &["there is no deliberation nobody"]).await;
    }
    drop(server);
}

#[tokio::test]
async fn a_state_that_somebody_works_on_ends_with_7_and_a_hint() {
    let model = answers(0).await;
    let (place, url) = (Place::new(), model.url());
    let server = place.serve(&["--url", &url]).await;
    let server_flag = format!("--server {}", server.address);
    let says = [server_flag.as_str(), "--state DIR"];
    ends(&place, &["deliberate", TASK, "--url", &url], 7, &says).await;
    ends(&place, &["serve", "--listen", "127.0.0.1:0", "--url", &url], 7, &says).await;
    let elsewhere = place.path("elsewhere");
    let elsewhere = elsewhere.to_str().unwrap();
    let ended = place.run(&["deliberate", TASK, "--url", &url, "--state", elsewhere]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
}

#[tokio::test]
async fn a_server_that_is_full_ends_with_7_and_when_to_come_back() {
    let model = answers(HELD).await;
    let place = Place::new();
    let server = place.serve_with(&["--url", &model.url()], &[("FLEET__SERVER__IN_FLIGHT_MAX", "1")]).await;
    let mut client = server.client().await;
    client.submit(crate::support::deliberate(TASK)).await.unwrap();
    let says = ["in_flight_max", "try again in 1 s"];
    ends(&place, &["deliberate", TASK, "--server", &server.address], 7, &says).await;
}

#[tokio::test]
async fn what_cannot_be_reached_ends_with_8() {
    let place = Place::new();
    // Taken and given back: nobody listens there.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let nobody = format!("127.0.0.1:{port}");
    let url = format!("http://{nobody}");
    ends(&place, &["deliberate", TASK, "--url", &url], 8, &[&url, "--url"]).await;
    ends(&place, &["deliberate", TASK, "--server", &nobody], 8, &[&nobody, "fleet serve"]).await;
    ends(&place, &["result", "x", "--server", &nobody], 8, &[&nobody]).await;
    let model = answers(0).await;
    let taken = format!("127.0.0.1:{}", model.port());
    ends(&place, &["serve", "--listen", &taken, "--url", &model.url()], 8, &[&taken, "--listen"]).await;
}

#[tokio::test]
async fn a_state_that_is_none_is_left_as_it_is() {
    let model = answers(0).await;
    let (place, url) = (Place::new(), model.url());
    let file = place.file("file", "mine");
    ends(&place, &["deliberate", TASK, "--url", &url, "--state", &file], 8, &[&file, "--state DIR"]).await;
    let dir = place.path("other");
    std::fs::create_dir(&dir).unwrap();
    std::fs::write(dir.join("fleet.db"), "somebody else's".repeat(100)).unwrap();
    let dir = dir.to_str().unwrap();
    ends(&place, &["deliberate", TASK, "--url", &url, "--state", dir], 2, &["fleet.db", "--state DIR"]).await;
    ends(&place, &["list", "--state", dir], 2, &["fleet.db"]).await;
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
    assert!(std::fs::read_to_string(format!("{dir}/fleet.db")).unwrap().starts_with("somebody else's"));
    assert_eq!(model.calls(), []);
}

#[tokio::test]
async fn an_id_that_is_taken_by_another_task_ends_with_9() {
    let model = answers(0).await;
    let (place, url) = (Place::new(), model.url());
    let asked = |task| ["deliberate", task, "--url", &url, "--id", "taken", "--json"];
    let first = place.run(&asked(TASK)).await;
    assert_eq!(first.code, 0, "{}", first.stderr);
    let again = place.run(&asked(TASK)).await;
    assert_eq!((again.code, again.stdout), (0, first.stdout), "the same task under the same id is one");
    assert_eq!(model.calls().len(), 9);
    ends(&place, &asked("Something else"), 9, &["taken", "other content"]).await;
}

#[tokio::test]
async fn a_result_that_is_not_there_yet_ends_with_10() {
    let (model, _) = held("propose").await;
    let place = Place::new();
    let server = place.serve(&["--url", &model.url()]).await;
    let mut client = server.client().await;
    let id = client.submit(crate::support::deliberate(TASK)).await.unwrap();
    ends(&place, &["result", &id], 10, &["has not ended: generating; 3 jobs pending"]).await;
    let ended = place.run(&["result", &id, "--json"]).await;
    let open: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((ended.code, &open["status"], &open["pending"]), (10, &"pending".into(), &3.into()));
    until("the model was asked", || model.calls().len() == 3).await;
    server.kill().await;
    ends(&place, &["result", &id], 10, &["has not ended"]).await;
    ends(&place, &["watch", &id], 10, &["nobody works on deliberation", &format!("fleet resume {id}")]).await;
    let listed = place.run(&["list"]).await;
    assert!(listed.stdout.contains(" LEFT "), "{}", listed.stdout);
    let left = place.run(&["list", "--status", "left"]).await;
    assert_eq!((left.code, left.stdout), (0, listed.stdout));
    assert_eq!(place.run(&["list", "--status", "left", "--role", "QA"]).await.stdout, "");
    let councils = place.run(&["councils", "list", "DEV"]).await;
    assert!(!councils.stdout.contains("busy") && !councils.stdout.contains("active"), "{}", councils.stdout);
    assert!(councils.stdout.contains("ready"), "what was left keeps nobody busy: {}", councils.stdout);
}

#[tokio::test]
async fn a_server_that_is_lost_during_a_call_is_told_in_our_own_words() {
    let place = Place::new();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    // It takes the call, says what is no HTTP/2 or nothing, and is gone.
    let gone = tokio::spawn(async move {
        let mut nth = 0;
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let read = stream.read(&mut [0; 1024]).await;
            if nth % 2 == 0 && read.is_ok() {
                stream.write_all(&[b'x'; 256]).await.ok();
            }
            nth += 1;
        }
    });
    let watch = format!("fleet watch mine --server {address}");
    let list = format!("fleet list --server {address}");
    for (command, says) in [
        (&["list"][..], "ask again"),
        (&["status"], "ask again"),
        (&["result", "mine"], "ask again"),
        (&["cancel", "mine"], &watch),
        (&["councils"], "ask again"),
        (&["councils", "delete", "QA"], "fleet councils"),
        (&["deliberate", TASK, "--id", "mine"], &watch),
        (&["deliberate", TASK], &list),
    ] {
        for _ in 0..2 {
            let lost = place.fleet(command).also(&["--server", &address]).end().await;
            assert_eq!(lost.code, 8, "{command:?}: {}", lost.stderr);
            let begins = format!("fleet: the connection to the server at {address} was lost; ");
            assert!(
                lost.stderr.starts_with(&begins) && lost.stderr.contains(says),
                "{command:?}: {}",
                lost.stderr
            );
            for theirs in ["h2", "protocol", "transport", "hyper"] {
                assert!(!lost.stderr.contains(theirs), "{command:?}: {}", lost.stderr);
            }
        }
    }
    gone.abort();
}
