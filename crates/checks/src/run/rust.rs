//! Rust: built without crates, and run where it is a program; and tested.

use std::collections::BTreeMap;
use std::time::Duration;

use super::batch::{Batch, Step, quoted, seal};
use super::code::{Code, Codes, File};
use super::given::Given;
use super::tools::Tool;
use super::{Dry, How, reads_as_file};

const OPTIONS: &str = "--edition 2024 -C debuginfo=0 -C opt-level=0 --cap-lints allow --color never";
/// Where a test says that it has come to its end; it stands where the supervisor has it.
const SEAL: &str = "concat!(env!(\"TMPDIR\"), \"/seal\")";

/// None where what is there is no file that could be built.
pub(super) fn dry(code: &Code, codes: &Codes, tool: &Tool, time: Duration) -> Option<Dry> {
    const WAITS: [&str; 4] = ["env::args", "stdin()", "TcpListener", "process::Command"];
    if !code.files.iter().all(|file| reads_as_file(code.tongue, &file.text)) {
        return None;
    }
    let root = root(code);
    let program = has_main(root);
    let how = match program {
        false => How::Loaded("built only, as it is a library"),
        true if code.has(&WAITS) => How::Loaded("built only, as it waits for arguments, input or requests"),
        true => How::Run,
    };
    let rustc = quoted(&tool.program.to_string_lossy());
    let path = quoted(&root.path);
    let kind = if program { "-o ../program" } else { "--crate-type lib --emit metadata -o ../library" };
    let mut steps = vec![step(format!("exec {rustc} {OPTIONS} {kind} {path}"), "build", time, true)];
    if how == How::Run {
        steps.push(step("exec ../program </dev/null".to_owned(), "run", time, false));
    }
    Some(Dry { batch: batch(codes.laid_out(), tool, steps), how })
}

pub(super) fn trial(code: &Code, codes: &Codes, tool: &Tool, given: &Given, time: Duration) -> Option<Batch> {
    let seal = seal().ok()?;
    let root = root(code);
    let mut text = root.text.clone();
    let mut names = Vec::new();
    for (nth, file) in given.files.iter().enumerate() {
        let module = format!("fleet_given_{nth}");
        text +=
            &format!("\n#[cfg(test)] mod {module} {{\n#![allow(unused)]\nuse super::*;\n{}\n}}\n", file.text);
        names.extend(file.names.iter().map(|name| format!("{module}::{name}")));
    }
    // The harness runs tests in the order of their names: this one comes after the one that is asked for.
    let end = format!("zz_{seal}");
    text += &format!(
        "\n#[cfg(test)] mod {end} {{ #[test] fn end() {{ ::std::fs::write({SEAL}, \"{seal}\").unwrap(); }} }}\n"
    );
    let mut files = codes.laid_out();
    files.insert(root.path.clone(), text.into_bytes());
    let rustc = quoted(&tool.program.to_string_lossy());
    let build = format!("exec {rustc} {OPTIONS} --test -o ../tests {}", quoted(&root.path));
    let mut steps = vec![step(build, "build", time, true)];
    for name in names {
        let command = format!(
            "exec ../tests --exact --include-ignored --test-threads=1 {} {end}::end </dev/null",
            quoted(&name)
        );
        steps.push(Step { seal: Some(seal.clone()), ..step(command, &name, time, false) });
    }
    Some(batch(files, tool, steps))
}

fn batch(files: BTreeMap<String, Vec<u8>>, tool: &Tool, steps: Vec<Step>) -> Batch {
    Batch { files, read_only: tool.read_only.clone(), runner: "", common: String::new(), steps }
}

fn step(command: String, name: &str, time: Duration, needed: bool) -> Step {
    Step { needed, name: name.to_owned(), command, time, seal: None }
}

/// The root of the crate: what is named so, else a program, else the longest file.
fn root(code: &Code) -> &File {
    let named =
        |name: &str| code.files.iter().find(|file| file.path == name || file.path == format!("src/{name}"));
    named("main.rs")
        .or_else(|| named("lib.rs"))
        .unwrap_or_else(|| code.files.iter().find(|file| has_main(file)).unwrap_or_else(|| code.main()))
}

fn has_main(file: &File) -> bool {
    file.text.lines().any(|line| line.starts_with("fn main(") || line.starts_with("pub fn main("))
}

/// What the code needs and this machine has not.
pub(super) fn missing(log: &str) -> Option<String> {
    const SAYS: [&str; 2] = ["can't find crate for `", "use of unresolved module or unlinked crate `"];
    let (_, rest) = SAYS.iter().find_map(|says| log.split_once(says))?;
    let name = rest.split('`').next()?;
    Some(format!("it needs the crate {name}, which is not here"))
}
