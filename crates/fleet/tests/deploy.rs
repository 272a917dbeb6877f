//! What starts the server elsewhere says what the program understands.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Parser as _;
use fleet::cli::Cli;
use fleet::config::{Environment, Loaded, Sources};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("it is there")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).expect("it is there")
}

/// The settings of a unit, commented ones included; a setting that is said again has all its values.
fn unit() -> BTreeMap<String, Vec<String>> {
    let mut settings: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in read("deploy/systemd/fleet.service").lines() {
        let line = line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line);
        if let Some((name, value)) = line.split_once('=').filter(|(name, _)| !name.starts_with('#')) {
            settings.entry(name.to_owned()).or_default().push(value.to_owned());
        }
    }
    settings
}

fn understood(arguments: impl IntoIterator<Item = String>) {
    let parsed = Cli::try_parse_from(arguments);
    assert!(parsed.is_ok(), "{}", parsed.err().map(|error| error.to_string()).unwrap_or_default());
}

fn environment(words: impl IntoIterator<Item = String>) -> Loaded {
    let pairs = words.into_iter().map(|word| {
        let (name, value) = word.split_once('=').expect("NAME=VALUE").to_owned();
        (name.to_owned(), value.to_owned())
    });
    // What is read from a file is not here to be read.
    let variables: Environment = pairs.filter(|(name, _)| !name.ends_with("_FILE")).collect();
    Loaded::load(&Sources { environment: variables, ..Sources::default() }).expect("it is understood")
}

#[test]
fn the_unit_is_understood_and_waits_for_the_server_to_stop() {
    let unit = unit();
    understood(unit["ExecStart"][0].split_whitespace().map(str::to_owned));
    let words = unit["Environment"].iter().flat_map(|line| line.split_whitespace());
    let loaded =
        environment(words.map(|word| word.replace("%S", "/var/lib").replace("%d", "/run/credentials")));
    assert_eq!(
        loaded.state_dir().expect("there is one"),
        Path::new("/var/lib").join(&unit["StateDirectory"][0])
    );
    let patience: u64 = unit["TimeoutStopSec"][0].parse().expect("seconds");
    assert!(patience >= loaded.config.server.shutdown_grace_s + 10, "the server is killed before it stops");
    let key = unit["Environment"].iter().find(|line| line.contains("API_KEY_FILE")).expect("it names a key");
    let (name, _) = unit["LoadCredential"][0].split_once(':').expect("NAME:FILE");
    assert!(key.ends_with(&format!("%d/{name}")), "{key}");
    for (name, value) in [("NoNewPrivileges", "yes"), ("ProtectSystem", "strict"), ("DynamicUser", "yes")] {
        assert_eq!(unit[name], [value], "{name}");
    }
    // What sandboxes and what runs in them cannot do without.
    let calls: Vec<&str> = unit["SystemCallFilter"].iter().flat_map(|line| line.split(' ')).collect();
    for call in ["prlimit64", "landlock_restrict_self", "seccomp"] {
        assert!(calls.contains(&call), "{call}");
    }
    assert!(!unit.contains_key("MemoryDenyWriteExecute"), "Node compiles as it runs");
}

#[test]
fn systemd_has_nothing_to_say_about_the_unit_where_it_is_there() {
    let Ok(version) = Command::new("systemd-analyze").arg("--version").output() else {
        eprintln!("systemd-analyze is not on this machine; the unit is not verified by it");
        return;
    };
    assert!(version.status.success());
    let place = tempfile::tempdir().expect("a directory");
    // It looks for the program, too.
    let unit =
        read("deploy/systemd/fleet.service").replace("/usr/local/bin/fleet", env!("CARGO_BIN_EXE_fleet"));
    let path = place.path().join("fleet.service");
    std::fs::write(&path, unit).expect("a file");
    let verified = Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&path).output();
    let verified = verified.expect("it runs");
    let said = String::from_utf8_lossy(&verified.stderr);
    // Other units on the machine may have faults of their own.
    assert!(!said.contains("fleet.service"), "{said}");
}

#[test]
fn the_image_is_named_in_full_and_runs_what_is_understood_without_rights() {
    let text = read("deploy/docker/Dockerfile").replace("\\\n", " ");
    let lines = |word: &str| -> Vec<String> {
        let rest = text.lines().filter_map(|line| line.trim().strip_prefix(word)?.strip_prefix(' '));
        rest.map(|rest| rest.trim().to_owned()).collect()
    };
    let stages = lines("FROM");
    assert_eq!(stages.len(), 2, "one to build in, one to run in");
    for image in &stages {
        let name = image.split_whitespace().next().unwrap_or_default();
        let (path, tag) = name.rsplit_once(':').expect("an image has a tag");
        assert!(
            path.split('/').next().is_some_and(|registry| registry.contains('.')),
            "{name} has no registry"
        );
        assert!(tag != "latest", "{name} is whatever comes");
    }
    let user = lines("USER");
    assert!(
        user.iter().all(|user| user.split(':').all(|id| id.parse::<u32>().is_ok_and(|id| id > 0)))
            && user.len() == 1
    );
    let exec = |text: &str| -> Vec<String> { serde_json::from_str(text).expect("the form without a shell") };
    let entry = exec(&lines("ENTRYPOINT")[0]);
    understood(entry.iter().cloned().chain(exec(&lines("CMD")[0])));
    let health = &lines("HEALTHCHECK")[0];
    understood(exec(health.split_once("CMD ").expect("a command").1));
    let loaded = environment(lines("ENV").iter().flat_map(|line| line.split_whitespace()).map(str::to_owned));
    assert_eq!(loaded.state_dir().expect("there is one"), Path::new(&lines("VOLUME")[0]));
    assert_eq!(loaded.config.server.listen.port().to_string(), lines("EXPOSE")[0]);
    let built_with = stages[0].split([':', '-']).nth(1).expect("a version");
    let needed = read("Cargo.toml");
    assert!(needed.contains(&format!("rust-version = \"{built_with}\"")), "it is built with {built_with}");
}

#[test]
fn what_the_image_is_built_from_is_all_that_is_needed() {
    // The manifests of all members, and what the build script of the wire reads.
    let ignored = read(".dockerignore");
    let taken: Vec<&str> = ignored.lines().filter_map(|line| line.strip_prefix('!')).collect();
    let manifest = read("Cargo.toml");
    let members =
        manifest.lines().find_map(|line| line.strip_prefix("members = ")).expect("there are members");
    let members: Vec<String> = serde_json::from_str(members).expect("a list");
    for member in members.iter().map(|member| member.trim_end_matches("/*")).chain(["proto", "Cargo.lock"]) {
        assert!(taken.contains(&member), "{member} is not taken along");
    }
}
