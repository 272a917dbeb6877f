//! An id is given back only once its record is on the disk, as the system calls show.

use std::collections::BTreeMap;
use std::path::Path;

use fleet_api::v1::DeliberateRequest;

use crate::support::{Place, Server, deliberate, eventually};

const ID: &str = "synced-before-it-is-known";
/// strace(1) writes each line when its call ends, or in two parts when another thread comes in between.
const TRACED: &str = "trace=fdatasync,fsync,write,writev,pwrite64,pwritev,sendto,sendmsg,sendmmsg";

/// The server that runs below strace; when strace is killed it would go on.
struct Traced(String);

impl Drop for Traced {
    fn drop(&mut self) {
        // It has ended long ago if all went well.
        let mut kill = std::process::Command::new("kill");
        drop(kill.args(["-KILL", &self.0]).stderr(std::process::Stdio::null()).status());
    }
}

#[tokio::test]
async fn a_sync_lies_between_writing_a_record_and_answering_its_id() {
    let place = Place::new();
    let trace = place.path("trace");
    let strace = Path::new("/usr/bin/strace");
    assert!(strace.exists(), "{} is missing: run make test", strace.display());
    let options = ["-f", "-qq", "-yy", "-s", "65536", "-e", TRACED, "-o", trace.to_str().unwrap()];
    let serve = [env!("CARGO_BIN_EXE_fleet"), "serve", "--listen", "127.0.0.1:0", "--model", "simulated"];
    let can = place.program(strace, &["-qq", "-o", "/dev/null", "true"]).end().await;
    assert_eq!(can.code, 0, "processes cannot be traced here, so nothing is shown: {}", can.stderr);
    let server = Server::of(place.program(strace, &options).also(&serve)).await;
    let said = std::fs::read_to_string(place.state().join("lock")).unwrap();
    let traced = Traced(said.split([' ', ',']).nth(1).unwrap().to_owned());
    let mut client = server.client().await;
    let request = DeliberateRequest { task_id: ID.into(), ..deliberate("Sort a list") };
    assert_eq!(client.submit(request).await.unwrap(), ID);
    // strace may be a little behind.
    let seen = eventually("the answer is in the trace", async || {
        let text = std::fs::read_to_string(&trace).unwrap();
        let calls = calls(&text);
        calls.iter().any(Call::answers).then_some(calls)
    })
    .await;
    drop(traced);
    drop(server);
    let written = seen.iter().find(|call| call.records()).expect("the record is written to the log");
    let answered = seen.iter().find(|call| call.answers()).expect("the id is answered");
    let synced = seen.iter().any(|call| {
        call.syncs(&written.file) && call.from > written.to && call.to < answered.from && call.result == "0"
    });
    assert!(written.to < answered.from, "the record is written first");
    assert!(synced, "no sync between line {} and line {} of the trace", written.to, answered.from);
}

/// A system call, with the lines of the trace on which it begins and ends.
struct Call {
    name: String,
    /// The file or connection its descriptor stands for.
    file: String,
    /// Whether the id is in what is written.
    holds_id: bool,
    from: usize,
    to: usize,
    result: String,
}

impl Call {
    fn records(&self) -> bool {
        self.file.ends_with("/fleet.db-wal") && self.name.starts_with("pwrite") && self.holds_id
    }

    fn answers(&self) -> bool {
        (self.file.starts_with("TCP") || self.file.starts_with("socket")) && self.holds_id
    }

    fn syncs(&self, file: &str) -> bool {
        self.name.ends_with("sync") && self.file == file
    }
}

fn calls(trace: &str) -> Vec<Call> {
    let mut begun: BTreeMap<&str, Call> = BTreeMap::new();
    let mut calls = Vec::new();
    for (at, line) in trace.lines().enumerate() {
        let Some((process, rest)) = line.split_once(' ') else { continue };
        let result =
            || rest.rsplit_once(" = ").map(|(_, result)| result.trim().to_owned()).unwrap_or_default();
        let rest_of = rest.trim_start();
        if rest_of.starts_with("<... ") {
            if let Some(call) = begun.remove(process) {
                calls.push(Call { to: at, result: result(), ..call });
            }
            continue;
        }
        let Some((name, arguments)) = rest_of.split_once('(') else { continue };
        let file = arguments.split_once('<').and_then(|(_, rest)| Some(rest.split_once(['>', ','])?.0));
        let call = Call {
            name: name.to_owned(),
            file: file.unwrap_or_default().to_owned(),
            holds_id: arguments.contains(ID),
            from: at,
            to: at,
            result: result(),
        };
        match rest_of.ends_with("<unfinished ...>") {
            true => _ = begun.insert(process, call),
            false => calls.push(call),
        }
    }
    calls
}
