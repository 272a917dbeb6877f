//! An interrupt cancels a run, a second one leaves it to be resumed.

use std::sync::atomic::Ordering;

use fleet_scripted::Scripted;

use crate::support::{HELD, Kept, Place, Running, answers, held, kind_of, until};

const TASK: &str = "Plan a riverbank for the spring floods";

/// A run whose proposals are all recorded, and whose reviews are held by the model.
async fn under_review(place: &Place, model: &Scripted) -> Running {
    let run = place.fleet(&["deliberate", TASK, "--id", "long", "--url", &model.url()]).start();
    until("all reviews are asked for", || of_kind(model, "critique") == 3).await;
    run
}

fn of_kind(model: &Scripted, kind: &str) -> usize {
    model.calls().iter().filter(|call| kind_of(&call.caller) == kind).count()
}

#[tokio::test]
async fn one_interrupt_cancels_cleanly() {
    let model = answers(HELD).await;
    let place = Place::new();
    let run = place.fleet(&["deliberate", TASK, "--id", "long", "--json", "--url", &model.url()]).start();
    until("the model is asked", || model.calls().len() == 3).await;
    run.signal("-INT");
    let ended = run.ended().await;
    assert_eq!(ended.code, 5, "{}", ended.stderr);
    assert!(ended.stderr.contains("interrupt again to leave at once"), "{}", ended.stderr);
    let event: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((&event["status"], &event["error"]), (&"failed".into(), &"cancelled: interrupted".into()));
    let kept = Kept::of(&place.state()).await;
    assert_eq!(kept.ends["long"], 1);
    assert_eq!(place.run(&["result", "long"]).await.code, 5);
}

#[tokio::test]
async fn a_second_interrupt_leaves_and_what_was_answered_is_not_asked_again() {
    let (model, let_go) = held("critique").await;
    let place = Place::new();
    let run = under_review(&place, &model).await;
    run.signal("-INT");
    run.says("interrupt again").await;
    run.signal("-INT");
    let ended = run.ended().await;
    assert_eq!((ended.code, ended.stdout.as_str()), (130, ""), "{}", ended.stderr);
    assert!(ended.stderr.contains("fleet resume long"), "{}", ended.stderr);
    assert_eq!(place.run(&["result", "long"]).await.code, 10);

    let_go.store(true, Ordering::SeqCst);
    let resumed = place.run(&["resume", "long", "--json", "--url", &model.url()]).await;
    assert_eq!(resumed.code, 0, "{}", resumed.stderr);
    let event: serde_json::Value = serde_json::from_str(&resumed.stdout).unwrap();
    assert_eq!((&event["task_id"], &event["successful_responses"]), (&"long".into(), &3.into()));
    let calls = ["propose", "critique", "revise"].map(|kind| of_kind(&model, kind));
    assert_eq!(calls, [3, 6, 3], "only the reviews, which had no answer, are asked for again");
    let again = place.run(&["resume", "long", "--json", "--url", &model.url()]).await;
    assert_eq!((again.code, again.stdout), (0, resumed.stdout), "what has ended is shown, not done again");
    assert_eq!(model.calls().len(), 12);
}

#[tokio::test]
async fn being_told_to_end_leaves_at_once() {
    let (model, _) = held("critique").await;
    let place = Place::new();
    let run = under_review(&place, &model).await;
    run.signal("-TERM");
    assert_eq!(run.ended().await.code, 130);
    assert_eq!(place.run(&["result", "long"]).await.code, 10);
}

#[tokio::test]
async fn a_run_that_was_killed_is_resumed() {
    let (model, let_go) = held("critique").await;
    let place = Place::new();
    let run = under_review(&place, &model).await;
    run.signal("-KILL");
    assert_eq!(run.ended().await.code, 128 + 9);
    let before = Kept::of(&place.state()).await.answered;
    assert!(before.iter().filter(|job| kind_of(job) == "propose").count() == 3, "{before:?}");

    let (asked, _) = (model.calls().len(), let_go.store(true, Ordering::SeqCst));
    let resumed = place.run(&["resume", "long", "--json", "--url", &model.url()]).await;
    assert_eq!(resumed.code, 0, "{}", resumed.stderr);
    let again: Vec<String> = model.calls().drain(asked..).map(|call| call.caller).collect();
    assert!(again.iter().all(|job| !before.contains(job)), "{again:?} {before:?}");
    let kept = Kept::of(&place.state()).await;
    assert_eq!(kept.ends["long"], 1);
}

#[tokio::test]
async fn interrupting_a_run_on_a_server_cancels_it_there() {
    let model = answers(HELD).await;
    let place = Place::new();
    let server = place.serve(&["--url", &model.url()]).await;
    let asked = ["deliberate", TASK, "--id", "far", "--server", &server.address];
    let run = place.fleet(&asked).start();
    // From then on the run knows that the server took its task.
    run.says("deliberation far").await;
    run.signal("-INT");
    let ended = run.ended().await;
    assert_eq!(ended.code, 5, "{}", ended.stderr);
    assert!(server.client().await.ended("far").await.error_message.contains("cancelled: interrupted"));

    let run = place.fleet(&["deliberate", TASK, "--id", "left", "--server", &server.address]).start();
    run.says("deliberation left").await;
    run.signal("-INT");
    run.says("interrupt again").await;
    run.signal("-INT");
    let ended = run.ended().await;
    assert_eq!(ended.code, 130);
    assert!(ended.stderr.contains("the server goes on"), "{}", ended.stderr);
    let watch = place.fleet(&["watch", "left"]).start();
    assert_eq!(place.run(&["cancel", "left", "--reason", "enough"]).await.code, 0);
    let watched = watch.ended().await;
    assert_eq!(watched.code, 5, "{}", watched.stderr);
    assert!(watched.stderr.contains("cancelled: enough"), "{}", watched.stderr);
}

#[tokio::test]
async fn a_run_can_be_watched_by_others_who_cannot_work_on_its_state() {
    let (model, let_go) = held("critique").await;
    let place = Place::new();
    let run = under_review(&place, &model).await;
    let pid = run.pid().to_string();
    for command in [&["cancel", "long"][..], &["deliberate", TASK, "--url", &model.url()]] {
        let refused = place.run(command).await;
        assert_eq!(refused.code, 7, "{}", refused.stderr);
        assert!(refused.stderr.contains(&format!("process {pid}")), "{}", refused.stderr);
    }
    assert!(place.run(&["result", "long"]).await.stderr.contains("reviewing; 3 jobs pending"));
    assert!(place.run(&["list"]).await.stdout.contains(" IN_PROGRESS "));
    let watch = place.fleet(&["watch", "long", "--json"]).start();
    // What is held stays held for its caller; whoever comes next is answered.
    let_go.store(true, Ordering::SeqCst);
    run.signal("-TERM");
    assert_eq!(run.ended().await.code, 130);
    let resumed = place.run(&["resume", "long", "--json", "--url", &model.url()]).await;
    let watched = watch.ended().await;
    assert_eq!(resumed.code, 0, "{}", resumed.stderr);
    // Between the two nobody worked on it, which the watcher may or may not have seen.
    match watched.code {
        0 => assert_eq!(watched.stdout, resumed.stdout),
        code => {
            assert_eq!((code, watched.stderr.contains("fleet resume long")), (10, true), "{}", watched.stderr)
        }
    }
}

#[tokio::test]
async fn a_watcher_of_another_process_sees_the_end() {
    let (place, model) = (Place::new(), answers(300).await);
    let run = place.fleet(&["deliberate", TASK, "--id", "long", "--json", "--url", &model.url()]).start();
    until("the model is asked", || model.calls().len() == 3).await;
    let watched = place.run(&["watch", "long", "--json"]).await;
    let ended = run.ended().await;
    assert_eq!((ended.code, watched.code), (0, 0), "{}{}", ended.stderr, watched.stderr);
    assert_eq!(watched.stdout, ended.stdout);
}

#[tokio::test]
async fn what_was_begun_with_a_real_model_is_not_ended_by_the_simulated_one() {
    let (model, let_go) = held("critique").await;
    let place = Place::new();
    let run = under_review(&place, &model).await;
    run.signal("-TERM");
    let left = run.ended().await;
    let hint = format!("fleet resume long --url \"{}\"", model.url());
    assert!(left.stderr.contains(&hint), "{}", left.stderr);

    let simulated = place.fleet(&["resume", "long"]).env("FLEET__MODEL__KIND", "simulated").end().await;
    assert_eq!(simulated.code, 8, "{}", simulated.stderr);
    assert!(
        simulated.stderr.contains("begun with") && simulated.stderr.contains("--url"),
        "{}",
        simulated.stderr
    );
    // A server that has only the simulated model does not speak for the real one either.
    let server = place.serve(&["--model", "simulated"]).await;
    let ended = server.client().await.ended("long").await;
    assert!(
        ended.results.iter().all(|result| result.proposal.as_ref().is_some_and(|p| p.revisions.is_empty()))
    );
    assert!(!ended.event.contains("\"simulated\""), "{}", ended.event);
    drop(let_go);
}

#[tokio::test]
async fn a_server_that_stands_still_keeps_nobody() {
    let model = answers(HELD).await;
    let place = Place::new();
    let server = place.serve(&["--url", &model.url()]).await;
    let run = place.fleet(&["deliberate", TASK, "--id", "far", "--server", &server.address]).start();
    run.says("deliberation far").await;
    server.running.signal("-STOP");
    run.signal("-INT");
    run.says("interrupt again").await;
    run.signal("-INT");
    assert_eq!(run.ended().await.code, 130);
    server.running.signal("-CONT");
}

#[tokio::test]
async fn an_interrupt_while_the_server_is_gone_says_what_is_to_be_done() {
    let model = answers(HELD).await;
    let place = Place::new();
    let server =
        place.serve_with(&["--url", &model.url()], &[("FLEET__SERVER__SHUTDOWN_GRACE_S", "0")]).await;
    let address = server.address.clone();
    let run = place.fleet(&["deliberate", TASK, "--id", "far", "--server", &address]).start();
    run.says("deliberation far").await;
    until("the model is asked", || model.calls().len() == 3).await;
    assert_eq!(server.stop().await.code, 0);
    run.says("trying again").await;
    run.signal("-INT");
    let ended = run.ended().await;
    assert_eq!((ended.code, ended.stdout.as_str()), (8, ""), "{}", ended.stderr);
    let last = ended.stderr.lines().last().unwrap();
    assert_eq!(
        last,
        format!(
            "fleet: the connection to the server at {address} was lost; if it was not cancelled, it goes on at the \
             server's next start: fleet cancel far --server {address} ends it, fleet watch far --server {address} \
             follows it"
        )
    );
}
