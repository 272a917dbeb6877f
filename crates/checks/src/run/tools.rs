//! The toolchains of this machine: looked for once, by asking each for its version and its place.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use fleet_sandbox::SYSTEM;
use tokio::process::Command;
use tokio::time::timeout;

use super::code::Tongue;

/// How long a tool may take to say what it is, in milliseconds.
const ASKED_MS_MAX: u64 = 10_000;

/// A toolchain that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tool {
    /// What it is started by inside of the sandbox.
    pub(crate) program: PathBuf,
    /// What it says its version is, such as `python 3.12.1`.
    pub(crate) version: String,
    /// What must be shown of the machine besides what every command sees.
    pub(crate) read_only: Vec<PathBuf>,
}

/// The toolchains that were found.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tools(Vec<(Tongue, Tool)>);

impl Tools {
    /// Asks for each. These are started as this program is, not in a sandbox: they are the machine's own.
    pub(crate) async fn find() -> Tools {
        let python = "import sys; print('python', sys.version.split()[0]); print(getattr(sys, '_base_executable', '') or \
                      sys.executable); print(sys.base_prefix)";
        let node = "console.log('node', process.version.slice(1)); console.log(process.execPath)";
        let bash = r#"echo "bash ${BASH_VERSION%%(*}"; echo "$BASH""#;
        let (python, node, bash, rust, c) = tokio::join!(
            ask("python3", ["-I", "-c", python]),
            ask("node", ["-e", node]),
            ask("bash", ["-c", bash]),
            rust(),
            c(),
        );
        let found = [
            (Tongue::Python, python.and_then(|said| tool(&said))),
            (Tongue::JavaScript, node.and_then(|said| tool(&said))),
            (Tongue::Bash, bash.and_then(|said| tool(&said))),
            (Tongue::Rust, rust),
            (Tongue::C, c),
        ];
        Tools(found.into_iter().filter_map(|(tongue, tool)| Some((tongue, tool?))).collect())
    }

    pub(crate) fn get(&self, tongue: Tongue) -> Option<&Tool> {
        self.0.iter().find(|(known, _)| *known == tongue).map(|(_, tool)| tool)
    }

    /// The version of each.
    pub(crate) fn versions(&self) -> Vec<String> {
        self.0.iter().map(|(_, tool)| tool.version.clone()).collect()
    }
}

/// What a tool says, in lines; none when it is not there or does not answer.
async fn ask<const N: usize>(program: &str, args: [&str; N]) -> Option<Vec<String>> {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).kill_on_drop(true);
    let output = timeout(Duration::from_millis(ASKED_MS_MAX), command.output()).await.ok()?.ok()?;
    let text = String::from_utf8(output.stdout).ok().filter(|_| output.status.success())?;
    Some(text.lines().map(|line| line.trim().to_owned()).collect())
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
    Some(Tool { program, version: version.clone(), read_only })
}

async fn rust() -> Option<Tool> {
    let version = ask("rustc", ["--version"]).await?;
    // "rustc 1.95.0 (59807616e 2026-04-14)"
    let version = version.first()?.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
    let root = PathBuf::from(ask("rustc", ["--print", "sysroot"]).await?.first()?);
    // What is on the PATH may be a proxy that wants a home.
    let program = root.join("bin/rustc").to_str()?.to_owned();
    tool(&[version, program, root.to_str()?.to_owned()])
}

async fn c() -> Option<Tool> {
    let said = ask("cc", ["--version"]).await?;
    let number = said.first()?.split_whitespace().last()?.to_owned();
    let program = ["/usr/local/bin/cc", "/usr/bin/cc"].into_iter().find(|path| Path::new(path).exists())?;
    tool(&[format!("cc {number}"), program.to_owned(), "/usr".to_owned()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_tool_says_its_version_and_what_of_the_machine_it_needs() {
        let tools = Tools::find().await;
        let bash = tools.get(Tongue::Bash).expect("every machine that tests run on has bash");
        assert!(bash.version.starts_with("bash ") && bash.version.contains('.'), "{bash:?}");
        assert!(bash.program.is_absolute() && bash.read_only.is_empty(), "{bash:?}");
        for (tongue, tool) in &tools.0 {
            assert!(tool.read_only.iter().all(|path| path.exists()), "{tongue:?}: {tool:?}");
        }
    }

    #[tokio::test]
    async fn what_is_not_there_is_not_found() {
        assert_eq!(ask("fleet-no-such-program", []).await, None);
        assert_eq!(ask("bash", ["-c", "echo a; exit 1"]).await, None);
    }
}
