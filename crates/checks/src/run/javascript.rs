//! JavaScript and TypeScript in Node: run, or checked where it is for a browser or a server; and tested.
//!
//! Of TypeScript the types are taken away, or what is more than types is transformed; nothing holds them to be right.

mod syntax;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde_json::json;

use super::batch::{Batch, Step, quoted, seal};
use super::code::{Code, Codes, File, Tongue};
use super::given::Given;
use super::tools::Tool;
use super::{Dry, How};
use crate::lint::OutOfTime;
use syntax::{Import, More, Script, edited};

const RUNNER: &str = include_str!("runners/javascript.js");
/// Reads files of TypeScript to their end.
const PARSE: &str = include_str!("runners/typescript.js");
/// Finds what TypeScript imports without its extension, or by that of JavaScript, as its compiler does.
const RESOLVE: &str = include_str!("runners/resolve.js");

/// Code as its syntax says it is to be run, with the tests for it.
pub(super) struct Read {
    files: BTreeMap<String, Vec<u8>>,
    /// The text of the main file.
    main: String,
    module: bool,
    more: More,
    names: Vec<String>,
    default: Option<String>,
    tests: Vec<ReadTests>,
}

struct ReadTests {
    imports: Vec<Import>,
    /// Without its imports.
    text: String,
    names: Vec<String>,
}

/// Why code or tests were not read.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotRead {
    #[error("reading what its syntax says took too long")]
    OutOfTime,
    #[error("the tests given with the task {0}")]
    Tests(String),
}

impl From<OutOfTime> for NotRead {
    fn from(_: OutOfTime) -> NotRead {
        NotRead::OutOfTime
    }
}

/// Reads code and tests in a thread of their own, in at most `time`.
pub(super) async fn read(
    code: &Code,
    codes: &Codes,
    given: Option<&Given>,
    time: Duration,
) -> Result<Read, NotRead> {
    let (code, files, given) = (code.clone(), codes.laid_out(), given.cloned());
    let deadline = Instant::now() + time;
    let reads = tokio::task::spawn_blocking(move || read_until(&code, files, given.as_ref(), deadline));
    reads.await.unwrap_or(Err(NotRead::OutOfTime))
}

fn read_until(
    code: &Code,
    mut files: BTreeMap<String, Vec<u8>>,
    given: Option<&Given>,
    deadline: Instant,
) -> Result<Read, NotRead> {
    let script = |text| Script::read(code.tongue, text, deadline);
    let all_tests: Vec<_> = given.into_iter().flat_map(|given| &given.files).collect();
    let tests = all_tests.iter().map(|file| script(&file.text)).collect::<Result<Vec<_>, _>>()?;
    if tests.iter().any(Script::has_error) {
        return Err(NotRead::Tests(format!("do not parse as {}", code.tongue.name())));
    }
    if tests.iter().any(Script::exports) {
        return Err(NotRead::Tests("export something, which tests cannot".to_owned()));
    }
    let scripts = code.files.iter().map(|file| script(&file.text)).collect::<Result<Vec<_>, _>>()?;
    let more = scripts.iter().chain(&tests).map(Script::more).max().unwrap_or(More::Nothing);
    let path = &code.main().path;
    let main = code.files.iter().position(|file| file.path == *path).unwrap_or(0);
    let (names, default) = scripts[main].names();
    let mut texts: Vec<String> = code.files.iter().map(|file| file.text.clone()).collect();
    let mut more_now = more;
    if code.tongue == Tongue::TypeScript {
        let used: BTreeSet<&str> = tests.iter().flat_map(Script::values).collect();
        let values: BTreeSet<String> = scripts.iter().flat_map(|script| script.names().0).collect();
        let types = scripts.iter().flat_map(Script::types).filter(|name| !values.contains(*name)).collect();
        for (text, (file, script)) in texts.iter_mut().zip(code.files.iter().zip(&scripts)) {
            *text = edited(script.text, script.plain(is_module(file), &used, &types));
            let again = Script::read(code.tongue, text, deadline)?;
            more_now = more_now.max(again.more());
        }
    }
    for (file, text) in code.files.iter().zip(&texts) {
        files.insert(file.path.clone(), text.clone().into_bytes());
    }
    // Modules without a `package.json` that says so get one.
    let says_so = |file: &File| file.path.ends_with(".mjs") || file.path.ends_with(".mts");
    if code.files.iter().any(|file| !says_so(file) && is_module(file)) {
        files.entry("package.json".to_owned()).or_insert_with(|| b"{\"type\": \"module\"}\n".to_vec());
    }
    let tests = tests.iter().zip(all_tests).map(|(script, file)| {
        let imports = script.imports();
        let lines = |import: &Import| "\n".repeat(script.text[import.range.clone()].matches('\n').count());
        let edits = imports.iter().map(|import| (import.range.clone(), lines(import))).collect();
        ReadTests { text: edited(script.text, edits), imports, names: file.names.clone() }
    });
    let tests: Vec<ReadTests> = tests.collect();
    for import in tests.iter().flat_map(|tests| &tests.imports) {
        let unknown = |(name, _): &&(String, String)| !OURS.contains(&name.as_str());
        if let Some((name, _)) = import.names.iter().find(unknown).filter(|_| is_ours(import)) {
            return Err(NotRead::Tests(format!("import {name} of {}, which is not here", import.from)));
        }
    }
    let module = is_module(&code.files[main]);
    Ok(Read { files, main: texts.swap_remove(main), module, more: more_now, names, default, tests })
}

/// What tests are written with that is there without being imported.
const OURS: [&str; 4] = ["default", "test", "it", "describe"];

fn is_ours(import: &Import) -> bool {
    ["node:test", "vitest", "@jest/globals", "bun:test", "test"].contains(&import.from.as_str())
        && !import.types
}

/// What tests import, as a block can have it.
fn imported(import: &Import, read: &Read, main: &str, own: &str) -> String {
    let stem = |path: &str| {
        let name = path.rsplit('/').next().unwrap_or_default();
        let end =
            [".ts", ".js", ".mts", ".mjs", ".cts", ".cjs"].into_iter().find_map(|end| name.strip_suffix(end));
        end.unwrap_or(name).to_owned()
    };
    if import.types {
        return String::new();
    }
    if is_ours(import) {
        let ours = |name: &String| if name == "default" { "test".to_owned() } else { name.clone() };
        let renamed = import.names.iter().map(|(name, local)| (ours(name), local));
        let renamed = renamed.filter(|(name, local)| name != *local);
        return renamed.map(|(name, local)| format!("const {local} = {name}; ")).collect();
    }
    let of_solution =
        import.from.starts_with('.') && ["solution".to_owned(), stem(main)].contains(&stem(&import.from));
    let from = json!(import.from);
    let source = match (of_solution, read.module) {
        (true, _) => own.to_owned(),
        (false, true) => format!("await import({from})"),
        (false, false) => format!("require({from})"),
    };
    if import.names.is_empty() {
        return format!("{source}; ");
    }
    let named = import.names.iter().map(|(name, local)| match name.as_str() {
        "*" => format!("const {local} = {source}; "),
        "default" if !of_solution && !read.module => {
            format!("const {local} = ((it) => it && it.__esModule ? it.default : it)({source}); ")
        }
        _ => format!("const {{ {name}: {local} }} = {source}; "),
    });
    named.collect()
}

pub(super) fn dry(code: &Code, read: Read, tool: &Tool, time: Duration) -> Dry {
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
    let program = program(code, tool, &read);
    let files = read.files;
    let path = quoted(&code.main().path);
    let check = match code.tongue {
        Tongue::TypeScript => {
            let paths: String = code.files.iter().map(|file| format!(" {}", quoted(&file.path))).collect();
            format!("exec {program} -e {}{paths}", quoted(PARSE))
        }
        _ => format!("exec {program} --check {path}"),
    };
    let run = format!("exec {program} {path} </dev/null");
    let mut steps = vec![step(check, "parse", time, true)];
    if how == How::Run {
        steps.push(step(run, "run", time, false));
    }
    let batch =
        Batch { files, read_only: tool.read_only.clone(), runner: RUNNER, common: String::new(), steps };
    Dry { batch, how }
}

/// What starts node for this code, and these tests.
fn program(code: &Code, tool: &Tool, read: &Read) -> String {
    if code.tongue != Tongue::TypeScript {
        return tool.command(false);
    }
    let resolve = RESOLVE.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
    format!("{} --import data:text/javascript,{resolve}", tool.command(read.more > More::Nothing))
}

/// Whether a file is a module of ECMAScript rather than of Node's first form.
fn is_module(file: &File) -> bool {
    if file.path.ends_with(".cjs") || file.path.ends_with(".cts") {
        return false;
    }
    let says = |line: &str| {
        let import =
            line.strip_prefix("import").is_some_and(|rest| rest.starts_with([' ', '{', '*', '"', '\'']));
        let import = import && !line.contains("= require(");
        import
            || line
                .strip_prefix("export")
                .is_some_and(|rest| rest.starts_with([' ', '{', '*']) && !rest.starts_with(" ="))
    };
    file.path.ends_with(".mjs") || file.path.ends_with(".mts") || file.text.lines().any(says)
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
    read: &Read,
    tool: &Tool,
    tests: &[String],
    time: Duration,
) -> Option<Trial> {
    // Words that the code cannot know: what tests are written with goes by one, and the other marks their list.
    let (collect, mark) = (format!("fleet_{}", seal().ok()?), format!("fleet_{}", seal().ok()?));
    let main = code.main();
    let module = read.module;
    let mut source = opened(&read.main, &collect, module);
    let exported = if module { "null" } else { "module.exports" };
    let default = match (&read.default, module) {
        (Some(name), true) => format!(", default: {name}"),
        (None, true) => String::new(),
        (_, false) => ", default: module.exports".to_owned(),
    };
    let own = format!("{collect}.solution({exported}, {{ {} }})", read.names.join(", "));
    let all = format!("{collect}_all");
    let taken = format!("const {all} = {{ ...{own}{default} }};");
    // As in Python; but what the code itself calls so is meant then.
    let solution = if read.names.iter().any(|name| name == "solution") {
        String::new()
    } else {
        format!("const solution = {own};")
    };
    // A comment that the code leaves open ends before the tests.
    source += "/* */";
    if !module {
        source += &format!(";{collect}.exported(module.exports);\n");
    }
    for file in &read.tests {
        let functions = file.names.join(", ");
        let imports: String =
            file.imports.iter().map(|import| imported(import, read, &main.path, &all)).collect();
        // Blocks, so that neither the code's names nor those of another file are in the way.
        source += &format!(
            ";{{ {collect}.begin(); const {{ assert, test, it, describe }} = {collect}; {taken} {solution} {{ {imports}\n{}\n;{collect}.collect({{ \
             {functions} }});\n}} }}\n",
            file.text
        );
    }
    let folder = main.path.rsplit_once('/').map(|(folder, _)| format!("{folder}/")).unwrap_or_default();
    let extension = match (code.tongue, module) {
        (Tongue::TypeScript, true) => "mts",
        (Tongue::TypeScript, false) => "cts",
        (_, true) => "mjs",
        (_, false) => "cjs",
    };
    let common = json!({
        "source": source,
        "file": format!("{folder}{collect}.{extension}"),
        "collect": collect,
        "mark": mark,
        "files": read.tests.len(),
    });
    let program = program(code, tool, read);
    let command = format!("exec {program} -e \"$1\"");
    let steps = tests.iter().map(|name| step(command.clone(), name, time, false)).collect();
    let batch = Batch {
        files: read.files.clone(),
        read_only: tool.read_only.clone(),
        runner: RUNNER,
        common: common.to_string(),
        steps,
    };
    Some(Trial { batch, mark })
}

/// A code that takes what tests are written with before it does anything else, on its own first line.
fn opened(text: &str, collect: &str, module: bool) -> String {
    let (shebang, text) = match text.find('\n').filter(|_| text.starts_with("#!")) {
        Some(end) => text.split_at(end + 1),
        None => ("", text),
    };
    let taken = if module {
        // What a module imports comes before it; of that, this is the first.
        format!("import {collect} from 'data:text/javascript,export default globalThis.{collect}'; ")
    } else {
        let strict =
            ["'use strict'", "\"use strict\""].iter().any(|words| text.trim_start().starts_with(words));
        let strict = if strict { "'use strict'; " } else { "" };
        format!("{strict}const {collect} = globalThis.{collect}; ")
    };
    format!("{shebang}{taken}{text}")
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

/// What of TypeScript is beyond this machine. The text says it, and nothing that the code does.
pub(super) fn beyond(code: &Code, tool: &Tool, read: &Read) -> Option<String> {
    if code.tongue != Tongue::TypeScript {
        return None;
    }
    match read.more {
        More::Decorators => Some("it has decorators, which node does not know".to_owned()),
        More::Transformed if tool.more.is_empty() => Some(
            "it has an enum, a namespace or the like, which this node cannot transform; one with \
             --experimental-transform-types can"
                .to_owned(),
        ),
        _ => None,
    }
}

/// What the code needs and this machine has not.
pub(super) fn missing(log: &str) -> Option<String> {
    let (_, rest) =
        log.split_once("Cannot find module '").or_else(|| log.split_once("Cannot find package '"))?;
    let module = rest.split('\'').next().filter(|module| !module.starts_with(['.', '/']))?;
    Some(format!("it needs the module {module}, which is not here"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn more(text: &str) -> More {
        let deadline = Instant::now() + Duration::from_secs(60);
        Script::read(Tongue::TypeScript, text, deadline).expect("in time").more()
    }

    #[test]
    fn what_is_more_than_types_is_told_from_types() {
        for text in [
            "enum A { B }",
            "export const enum A { B }",
            "namespace A { export const b = 1; }",
            "class A { constructor(private x: number) {} }",
            "class A { constructor(readonly x: number) {} }",
            "const x = <number>y;",
        ] {
            assert_eq!(more(text), More::Transformed, "{text}");
        }
        for text in [
            "class A { private readonly x: number = 1; constructor(x: number) {} }",
            "type A = { readonly x: number }; interface B extends A {}",
            "const x = y as const satisfies Z;",
            "",
        ] {
            assert_eq!(more(text), More::Nothing, "{text}");
        }
        assert_eq!(more("enum A { B } class C { @d m() {} }"), More::Decorators);
    }
}
