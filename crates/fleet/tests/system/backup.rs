//! A backup of a server at work goes on elsewhere; a restore leaves one state or the other, whenever it dies.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use fleet_api::v1::DeliberateRequest;
use rusqlite::Connection;

use crate::support::{Ended, Kept, Place, answers, deliberate, held, kind_of, until};

const TASK: &str = "Plan a riverbank for the spring floods";
/// What a restore or a backup does to files.
const STEPS: [&str; 7] = ["rename", "renameat2", "mkdir", "unlink", "unlinkat", "fsync", "fdatasync"];
const STRACE: &str = "/usr/bin/strace";

fn done(ended: &Ended) {
    assert_eq!(ended.code, 0, "{}", ended.stderr);
}

fn refused(ended: &Ended, code: i32, says: &[&str]) {
    assert_eq!((ended.code, ended.stdout.as_str()), (code, ""), "{}", ended.stderr);
    for what in says {
        assert!(ended.stderr.contains(what), "it says {what:?}: {}", ended.stderr);
    }
}

/// A state in which these ids have ended.
async fn state(place: &Place, name: &str, ids: &[&str]) -> String {
    let model = answers(0).await;
    let state = place.path(name).to_str().unwrap().to_owned();
    for id in ids {
        let asked =
            ["deliberate", TASK, "--id", id, "--url", &model.url(), "--state", &state, "--rounds", "0"];
        done(&place.run(&asked).await);
    }
    state
}

/// The ids in a state, by what the program says.
async fn ids(place: &Place, state: &str) -> BTreeSet<String> {
    let listed = place.run(&["list", "--json", "--state", state]).await;
    done(&listed);
    let rows: Vec<serde_json::Value> = serde_json::from_str(&listed.stdout).unwrap();
    rows.iter().map(|row| row["task_id"].as_str().unwrap().to_owned()).collect()
}

fn set(ids: &[&str]) -> BTreeSet<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

fn entries(dir: &Path) -> Vec<PathBuf> {
    fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[tokio::test]
async fn a_backup_of_a_server_at_work_goes_on_where_it_is_restored() {
    let (model, let_go) = held("critique").await;
    let place = Place::new();
    let server = place.serve(&["--url", &model.url()]).await;
    let mut client = server.client().await;
    let open = client.submit(deliberate(TASK)).await.unwrap();
    until("the reviews are asked for", || model.calls().len() == 6).await;
    // Others come and go meanwhile.
    let (accepted, enough) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
    let (counts, stops) = (Arc::clone(&accepted), Arc::clone(&enough));
    let submitting = tokio::spawn(async move {
        while !stops.load(Ordering::SeqCst) {
            let request = DeliberateRequest { rounds: Some(0), ..deliberate(TASK) };
            let id = client.submit(request).await.unwrap();
            counts.lock().unwrap().push(id);
        }
    });
    until("some were accepted", || accepted.lock().unwrap().len() > 20).await;
    let before = accepted.lock().unwrap().clone();
    let file = place.path("backup.db");
    let made = place.run(&["backup", file.to_str().unwrap()]).await;
    done(&made);
    enough.store(true, Ordering::SeqCst);
    submitting.await.unwrap();
    server.kill().await;
    assert!(made.stdout.starts_with(file.to_str().unwrap()), "{}", made.stdout);
    assert!(made.stdout.contains(" deliberations (") && made.stdout.contains("iB"), "{}", made.stdout);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);

    let elsewhere = place.path("elsewhere");
    let restore = ["restore", file.to_str().unwrap(), "--state", elsewhere.to_str().unwrap()];
    let restored = place.run(&restore).await;
    done(&restored);
    assert!(restored.stdout.contains("what is open goes on at the next start"), "{}", restored.stdout);
    let kept = Kept::of(&elsewhere).await;
    assert!(before.iter().all(|id| kept.ends.contains_key(id)), "what was accepted before is in it");
    assert_eq!(kept.ends[&open], 0);
    let answered = kept.answered;
    assert!(answered.iter().filter(|job| job.starts_with(&open) && kind_of(job) == "propose").count() == 3);

    let_go.store(true, Ordering::SeqCst);
    let asked = model.calls().len();
    let server = place.serve(&["--url", &model.url(), "--state", elsewhere.to_str().unwrap()]).await;
    let client = server.client().await;
    for id in before.iter().chain([&open]) {
        let result = client.ended(id).await;
        assert_eq!(result.error_message, "", "{id}");
        assert_eq!(result.results.len(), 3, "{id}");
    }
    let again: Vec<String> = model.calls().drain(asked..).map(|call| call.caller).collect();
    assert!(again.iter().all(|job| !answered.contains(job)), "{again:?}");
    assert!(again.iter().any(|job| job.starts_with(&open)), "what was under way went on");
}

#[tokio::test]
async fn what_is_in_the_way_is_said_and_left_alone() {
    let place = Place::new();
    let (old, new) = (state(&place, "old", &["a"]).await, state(&place, "new", &["b"]).await);
    let file = place.path("backup.db");
    let file = file.to_str().unwrap();
    done(&place.run(&["backup", file, "--state", &new]).await);
    refused(&place.run(&["backup", file, "--state", &old]).await, 2, &[file, "--force"]);
    done(&place.run(&["backup", file, "--force", "--state", &new]).await);
    refused(&place.run(&["backup", "/nowhere/b.db", "--state", &new]).await, 8, &["/nowhere/b.db"]);
    refused(&place.run(&["backup", file, "--force"]).await, 6, &["nothing was ever submitted here"]);
    let inside = format!("{new}/fleet.db");
    refused(&place.run(&["backup", &inside, "--force", "--state", &new]).await, 2, &[&inside]);

    refused(
        &place.run(&["restore", file, "--state", &old]).await,
        2,
        &[&old, "--force", "nothing is deleted"],
    );
    refused(&place.run(&["restore", &inside, "--state", &old]).await, 2, &["not a backup", "fleet backup"]);
    refused(&place.run(&["restore", "/nowhere/b.db", "--state", &old]).await, 2, &["/nowhere/b.db"]);
    let garbage = place.file("garbage", &"Dear diary, none of your business. ".repeat(99));
    refused(&place.run(&["restore", &garbage, "--force", "--state", &old]).await, 2, &[&garbage]);
    let newer = place.path("newer.db");
    fs::copy(file, &newer).unwrap();
    Connection::open(&newer).unwrap().pragma_update(None, "user_version", 7).unwrap();
    let newer = newer.to_str().unwrap();
    let says = [newer, "format 7", "up to format 3"];
    refused(&place.run(&["restore", newer, "--force", "--state", &old]).await, 2, &says);
    assert_eq!(ids(&place, &old).await, set(&["a"]));

    let model = answers(0).await;
    let server = place.serve(&["--url", &model.url(), "--state", &old]).await;
    let says = [server.address.as_str(), "stop it first"];
    refused(&place.run(&["restore", file, "--force", "--state", &old]).await, 7, &says);
    done(&server.stop().await);
    let restored = place.run(&["restore", file, "--force", "--state", &old]).await;
    done(&restored);
    assert_eq!(ids(&place, &old).await, set(&["b"]));
    let aside =
        restored.stdout.lines().find_map(|line| line.strip_prefix("what was there before is in ")).unwrap();
    assert_eq!(ids(&place, aside).await, set(&["a"]), "what was there can be read where it is");
}

/// Runs the program until it dies right before its `nth` step of a kind; false when it came to its end before.
async fn dies_before(place: &Place, step: &str, nth: usize, arguments: &[&str]) -> bool {
    assert!(Path::new(STRACE).exists(), "{STRACE} is missing: run make test");
    let (trace, inject) = (format!("trace={step}"), format!("inject={step}:signal=KILL:when={nth}"));
    let options = ["-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject, env!("CARGO_BIN_EXE_fleet")];
    let ended = place.program(Path::new(STRACE), &options).also(arguments).end().await;
    match ended.code {
        0 => false,
        137 => true,
        other => panic!("{other}: {}", ended.stderr),
    }
}

#[tokio::test]
async fn a_restore_that_dies_leaves_one_state_or_the_other() {
    let place = Place::new();
    let (old, new) = (state(&place, "old", &["a", "b"]).await, state(&place, "new", &["c"]).await);
    let file = place.path("backup.db");
    let file = file.to_str().unwrap();
    done(&place.run(&["backup", file, "--state", &new]).await);
    let (before, after) = (set(&["a", "b"]), set(&["c"]));
    let (mut kept, mut taken, mut between) = (0, 0, 0);
    for step in STEPS {
        for nth in 1.. {
            let dir = place.path(&format!("at-{step}-{nth}"));
            let copied = std::process::Command::new("cp").args(["-a", &old]).arg(&dir).status().unwrap();
            assert!(copied.success());
            let at = dir.to_str().unwrap();
            if !dies_before(&place, step, nth, &["restore", file, "--force", "--state", at]).await {
                break;
            }
            // Whoever only reads sees one of the two, or is told that it is not complete.
            let read = place.run(&["list", "--json", "--state", at]).await;
            match read.code {
                0 => {}
                7 => between += 1,
                other => panic!("{other}: {}", read.stderr),
            }
            // Whoever works on it finds one of the two.
            let asked = ["councils", "delete", "NOBODY", "--state", at];
            refused(&place.run(&asked).await, 6, &["NOBODY"]);
            let found = ids(&place, at).await;
            match (found == before, found == after) {
                (true, false) => kept += 1,
                (false, true) => taken += 1,
                _ => panic!("{step} {nth} left {found:?}"),
            }
            let said = if found == before { "\"a\"" } else { "\"c\"" };
            assert!(read.code == 7 || read.stdout.contains(said), "{step} {nth}: {}", read.stdout);
            let aside: Vec<PathBuf> = entries(&dir).into_iter().filter(|path| path.is_dir()).collect();
            assert_eq!(aside.len(), usize::from(found == after), "{step} {nth}: {aside:?}");
            for aside in aside {
                assert_eq!(
                    ids(&place, aside.to_str().unwrap()).await,
                    before,
                    "{step} {nth}: nothing is lost"
                );
            }
        }
    }
    assert!(kept > 3 && taken > 6 && between > 3, "{kept} before, {taken} after, {between} in between");
}

#[tokio::test]
async fn a_backup_that_dies_leaves_what_was_there() {
    let place = Place::new();
    let (old, new) = (state(&place, "old", &["a"]).await, state(&place, "new", &["b"]).await);
    let (file, first) = (place.path("backup.db"), place.path("first.db"));
    done(&place.run(&["backup", first.to_str().unwrap(), "--state", &old]).await);
    let (mut kept, mut replaced) = (0, 0);
    for step in STEPS {
        for nth in 1.. {
            fs::copy(&first, &file).unwrap();
            let asked = ["backup", file.to_str().unwrap(), "--force", "--state", &new];
            if !dies_before(&place, step, nth, &asked).await {
                break;
            }
            let at = place.path(&format!("at-{step}-{nth}"));
            let at = at.to_str().unwrap();
            done(&place.run(&["restore", file.to_str().unwrap(), "--state", at]).await);
            let found = ids(&place, at).await;
            match (found == set(&["a"]), found == set(&["b"])) {
                (true, false) => kept += 1,
                (false, true) => replaced += 1,
                _ => panic!("{step} {nth} left {found:?}"),
            }
        }
    }
    assert!(kept > 1 && replaced > 0, "{kept} before, {replaced} after");
}
