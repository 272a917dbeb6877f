//! Go: built without a network, and run where it is a program; and tested.

mod layout;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use fleet_sandbox::SandboxError;

use super::batch::{Batch, Step, quoted, seal};
use super::code::{Code, Codes, File};
use super::given::Given;
use super::tools::Tool;
use super::{Dry, How, reads_as_file};
use layout::{folder, module, module_folder, of_tests, package, package_line, redeclared};

/// What every `go` is told, here and where the standard library is built: another word would have it built anew.
pub(super) const ENVIRONMENT: [(&str, &str); 9] = [
    ("CGO_ENABLED", "0"),
    ("GOENV", "off"),
    ("GOFLAGS", "-mod=mod"),
    ("GOPROXY", "off"),
    ("GOSUMDB", "off"),
    ("GOTELEMETRY", "off"),
    ("GOTOOLCHAIN", "local"),
    ("GOWORK", "off"),
    ("GO111MODULE", "on"),
];
/// Two at once, so that they stay few threads on a machine of many cores; symbols would only be linked.
const OPTIONS: &str = "-p 2 -ldflags='-s -w'";
const MODULE: &str = "solution";

/// None where what is there is no file that could be built.
pub(super) fn dry(code: &Code, codes: &Codes, tool: &Tool, cache: &Path, time: Duration) -> Option<Dry> {
    const WAITS: [&str; 12] = [
        "os.Args",
        "flag.Parse(",
        "os.Stdin",
        "fmt.Scan",
        "ListenAndServe",
        "net.Listen",
        "http.Get(",
        "http.Post(",
        "net.Dial",
        "exec.Command",
        "signal.Notify",
        "cobra.Command",
    ];
    if !code.files.iter().all(|file| reads_as_file(code.tongue, &file.text)) {
        return None;
    }
    let program = code.files.iter().filter(|file| is_program(file)).max_by_key(|file| file.places.len());
    let how = match program {
        None => How::Loaded("built only, as it is a library"),
        Some(_) if code.has(&WAITS) => {
            How::Loaded("built only, as it waits for arguments, input or requests")
        }
        Some(_) => How::Run,
    };
    let mut files = laid_out(code, codes, tool);
    // Each by its name: a pattern would pass over what it finds nothing to build in.
    let folders: BTreeSet<&str> = code.files.iter().map(|file| folder(&file.path)).collect();
    for folder in &folders {
        let mut here = code.files.iter().filter(|file| self::folder(&file.path) == *folder);
        let is_main = here.clone().any(|file| package(file) == Some("main"));
        if is_main && !here.any(|file| file.text.contains("func main(")) {
            // A part of a program is one only with a beginning.
            let path = format!("{folder}fleet_main.go");
            files.entry(path).or_insert_with(|| b"package main\n\nfunc main() {}\n".to_vec());
        }
    }
    let go = Go { tool, cache };
    let mut steps = Vec::new();
    if how != How::Run || folders.len() > 1 {
        let mut modules: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for folder in &folders {
            modules.entry(module_folder(&files, folder)).or_default().push(folder);
        }
        let builds = modules.iter().map(|(module, folders)| go.told(module, "build", "", folders));
        steps.extend(builds.map(|command| step(command, "build", time, true)));
    }
    if let (How::Run, Some(program)) = (how, program) {
        let folder = folder(&program.path);
        let command = go.told(module_folder(&files, folder), "build", "program", &[folder]);
        steps.push(step(command, "build", time, true));
        steps.push(step("exec ../program </dev/null".to_owned(), "run", time, false));
    }
    Some(Dry { batch: batch(files, tool, cache, steps), how })
}

/// Tests of one folder, which are one program.
#[derive(Default)]
struct Suite {
    files: Vec<(String, String)>,
    names: Vec<String>,
}

/// The steps of the tests come in the order of their folders; `names` is put into the same.
pub(super) fn trial(
    code: &Code,
    codes: &Codes,
    tool: &Tool,
    cache: &Path,
    given: &Given,
    time: Duration,
) -> Result<(Batch, Vec<String>), SandboxError> {
    let mut files = laid_out(code, codes, tool);
    // Tests that the proposal brings could start the program in their own way.
    files.retain(|path, _| !path.ends_with("_test.go"));
    let known = |path: &str| code.files.iter().any(|file| folder(&file.path) == folder(path));
    let mut suites: BTreeMap<&str, Suite> = BTreeMap::new();
    for (nth, file) in given.files.iter().enumerate() {
        let folder = file
            .path
            .as_deref()
            .filter(|path| known(path))
            .map_or_else(|| of_tests(code, &file.text), folder);
        let suite = suites.entry(folder).or_default();
        suite.files.push((format!("{folder}given{nth}_test.go"), file.text.clone()));
        suite.names.extend(file.names.iter().cloned());
    }
    let go = Go { tool, cache };
    let (mut builds, mut runs, mut names) = (Vec::new(), Vec::new(), Vec::new());
    for (nth, (folder, suite)) in suites.into_iter().enumerate() {
        let package = code.files.iter().filter(|file| self::folder(&file.path) == folder).find_map(package);
        let package = package.unwrap_or(MODULE);
        for file in code.files.iter().filter(|file| self::folder(&file.path) == folder) {
            if self::package(file).is_none() {
                // On the first line, so that the lines keep their numbers.
                files.insert(file.path.clone(), format!("package {package}; {}", file.text).into_bytes());
            }
        }
        let texts: Vec<&str> = suite.files.iter().map(|(_, text)| text.as_str()).collect();
        let redeclared = redeclared(&files, folder, &texts);
        for (path, text) in &suite.files {
            files.insert(path.clone(), in_package(text, package).into_bytes());
        }
        let mark = seal()?;
        // Nothing here goes by a name that the package could give to something else.
        let (os, testing) = (format!("os_{mark}"), format!("testing_{mark}"));
        let mut ends = format!("package {package}\n\nimport (\n\t{os} \"os\"\n\t{testing} \"testing\"\n)\n");
        for (at, name) in suite.names.iter().enumerate() {
            let (seal, test) = (seal()?, format!("TestFleet_{mark}_{at}"));
            // Registered first, it comes after all that the test does; and only where the test came to its end.
            ends += &format!(
                "\nfunc {test}(t *{testing}.T) {{\n\tdone := 0\n\tt.Cleanup(func() {{\n\t\tif done == 1 && !t.Failed() && \
                 !t.Skipped() {{\n\t\t\t{os}.NewFile(3, \"seal\").WriteString(\"{seal}\")\n\t\t}}\n\t}})\n\t{name}(t)\n\tdone = \
                 1\n}}\n"
            );
            let command = format!("exec ../tests{nth} -test.run='^{test}$' </dev/null");
            runs.push(Step { seal: Some(seal), ..step(command, name, time, false) });
        }
        files.insert(format!("{folder}fleet_{mark}_test.go"), ends.into_bytes());
        let build = match redeclared {
            Some(name) => {
                let why = format!("the code gives another meaning to {name}, which Go has and the tests use");
                format!("echo {} >&2; exit 1", quoted(&why))
            }
            None => {
                go.told(module_folder(&files, folder), "test -c -vet=off", &format!("tests{nth}"), &[folder])
            }
        };
        builds.push(step(build, "build", time, true));
        names.extend(suite.names);
    }
    builds.extend(runs);
    Ok((batch(files, tool, cache, builds), names))
}

/// The toolchain. What is built before is only read; what is built here is not kept.
struct Go<'a> {
    tool: &'a Tool,
    cache: &'a Path,
}

impl Go<'_> {
    /// Words of bash that tell it to do something with `folders` of a module, into a file beside the folder of all code.
    fn told(&self, module: &str, what: &str, into: &str, folders: &[&str]) -> String {
        let Go { tool, cache } = self;
        let root = tool.program.parent().and_then(Path::parent).unwrap_or(Path::new("/usr/lib/go"));
        let words: String = ENVIRONMENT.iter().map(|(name, value)| format!("{name}={value} ")).collect();
        let (root, cache) = (quoted(&root.to_string_lossy()), quoted(&cache.to_string_lossy()));
        let program = quoted(&tool.program.to_string_lossy());
        let into = if into.is_empty() { String::new() } else { format!(" -o \"$top\"/../{into}") };
        let targets = folders.iter().map(|folder| folder.strip_prefix(module).unwrap_or(folder));
        let targets: String = targets.map(|folder| format!(" {}", quoted(&format!("./{folder}")))).collect();
        let set_up = format!(
            "export {words}GOROOT={root} GOCACHE={cache} GOPATH=\"$HOME/go\" GODEBUG=goindex=0 GOMAXPROCS=4; top=$PWD"
        );
        let told = format!("{program} {what} {OPTIONS}{into}{targets}");
        if module.is_empty() {
            return format!("{set_up}; exec {told}");
        }
        // It speaks of files as they lie from the module.
        let place = module.replace(['|', '\\', '&'], "?");
        let places = quoted(&format!("s|^\\./|./{place}|"));
        format!("{set_up}; set -o pipefail; cd {} && {told} 2>&1 | sed {places}", quoted(module))
    }
}

/// The files. What does not say which module it is becomes one.
fn laid_out(code: &Code, codes: &Codes, tool: &Tool) -> BTreeMap<String, Vec<u8>> {
    let mut files = codes.laid_out();
    let has_module = |file: &File| {
        let module = module_folder(&files, folder(&file.path));
        files.contains_key(&format!("{module}go.mod"))
    };
    if !code.files.iter().all(has_module) {
        // "go 1.27.3": the language is that of the toolchain.
        let version = tool.version.split(['.', ' ']).skip(1).take(2).collect::<Vec<_>>().join(".");
        let text = format!("module {}\n\ngo {version}\n", module(code).unwrap_or(MODULE));
        files.insert("go.mod".to_owned(), text.into_bytes());
    }
    files
}

/// Whether an import can only be of the standard library.
fn is_standard(import: &str) -> bool {
    const WITH_MORE_IN_THEM: [&str; 29] = [
        "archive",
        "compress",
        "container",
        "crypto",
        "database",
        "debug",
        "encoding",
        "go",
        "hash",
        "html",
        "image",
        "index",
        "internal",
        "io",
        "log",
        "math",
        "mime",
        "net",
        "os",
        "path",
        "regexp",
        "runtime",
        "sync",
        "testing",
        "text",
        "time",
        "unicode",
        "vendor",
        "cmd",
    ];
    import.split_once('/').is_none_or(|(first, _)| WITH_MORE_IN_THEM.contains(&first))
}

/// Tests as files of the package that they test, whatever that calls itself.
fn in_package(text: &str, package: &str) -> String {
    match package_line(text) {
        Some((at, line)) => format!("{}package {package}{}", &text[..at], &text[at + line.len()..]),
        None if text.contains("\"testing\"") => format!("package {package}; {text}"),
        None => format!("package {package}; import \"testing\"; {text}"),
    }
}

/// Whether tests want to stand in a package of their own, from which they would import one whose path nobody knows.
pub(super) fn stands_outside(text: &str) -> bool {
    package_line(text).is_some_and(|(_, line)| line.ends_with("_test"))
}

fn is_program(file: &File) -> bool {
    package(file) == Some("main") && file.text.lines().any(|line| line.starts_with("func main()"))
}

fn batch(files: BTreeMap<String, Vec<u8>>, tool: &Tool, cache: &Path, steps: Vec<Step>) -> Batch {
    let mut read_only = tool.read_only.clone();
    read_only.push(cache.to_owned());
    Batch { files, read_only, runner: "", common: String::new(), steps }
}

fn step(command: String, name: &str, time: Duration, needed: bool) -> Step {
    Step { needed, name: name.to_owned(), command, time, seal: None }
}

/// What the code needs and this machine has not, or what it is only a part of.
pub(super) fn missing(code: &Code, log: &str) -> Option<String> {
    const NAMES: [&str; 4] =
        ["module providing package ", "no required module provides package ", "package ", "go: downloading "];
    const LACKS: [&str; 3] = ["module lookup disabled", "is not in std", "no required module"];
    let after = |line: &str, mark: &str| {
        Some(line.split_once(mark)?.1.split([' ', ':', ';', '@']).next()?.to_owned())
    };
    if LACKS.iter().any(|lacks| log.contains(lacks)) {
        let named = |line: &str| NAMES.iter().chain(&["go: "]).find_map(|mark| after(line, mark));
        let import =
            log.lines().filter_map(named).find(|import| import.contains('/') && !is_standard(import));
        if let Some(import) = import {
            return Some(format!("it needs the package {import}, which is not here"));
        }
    }
    if let Some(version) = log.lines().find_map(|line| after(line, "requires go >= ")) {
        return Some(format!("it needs Go {version}, which is not here"));
    }
    if log.contains(": found packages ") {
        return Some("it is of several packages, and does not say where each lies".to_owned());
    }
    log.contains("build constraints exclude all Go files").then(|| match code.has(&["import \"C\""]) {
        true => "it needs cgo, which is not used here".to_owned(),
        false => "its constraints leave nothing to be built on this machine".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::code::Tongue;

    fn code(markdown: &str) -> Code {
        Codes::of(markdown).get(Tongue::Go).expect("code").clone()
    }

    #[test]
    fn tests_join_the_package_that_they_test() {
        assert_eq!(
            in_package("// a\npackage x // b\nimport \"testing\"\n", "main"),
            "// a\npackage main\nimport \"testing\"\n"
        );
        assert_eq!(
            in_package("func TestA(t *testing.T) {}", "a"),
            "package a; import \"testing\"; func TestA(t *testing.T) {}"
        );
        assert!(stands_outside("package a_test\n") && !stands_outside("package a\n"));
    }

    #[test]
    fn what_go_misses_is_told_from_what_the_code_invents() {
        let code = code("```go\npackage a\n```");
        for (log, said) in [
            (
                "main.go:3:8: cannot find module providing package example.org/x/y: module lookup disabled by GOPROXY=off",
                Some("example.org/x/y,"),
            ),
            ("main.go:3:8: package shop/cart is not in std (/go/src/shop/cart)", Some("shop/cart,")),
            ("main.go:3:8: package strngs is not in std (/go/src/strngs)", None),
            ("main.go:3:8: package encoding/jsn is not in std (/go/src/encoding/jsn)", None),
            ("go: example.org/x/y@v1.2.3: module lookup disabled by GOPROXY=off", Some("example.org/x/y,")),
            ("go: go.mod requires go >= 9.1 (running go 1.27.3; GOTOOLCHAIN=local)", Some("Go 9.1,")),
            ("main.go:4:2: undefined: x", None),
        ] {
            let missing = missing(&code, log);
            assert_eq!(missing.is_some(), said.is_some(), "{log}: {missing:?}");
            assert!(missing.unwrap_or_default().contains(said.unwrap_or_default()), "{log}");
        }
    }
}
