//! Everything a client or a user can get wrong: each has its typed error, and none changes anything.

use std::collections::{BTreeMap, HashMap};

use fleet_api::v1::{self as wire, DeliberateRequest, TaskConstraints};
use prost::Message;
use tonic::Code;

use crate::support::{Call, Client, Place, Program, answers, deliberate, raw};

const TASK: &str = "Sort a list";

/// What a server knows: what must not change by what it refuses.
async fn known(client: &Client) -> (Vec<wire::CouncilInfo>, Vec<wire::DeliberationInfo>) {
    let mut calls = client.calls.clone();
    let councils = wire::ListCouncilsRequest { role_filter: String::new(), include_agents: true };
    let councils = calls.list_councils(councils).await.unwrap().into_inner().councils;
    let deliberations = wire::ListDeliberationsRequest { limit: 1000, ..Default::default() };
    (councils, calls.list_deliberations(deliberations).await.unwrap().into_inner().deliberations)
}

type Case = (&'static str, &'static str, Vec<u8>, Code);

fn case(name: &'static str, method: &'static str, message: &impl Message, code: Code) -> Case {
    (name, method, message.encode_to_vec(), code)
}

fn task(change: impl FnOnce(&mut DeliberateRequest)) -> DeliberateRequest {
    let mut request = deliberate(TASK);
    change(&mut request);
    request
}

fn constrained(change: impl FnOnce(&mut TaskConstraints)) -> DeliberateRequest {
    let mut constraints = TaskConstraints::default();
    change(&mut constraints);
    task(|request| request.constraints = Some(constraints))
}

/// Requests to deliberate that can be read and not be accepted.
fn deliberations() -> Vec<Case> {
    use Code::{AlreadyExists, InvalidArgument, NotFound};
    let text = |bytes: usize| "x".repeat(bytes);
    let d = |name, request: DeliberateRequest, code| case(name, "Deliberate", &request, code);
    vec![
        d("nothing at all", DeliberateRequest::default(), NotFound),
        d("no task", deliberate(""), InvalidArgument),
        d("a task of white space", deliberate(" \t\n\u{2003}"), InvalidArgument),
        d("a task that is too long", deliberate(&text(262_145)), InvalidArgument),
        d("a task of bytes that are long", deliberate(&"ü".repeat(131_073)), InvalidArgument),
        d("no role", task(|r| r.role.clear()), NotFound),
        d("an unknown role", task(|r| r.role = "SAGE".into()), NotFound),
        d("a role with a line feed", task(|r| r.role = "DEV\n".into()), NotFound),
        d("a role that looks like a path", task(|r| r.role = "../DEV".into()), NotFound),
        d("a huge role", task(|r| r.role = text(100_000)), NotFound),
        d(
            "a name of a parameter of any length",
            constrained(|c| c.metadata = [("k".repeat(1_000_000), text(1))].into()),
            InvalidArgument,
        ),
        d("rounds below none", task(|r| r.rounds = Some(-1)), InvalidArgument),
        d("absurd rounds", task(|r| r.rounds = Some(i32::MAX)), InvalidArgument),
        d("the lowest rounds there are", task(|r| r.rounds = Some(i32::MIN)), InvalidArgument),
        d("agents below none", task(|r| r.num_agents = -1), InvalidArgument),
        d("absurdly many agents", task(|r| r.num_agents = i32::MAX), InvalidArgument),
        d("one agent too many", task(|r| r.num_agents = 65), InvalidArgument),
        d("an id of white space", task(|r| r.task_id = " ".into()), InvalidArgument),
        d("an id with a zero byte", task(|r| r.task_id = "a\0b".into()), InvalidArgument),
        d("an id with an escape", task(|r| r.task_id = "a\u{1b}[2J".into()), InvalidArgument),
        d("an id with a line separator", task(|r| r.task_id = "a\u{2028}b".into()), InvalidArgument),
        d("an id with a next-line", task(|r| r.task_id = "a\u{85}b".into()), InvalidArgument),
        d("an id that is too long", task(|r| r.task_id = text(201)), InvalidArgument),
        d(
            "a known id with another task",
            DeliberateRequest { task_id: "known".into(), ..deliberate("Else") },
            AlreadyExists,
        ),
        d(
            "a known id with other agents",
            task(|r| (r.task_id, r.num_agents) = ("known".into(), 1)),
            AlreadyExists,
        ),
        d(
            "a known id with another priority",
            task(|r| (r.task_id, r.priority) = ("known".into(), 5)),
            AlreadyExists,
        ),
        d("a priority below all", task(|r| r.priority = -1), InvalidArgument),
        d("a priority above all", task(|r| r.priority = 6), InvalidArgument),
        d("a rubric that is too long", constrained(|c| c.rubric = text(65_537)), InvalidArgument),
        d("too many requirements", constrained(|c| c.requirements = vec![text(1); 201]), InvalidArgument),
        d(
            "a requirement that is too long",
            constrained(|c| c.requirements = vec![text(16_385)]),
            InvalidArgument,
        ),
        d(
            "too much metadata",
            constrained(|c| c.metadata = (0..101).map(|n| (n.to_string(), text(1))).collect()),
            InvalidArgument,
        ),
        d(
            "a key that is too long",
            constrained(|c| c.metadata = [(text(65_537), text(1))].into()),
            InvalidArgument,
        ),
        d("iterations below none", constrained(|c| c.max_iterations = -7), InvalidArgument),
        d("a timeout below none", constrained(|c| c.timeout_seconds = -1), InvalidArgument),
        d("a timeout beyond a day", constrained(|c| c.timeout_seconds = i32::MAX), InvalidArgument),
    ]
}

/// Other calls that can be read and not be done.
fn other_calls() -> Vec<Case> {
    use Code::{AlreadyExists, FailedPrecondition, InvalidArgument, NotFound};
    let council = |role: &str, agents| wire::CreateCouncilRequest {
        role: role.into(),
        num_agents: agents,
        config: None,
    };
    let with = |config| wire::CreateCouncilRequest { config: Some(config), ..council("NEW", 1) };
    let custom = |name: &str, value: String| wire::CouncilConfig {
        custom_params: HashMap::from([(name.to_owned(), value)]),
        ..wire::CouncilConfig::default()
    };
    let agent = |id: &str, endpoint: &str| wire::RegisterAgentRequest {
        agent_id: id.into(),
        role: "DEV".into(),
        endpoint: endpoint.into(),
        metadata: HashMap::from([("model".to_owned(), "m".to_owned())]),
        capabilities: None,
    };
    let result = |id: &str| wire::GetDeliberationResultRequest { task_id: id.into(), with_event: true };
    let list = |limit, status| wire::ListDeliberationsRequest { limit, status, ..Default::default() };
    let cancel =
        |id: &str, bytes| wire::CancelDeliberationRequest { task_id: id.into(), reason: "x".repeat(bytes) };
    vec![
        case("a council without a role", "CreateCouncil", &council("", 1), InvalidArgument),
        case("a council whose role has a tab", "CreateCouncil", &council("A\tB", 1), InvalidArgument),
        case(
            "a council whose role is too long",
            "CreateCouncil",
            &council(&"R".repeat(10_000), 1),
            InvalidArgument,
        ),
        case("a council that is there", "CreateCouncil", &council("dev", 1), AlreadyExists),
        case("a council of less than nobody", "CreateCouncil", &council("NEW", i32::MIN), InvalidArgument),
        case("a council of everybody", "CreateCouncil", &council("NEW", i32::MAX), InvalidArgument),
        case(
            "a council of no known kind",
            "CreateCouncil",
            &with(wire::CouncilConfig { agent_type: "HUMAN".into(), ..Default::default() }),
            InvalidArgument,
        ),
        case(
            "a council of no known profile",
            "CreateCouncil",
            &with(wire::CouncilConfig { model_profile: "none".into(), ..Default::default() }),
            InvalidArgument,
        ),
        case(
            "a parameter the program sets",
            "CreateCouncil",
            &with(custom("messages", "[]".into())),
            InvalidArgument,
        ),
        case(
            "a parameter out of its bounds",
            "CreateCouncil",
            &with(custom("top_p", "7".into())),
            InvalidArgument,
        ),
        case(
            "a parameter that is too long",
            "CreateCouncil",
            &with(custom("x", "y".repeat(20_000))),
            InvalidArgument,
        ),
        case(
            "a heat that is no number",
            "CreateCouncil",
            &with(custom("temperature", "NaN".into())),
            InvalidArgument,
        ),
        case("an agent without a name", "RegisterAgent", &agent("", "http://gpu:1"), InvalidArgument),
        case(
            "an agent with a bell in its name",
            "RegisterAgent",
            &agent("a\u{7}", "http://gpu:1"),
            InvalidArgument,
        ),
        case("an agent at no URL", "RegisterAgent", &agent("x", "ftp://gpu"), InvalidArgument),
        case(
            "an agent at a URL with a password",
            "RegisterAgent",
            &agent("x", "http://me:secret@gpu"),
            InvalidArgument,
        ),
        case(
            "an agent at a URL that is too long",
            "RegisterAgent",
            &agent("x", &format!("http://gpu/{}", "x".repeat(3000))),
            InvalidArgument,
        ),
        case("an agent that is nowhere", "RegisterAgent", &agent("x", ""), FailedPrecondition),
        case(
            "an agent that is another",
            "RegisterAgent",
            &agent("agent-dev-001", "http://gpu:1"),
            AlreadyExists,
        ),
        case(
            "an agent nobody knows",
            "UnregisterAgent",
            &wire::UnregisterAgentRequest { agent_id: "x".into(), role: "DEV".into() },
            NotFound,
        ),
        case(
            "no council to delete",
            "DeleteCouncil",
            &wire::DeleteCouncilRequest { role: "NONE".into() },
            NotFound,
        ),
        case(
            "no council named to delete",
            "DeleteCouncil",
            &wire::DeleteCouncilRequest::default(),
            InvalidArgument,
        ),
        case(
            "no council to show",
            "ListCouncils",
            &wire::ListCouncilsRequest { role_filter: "NONE".into(), include_agents: true },
            NotFound,
        ),
        case("no result named", "GetDeliberationResult", &result(""), InvalidArgument),
        case("a result nobody knows", "GetDeliberationResult", &result("nobody"), NotFound),
        case("a result at a path", "GetDeliberationResult", &result("../../etc/passwd"), NotFound),
        case("a result by a control character", "GetDeliberationResult", &result("\u{0}"), InvalidArgument),
        case("a list of less than nothing", "ListDeliberations", &list(-1, 0), InvalidArgument),
        case("a list of too much", "ListDeliberations", &list(1001, 0), InvalidArgument),
        case("a list of no known status", "ListDeliberations", &list(1, 99), InvalidArgument),
        case("nothing to cancel", "CancelDeliberation", &cancel("nobody", 1), NotFound),
        case("a reason without an end", "CancelDeliberation", &cancel("known", 4097), InvalidArgument),
        case("an orchestration of nothing", "Orchestrate", &wire::OrchestrateRequest::default(), NotFound),
    ]
}

/// Bytes that are no request, or no call.
fn raw_bytes() -> Vec<Case> {
    use Code::{Internal, OutOfRange, Unimplemented};
    let field = |number: u8, kind: u8, bytes: &[u8]| [&[number << 3 | kind], bytes].concat();
    vec![
        // Field 1 is a text; these are no UTF-8.
        ("text that is none", "Deliberate", field(1, 2, &[3, 0xff, 0xfe, 0x80]), Internal),
        ("half a surrogate", "Deliberate", field(1, 2, &[3, 0xed, 0xa0, 0x80]), Internal),
        ("a number where a text belongs", "Deliberate", field(1, 0, &[7]), Internal),
        ("a text where a number belongs", "Deliberate", field(5, 2, &[1, b'x']), Internal),
        ("a text longer than the message", "Deliberate", field(1, 2, &[100, b'x']), Internal),
        ("a length without an end", "Deliberate", field(1, 2, &[0xff; 12]), Internal),
        ("a group nobody ended", "Deliberate", vec![0x0b], Internal),
        ("noise", "Deliberate", (0..=255).rev().collect(), Internal),
        ("a message within no message", "Deliberate", field(3, 2, &[4, 0x0a, 0xff, 0xff, 0xff]), Internal),
        ("a message that is too large", "Deliberate", vec![b'x'; 5_000_000], OutOfRange),
        ("a call nobody serves", "Dance", vec![], Unimplemented),
    ]
}

#[tokio::test]
async fn every_bad_call_is_told_what_is_wrong_and_changes_nothing() {
    let model = answers(0).await;
    let place = Place::new();
    let server = place.serve(&["--url", &model.url()]).await;
    let mut client = server.client().await;
    let request = DeliberateRequest { task_id: "known".into(), wait: Some(true), ..deliberate(TASK) };
    client.submit(request).await.unwrap();
    let (before, asked) = (known(&client).await, model.calls().len());
    let cases = [deliberations(), other_calls(), raw_bytes()].concat();
    assert!(cases.len() >= 60, "{}", cases.len());
    let mut wrong = Vec::new();
    for (name, method, bytes, code) in cases {
        match raw(&client.channel, Call { method, bytes }).await {
            // That there is no such call is said by the code alone; what was too long is not repeated.
            Err(refused) if refused.code() == code && method == "Dance" => {}
            Err(refused) if refused.code() == code && (6..2_000).contains(&refused.message().len()) => {}
            other => wrong.push((
                name,
                code,
                other.map_err(|e| e.to_string().chars().take(300).collect::<String>()),
            )),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(known(&client).await, before);
    assert_eq!(model.calls().len(), asked, "nothing that is refused costs a call");
    // What the client sent first is still served.
    assert_eq!(client.ended("known").await.results.len(), 3);
}

#[tokio::test]
async fn what_is_no_http_2_is_sent_away_and_the_server_serves_on() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let model = answers(0).await;
    let place = Place::new();
    let server = place.serve(&["--url", &model.url()]).await;
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let frames: [&[u8]; 6] = [
        b"\0\0\0\0\0\0\0\0\0\0",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        // Settings that say nothing and are of a length of their own.
        &[preface.as_slice(), &[0, 0, 5, 4, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5]].concat(),
        // Headers that cannot be unpacked.
        &[
            preface.as_slice(),
            &[0, 0, 0, 4, 0, 0, 0, 0, 0],
            &[0, 0, 4, 1, 5, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff],
        ]
        .concat(),
        // A frame longer than any may be.
        &[preface.as_slice(), &[0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1]].concat(),
    ];
    for frame in frames {
        let mut stream = tokio::net::TcpStream::connect(&server.address).await.unwrap();
        stream.write_all(frame).await.unwrap();
        stream.shutdown().await.ok();
        let mut said = Vec::new();
        // It ends by itself, with or without a word.
        tokio::time::timeout(crate::support::PATIENCE, stream.read_to_end(&mut said)).await.unwrap().ok();
    }
    let mut client = server.client().await;
    let request = DeliberateRequest { wait: Some(true), ..deliberate(TASK) };
    assert_eq!(client.calls.deliberate(request).await.unwrap().into_inner().status, "COMPLETED");
}

#[tokio::test]
async fn every_bad_command_line_and_configuration_says_what_is_wrong_and_keeps_nothing() {
    let place = Place::new();
    let long = "x".repeat(300);
    let huge = place.file("huge", &"x".repeat(300_000));
    let toml = |name: &str, text: &str| place.file(name, text);
    let configurations = [
        (toml("a", "[model]\nurl = 5\n"), "model.url"),
        (toml("b", "[model]\nurl = ['http://a', 5]\n"), "model.url"),
        (toml("c", "[worker]\nslots = 1e99\n"), "worker.slots"),
        (toml("d", "[worker]\nslots = 99999999999999999999\n"), "d"),
        (toml("e", "[model.parameters]\nmodel = 'x'\n"), "model.parameters.model"),
        (toml("f", "[profiles.x]\nurll = 'x'\n"), "profiles.x.urll"),
        (toml("g", "= = =\n"), "g"),
        (toml("h", "[councils]\nDEV.profile = 'none'\n"), "councils.DEV.profile"),
        (toml("i", "\u{feff}\0"), "i"),
        (toml("j", "[state]\ndir = 7\n"), "state.dir"),
    ];
    let simulated = ["deliberate", "--model", "simulated"];
    let with = |more: &[&str]| -> Vec<String> {
        simulated.iter().chain(more).map(|text| (*text).to_owned()).collect()
    };
    let owned = |all: &[&str]| -> Vec<String> { all.iter().map(|text| (*text).to_owned()).collect() };
    let mut cases: Vec<(Vec<String>, i32, &str)> = vec![
        (with(&[""]), 2, "the task is empty"),
        (with(&["  "]), 2, "the task is empty"),
        (with(&["x", "--rounds", "11"]), 2, "--rounds is 11"),
        (with(&["x", "--rounds", "-1"]), 2, "-1"),
        (with(&["x", "--agents", "0"]), 2, "agents"),
        (with(&["x", "--agents", "65"]), 2, "--agents is 65"),
        (with(&["x", "--agents", "99999999999"]), 2, "agents"),
        (with(&["x", "--timeout", "0"]), 2, "timeout"),
        (with(&["x", "--timeout", "86401"]), 2, "--timeout is"),
        (with(&["x", "--timeout", "18446744073709551615"]), 2, "timeout"),
        (with(&["x", "--priority", "urgent"]), 2, "priority"),
        (with(&["x", "--id", "a b"]), 2, "--id"),
        (with(&["x", "--id", "a\u{1b}b"]), 2, "--id"),
        (with(&["x", "--id", &long]), 2, "--id"),
        (with(&["x", "--role", "SAGE"]), 6, "SAGE"),
        (with(&["x", "--metadata", "novalue"]), 2, "KEY=VALUE"),
        (with(&["x", "y"]), 2, "y"),
        (with(&["--file", "/nowhere/at/all"]), 2, "/nowhere/at/all"),
        (with(&["--file", &huge]), 2, "262144"),
        (with(&["--file", "/dev/zero"]), 2, "/dev/zero is too large: at most 262144 bytes"),
        (with(&["x", "--tests", "/dev/zero"]), 2, "/dev/zero is too large: at most 65536 bytes"),
        (owned(&["deliberate", "x", "--url", "host:8000"]), 2, "model.url"),
        (owned(&["deliberate", "x", "--server", "not an address"]), 2, "not an address"),
        (owned(&["result"]), 2, "ID"),
        (owned(&["result", "a b"]), 2, "id"),
        (owned(&["result", ""]), 2, "id"),
        (owned(&["list", "--limit", "0"]), 2, "limit"),
        (owned(&["list", "--limit", "1001"]), 2, "limit"),
        (owned(&["list", "--status", "odd"]), 2, "status"),
        (owned(&["serve", "--listen", "nowhere"]), 2, "server.listen"),
        (owned(&["serve", "--listen", "127.0.0.1:70000"]), 2, "server.listen"),
        (owned(&["serve", "--slots", "0"]), 2, "worker.slots"),
        (owned(&["councils", "list", "NONE"]), 6, "NONE"),
        (owned(&["councils", "register", "DEV", "x"]), 2, "--endpoint"),
        (owned(&["councils", "create", "NEW", "--parameter", "novalue"]), 2, "KEY=VALUE"),
        (owned(&["completions", "tcsh"]), 2, "tcsh"),
        (owned(&["dance"]), 2, "dance"),
    ];
    for (file, says) in &configurations {
        cases.push((owned(&["config", "--config", file]), 2, says));
    }
    assert!(cases.len() >= 40, "{}", cases.len());
    let mut wrong = Vec::new();
    for (arguments, code, says) in cases {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let ended = place.run(&arguments).await;
        let told = ended.stderr.contains(says) && !ended.stderr.contains("panicked");
        if (ended.code, told, ended.stdout.as_str(), ended.stderr.contains('\u{1b}'))
            != (code, true, "", false)
        {
            wrong.push(format!(
                "{arguments:?} should end with {code} and say {says:?}: {} {}",
                ended.code, ended.stderr
            ));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let kept = place.run(&["list", "--json"]).await;
    assert_eq!((kept.code, kept.stdout.as_str()), (0, "[]\n"), "{}", kept.stderr);
}

#[tokio::test]
async fn a_bound_is_the_same_with_a_server_and_without_and_nobody_is_asked_before_it_is_checked() {
    let model = answers(0).await;
    let (place, url) = (Place::new(), model.url());
    let agents = "must lie between 1 and 64";
    let cases: [(&[&str], &str); 8] = [
        (&["x", "--agents", "0"], agents),
        (&["x", "--agents", "65"], agents),
        (&["x", "--rounds", "11"], "must lie between 0 and 10"),
        (&["x", "--timeout", "0"], "must lie between 1 s and 86400 s"),
        (&["x", "--timeout", "86401"], "--timeout is 86401 s; it must lie between 1 s and 86400 s"),
        (&["x", "--timeout", "18446744073709551615"], "must lie between 1 s and 86400 s"),
        (&["x", "--id", "a b"], "--id"),
        (&[" "], "the task is empty"),
    ];
    for (flags, says) in cases {
        let here = place.fleet(&["deliberate", "--url", &url]).also(flags).end().await;
        // Nobody is there: it would end with 8 if anybody was asked.
        let there = place.fleet(&["deliberate", "--server", "127.0.0.1:9"]).also(flags).end().await;
        assert_eq!((here.code, there.code), (2, 2), "{flags:?}: {} {}", here.stderr, there.stderr);
        assert!(here.stderr.contains(says), "{flags:?}: {}", here.stderr);
        assert_eq!(here.stderr, there.stderr, "{flags:?}");
    }
    let unknown = place.run(&["deliberate", "x", "--role", "SAGE", "--url", &url]).await;
    assert_eq!(unknown.code, 6, "{}", unknown.stderr);
    assert_eq!(model.connections(), 0, "the model server is asked for nothing");
    // A client of its own is told the same bounds.
    let server = place.serve(&["--url", &url]).await;
    let mut client = server.client().await;
    let request = DeliberateRequest { num_agents: 65, ..deliberate("x") };
    let refused = client.calls.deliberate(request).await.unwrap_err();
    assert!(refused.message().contains(agents), "{refused}");
    let constraints = Some(wire::TaskConstraints { timeout_seconds: -1, ..Default::default() });
    let request = DeliberateRequest { constraints, ..deliberate("x") };
    let refused = client.calls.deliberate(request).await.unwrap_err();
    assert!(refused.message().contains("must lie between 1 and 86400"), "{refused}");
}

#[tokio::test]
async fn variables_that_make_no_sense_are_named() {
    let place = Place::new();
    let cases: BTreeMap<&str, (&str, &str)> = [
        ("FLEET__WORKER__SLOTS", ("many", "FLEET__WORKER__SLOTS")),
        ("FLEET__NO__SUCH", ("1", "no.such")),
        ("FLEET__MODEL__TEMPERATURE", ("NaN", "model.temperature")),
        ("FLEET__COUNCILS__DEV__PROFILE", ("none", "councils.DEV.profile")),
        ("FLEET__PROFILES__X__URL", ("http://me:secret@x", "profiles.x.url")),
        ("GRPC_PORT", ("70000", "GRPC_PORT")),
        ("AGENT_TYPE", ("HUMAN", "AGENT_TYPE")),
        ("ENABLE_NATS", ("perhaps", "ENABLE_NATS")),
        ("DELIBERATION_TIMEOUT", ("soon", "DELIBERATION_TIMEOUT")),
        ("FLEET_LOG", ("a=b=c", "FLEET_LOG")),
    ]
    .into();
    for (name, (value, says)) in cases {
        let program: Program = place.fleet(&["config"]).env(name, value);
        let ended = program.end().await;
        assert_eq!(ended.code, 2, "{name}={value}: {}", ended.stderr);
        assert!(ended.stderr.contains(says) && !ended.stderr.contains("secret"), "{name}: {}", ended.stderr);
    }
}
