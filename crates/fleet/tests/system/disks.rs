//! Disks that are full, that can only be read, that are broken: an error at once that says which file and what
//! to do, and nothing on them is touched.

use std::fs::{self, Permissions};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use fleet_api::v1::{DeliberationStatus, GetStatusRequest};
use fleet_scripted::{Call, Outcome, Script as _, Scripted};
use rusqlite::Connection;
use tonic::Code;

use crate::support::{
    Client, Ended, Filler, Place, Server, View, council, deliberate, eventually, kind_of, retry_of, until,
};

const TASK: &str = "Plan a riverbank for the spring floods";
const SIMULATED: [&str; 2] = ["--model", "simulated"];

/// A model whose proposals are still under way when the disk is full.
async fn slow_at_first() -> Scripted {
    let council = council(0);
    let script = move |call: &Call| {
        let reply = council.reply(call);
        if kind_of(&call.caller) == "propose" { reply.after_ms(2_000) } else { reply }
    };
    Scripted::start(script).await.unwrap()
}

/// A state that holds one deliberation, `first`, which has ended.
async fn seeded(place: &Place) -> PathBuf {
    let dir = place.path("seed");
    let state = dir.to_str().unwrap();
    let ended =
        place.run(&["deliberate", TASK, "--id", "first", "--model", "simulated", "--state", state]).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    dir
}

/// What is to be started on a state that cannot be worked on.
fn workers(state: &str) -> [Vec<&str>; 2] {
    let serve = ["serve", "--listen", "127.0.0.1:0", "--state", state];
    let deliberate = ["deliberate", TASK, "--state", state];
    [[serve.as_slice(), &SIMULATED].concat(), [deliberate.as_slice(), &SIMULATED].concat()]
}

fn refused(ended: &Ended, code: i32, says: &[&str]) {
    assert_eq!(ended.code, code, "{}", ended.stderr);
    for what in says {
        assert!(ended.stderr.contains(what), "it says {what:?}: {}", ended.stderr);
    }
    assert_eq!(ended.stdout, "");
    assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
}

/// The files of a directory with what they hold, as a number. Not the lock, which says who held it last, nor
/// what SQLite shares between processes, nor what holds nothing.
fn files(dir: &Path) -> Vec<(PathBuf, u64)> {
    let hash = |path: &Path| {
        let mut hasher = DefaultHasher::new();
        fs::read(path).unwrap().hash(&mut hasher);
        hasher.finish()
    };
    let mut found: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| !path.ends_with("lock") && !path.ends_with("fleet.db-shm"))
        .filter(|path| fs::metadata(path).unwrap().len() > 0)
        .map(|path| (path.clone(), hash(&path)))
        .collect();
    found.sort();
    found
}

async fn status(client: &Client) -> String {
    let request = GetStatusRequest { include_stats: false };
    client.clone().calls.get_status(request).await.unwrap().into_inner().status
}

#[tokio::test]
async fn a_server_whose_disk_fills_refuses_and_goes_on_once_there_is_room() {
    let (model, place) = (slow_at_first().await, Place::new());
    let disk = place.path("disk");
    fs::create_dir(&disk).unwrap();
    let state = disk.join("state");
    let serve =
        ["serve", "--listen", "127.0.0.1:0", "--url", &model.url(), "--state", state.to_str().unwrap()];
    let server = Server::of(place.apart(View::Small, &disk, &serve).await).await;
    let mut client = server.client().await;
    assert_eq!(status(&client).await, "healthy");
    let id = client.submit(deliberate(TASK)).await.unwrap();
    until("the model is asked", || model.calls().len() == 3).await;

    let filler = Filler::fill(&server.running, &disk);
    // What the log has room for beyond its last page may still be taken.
    let refused = eventually("the disk is full", || {
        let mut client = client.clone();
        async move { client.submit(deliberate(&"A long task. ".repeat(500))).await.err() }
    })
    .await;
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused}");
    assert!(retry_of(&refused).is_some() && refused.message().contains("room"), "{refused}");
    assert_eq!(status(&client).await, "degraded");
    server.running.says("the state cannot be written").await;
    assert!(server.running.stderr().contains(state.to_str().unwrap()), "{}", server.running.stderr());
    until("the model has answered", || model.calls().iter().all(|call| call.outcome != Outcome::Begun)).await;
    let meanwhile = client.result(&id).await.unwrap();
    assert!(meanwhile.status < DeliberationStatus::Completed as i32, "what was accepted is still there");
    let list = place.run(&["list", "--server", &server.address]).await;
    assert_eq!(list.code, 0, "{}", list.stderr);

    filler.remove();
    assert_eq!(client.ended(&id).await.status(), DeliberationStatus::Completed);
    assert_eq!(status(&client).await, "healthy");
    server.running.says("can be written again").await;
    client.submit(deliberate(TASK)).await.unwrap();
    let asked = |kind| {
        model.calls().iter().filter(|c| c.caller.starts_with(&id) && kind_of(&c.caller) == kind).count()
    };
    assert_eq!(["propose", "critique", "revise"].map(asked), [3, 3, 3], "nothing was paid for twice");
    let ended = server.stop().await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
}

#[tokio::test]
async fn on_a_full_disk_nothing_begins_and_nothing_changes() {
    let place = Place::new();
    let (seed, nothing, disk) = (seeded(&place).await, place.path("nothing"), place.path("disk"));
    fs::create_dir(&nothing).unwrap();
    fs::create_dir(&disk).unwrap();
    let state = disk.to_str().unwrap();
    for with in [&seed, &nothing] {
        for arguments in workers(state) {
            let ended = place.apart(View::Full(with.clone()), &disk, &arguments).await.end().await;
            refused(&ended, 8, &[state, "make room", "--state DIR"]);
            let held = |dir: &Path| -> Vec<(String, u64)> {
                let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
                files(dir).iter().map(|(path, hash)| (name(path), *hash)).collect()
            };
            assert_eq!(held(&disk.with_extension("after")), held(with), "{}", ended.stderr);
        }
    }
    let listed = place.apart(View::Full(seed), &disk, &["list", "--state", state]).await.end().await;
    assert!(listed.stdout.contains("first"), "what is there can be read: {}", listed.stderr);
}

#[tokio::test]
async fn a_run_whose_disk_fills_leaves_at_once_and_is_resumed_where_there_is_room() {
    let (model, place) = (slow_at_first().await, Place::new());
    let disk = place.path("disk");
    fs::create_dir(&disk).unwrap();
    let (state, url) = (disk.join("state"), model.url());
    let state = state.to_str().unwrap();
    let asked = ["deliberate", TASK, "--id", "mine", "--state", state, "--url", &url];
    let run = place.apart(View::Small, &disk, &asked).await.start();
    until("the model is asked", || model.calls().len() == 3).await;
    Filler::fill(&run, &disk);
    // The disk goes with the run, so what it holds is kept as long as the run sees it.
    let (saved, seen) = (place.path("saved"), format!("/proc/{}/root{state}", run.pid()));
    let copy = std::process::Command::new("cp").args(["-a", &seen, saved.to_str().unwrap()]).status();
    assert!(copy.unwrap().success());
    let ended = run.ended().await;
    refused(&ended, 8, &[state, "full", "make room", "fleet resume mine"]);

    let resumed = place.run(&["resume", "mine", "--state", saved.to_str().unwrap(), "--url", &url]).await;
    assert_eq!(resumed.code, 0, "{}", resumed.stderr);
}

#[tokio::test]
async fn on_a_disk_that_is_only_read_nothing_begins_and_all_can_be_read() {
    let place = Place::new();
    let dir = seeded(&place).await;
    let (state, before) = (dir.to_str().unwrap(), files(&dir));
    for arguments in workers(state) {
        let ended = place.apart(View::ReadOnly, &dir, &arguments).await.end().await;
        refused(&ended, 8, &[state, "Read-only file system", "--state DIR"]);
    }
    let elsewhere = dir.join("new");
    for arguments in workers(elsewhere.to_str().unwrap()) {
        let ended = place.apart(View::ReadOnly, &dir, &arguments).await.end().await;
        refused(&ended, 8, &[elsewhere.to_str().unwrap(), "Read-only file system", "--state DIR"]);
    }
    let listed = place.apart(View::ReadOnly, &dir, &["list", "--state", state]).await.end().await;
    assert!(listed.code == 0 && listed.stdout.contains("first"), "{}", listed.stderr);
    let result = place.apart(View::ReadOnly, &dir, &["result", "first", "--state", state]).await.end().await;
    assert_eq!(result.code, 0, "{}", result.stderr);
    let (file, restored) = (place.path("backup.db"), place.path("restored"));
    let (file, restored) = (file.to_str().unwrap(), restored.to_str().unwrap());
    let backup = place.apart(View::ReadOnly, &dir, &["backup", file, "--state", state]).await.end().await;
    assert_eq!(backup.code, 0, "{}", backup.stderr);
    assert_eq!(place.run(&["restore", file, "--state", restored]).await.code, 0);
    assert_eq!(place.run(&["result", "first", "--state", restored]).await.stdout, result.stdout);
    let backup = place.apart(View::ReadOnly, &dir, &["backup", "--state", restored]).await;
    let inside = dir.join("backup.db");
    refused(
        &backup.also(&[inside.to_str().unwrap()]).end().await,
        8,
        &["backup.db", "Read-only file system"],
    );
    let restore = place.apart(View::ReadOnly, &dir, &["restore", file, "--force", "--state", state]).await;
    refused(&restore.end().await, 8, &[state, "Read-only file system"]);
    assert_eq!(files(&dir), before);
}

#[tokio::test]
async fn what_nobody_may_touch_is_named() {
    let place = Place::new();
    let dir = seeded(&place).await;
    let state = dir.to_str().unwrap();
    let before = files(&dir);
    for (mode, what) in [(0o000, dir.clone()), (0o500, dir.join("lock")), (0o700, dir.join("fleet.db"))] {
        let lock = |mode| fs::set_permissions(&what, Permissions::from_mode(mode)).unwrap();
        match what == dir {
            true => lock(mode),
            false => {
                fs::set_permissions(&dir, Permissions::from_mode(mode)).unwrap();
                lock(0o000);
            }
        }
        for arguments in workers(state) {
            let ended = place.without_rights(&arguments).await.end().await;
            refused(&ended, 8, &[state, "ermission", "--state DIR"]);
        }
        let listed = place.without_rights(&["list", "--state", state]).await.end().await;
        match what.ends_with("lock") {
            true => assert_eq!(listed.code, 0, "{}", listed.stderr),
            false => refused(&listed, 8, &[state, "ermission", "--state DIR"]),
        }
        fs::set_permissions(&dir, Permissions::from_mode(0o700)).unwrap();
        lock(if what == dir { 0o700 } else { 0o600 });
    }
    assert_eq!(files(&dir), before);
}

#[tokio::test]
async fn a_file_that_is_broken_foreign_or_newer_is_named_and_left_as_it_is() {
    let place = Place::new();
    let seed = seeded(&place).await;
    let whole = fs::read(seed.join("fleet.db")).unwrap();
    let dir = place.path("broken");
    let state = dir.to_str().unwrap();
    let path = dir.join("fleet.db");
    let garbage: Vec<u8> = (0..20_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let newer = |path: &Path| {
        fs::write(path, &whole).unwrap();
        Connection::open(path).unwrap().pragma_update(None, "user_version", 4).unwrap();
    };
    type Case<'a> = (&'a dyn Fn(&Path), i32, &'a [&'a str]);
    let cases: [Case<'_>; 6] = [
        (&|path| fs::write(path, &garbage).unwrap(), 2, &["is not a file of ours", "--state DIR"]),
        (&|path| fs::write(path, &whole[..60]).unwrap(), 2, &["is not a file of ours", "--state DIR"]),
        (
            &|path| fs::write(path, &whole[..whole.len() / 2]).unwrap(),
            8,
            &["is damaged", "fleet restore FILE --force"],
        ),
        (
            &|path| fs::write(path, &whole[..whole.len() - 7]).unwrap(),
            8,
            &["is damaged", "fleet restore FILE --force"],
        ),
        (&newer, 2, &["has format 4", "up to format 3", "use that version"]),
        (&|path| fs::create_dir(path).unwrap(), 8, &["directory", "--state DIR"]),
    ];
    for (make, code, says) in cases {
        _ = fs::remove_dir_all(&dir);
        fs::create_dir(&dir).unwrap();
        make(&path);
        let before = path.is_file().then(|| files(&dir));
        for arguments in workers(state) {
            let ended = place.run(&arguments).await;
            refused(&ended, code, &[&[path.to_str().unwrap()], says].concat());
        }
        if let Some(before) = before {
            assert_eq!(files(&dir), before);
        }
    }
}
