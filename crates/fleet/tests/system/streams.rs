//! Streams as gRPC clients meet them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fleet_api::v1::{self as wire, DeliberateRequest, DeliberationUpdate};
use fleet_scripted::{Call, Council, Reply, Script as _, Scripted};
use tonic::{Code, Status, Streaming};

use crate::support::{
    Client, HELD, PATIENCE, Place, Server, answers, council, deliberate, eventually, field_of, held, kind_of,
    refuses, retry_of,
};

fn named(id: &str, task: &str) -> DeliberateRequest {
    DeliberateRequest { task_id: id.into(), ..deliberate(task) }
}

/// A request to follow what is there.
fn attach(id: &str, after_sequence: u64) -> DeliberateRequest {
    DeliberateRequest { task_id: id.into(), after_sequence, ..DeliberateRequest::default() }
}

/// The same without what is being written.
fn steps(request: DeliberateRequest) -> DeliberateRequest {
    DeliberateRequest { tokens: Some(false), ..request }
}

async fn stream(
    client: &Client,
    request: DeliberateRequest,
) -> Result<Streaming<DeliberationUpdate>, Status> {
    Ok(client.calls.clone().stream_deliberation(request).await?.into_inner())
}

async fn next(stream: &mut Streaming<DeliberationUpdate>) -> Result<Option<DeliberationUpdate>, Status> {
    tokio::time::timeout(PATIENCE, stream.message()).await.expect("something comes")
}

/// Everything to the end of a stream.
async fn all(client: &Client, request: DeliberateRequest) -> Result<Vec<DeliberationUpdate>, Status> {
    let mut stream = stream(client, request).await?;
    let mut all = Vec::new();
    while let Some(update) = next(&mut stream).await? {
        all.push(update);
    }
    Ok(all)
}

fn sequences(updates: &[DeliberationUpdate]) -> Vec<u64> {
    updates.iter().map(|update| update.sequence).collect()
}

fn counted_through(updates: &[DeliberationUpdate]) {
    assert_eq!(sequences(updates), (1..=updates.len() as u64).collect::<Vec<_>>());
    assert_eq!(updates.last().map(|update| update.status.as_str()), Some("complete"));
}

async fn serving(place: &Place, latency_ms: u64) -> (Scripted, Server, Client) {
    let model = answers(latency_ms).await;
    let server = place.serve(&["--url", &model.url()]).await;
    let client = server.client().await;
    (model, server, client)
}

fn proposal(update: &DeliberationUpdate) -> Option<&wire::Proposal> {
    update.partial_result.as_ref()?.proposal.as_ref()
}

#[tokio::test]
async fn a_stream_tells_every_step_with_its_texts_and_ends_with_the_winner() {
    let place = Place::new();
    let (_model, _server, mut client) = serving(&place, 5).await;
    let updates = all(&client, steps(deliberate("Sort a list"))).await.unwrap();
    counted_through(&updates);
    let statuses: Vec<&str> = updates.iter().map(|update| update.status.as_str()).collect();
    let mut phases = statuses.clone();
    phases.dedup();
    assert_eq!(phases, ["generating", "reviewing", "scoring", "complete"]);
    assert!(updates.iter().map(|update| update.progress_percent).is_sorted());
    let complete = |update: &&DeliberationUpdate| update.progress_percent == 100;
    assert_eq!(updates.iter().filter(complete).count(), 1);
    for agent in ["agent-dev-001", "agent-dev-002", "agent-dev-003"] {
        let has = |step: &str| {
            let step = format!("{agent} {step}");
            updates.iter().find(|update| update.current_step == step && update.current_agent == agent)
        };
        let proposed = has("has proposed").expect("each proposes");
        assert!(proposal(proposed).unwrap().content.contains("```python"));
        assert_eq!(proposed.partial_result.as_ref().unwrap().rank, 0, "there is no rank before the verdict");
        assert!(has("has revised its proposal (round 1)").is_some());
    }
    let id = updates[0].task_id.clone();
    assert!(updates.iter().all(|update| update.task_id == id && update.writing.is_none()));
    let result = client.result(&id).await.unwrap();
    let last = updates.last().unwrap();
    assert_eq!(
        last.partial_result.as_ref(),
        result.results.first(),
        "the last step has the winner as it is served"
    );
    assert!(last.current_step.starts_with(&format!("{} wins: ", result.winner_id)), "{}", last.current_step);
}

#[tokio::test]
async fn what_is_written_is_told_before_the_proposal_is_complete() {
    let script = |call: &Call| {
        Reply::answer(call, "Words that come one by one, and no end.", 10).first(4).then_silence()
    };
    let model = Scripted::start(script).await.unwrap();
    let place = Place::new();
    let server = place.serve(&["--url", &model.url()]).await;
    let client = server.client().await;
    let request = DeliberateRequest { num_agents: 1, ..named("early", "Sort a list") };
    let mut stream = stream(&client, request).await.unwrap();
    let mut text = String::new();
    let first = next(&mut stream).await.unwrap().unwrap();
    assert_eq!((first.sequence, &first.writing), (1, &None));
    while text.len() < 16 {
        let update = next(&mut stream).await.unwrap().unwrap();
        assert_eq!((update.sequence, update.status.as_str()), (1, "generating"), "it is no step of its own");
        assert_eq!(
            (update.current_agent.as_str(), update.current_step.as_str()),
            ("agent-dev-001", "agent-dev-001 writes its proposal")
        );
        let writing = update.writing.unwrap();
        assert_eq!(
            (writing.job_id.as_str(), writing.attempt, writing.left_out),
            ("early/0/propose/agent-dev-001", 1, 0)
        );
        text += &writing.delta;
    }
    assert_eq!(text, "Words that come ", "exactly what the model has said so far");
    let cancel = wire::CancelDeliberationRequest { task_id: "early".into(), reason: String::new() };
    client.calls.clone().cancel_deliberation(cancel).await.unwrap();
    let last = next(&mut stream).await.unwrap().unwrap();
    assert_eq!((last.sequence, last.status.as_str(), last.progress_percent), (2, "complete", 100));
    assert_eq!(last.current_step, "no verdict: cancelled");
    assert_eq!((last.partial_result, next(&mut stream).await.unwrap()), (None, None));
}

#[tokio::test]
async fn what_is_written_adds_up_to_the_text() {
    let place = Place::new();
    let model = Scripted::start(Council::new("scripted", 20, 600, 40, 2)).await.unwrap();
    let server = place.serve(&["--url", &model.url()]).await;
    let client = server.client().await;
    let updates =
        all(&client, DeliberateRequest { rounds: Some(0), ..deliberate("Sort a list") }).await.unwrap();
    let (written, told): (Vec<_>, Vec<_>) = updates.into_iter().partition(|update| update.writing.is_some());
    counted_through(&told);
    for proposed in told.iter().filter(|update| update.current_step.ends_with(" has proposed")) {
        let of_agent = written.iter().filter(|update| update.current_agent == proposed.current_agent);
        let text: String = of_agent.map(|update| update.writing.as_ref().unwrap().delta.as_str()).collect();
        let content = &proposal(proposed).unwrap().content;
        // The last pieces may be overtaken by the proposal itself.
        assert!(!text.is_empty() && content.starts_with(&text), "{text:?} {content:?}");
    }
}

#[tokio::test]
async fn who_attaches_is_told_the_same_and_who_resumes_the_rest() {
    let place = Place::new();
    let (model, _server, client) = serving(&place, 0).await;
    let whole = all(&client, steps(named("one", "Sort a list"))).await.unwrap();
    counted_through(&whole);
    let calls = model.calls().len();
    assert_eq!(
        all(&client, steps(named("one", "Sort a list"))).await.unwrap(),
        whole,
        "the same task is the same one"
    );
    for after in 0..=whole.len() {
        let rest = all(&client, attach("one", after as u64)).await.unwrap();
        assert_eq!(rest, whole[after..], "behind {after}");
        let again = DeliberateRequest { after_sequence: after as u64, ..named("one", "Sort a list") };
        assert_eq!(all(&client, again).await.unwrap(), whole[after..], "behind {after}, with its content");
    }
    assert_eq!(model.calls().len(), calls, "nothing is done again");
}

#[tokio::test]
async fn what_cannot_be_streamed_is_refused_as_elsewhere() {
    let place = Place::new();
    let (model, _server, mut client) = serving(&place, 0).await;
    let end = all(&client, steps(named("one", "Sort a list"))).await.unwrap().len() as u64;
    let calls = model.calls().len();
    let refused = async |request| stream(&client, request).await.expect_err("it is refused");
    let other = refused(named("one", "Sort a set")).await;
    assert_eq!(other.code(), Code::AlreadyExists, "{other}");
    let unknown = refused(attach("nobody", 0)).await;
    assert_eq!(unknown.code(), Code::NotFound, "{unknown}");
    let beyond = refused(attach("one", end + 1)).await;
    assert_eq!((beyond.code(), field_of(&beyond)), (Code::InvalidArgument, "after_sequence".into()));
    assert!(beyond.message().contains(&format!("at most {end}")), "{beyond}");
    let of_nothing = refused(DeliberateRequest { after_sequence: 1, ..deliberate("x") }).await;
    assert_eq!((of_nothing.code(), field_of(&of_nothing)), (Code::InvalidArgument, "after_sequence".into()));
    let forgotten = refused(DeliberateRequest { after_sequence: 1, ..named("forgotten", "x") }).await;
    assert_eq!(forgotten.code(), Code::NotFound, "what is resumed is not begun: {forgotten}");
    for (field, request) in [
        ("task_description", deliberate("")),
        ("task_description", named("blank", " \n")),
        ("task_id", attach("two words", 0)),
        ("task_id", named("two words", "x")),
        ("rounds", DeliberateRequest { rounds: Some(11), ..named("many", "x") }),
        ("num_agents", DeliberateRequest { num_agents: -1, ..named("few", "x") }),
    ] {
        let refused = refused(request).await;
        assert_eq!((refused.code(), field_of(&refused)), (Code::InvalidArgument, field.into()), "{refused}");
    }
    let nobody = refused(DeliberateRequest { role: "SAGE".into(), ..named("sage", "x") }).await;
    assert_eq!(nobody.code(), Code::NotFound);
    assert!(nobody.message().contains("ARCHITECT, DATA, DEV, DEVOPS, QA"), "{nobody}");
    assert_eq!(model.calls().len(), calls, "nothing that is refused costs a call");
    let request = wire::ListDeliberationsRequest { limit: 10, ..Default::default() };
    assert_eq!(client.calls.list_deliberations(request).await.unwrap().into_inner().deliberations.len(), 1);
}

#[tokio::test]
async fn a_failure_ends_the_stream_and_says_why() {
    let model = refuses().await;
    let place = Place::new();
    let server = place.serve(&["--url", &model.url(), "--model", "m"]).await;
    let updates = all(&server.client().await, steps(deliberate("x"))).await.unwrap();
    counted_through(&updates);
    let last = updates.last().unwrap();
    assert_eq!((last.progress_percent, &last.partial_result), (100, &None));
    assert!(last.current_step.starts_with("no verdict: 0 of 3 agents answered"), "{}", last.current_step);
    assert!(updates[1].current_step.contains("gave no proposal: "), "{}", updates[1].current_step);
}

#[tokio::test]
async fn a_server_that_is_killed_and_started_anew_tells_on_with_nothing_missed_or_doubled() {
    let gate = Arc::new(AtomicBool::new(false));
    let (council, open) = (council(15), Arc::clone(&gate));
    let script = move |call: &Call| match kind_of(&call.caller) == "revise" && !open.load(Ordering::SeqCst) {
        true => council.reply(call).after_ms(HELD),
        false => council.reply(call),
    };
    let model = Scripted::start(script).await.unwrap();
    let place = Place::new();
    let mut told: Vec<DeliberationUpdate> = Vec::new();
    // Behind these many steps it is killed: amid proposals, amid reviews, and where revisions are held.
    for steps_before in [2, 4, 9] {
        let server = place.serve(&["--url", &model.url()]).await;
        let client = server.client().await;
        let request = DeliberateRequest { after_sequence: told.len() as u64, ..named("long", "Sort a list") };
        let mut updates = stream(&client, steps(request)).await.unwrap();
        while told.len() < steps_before {
            told.push(next(&mut updates).await.unwrap().unwrap());
        }
        server.kill().await;
        let broken = loop {
            match next(&mut updates).await {
                // It was on its way before.
                Ok(Some(update)) => told.push(update),
                Ok(None) => panic!("a stream that breaks does not end well"),
                Err(status) => break status,
            }
        };
        assert!(std::error::Error::source(&broken).is_some(), "the connection says it: {broken:?}");
    }
    gate.store(true, Ordering::SeqCst);
    let server = place.serve(&["--url", &model.url()]).await;
    let client = server.client().await;
    told.extend(all(&client, steps(attach("long", told.len() as u64))).await.unwrap());
    counted_through(&told);
    assert_eq!(
        all(&client, steps(attach("long", 0))).await.unwrap(),
        told,
        "who asks later is told the same"
    );
}

#[tokio::test]
async fn a_server_that_stops_ends_its_streams_so_that_they_are_resumed() {
    let (model, _) = held("critique").await;
    let place = Place::new();
    let server = place.serve(&["--url", &model.url()]).await;
    let client = server.client().await;
    let mut updates = stream(&client, steps(named("held", "Sort a list"))).await.unwrap();
    let mut last = 0;
    while last < 6 {
        last = next(&mut updates).await.unwrap().unwrap().sequence;
    }
    server.running.signal("-TERM");
    let ended = loop {
        match next(&mut updates).await {
            Ok(Some(update)) => last = update.sequence,
            Ok(None) => panic!("it has not ended"),
            Err(status) => break status,
        }
    };
    assert_eq!(ended.code(), Code::Unavailable, "{ended}");
    assert!(ended.message().contains(&format!("after_sequence {last}")), "{ended}");
    assert!(retry_of(&ended).is_some_and(|delay| delay > Duration::ZERO));
    assert_eq!(server.running.ended().await.code, 0);
}

#[tokio::test]
async fn many_are_told_the_same() {
    let place = Place::new();
    let (model, server, client) = serving(&place, 30).await;
    // Some watch from the beginning, some come later; all on connections of their own.
    client.clone().submit(named("famous", "Sort a list")).await.unwrap();
    let mut watchers = tokio::task::JoinSet::new();
    for n in 0..60 {
        let client = server.client().await;
        let request = if n % 2 == 0 { steps(attach("famous", 0)) } else { attach("famous", 0) };
        watchers.spawn(async move { all(&client, request).await.unwrap() });
    }
    let whole = all(&client, steps(attach("famous", 0))).await.unwrap();
    counted_through(&whole);
    while let Some(told) = watchers.join_next().await {
        let mut told = told.unwrap();
        told.retain(|update| update.writing.is_none());
        assert_eq!(told, whole);
    }
    assert_eq!(model.calls().len(), 9);
}

#[tokio::test]
async fn above_the_limit_streams_are_refused_before_they_submit_until_one_is_given_back() {
    let model = answers(HELD).await;
    let place = Place::new();
    let server = place.serve_with(&["--url", &model.url()], &[("FLEET__SERVER__STREAMS_MAX", "2")]).await;
    let mut client = server.client().await;
    let mut first = stream(&client, named("one", "x")).await.unwrap();
    let second = stream(&client, attach("one", 0)).await.unwrap();
    let refused = stream(&client, named("two", "x")).await.expect_err("there is no third");
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused}");
    assert!(refused.message().contains("as may be, 2") && refused.message().contains("server.streams_max"));
    assert!(retry_of(&refused).is_some_and(|delay| delay > Duration::ZERO), "{refused:?}");
    assert_eq!(client.result("two").await.unwrap_err().code(), Code::NotFound, "nothing was submitted");
    assert_eq!(next(&mut first).await.unwrap().unwrap().sequence, 1, "those that are open go on");
    drop(second);
    eventually("the place is free", || {
        let client = client.clone();
        async move { stream(&client, attach("one", 0)).await.ok() }
    })
    .await;
}

#[tokio::test]
async fn who_does_not_read_neither_holds_anything_up_nor_makes_the_server_grow() {
    /// How much the server may grow: what is kept for each stream is far less than this, and what would be
    /// kept without a bound far more.
    const GROWTH_MAX: usize = 128 << 20;
    const STREAMS: usize = 40;
    const AGENTS: i32 = 64;
    const PIECES: usize = 1000;
    // 64 answers of a thousand pieces of 100 bytes: 6 MB as they are written and 12 MB in steps, for each of
    // 40 streams.
    let text = "word ".repeat(PIECES * 20);
    let model = Scripted::start(move |call: &Call| Reply::answer(call, &text, PIECES)).await.unwrap();
    let place = Place::new();
    let server = place.serve(&["--url", &model.url()]).await;
    let client = server.client().await;
    let request =
        |id: &str| DeliberateRequest { rounds: Some(0), num_agents: AGENTS, ..named(id, "Sort a list") };
    // The work itself takes its room first.
    for id in ["read-0", "read-1"] {
        let told = all(&client, steps(request(id))).await.unwrap();
        counted_through(&told);
        let bytes: usize = told.iter().filter_map(proposal).map(|proposal| proposal.content.len()).sum();
        assert!(bytes > 12_000_000, "there is much to read: {bytes}");
    }
    let before = resident_bytes(&server);

    let mut unread = Vec::new();
    for n in 0..STREAMS {
        // On connections of their own: what is not read takes up the whole window of a connection.
        let slow = server.client().await;
        let mut stream = stream(&slow, request(&format!("slow-{}", n / 20))).await.unwrap();
        assert_eq!(next(&mut stream).await.unwrap().unwrap().sequence, 1);
        unread.push(stream);
    }
    // Asked by the list: the results are larger than a client takes by itself.
    eventually("all of it ends all the same", || {
        let mut client = client.clone();
        async move {
            let request = wire::ListDeliberationsRequest { limit: 10, ..Default::default() };
            let listed = client.calls.list_deliberations(request).await.unwrap().into_inner().deliberations;
            let completed =
                |info: &wire::DeliberationInfo| info.status() == wire::DeliberationStatus::Completed;
            (listed.len() == 4 && listed.iter().all(completed)).then_some(())
        }
    })
    .await;
    let grown = resident_bytes(&server).saturating_sub(before);
    assert!(grown < GROWTH_MAX, "the server grew by {} MiB", grown >> 20);

    let whole = all(&client, steps(attach("slow-0", 1))).await.unwrap();
    let mut told = Vec::new();
    let mut slow = unread.swap_remove(0);
    while let Some(update) = next(&mut slow).await.unwrap() {
        told.extend(update.writing.is_none().then_some(update));
    }
    assert_eq!(told, whole, "no step is lost to who reads late");
}

fn resident_bytes(server: &Server) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.running.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kib: usize = line.trim().trim_end_matches(" kB").parse().unwrap();
    kib << 10
}
