//! Where a linter is, and what of the machine it needs to be started in the sandbox.

use std::env::split_paths;
use std::ffi::OsStr;
use std::fs;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use fleet_sandbox::{Job, SYSTEM};

use crate::run::tools::Tool;

const EXECUTE: u32 = 0o111;
/// How much of a script is read for its first line.
const FIRST_LINE_BYTES_MAX: usize = 512;

/// What a linter is started by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    program: PathBuf,
    /// What stands before its own arguments: the script, where it is one.
    args: Vec<String>,
    /// What must be shown of the machine besides what every command sees.
    read_only: Vec<PathBuf>,
}

impl Place {
    pub(super) fn job<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Job {
        let args = self.args.iter().cloned().chain(args.into_iter().map(str::to_owned));
        let mut job = Job::new(self.program.to_string_lossy(), args);
        job.read_only.clone_from(&self.read_only);
        job
    }

    fn shows(&self, path: &Path) -> bool {
        let shown = SYSTEM.iter().map(Path::new).chain(self.read_only.iter().map(PathBuf::as_path));
        shown.into_iter().any(|shown| path.starts_with(shown))
    }

    fn show(&mut self, path: &Path) {
        if !self.shows(path) {
            self.read_only.push(path.to_owned());
        }
    }
}

/// What stands beside the program of a toolchain.
pub(super) fn beside(tool: &Tool, name: &str) -> Option<Place> {
    let program = tool.program.with_file_name(name);
    is_program(&program).then(|| Place { program, args: Vec::new(), read_only: tool.read_only.clone() })
}

/// The first program of this name in the folders of `path`. Relative ones are passed over: what lies where the
/// server happens to work is not the machine's.
///
/// A program is shown alone. A script is shown with its interpreter and the folder that this lives in, and its virtual
/// environment. What needs more than that does not start, and is told so.
pub(super) fn on_path(name: &str, path: &OsStr) -> Option<Place> {
    let file = first(name, path)?.canonicalize().ok()?;
    let file = of_package(&file).unwrap_or(file);
    let mut place = Place { program: file.clone(), args: Vec::new(), read_only: Vec::new() };
    if let Some(line) = script_line(&file) {
        let (interpreter, args) = interpreter(&line, path)?;
        let real = interpreter.canonicalize().ok()?;
        place.program.clone_from(&interpreter);
        place.args = args;
        place.args.push(file.to_str()?.to_owned());
        let home = std::env::var_os("HOME").map(PathBuf::from);
        for program in [&interpreter, &real] {
            if place.shows(program) {
                continue;
            }
            // What `bin/python` needs stands in the folder above; unless somebody's home does, too.
            let prefix = program.parent().filter(|folder| folder.ends_with("bin")).and_then(Path::parent);
            let lives = |prefix: &&Path| {
                let home = home.as_ref().is_some_and(|home| home.starts_with(prefix));
                prefix.join("lib").is_dir() && !home
            };
            place.show(prefix.filter(lives).unwrap_or(program));
        }
    }
    place.show(&file);
    Some(place)
}

fn first(name: &str, path: &OsStr) -> Option<PathBuf> {
    let folders = split_paths(path).filter(|folder| folder.is_absolute());
    folders.map(|folder| folder.join(name)).find(|file| is_program(file))
}

fn is_program(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|data| data.is_file() && data.permissions().mode() & EXECUTE != 0)
}

/// The program of this machine, where npm has put a script before it (`@biomejs/biome` before
/// `@biomejs/cli-linux-x64`): without Node it starts sooner, and needs less.
fn of_package(script: &Path) -> Option<PathBuf> {
    let package = script.parent()?.parent()?;
    let name = script.file_name()?;
    if !package.ends_with(Path::new("@biomejs/biome")) {
        return None;
    }
    let folders = fs::read_dir(package.parent()?).ok()?.filter_map(Result::ok);
    let mut programs: Vec<PathBuf> = folders
        .filter(|folder| folder.file_name().to_string_lossy().starts_with("cli-linux-"))
        .map(|folder| folder.path().join(name))
        .filter(|file| is_program(file))
        .collect();
    programs.sort();
    programs.into_iter().next()
}

/// What stands after `#!` in the first line of a script.
fn script_line(file: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    let most = u64::try_from(FIRST_LINE_BYTES_MAX).unwrap_or(u64::MAX);
    fs::File::open(file).ok()?.take(most).read_to_end(&mut bytes).ok()?;
    let line = bytes.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    Some(String::from_utf8(line.to_vec()).ok()?.trim().to_owned())
}

/// What a script is started by, as its first line names it, and with which arguments.
fn interpreter(line: &str, path: &OsStr) -> Option<(PathBuf, Vec<String>)> {
    let mut words = line.split_whitespace();
    let named = PathBuf::from(words.next()?);
    let program = if named.ends_with("env") {
        first(words.find(|word| !word.starts_with('-') && !word.contains('='))?, path)?
    } else {
        named
    };
    (program.is_absolute() && is_program(&program)).then(|| (program, words.map(str::to_owned).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(folder: &Path, name: &str, text: &str, mode: u32) -> PathBuf {
        let file = folder.join(name);
        fs::create_dir_all(file.parent().expect("a folder")).expect("made");
        fs::write(&file, text).expect("written");
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("set");
        file
    }

    #[test]
    fn the_first_that_can_be_started_counts_and_relative_folders_do_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().canonicalize().expect("it is there");
        written(&root, "a/tool", "\x7fELF", 0o644);
        let second = written(&root, "b/tool", "\x7fELF", 0o755);
        let path = std::env::join_paths([Path::new("."), &root.join("a"), &root.join("b")]).expect("a path");
        let place = on_path("tool", &path).expect("it is there");
        assert_eq!(place, Place { program: second.clone(), args: Vec::new(), read_only: vec![second] });
        assert_eq!(on_path("tool", OsStr::new(".:b")), None);
        assert_eq!(on_path("other", &path), None);
    }

    #[test]
    fn a_script_of_a_virtual_environment_brings_that_and_its_interpreter() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().canonicalize().expect("it is there");
        let real = written(&root, "python/bin/python3.11", "\x7fELF", 0o755);
        fs::create_dir_all(root.join("python/lib")).expect("made");
        let python = root.join("venv/bin/python");
        let script = written(&root, "venv/bin/lint", &format!("#!{}\n", python.display()), 0o755);
        fs::create_dir_all(root.join("venv/lib")).expect("made");
        std::os::unix::fs::symlink(&real, &python).expect("linked");
        let place = on_path("lint", root.join("venv/bin").as_os_str()).expect("it is there");
        assert_eq!(place.program, python, "by its name there it finds its packages");
        assert_eq!(place.args, [script.to_str().expect("text")]);
        assert_eq!(place.read_only, [root.join("venv"), root.join("python")]);
    }

    #[test]
    fn a_script_may_name_its_interpreter_by_env() {
        let path = OsStr::new("/usr/bin:/bin");
        let (program, args) = interpreter("/usr/bin/env -S bash -eu", path).expect("bash is there");
        assert!(program.ends_with("bash") && args == ["-eu"], "{program:?} {args:?}");
        assert_eq!(interpreter("/usr/bin/env fleet-no-such-program", path), None);
        assert_eq!(interpreter("bash", path), None);
    }

    #[test]
    fn of_what_npm_installed_the_program_is_taken_and_not_the_script() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().canonicalize().expect("it is there");
        let script = written(&root, "@biomejs/biome/bin/biome", "#!/usr/bin/env node\n", 0o755);
        assert_eq!(of_package(&script), None);
        let program = written(&root, "@biomejs/cli-linux-x64/biome", "\x7fELF", 0o755);
        assert_eq!(of_package(&script), Some(program));
    }
}
