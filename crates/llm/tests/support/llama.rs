//! A real llama.cpp server as a child of the test.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// A server that is killed when it goes out of scope.
pub(crate) struct Llama {
    child: Mutex<Child>,
    pub(crate) url: String,
}

impl Llama {
    /// Starts a server on a free port and waits until it serves.
    pub(crate) fn start(arguments: &[&str]) -> Llama {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let target =
            std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
        let python = needed(&root.join(".venv/bin/python"));
        let model = needed(&root.join(target).join("real-llm/tiny.gguf"));
        let mut child = Command::new(python)
            .arg(root.join("tests/real-llm/llama_server.py"))
            .arg(model)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("python can be started");
        let mut ready = String::new();
        let stdout = child.stdout.take().expect("it is piped");
        let read = BufReader::new(stdout).read_line(&mut ready);
        let child = Mutex::new(child);
        // From here on the child ends with this value.
        let mut llama = Llama { child, url: String::new() };
        read.expect("its output can be read");
        let ready: serde_json::Value =
            serde_json::from_str(&ready).expect("the server says that it is ready");
        llama.url = ready["url"].as_str().expect("the server says where it is").to_owned();
        llama
    }

    /// Kills the server in the middle of whatever it does, and waits until it is gone.
    pub(crate) fn kill(&self) {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = child.kill();
        let _ = child.wait();
    }

    /// Stops the server: its connections stay, and it does nothing more.
    pub(crate) fn stop(&self) {
        let pid = self.child.lock().unwrap_or_else(PoisonError::into_inner).id().to_string();
        let stopped = Command::new("kill").args(["-STOP", &pid]).status().expect("kill(1) can be started");
        assert!(stopped.success());
    }
}

impl Drop for Llama {
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap_or_else(PoisonError::into_inner);
        let _ = child.kill();
        let _ = child.wait();
    }
}

fn needed(path: &Path) -> PathBuf {
    assert!(path.exists(), "{} is missing: run make test", path.display());
    path.to_path_buf()
}
