//! Bash: run where it needs nothing but itself, else parsed; and tested.

use std::time::Duration;

use super::batch::{Batch, Step, quoted};
use super::code::{Code, Codes};
use super::given::Given;
use super::tools::Tool;
use super::{Dry, How};

const RUNNER: &str = include_str!("runners/bash.sh");
/// Commands that change or ask what is outside of a sandbox.
const OUTSIDE: [&str; 44] = [
    "curl",
    "wget",
    "ssh",
    "scp",
    "rsync",
    "git",
    "docker",
    "docker-compose",
    "podman",
    "kubectl",
    "helm",
    "kind",
    "terraform",
    "aws",
    "gcloud",
    "az",
    "gh",
    "systemctl",
    "service",
    "apt",
    "apt-get",
    "dnf",
    "yum",
    "apk",
    "brew",
    "npm",
    "npx",
    "yarn",
    "pnpm",
    "pip",
    "pip3",
    "cargo",
    "go",
    "make",
    "sudo",
    "su",
    "psql",
    "pg_dump",
    "mysql",
    "mysqldump",
    "redis-cli",
    "mount",
    "crontab",
    "openssl",
];
const PLACES: [&str; 9] = ["/etc", "/var", "/home", "/root", "/opt", "/mnt", "/srv", "/boot", "/sys"];

pub(super) fn dry(code: &Code, codes: &Codes, tool: &Tool, time: Duration) -> Dry {
    let how = how(code);
    let program = quoted(&tool.program.to_string_lossy());
    let mut steps: Vec<Step> = code
        .files
        .iter()
        .map(|file| step(format!("exec {program} -n {}", quoted(&file.path)), "parse", time, true))
        .collect();
    if how == How::Run {
        steps.push(step(
            format!("exec {program} {} </dev/null", quoted(&code.main().path)),
            "run",
            time,
            false,
        ));
    }
    Dry { batch: batch(codes, tool, String::new(), steps), how }
}

fn how(code: &Code) -> How {
    const ARGUMENTS: [&str; 8] = ["$1", "${1", "$@", "$#", "$*", "getopts", "${@", "shift"];
    if code.has(&ARGUMENTS) && !code.files.iter().any(|file| only_in_functions(&file.text, &ARGUMENTS)) {
        return How::Loaded("parsed only, as it takes arguments");
    }
    let text: String = code.files.iter().map(|file| file.text.as_str()).collect();
    let mut words = text.split(|c: char| c.is_whitespace() || "|&;(){}\"'`$".contains(c));
    if words.any(|word| OUTSIDE.contains(&word)) || PLACES.iter().any(|place| text.contains(place)) {
        return How::Loaded("parsed only, as it works on what is outside of a sandbox");
    }
    if code.has(&["read -", "read "]) && !code.has(&["while read", "while IFS", "< ", "<<"]) {
        return How::Loaded("parsed only, as it waits for input");
    }
    How::Run
}

/// Whether what a script says of arguments are those of its functions.
fn only_in_functions(text: &str, words: &[&str]) -> bool {
    let mut depth = 0_usize;
    for line in text.lines() {
        let code = line.split(" #").next().unwrap_or(line).trim();
        let opens = code.ends_with('{') && code.contains("()");
        if depth == 0 && !opens && !code.contains("() {") && words.iter().any(|word| code.contains(word)) {
            return false;
        }
        depth += usize::from(opens || (depth > 0 && code.ends_with('{')));
        depth = depth.saturating_sub(usize::from(code == "}" || code.starts_with("} ")));
    }
    true
}

pub(super) fn trial(code: &Code, codes: &Codes, tool: &Tool, given: &Given, time: Duration) -> Batch {
    let program = quoted(&tool.program.to_string_lossy());
    let path = quoted(&code.main().path);
    let text: String = given.files.iter().flat_map(|file| [file.text.as_str(), "\n"]).collect();
    let command = format!("export SOLUTION=$PWD/{path}; exec {program} -c \"$1\"");
    let names = given.files.iter().flat_map(|file| &file.names);
    let steps = names.map(|name| step(command.clone(), name, time, false)).collect();
    batch(codes, tool, quoted(&text), steps)
}

fn batch(codes: &Codes, tool: &Tool, common: String, steps: Vec<Step>) -> Batch {
    Batch { files: codes.laid_out(), read_only: tool.read_only.clone(), runner: RUNNER, common, steps }
}

fn step(command: String, name: &str, time: Duration, needed: bool) -> Step {
    Step { needed, name: name.to_owned(), command, time, seal: None }
}

/// What the script needs and this machine has not.
pub(super) fn missing(log: &str) -> Option<String> {
    let line = log.lines().rfind(|line| line.ends_with(": command not found"))?;
    let command = line.strip_suffix(": command not found")?.rsplit(": ").next()?;
    Some(format!("it needs the command {command}, which is not here"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn how_of(script: &str) -> How {
        how(Codes::of(&format!("```bash\n{script}\n```"))
            .get(super::super::code::Tongue::Bash)
            .expect("a script"))
    }

    #[test]
    fn a_script_is_run_where_it_needs_nothing_but_itself() {
        for script in ["echo a", "f() {\n  echo \"$1\"\n}\nf x", "x=$(mktemp); echo a > \"$x\"; cat \"$x\""] {
            assert_eq!(how_of(script), How::Run, "{script}");
        }
        for script in [
            "echo \"$1\"",
            "f() {\n  echo \"$1\"\n}\nf \"$@\"",
            "curl x",
            "ls | sudo tee x",
            "cat /etc/passwd",
        ] {
            assert!(matches!(how_of(script), How::Loaded(_)), "{script}");
        }
    }
}
