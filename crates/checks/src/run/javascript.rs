//! JavaScript in Node: run, or checked where it is for a browser or a server; and tested.

use std::time::Duration;

use serde_json::json;

use super::batch::{Batch, Step, quoted, seal};
use super::code::{Code, Codes, File};
use super::given::Given;
use super::tools::Tool;
use super::{Dry, How};

const RUNNER: &str = include_str!("runners/javascript.js");

pub(super) fn dry(code: &Code, codes: &Codes, tool: &Tool, time: Duration) -> Dry {
    const WAITS: [&str; 8] = [
        "process.argv",
        "process.stdin",
        "readline",
        ".listen(",
        "setInterval(",
        "WebSocket",
        "parseArgs(",
        "fetch(",
    ];
    const BROWSER: [&str; 5] = ["document.", "window.", "localStorage", "customElements", "navigator."];
    let how = if code.has(&BROWSER) {
        How::Loaded("parsed only, as it is for a browser")
    } else if code.has(&WAITS) {
        How::Loaded("parsed only, as it waits for arguments, input, requests or time")
    } else {
        How::Run
    };
    let program = quoted(&tool.program.to_string_lossy());
    let (files, main) = laid_out(code, codes);
    let path = quoted(&main);
    let check = format!("exec {program} --check {path}");
    let run = format!("exec {program} {path} </dev/null");
    let mut steps = vec![step(check, "parse", time, true)];
    if how == How::Run {
        steps.push(step(run, "run", time, false));
    }
    let batch =
        Batch { files, read_only: tool.read_only.clone(), runner: RUNNER, common: String::new(), steps };
    Dry { batch, how }
}

/// The files, and which is the main one. Modules without a `package.json` that says so get one.
fn laid_out(code: &Code, codes: &Codes) -> (std::collections::BTreeMap<String, Vec<u8>>, String) {
    let mut files = codes.laid_out();
    if code.files.iter().any(|file| !file.path.ends_with(".mjs") && is_module(file)) {
        files.entry("package.json".to_owned()).or_insert_with(|| b"{\"type\": \"module\"}\n".to_vec());
    }
    (files, code.main().path.clone())
}

/// Whether a file is a module of ECMAScript rather than of Node's first form.
fn is_module(file: &File) -> bool {
    if file.path.ends_with(".cjs") {
        return false;
    }
    let says = |line: &str| {
        let import =
            line.strip_prefix("import").is_some_and(|rest| rest.starts_with([' ', '{', '*', '"', '\'']));
        import || line.strip_prefix("export").is_some_and(|rest| rest.starts_with([' ', '{', '*']))
    };
    file.path.ends_with(".mjs") || file.text.lines().any(says)
}

/// The tests to be run, or without a test's index a step that says which there are.
pub(super) struct Trial {
    pub(super) batch: Batch,
    /// What stands before the list of the tests.
    pub(super) mark: String,
}

/// A step for each of `tests` by its index; none asks which there are.
pub(super) fn trial(
    code: &Code,
    codes: &Codes,
    tool: &Tool,
    given: &Given,
    tests: &[String],
    time: Duration,
) -> Option<Trial> {
    // Names that the code cannot know.
    let (collect, exported) = (format!("fleet_{}", seal().ok()?), format!("fleet_{}", seal().ok()?));
    let main = code.main();
    let module = is_module(main);
    let mut source = main.text.clone();
    let mut imports = String::new();
    if !module {
        source += &format!(";globalThis.{exported}(module.exports);\n");
    }
    for file in &given.files {
        let (hoisted, rest): (Vec<&str>, Vec<&str>) =
            file.text.lines().partition(|line| module && line.starts_with("import "));
        imports.extend(hoisted.iter().flat_map(|line| [*line, "\n"]));
        let functions = file.names.join(", ");
        // Blocks, so that neither the code's names nor those of another file are in the way.
        source += &format!(
            ";{{ const {{ assert, test, it, describe }} = globalThis.{collect}; {{\n{}\n;globalThis.{collect}.collect({{ \
             {functions} }});\n}} }}\n",
            rest.join("\n")
        );
    }
    source += &imports;
    let (mut files, _) = laid_out(code, codes);
    for file in &given.files {
        if let Some(path) = &file.path {
            files.insert(path.clone(), file.text.clone().into_bytes());
        }
    }
    let folder = main.path.rsplit_once('/').map(|(folder, _)| format!("{folder}/")).unwrap_or_default();
    let extension = if module { "mjs" } else { "cjs" };
    let common = json!({
        "source": source,
        "file": format!("{folder}{collect}.{extension}"),
        "collect": collect,
        "exported": exported,
    });
    let program = quoted(&tool.program.to_string_lossy());
    let command = format!("exec {program} -e \"$1\"");
    let steps = tests.iter().map(|name| step(command.clone(), name, time, false)).collect();
    let batch =
        Batch { files, read_only: tool.read_only.clone(), runner: RUNNER, common: common.to_string(), steps };
    Some(Trial { batch, mark: collect })
}

impl Trial {
    /// The names of the tests, as the step that lists them wrote them.
    pub(super) fn listed(&self, log: &str) -> Option<Vec<String>> {
        let line = log.lines().rev().find_map(|line| line.strip_prefix(&self.mark))?;
        serde_json::from_str(line).ok()
    }
}

fn step(command: String, name: &str, time: Duration, needed: bool) -> Step {
    Step { needed, name: name.to_owned(), command, time, seal: None }
}

/// What the code needs and this machine has not.
pub(super) fn missing(log: &str) -> Option<String> {
    let (_, rest) =
        log.split_once("Cannot find module '").or_else(|| log.split_once("Cannot find package '"))?;
    let module = rest.split('\'').next().filter(|module| !module.starts_with(['.', '/']))?;
    Some(format!("it needs the module {module}, which is not here"))
}
