//! The program as tests and benchmarks use it: as a child process that is talked to over HTTP.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

struct Program {
    child: Child,
    address: String,
}

impl Program {
    fn start(arguments: &[&str]) -> Program {
        let mut child = Command::new(env!("CARGO_BIN_EXE_scripted-model"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program can be started");
        let mut ready = String::new();
        BufReader::new(child.stdout.take().expect("it is piped")).read_line(&mut ready).expect("a line");
        let ready: Value = serde_json::from_str(&ready).expect("a line of JSON");
        let address = ready["url"].as_str().expect("a URL").trim_start_matches("http://").to_owned();
        Program { child, address }
    }

    fn send(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        stream.write_all(request.as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        body.to_owned()
    }

    fn get(&self, path: &str) -> String {
        self.send(&format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"))
    }

    fn chat(&self, mut request: Value) -> String {
        request["model"] = "m".into();
        request["messages"] = json!([{"role": "user", "content": "x"}]);
        let body = request.to_string();
        self.send(&format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        ))
    }

    fn answer(&self, request: Value) -> String {
        let answer: Value = serde_json::from_str(&self.chat(request)).expect("JSON");
        answer["choices"][0]["message"]["content"].as_str().expect("an answer").to_owned()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn it_says_that_it_is_well_and_which_models_it_has() {
    let program = Program::start(&["--model", "mine"]);
    assert_eq!(program.get("/health"), r#"{"status":"ok"}"#);
    assert_eq!(program.get("/v1/models"), r#"{"data":[{"id":"mine"}]}"#);
}

#[test]
fn agents_get_answers_of_their_own() {
    let program = Program::start(&["--answer-bytes", "1500"]);
    let ask = |user: &str| program.answer(json!({"user": user}));
    let one = ask("t/0/propose/agent-dev-001");
    assert!(one.contains("```python\ndef "), "{one}");
    assert!((1_400..1_700).contains(&one.len()), "{}", one.len());
    assert_ne!(one, ask("t/0/propose/agent-dev-002"));
    assert_ne!(one, ask("t/1/revise/agent-dev-001"));
    assert_eq!(one, ask("u/0/propose/agent-dev-001"));
}

#[test]
fn reviews_are_json_with_findings() {
    let program = Program::start(&[]);
    let format = json!({"type": "json_schema", "json_schema": {"name": "review", "schema": {}}});
    for request in [json!({"response_format": format}), json!({"user": "t/1/critique/agent-dev-003"})] {
        let text = program.answer(request);
        let review: Value = serde_json::from_str(&text).expect("JSON");
        assert!((1_800..2_300).contains(&text.len()), "{}", text.len());
        assert!(!review["findings"].as_array().expect("a list").is_empty());
        assert!(review["score"].as_u64().expect("a number") <= 10);
    }
}

#[test]
fn a_stream_ends_with_its_figures_when_they_are_asked_for() {
    let program = Program::start(&["--chunks", "3"]);
    let plain = program.chat(json!({"stream": true}));
    assert_eq!(plain.matches("data: ").count(), 5, "{plain}");
    let counted = program.chat(json!({"stream": true, "stream_options": {"include_usage": true}}));
    assert!(counted.ends_with("data: [DONE]\n\n") && counted.contains("\"completion_tokens\":"), "{counted}");
}

#[test]
fn the_ledger_holds_the_beginning_and_the_end_of_each_call() {
    let path = std::env::temp_dir().join(format!("scripted-ledger-{}", std::process::id()));
    let program = Program::start(&["--ledger", path.to_str().expect("a plain path")]);
    program.chat(json!({"user": "a"}));
    program.chat(json!({"user": "b", "stream": true}));
    let ledger = std::fs::read_to_string(&path).expect("a ledger");
    std::fs::remove_file(&path).expect("it is ours");
    let entries: Vec<Value> = ledger.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let said: Vec<_> =
        entries.iter().map(|e| (e["caller"].as_str(), e["outcome"].as_str(), e["number"].as_u64())).collect();
    let expected = [("a", "begun", 1), ("a", "answered", 1), ("b", "begun", 2), ("b", "answered", 2)];
    assert_eq!(said, expected.map(|(caller, outcome, n)| (Some(caller), Some(outcome), Some(n))));
}

#[test]
fn what_is_held_waits_until_its_kind_is_named() {
    let path = std::env::temp_dir().join(format!("scripted-held-{}", std::process::id()));
    let mut program =
        Program::start(&["--hold", "critique", "--ledger", path.to_str().expect("a plain path")]);
    let mut input = program.child.stdin.take().expect("it is piped");
    let review = std::thread::scope(|scope| {
        let held = scope.spawn(|| program.answer(json!({"user": "t/1/critique/agent-dev-001"})));
        program.answer(json!({"user": "t/0/propose/agent-dev-001"}));
        let begun = || std::fs::read_to_string(&path).expect("a ledger").contains("critique");
        while !begun() {
            std::thread::yield_now();
        }
        assert!(!held.is_finished(), "it is held");
        writeln!(input, "critique").expect("it reads");
        held.join().expect("it is answered")
    });
    std::fs::remove_file(&path).expect("it is ours");
    assert!(review.contains("findings"), "{review}");
    program.answer(json!({"user": "t/1/critique/agent-dev-002"}));
}

#[test]
fn it_ends_when_it_is_told_to() {
    for signal in ["-TERM", "-INT"] {
        let mut program = Program::start(&["--hold", "propose"]);
        let pid = program.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().expect("kill(1)").success());
        assert!(program.child.wait().expect("it ends").success());
    }
}
