//! The toolchains of this machine: looked for once, by asking each for its version and its place.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use fleet_sandbox::SYSTEM;
use tokio::process::Command;
use tokio::time::timeout;

use super::batch::quoted;
use super::code::Tongue;

/// How long a tool may take to say what it is, in milliseconds.
const ASKED_MS_MAX: u64 = 10_000;

/// A toolchain that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tool {
    /// What it is started by inside of the sandbox.
    pub(crate) program: PathBuf,
    /// What it is always told first.
    pub(crate) args: Vec<String>,
    /// What it is told besides for code that needs more of it than most; empty where it cannot do more.
    pub(crate) more: Vec<String>,
    /// What it says its version is, such as `python 3.12.1`.
    pub(crate) version: String,
    /// What must be shown of the machine besides what every command sees.
    pub(crate) read_only: Vec<PathBuf>,
}

impl Tool {
    /// It and what it is always told, and with `more` what it is told besides, as words of bash.
    pub(crate) fn command(&self, more: bool) -> String {
        let more = if more { self.more.as_slice() } else { &[] };
        let args = self.args.iter().chain(more).map(|word| quoted(word));
        let words = std::iter::once(quoted(&self.program.to_string_lossy())).chain(args);
        words.collect::<Vec<_>>().join(" ")
    }
}

/// The toolchains that were found.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tools(Vec<(Tongue, Tool)>);

impl Tools {
    /// Asks for each on `path`, else on the `PATH` of this program. These are started as this program is, not in a
    /// sandbox: they are the machine's own.
    pub(crate) async fn find(path: Option<&OsStr>) -> Tools {
        let python = "import sys; print('python', sys.version.split()[0]); print(getattr(sys, '_base_executable', '') or \
                      sys.executable); print(sys.base_prefix)";
        let node = "console.log('node', process.version.slice(1)); console.log(process.execPath)";
        let bash = r#"echo "bash ${BASH_VERSION%%(*}"; echo "$BASH""#;
        let (python, node, typescript, bash, rust, c, go) = tokio::join!(
            ask(path, "python3", ["-I", "-c", python]),
            ask(path, "node", ["-e", node]),
            typescript(path),
            ask(path, "bash", ["-c", bash]),
            rust(path),
            c(path),
            go(path),
        );
        let found = [
            (Tongue::Python, python.and_then(|said| tool(&said))),
            (Tongue::JavaScript, node.and_then(|said| tool(&said))),
            (Tongue::TypeScript, typescript),
            (Tongue::Bash, bash.and_then(|said| tool(&said))),
            (Tongue::Rust, rust),
            (Tongue::C, c),
            (Tongue::Go, go),
        ];
        Tools(found.into_iter().filter_map(|(tongue, tool)| Some((tongue, tool?))).collect())
    }

    /// Forgets all but these.
    pub(crate) fn only(mut self, tongues: &[Tongue]) -> Tools {
        self.0.retain(|(tongue, _)| tongues.contains(tongue));
        self
    }

    pub(crate) fn get(&self, tongue: Tongue) -> Option<&Tool> {
        self.0.iter().find(|(known, _)| *known == tongue).map(|(_, tool)| tool)
    }

    /// Why there is none for a language, and what would be one.
    pub(crate) fn lack(&self, tongue: Tongue) -> String {
        match (tongue, self.get(Tongue::JavaScript)) {
            (Tongue::TypeScript, Some(node)) => {
                format!("{} does not run it; one from 22.18 or 23.6 on does", node.version)
            }
            (Tongue::TypeScript, None) => "there is no node here that runs it".to_owned(),
            _ => "its toolchain is not on this machine".to_owned(),
        }
    }

    /// The version of each.
    pub(crate) fn versions(&self) -> Vec<String> {
        self.0.iter().map(|(_, tool)| tool.version.clone()).collect()
    }
}

/// What a tool says, in lines; none when it is not there or does not answer.
async fn ask<const N: usize>(path: Option<&OsStr>, program: &str, args: [&str; N]) -> Option<Vec<String>> {
    let mut command = match path {
        Some(path) => Command::new(on(path, program)?),
        None => Command::new(program),
    };
    if let Some(path) = path {
        command.env("PATH", path);
    }
    // Go would fetch another version of itself where a module of the working folder asks for it.
    command.args(args).env("GOTOOLCHAIN", "local").current_dir("/").stdin(Stdio::null()).kill_on_drop(true);
    let output = timeout(Duration::from_millis(ASKED_MS_MAX), command.output()).await.ok()?.ok()?;
    let text = String::from_utf8(output.stdout).ok().filter(|_| output.status.success())?;
    Some(text.lines().map(|line| line.trim().to_owned()).collect())
}

/// Where a program lies in the folders of a `PATH`.
pub(crate) fn on(path: &OsStr, program: &str) -> Option<PathBuf> {
    let is_program = |file: &PathBuf| {
        std::fs::metadata(file).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
    };
    std::env::split_paths(path).map(|folder| folder.join(program)).find(is_program)
}

/// A tool that has said its version, its program, and the folder it lives in (else that of the program).
fn tool(said: &[String]) -> Option<Tool> {
    let [version, program, rest @ ..] = said else { return None };
    let program = Path::new(program).canonicalize().ok().filter(|program| program.is_absolute())?;
    let folder = match rest.first() {
        Some(folder) => PathBuf::from(folder),
        None => program.parent()?.to_owned(),
    };
    let mut read_only = Vec::new();
    for path in [&folder, &program] {
        let known = SYSTEM.iter().map(Path::new).chain(read_only.iter().map(PathBuf::as_path));
        if !known.into_iter().any(|known| path.starts_with(known)) {
            read_only.push(path.clone());
        }
    }
    Some(Tool { program, args: Vec::new(), more: Vec::new(), version: version.clone(), read_only })
}

async fn rust(path: Option<&OsStr>) -> Option<Tool> {
    let version = ask(path, "rustc", ["--version"]).await?;
    // "rustc 1.95.0 (59807616e 2026-04-14)"
    let version = version.first()?.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
    let root = PathBuf::from(ask(path, "rustc", ["--print", "sysroot"]).await?.first()?);
    // What is on the PATH may be a proxy that wants a home.
    let program = root.join("bin/rustc").to_str()?.to_owned();
    tool(&[version, program, root.to_str()?.to_owned()])
}

async fn c(path: Option<&OsStr>) -> Option<Tool> {
    let said = ask(path, "cc", ["--version"]).await?;
    let number = said.first()?.split_whitespace().last()?.to_owned();
    let program = ["/usr/local/bin/cc", "/usr/bin/cc"].into_iter().find(|path| Path::new(path).exists())?;
    tool(&[format!("cc {number}"), program.to_owned(), "/usr".to_owned()])
}

async fn go(path: Option<&OsStr>) -> Option<Tool> {
    let said = ask(path, "go", ["env", "GOVERSION", "GOROOT"]).await?;
    let [version, root] = said.as_slice() else { return None };
    // "go1.27.3"; what is on the PATH may be a script that starts it.
    let version = format!("go {}", version.strip_prefix("go")?);
    tool(&[version, Path::new(root).join("bin/go").to_str()?.to_owned(), root.clone()])
}

/// Node, where it takes types away itself; transforming what is more than types, where it can do that, too.
async fn typescript(path: Option<&OsStr>) -> Option<Tool> {
    const TRANSFORM: &str = "--experimental-transform-types";
    const STRIP: &str = "--experimental-strip-types";
    const QUIET: &str = "--disable-warning=ExperimentalWarning";
    let asks = "const how = require('node:module').stripTypeScriptTypes && process.features.typescript; \
                console.log([how || '', process.version.slice(1), process.execPath].join('\\n'))";
    let (transform, plain, strip) = tokio::join!(
        ask(path, "node", [TRANSFORM, QUIET, "-e", asks]),
        ask(path, "node", ["-e", asks]),
        ask(path, "node", [STRIP, QUIET, "-e", asks]),
    );
    let can = |said: &Option<Vec<String>>, how: &str| {
        said.as_ref().is_some_and(|said| said.first().is_some_and(|it| it == how))
    };
    let (said, args) = match (can(&plain, "strip"), can(&strip, "strip")) {
        (true, _) => (plain?, [QUIET].as_slice()),
        (false, true) => (strip?, [STRIP, QUIET].as_slice()),
        (false, false) => return None,
    };
    let [_, version, program] = said.as_slice() else { return None };
    // The places in what it has transformed are others, unless they are mapped.
    let (what, more) = match can(&transform, "transform") {
        true => ("types transformed", [TRANSFORM, "--enable-source-maps"].as_slice()),
        false => ("types stripped", [].as_slice()),
    };
    let tool = tool(&[format!("typescript by node {version} ({what})"), program.clone()])?;
    let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
    Some(Tool { args: words(args), more: words(more), ..tool })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_tool_says_its_version_and_what_of_the_machine_it_needs() {
        let tools = Tools::find(None).await;
        let bash = tools.get(Tongue::Bash).expect("every machine that tests run on has bash");
        assert!(bash.version.starts_with("bash ") && bash.version.contains('.'), "{bash:?}");
        assert!(bash.program.is_absolute() && bash.read_only.is_empty(), "{bash:?}");
        for (tongue, tool) in &tools.0 {
            assert!(tool.read_only.iter().all(|path| path.exists()), "{tongue:?}: {tool:?}");
        }
    }

    #[tokio::test]
    async fn what_is_not_there_is_not_found() {
        assert_eq!(ask(None, "fleet-no-such-program", []).await, None);
        assert_eq!(ask(None, "bash", ["-c", "echo a; exit 1"]).await, None);
        assert_eq!(ask(Some(OsStr::new("/fleet/no/such/folder")), "bash", ["-c", "echo a"]).await, None);
    }
}
