//! Python: run or imported, with the examples in its docstrings and transcripts; and tested.

use std::time::Duration;

use serde_json::json;

use super::batch::{Batch, Step, quoted};
use super::code::{Code, Codes};
use super::given::Given;
use super::tools::Tool;
use super::{Dry, How};

const RUNNER: &str = include_str!("runners/python.py");

pub(super) fn dry(code: &Code, codes: &Codes, tool: &Tool, time: Duration) -> Dry {
    const WAITS: [&str; 14] = [
        "argparse",
        "sys.argv",
        "input(",
        "sys.stdin",
        "click",
        "typer",
        "optparse",
        "getpass",
        "serve_forever",
        "run_forever",
        "uvicorn",
        "app.run(",
        "mainloop(",
        "fire.Fire",
    ];
    let how = if code.has(&WAITS) {
        How::Loaded("imported only, as it waits for arguments, input or requests")
    } else {
        How::Run
    };
    let batch = batch(code, codes, tool, None, how == How::Run, [("whole".to_owned(), time)].into());
    Dry { batch, how }
}

pub(super) fn trial(code: &Code, codes: &Codes, tool: &Tool, given: &Given, time: Duration) -> Batch {
    let tests = given.files.iter().enumerate();
    let steps =
        tests.flat_map(|(nth, file)| file.names.iter().map(move |name| (format!("{nth}:{name}"), time)));
    batch(code, codes, tool, Some(given), false, steps.collect())
}

fn batch(
    code: &Code,
    codes: &Codes,
    tool: &Tool,
    given: Option<&Given>,
    run: bool,
    steps: Vec<(String, Duration)>,
) -> Batch {
    let main = code.main();
    let name = |path: &str| {
        let path = path.strip_prefix("src/").unwrap_or(path);
        let path = path.strip_suffix(".py").unwrap_or(path).replace('/', ".");
        path.strip_suffix(".__init__").unwrap_or(&path).to_owned()
    };
    let can_be_imported = |name: &String| {
        let plain = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || c == '_');
        name.split('.').all(plain)
    };
    let others = code.files.iter().filter(|file| file.path != main.path).map(|file| name(&file.path));
    let tests = given.map_or(&[][..], |given| &given.files);
    let common = json!({
        "main": main.path,
        "module": name(&main.path),
        "modules": others.filter(can_be_imported).collect::<Vec<_>>(),
        "run": run,
        "examples": code.examples,
        "tests": tests.iter().map(|file| json!({"path": file.path, "text": file.text})).collect::<Vec<_>>(),
    });
    let program = quoted(&tool.program.to_string_lossy());
    let step = |(name, time)| Step {
        needed: false,
        name,
        command: format!("exec {program} -I -B -c \"$1\""),
        time,
        seal: None,
    };
    Batch {
        files: codes.laid_out(),
        read_only: tool.read_only.clone(),
        runner: RUNNER,
        common: common.to_string(),
        steps: steps.into_iter().map(step).collect(),
    }
}

/// What the code needs and this machine has not.
pub(super) fn missing(code: &Code, log: &str) -> Option<String> {
    let (_, rest) = log.rsplit_once("ModuleNotFoundError: No module named ")?;
    let module = rest.trim_start_matches('\'').split('\'').next()?;
    let first = module.split('.').next().unwrap_or(module);
    let own = code.files.iter().any(|file| file.path.split(['/', '.']).any(|part| part == first));
    (!own).then(|| format!("it needs the module {module}, which is not here"))
}
