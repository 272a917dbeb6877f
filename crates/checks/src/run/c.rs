//! C: built, and run where it is a program; and tested.

use std::collections::BTreeMap;
use std::time::Duration;

use super::batch::{Batch, Step, quoted, seal};
use super::code::{Code, Codes};
use super::given::Given;
use super::tools::Tool;
use super::{Dry, How, reads_as_file};

const OPTIONS: &str = "-std=c17 -O0 -w -fno-diagnostics-color -I.";
const LIBRARIES: &str = "-lm -lpthread";
const UNIT: &str = "fleet_unit.c";

/// None where what is there is no file that could be built.
pub(super) fn dry(code: &Code, codes: &Codes, tool: &Tool, time: Duration) -> Option<Dry> {
    const WAITS: [&str; 8] = ["argv", "scanf", "stdin", "getchar", "socket(", "getline", "fgets", "read("];
    if !code.files.iter().all(|file| reads_as_file(code.tongue, &file.text)) {
        return None;
    }
    let program = code.has(&["int main("]);
    let how = match program {
        false => How::Loaded("compiled only, as it is a library"),
        true if code.has(&WAITS) => {
            How::Loaded("compiled only, as it waits for arguments, input or requests")
        }
        true => How::Run,
    };
    let cc = quoted(&tool.program.to_string_lossy());
    let paths: String = units(code).map(|path| format!(" {}", quoted(path))).collect();
    let build = match (paths.is_empty(), program) {
        (true, _) => format!("exec {cc} {OPTIONS} -fsyntax-only -x c {}", quoted(&code.main().path)),
        (false, true) => format!("exec {cc} {OPTIONS} -o ../program{paths} {LIBRARIES}"),
        (false, false) => format!("exec {cc} {OPTIONS} -fsyntax-only{paths}"),
    };
    let mut steps = vec![step(build, "build", time, true)];
    if how == How::Run {
        steps.push(step("exec ../program </dev/null".to_owned(), "run", time, false));
    }
    Some(Dry { batch: batch(codes.laid_out(), tool, steps), how })
}

pub(super) fn trial(code: &Code, codes: &Codes, tool: &Tool, given: &Given, time: Duration) -> Option<Batch> {
    let seal = seal().ok()?;
    let mut unit = format!("#define main fleet_{seal}_main\n");
    unit.extend(units(code).map(|path| format!("#include \"{path}\"\n")));
    unit += "#undef main\n#undef NDEBUG\n#include <assert.h>\n#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n";
    for file in &given.files {
        unit += &file.text;
        unit.push('\n');
    }
    let names: Vec<&String> = given.files.iter().flat_map(|file| &file.names).collect();
    unit += "int main(int argc, char **argv) {\n  if (argc != 3) return 70;\n";
    unit.extend(names.iter().map(|name| format!("  if (!strcmp(argv[1], \"{name}\")) {name}();\n")));
    unit += &format!(
        "  FILE *seal = fopen(argv[2], \"w\");\n  return !seal || fputs(\"{seal}\", seal) < 0 || fclose(seal);\n}}\n"
    );
    let mut files = codes.laid_out();
    files.insert(UNIT.to_owned(), unit.into_bytes());
    let cc = quoted(&tool.program.to_string_lossy());
    let build = format!("exec {cc} {OPTIONS} -o ../tests {UNIT} {LIBRARIES}");
    let mut steps = vec![step(build, "build", time, true)];
    for name in names {
        let command = format!("exec ../tests {} \"$TMPDIR/seal\" </dev/null", quoted(name));
        steps.push(Step { seal: Some(seal.clone()), ..step(command, name, time, false) });
    }
    Some(batch(files, tool, steps))
}

/// The files that are compiled; others are included by them.
fn units(code: &Code) -> impl Iterator<Item = &str> {
    code.files.iter().map(|file| file.path.as_str()).filter(|path| path.ends_with(".c"))
}

fn batch(files: BTreeMap<String, Vec<u8>>, tool: &Tool, steps: Vec<Step>) -> Batch {
    Batch { files, read_only: tool.read_only.clone(), runner: "", common: String::new(), steps }
}

fn step(command: String, name: &str, time: Duration, needed: bool) -> Step {
    Step { needed, name: name.to_owned(), command, time, seal: None }
}

/// What the code needs and this machine has not.
pub(super) fn missing(code: &Code, log: &str) -> Option<String> {
    let (before, _) = log.split_once(": No such file or directory")?;
    let (_, header) = before.rsplit_once("fatal error: ")?;
    let own = code.files.iter().any(|file| file.path.ends_with(header));
    (!own).then(|| format!("it needs the header {header}, which is not here"))
}
