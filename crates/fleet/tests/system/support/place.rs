//! A directory of one test: its home, its state, its configuration.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::process::{Ended, Program, Server};

/// Where one test works. Nothing of the user's own environment or configuration is seen from here.
pub(crate) struct Place {
    dir: TempDir,
    /// The sandbox in which code is run.
    sandbox: &'static str,
}

impl Place {
    /// A place where no code is run.
    pub(crate) fn new() -> Place {
        Place { dir: tempfile::tempdir().unwrap(), sandbox: "off" }
    }

    /// A place where what proposals hold is run.
    pub(crate) fn that_runs_code() -> Place {
        Place { sandbox: "auto", ..Place::new() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The directory of state, as the program finds it by itself.
    pub(crate) fn state(&self) -> PathBuf {
        self.path("state/fleet")
    }

    pub(crate) fn file(&self, name: &str, content: &str) -> String {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// The program, not yet started.
    pub(crate) fn fleet(&self, arguments: &[&str]) -> Program {
        self.program(Path::new(env!("CARGO_BIN_EXE_fleet")), arguments)
    }

    /// Any program, in the environment of this place.
    pub(crate) fn program(&self, program: &Path, arguments: &[&str]) -> Program {
        let path = std::env::var("PATH").unwrap_or_default();
        // Where a home of its own would hide the compiler of whoever runs the tests.
        let toolchains =
            std::env::var("RUSTUP_HOME").or_else(|_| std::env::var("HOME").map(|home| home + "/.rustup"));
        Program::new(program, arguments)
            .clean()
            .env("PATH", &path)
            .env("RUSTUP_HOME", &toolchains.unwrap_or_default())
            // Tests that are about near ties ask for judges and an architect themselves.
            .env("FLEET__SELECTION__JUDGES", "0")
            .env("FLEET__SELECTION__ARCHITECT", "false")
            .env("HOME", self.dir.path().to_str().unwrap())
            .env("XDG_STATE_HOME", self.path("state").to_str().unwrap())
            .env("XDG_CONFIG_HOME", self.path("config").to_str().unwrap())
            // Only tests that are about it run what proposals hold.
            .env("FLEET__CHECKS__SANDBOX", self.sandbox)
    }

    /// Runs the program to its end.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Ended {
        self.fleet(arguments).end().await
    }

    /// Starts a server on a free port, and waits until it serves.
    pub(crate) async fn serve(&self, arguments: &[&str]) -> Server {
        self.serve_with(arguments, &[]).await
    }

    pub(crate) async fn serve_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Server {
        let serve = self.fleet(&["serve", "--listen", "127.0.0.1:0"]).also(arguments);
        Server::of(variables.iter().fold(serve, |serve, (name, value)| serve.env(name, value))).await
    }
}
