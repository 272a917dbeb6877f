//! JavaScript and TypeScript in Node: run, or checked where it is for a browser or a server; and tested.
//!
//! Of TypeScript the types are taken away, or what is more than types is transformed; nothing holds them to be right.

use std::time::Duration;

use serde_json::json;
use tree_sitter::Parser;

use super::batch::{Batch, Step, quoted, seal};
use super::code::{Code, Codes, File, Tongue};
use super::given::Given;
use super::tools::Tool;
use super::{Dry, How};

const RUNNER: &str = include_str!("runners/javascript.js");
/// Reads files of TypeScript to their end.
const PARSE: &str = include_str!("runners/typescript.js");
/// Finds what TypeScript imports without its extension, or by that of JavaScript, as its compiler does.
const RESOLVE: &str = include_str!("runners/resolve.js");

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
    let program = program(code, tool, None);
    let (files, main) = laid_out(code, codes);
    let path = quoted(&main);
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
fn program(code: &Code, tool: &Tool, given: Option<&Given>) -> String {
    if code.tongue != Tongue::TypeScript {
        return tool.command(false);
    }
    let tests = given.into_iter().flat_map(|given| &given.files).map(|file| &file.text);
    let more = code.files.iter().map(|file| &file.text).chain(tests).any(|text| is_more_than_types(text));
    let resolve = RESOLVE.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
    format!("{} --import data:text/javascript,{resolve}", tool.command(more))
}

/// Whether there is something in TypeScript that is not gone with its types.
fn is_more_than_types(text: &str) -> bool {
    let mut parser = Parser::new();
    if parser.set_language(&tree_sitter_typescript::LANGUAGE_TYPESCRIPT.into()).is_err() {
        return false;
    }
    let Some(tree) = parser.parse(text, None) else { return false };
    let mut cursor = tree.walk();
    loop {
        let node = cursor.node();
        let in_parameter = || node.parent().is_some_and(|parent| parent.kind().ends_with("_parameter"));
        let more = match node.kind() {
            "enum_declaration" | "internal_module" | "import_alias" | "import_require_clause" => true,
            "accessibility_modifier" | "override_modifier" | "readonly" => in_parameter(),
            _ => false,
        };
        if more {
            return true;
        }
        if cursor.goto_first_child() {
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                return false;
            }
        }
    }
}

/// The files, and which is the main one. Modules without a `package.json` that says so get one.
fn laid_out(code: &Code, codes: &Codes) -> (std::collections::BTreeMap<String, Vec<u8>>, String) {
    let mut files = codes.laid_out();
    let says_so = |file: &File| file.path.ends_with(".mjs") || file.path.ends_with(".mts");
    if code.files.iter().any(|file| !says_so(file) && is_module(file)) {
        files.entry("package.json".to_owned()).or_insert_with(|| b"{\"type\": \"module\"}\n".to_vec());
    }
    (files, code.main().path.clone())
}

/// Whether a file is a module of ECMAScript rather than of Node's first form.
fn is_module(file: &File) -> bool {
    if file.path.ends_with(".cjs") || file.path.ends_with(".cts") {
        return false;
    }
    let says = |line: &str| {
        let import =
            line.strip_prefix("import").is_some_and(|rest| rest.starts_with([' ', '{', '*', '"', '\'']));
        import || line.strip_prefix("export").is_some_and(|rest| rest.starts_with([' ', '{', '*']))
    };
    file.path.ends_with(".mjs") || file.path.ends_with(".mts") || file.text.lines().any(says)
}

/// What a code defines at its top that is there when it runs.
fn names(tongue: Tongue, text: &str) -> Vec<String> {
    let language = match tongue {
        Tongue::TypeScript => tree_sitter_typescript::LANGUAGE_TYPESCRIPT,
        _ => tree_sitter_javascript::LANGUAGE,
    };
    let mut parser = Parser::new();
    if parser.set_language(&language.into()).is_err() {
        return Vec::new();
    }
    let Some(tree) = parser.parse(text, None) else { return Vec::new() };
    let root = tree.root_node();
    let mut names = Vec::new();
    for statement in root.named_children(&mut root.walk()) {
        let defined = statement.child_by_field_name("declaration").unwrap_or(statement);
        let named = match defined.kind() {
            "function_declaration"
            | "generator_function_declaration"
            | "class_declaration"
            | "abstract_class_declaration"
            | "enum_declaration" => vec![defined],
            "lexical_declaration" | "variable_declaration" => {
                defined.named_children(&mut defined.walk()).collect()
            }
            _ => Vec::new(),
        };
        let name = named.into_iter().filter_map(|node| node.child_by_field_name("name"));
        let name = name.filter(|name| !name.kind().ends_with("_pattern"));
        names.extend(name.filter_map(|name| text.get(name.byte_range())).map(str::to_owned));
    }
    names
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
    // Words that the code cannot know: what tests are written with goes by one, and the other marks their list.
    let (collect, mark) = (format!("fleet_{}", seal().ok()?), format!("fleet_{}", seal().ok()?));
    let main = code.main();
    let module = is_module(main);
    let mut source = opened(&main.text, &collect, module);
    let mut imports = String::new();
    // As in Python; but what the code itself calls so is meant then.
    let names = names(code.tongue, &main.text);
    let solution = if names.iter().any(|name| name == "solution") {
        String::new()
    } else {
        let exported = if module { "null" } else { "module.exports" };
        format!("const solution = {collect}.solution({exported}, {{ {} }});", names.join(", "))
    };
    // A comment that the code leaves open ends before the tests.
    source += "/* */";
    if !module {
        source += &format!(";{collect}.exported(module.exports);\n");
    }
    for file in &given.files {
        let (hoisted, rest): (Vec<&str>, Vec<&str>) =
            file.text.lines().partition(|line| module && line.starts_with("import "));
        imports.extend(hoisted.iter().flat_map(|line| [*line, "\n"]));
        let functions = file.names.join(", ");
        // Blocks, so that neither the code's names nor those of another file are in the way.
        source += &format!(
            ";{{ {collect}.begin(); const {{ assert, test, it, describe }} = {collect}; {solution} {{\n{}\n;{collect}.collect({{ \
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
        "files": given.files.len(),
    });
    let program = program(code, tool, Some(given));
    let command = format!("exec {program} -e \"$1\"");
    let steps = tests.iter().map(|name| step(command.clone(), name, time, false)).collect();
    let batch =
        Batch { files, read_only: tool.read_only.clone(), runner: RUNNER, common: common.to_string(), steps };
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
pub(super) fn beyond(code: &Code, tool: &Tool, given: Option<&Given>) -> Option<String> {
    if code.tongue != Tongue::TypeScript || !tool.more.is_empty() {
        return None;
    }
    let tests = given.into_iter().flat_map(|given| &given.files).map(|file| &file.text);
    let mut texts = code.files.iter().map(|file| &file.text).chain(tests);
    texts.any(|text| is_more_than_types(text)).then(|| {
        "it has an enum, a namespace or the like, which this node cannot transform; one with \
         --experimental-transform-types can"
            .to_owned()
    })
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

    #[test]
    fn what_is_more_than_types_is_told_from_types() {
        for text in [
            "enum A { B }",
            "export const enum A { B }",
            "namespace A { export const b = 1; }",
            "class A { constructor(private x: number) {} }",
            "class A { constructor(readonly x: number) {} }",
            "import fs = require('fs');",
        ] {
            assert!(is_more_than_types(text), "{text}");
        }
        for text in [
            "class A { private readonly x: number = 1; constructor(x: number) {} }",
            "type A = { readonly x: number }; interface B extends A {}",
            "const x = y as const satisfies Z;",
            "",
        ] {
            assert!(!is_more_than_types(text), "{text}");
        }
    }
}
