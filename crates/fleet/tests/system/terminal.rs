//! Progress is shown on a terminal, and nowhere else.

use std::path::Path;

use fleet_scripted::{Council, Scripted};

use crate::support::{Place, answers};

const TASK: &str = "Plan a riverbank for the spring floods";

#[tokio::test]
async fn on_a_terminal_every_agent_has_a_line_with_its_phase_and_tokens() {
    // Slow enough to be seen: eight chunks of an answer, 60 ms apart.
    let model = Scripted::start(Council::new("scripted", 60, 600, 8, 60)).await.unwrap();
    let place = Place::new();
    let url = model.url();
    let fleet = env!("CARGO_BIN_EXE_fleet");
    // script(1) runs a command on a terminal of its own; it is part of every Debian.
    let command = format!("stty cols 120 rows 40; exec '{fleet}' deliberate '{TASK}' --url '{url}'");
    let shown = place
        .program(Path::new("/usr/bin/script"), &["--quiet", "--return", "--command", &command, "/dev/null"])
        .env("TERM", "xterm")
        .env("SHELL", "/bin/sh")
        .end()
        .await;
    assert_eq!(shown.code, 0, "{}{}", shown.stdout, shown.stderr);
    let text = shown.stdout;
    for agent in ["agent-dev-001", "agent-dev-002", "agent-dev-003"] {
        let lines: Vec<&str> = text.split(['\n', '\r']).filter(|line| line.contains(agent)).collect();
        assert!(lines.iter().any(|line| line.contains("proposes")), "{agent} proposes: {text}");
        assert!(lines.iter().any(|line| line.contains("is reviewed by agent-dev-")), "{agent}: {text}");
        assert!(lines.iter().any(|line| line.contains("revises (round 1)")), "{agent}: {text}");
        let tokens =
            lines.iter().filter_map(|line| line.split_once(" tokens")?.0.rsplit(' ').next()?.parse().ok());
        assert!(tokens.max() > Some(1), "{agent} writes tokens: {text}");
    }
    assert!(text.contains("Winner: agent-dev-"), "{text}");
}

#[tokio::test]
async fn a_run_on_a_server_shows_how_far_it_is_and_what_every_agent_does() {
    let model = Scripted::start(Council::new("scripted", 60, 600, 8, 60)).await.unwrap();
    let place = Place::new();
    let server = place.serve(&["--url", &model.url()]).await;
    let (fleet, address) = (env!("CARGO_BIN_EXE_fleet"), &server.address);
    let command = format!("stty cols 120 rows 40; exec '{fleet}' deliberate '{TASK}' --server '{address}'");
    let shown = place
        .program(Path::new("/usr/bin/script"), &["--quiet", "--return", "--command", &command, "/dev/null"])
        .env("TERM", "xterm")
        .env("SHELL", "/bin/sh")
        .end()
        .await;
    assert_eq!(shown.code, 0, "{}{}", shown.stdout, shown.stderr);
    let text = shown.stdout;
    for what in ["generating  0 %", "reviewing  ", " %  ", "Winner: agent-dev-"] {
        assert!(text.contains(what), "{what}: {text}");
    }
    for agent in ["agent-dev-001", "agent-dev-002", "agent-dev-003"] {
        let line = format!("{agent} writes its proposal  ");
        let tokens = text.split(&line).skip(1).filter_map(|rest| rest.split(' ').next()?.parse().ok());
        assert!(tokens.max() > Some(1), "{agent} writes tokens: {text}");
        assert!(text.contains(&format!("{agent} writes its revision (round 1)")), "{agent}: {text}");
    }
}

#[tokio::test]
async fn off_a_terminal_only_the_id_and_the_model_are_said() {
    let model = answers(100).await;
    let ended = Place::new().run(&["deliberate", TASK, "--id", "quiet", "--url", &model.url()]).await;
    let (address, said) = (model.url(), ended.stderr);
    assert_eq!(said.lines().count(), 2, "{said}");
    assert!(
        said.starts_with("deliberation quiet\nusing scripted at ") && said.contains(&address[7..]),
        "{said}"
    );
    assert!(!ended.stdout.contains('\u{1b}') && !said.contains('\u{1b}'), "no control sequences");
}
