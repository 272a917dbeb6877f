//! `fleet doctor`: what is reachable, what is durable, and what to do about what is not.

use fleet_api::v1 as wire;
use fleet_checks::{LinterFound, Linters};
use fleet_embedded::{OpenError, ReadOnly, held_by};
use fleet_llm::{Condition, ServerStatus};
use fleet_orchestrator::port::{HistoryKind, Listing};
use serde::Serialize;
use std::path::{Path, PathBuf};

use crate::cli::Doctor;
use crate::config::{DEFAULT_PROFILE, Loaded, ModelKind};
use crate::remote::Remote;
use crate::show::{Working, print};
use crate::{Exit, Problem, model, state};

/// How something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Level {
    Ok,
    /// It works, and may not be what is wanted.
    Note,
    /// It does not work.
    Problem,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    about: String,
    level: Level,
    found: String,
    /// What to do about it.
    advice: Option<String>,
}

struct Report(Vec<Finding>);

impl Report {
    fn ok(&mut self, about: &str, found: impl Into<String>) {
        self.0.push(Finding { about: about.into(), level: Level::Ok, found: found.into(), advice: None });
    }

    fn say(&mut self, level: Level, about: &str, found: impl Into<String>, advice: impl Into<String>) {
        let (about, found, advice) = (about.into(), found.into(), Some(advice.into()));
        self.0.push(Finding { about, level, found, advice });
    }
}

pub(super) async fn run(loaded: &Loaded, asked: Doctor) -> anyhow::Result<Exit> {
    let mut report = Report(Vec::new());
    configuration(loaded, &mut report);
    let working = Working::begin("looking at the state and at the model servers ...".to_owned());
    kept(loaded, &mut report).await?;
    server(loaded, &mut report).await?;
    policies(loaded, &mut report);
    runs(loaded, &mut report).await;
    linters(loaded, &mut report).await;
    cluster(loaded, &mut report).await;
    models(loaded, &mut report).await?;
    working.done();
    let sick = report.0.iter().any(|finding| finding.level == Level::Problem);
    if asked.json {
        print(&(serde_json::to_string(&report.0)? + "\n"))?;
    } else {
        print(&text(&report.0))?;
    }
    Ok(if sick { Exit::Unavailable } else { Exit::Done })
}

fn configuration(loaded: &Loaded, report: &mut Report) {
    let about = "configuration";
    match &loaded.file {
        Some(path) => report.ok(about, format!("{} is in effect", path.display())),
        None => report.ok(about, "no file; the defaults are in effect (fleet config shows them)"),
    }
    for warning in &loaded.warnings {
        report.say(Level::Note, about, warning.clone(), "unset it if it is not meant");
    }
    if !loaded.config.server.listen.ip().is_loopback() {
        report.say(
            Level::Note,
            about,
            format!("the server listens on {}, beyond this machine", loaded.config.server.listen),
            "it has no access control of its own: put something before it that has",
        );
    }
}

async fn kept(loaded: &Loaded, report: &mut Report) -> anyhow::Result<()> {
    let about = "state";
    let dir = loaded.state_dir()?;
    match ReadOnly::open(&dir) {
        Ok(files) => {
            let open = files.events.histories(Listing::Open(HistoryKind::Deliberation)).await;
            match open {
                Ok(open) => {
                    report.ok(about, format!("{}: {} deliberations are open", dir.display(), open.len()))
                }
                Err(error) => report.say(
                    Level::Problem,
                    about,
                    format!("{} cannot be read: {}", dir.display(), fleet_orchestrator::chain(&error)),
                    "restore a backup (fleet restore), or look at the disk",
                ),
            }
        }
        Err(OpenError::Missing(_)) => {
            report.ok(about, format!("{}: nothing was kept there yet", dir.display()));
        }
        Err(error) => {
            let (_, message) = Problem::report(&error.into());
            report.say(Level::Problem, about, message, "every command that needs the state ends with this");
        }
    }
    if let Err(error) = writable(&dir) {
        let found = format!("nothing can be written in {}: {error}", dir.display());
        report.say(Level::Problem, about, found, "mend its permissions or its disk, or give --state DIR");
    }
    durability(&dir, report);
    Ok(())
}

/// Whether files can be made in the directory, or in the nearest one above it that is there.
fn writable(dir: &Path) -> std::io::Result<()> {
    let there: Option<PathBuf> = dir.ancestors().find(|dir| dir.exists()).map(Path::to_owned);
    let probe = there.unwrap_or_default().join(format!(".fleet-doctor-{}", std::process::id()));
    std::fs::OpenOptions::new().write(true).create_new(true).open(&probe)?;
    std::fs::remove_file(&probe)
}

fn durability(dir: &Path, report: &mut Report) {
    let about = "durability";
    let synced = "every answer and decision is synced to disk before anyone hears of it";
    match file_system(dir).as_deref() {
        Some(kind @ ("tmpfs" | "ramfs")) => report.say(
            Level::Note,
            about,
            format!("the state is on {kind}, which is memory: it is gone with the next boot"),
            "give --state DIR or state.dir on a disk",
        ),
        Some(kind @ ("nfs" | "nfs4" | "cifs" | "smb3" | "9p")) => report.say(
            Level::Note,
            about,
            format!("the state is on {kind}; locks and syncs are only as good as its server's"),
            "a local disk is the safe choice",
        ),
        Some(kind) => {
            report.ok(about, format!("{synced} (SQLite, one file, on {kind}); one machine holds it"))
        }
        None => report.ok(about, format!("{synced} (SQLite, one file); one machine holds it")),
    }
}

/// The type of the file system a directory is on, or would be.
fn file_system(dir: &Path) -> Option<String> {
    let dir = dir.ancestors().find_map(|dir| dir.canonicalize().ok())?;
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    // "ID PARENT DEVICE ROOT PLACE OPTIONS ... - TYPE SOURCE OPTIONS" (proc_pid_mountinfo(5)).
    let mount = |line: &str| {
        let (before, after) = line.split_once(" - ")?;
        Some((PathBuf::from(before.split(' ').nth(4)?), after.split(' ').next()?.to_owned()))
    };
    let holds = mounts.lines().filter_map(mount).filter(|(place, _)| dir.starts_with(place));
    // Of two mounts at the same place the later one is seen.
    holds.max_by_key(|(place, _)| place.components().count()).map(|(_, kind)| kind)
}

async fn server(loaded: &Loaded, report: &mut Report) -> anyhow::Result<()> {
    let about = "server";
    let Some(address) = state::server(loaded)? else {
        match held_by(&loaded.state_dir()?) {
            Some(holder) => report.ok(about, format!("none; {holder} works on the state")),
            None => report.ok(about, "none works on the state; fleet serve starts one"),
        }
        return Ok(());
    };
    let asked = async {
        let request = wire::GetStatusRequest { include_stats: false };
        anyhow::Ok(Remote::connect(&address).await?.calls().get_status(request).await?.into_inner())
    };
    match asked.await {
        Ok(status) if status.status == "healthy" => {
            report.ok(about, format!("{address} is healthy, up for {} s", status.uptime_seconds));
        }
        Ok(status) => report.say(
            Level::Problem,
            about,
            format!("{address} says that it is {}", status.status),
            "its log says why; degraded is full, or without a model server it needs",
        ),
        Err(error) => {
            let (_, message) = Problem::report(&error);
            report.say(Level::Problem, about, message, "the process holds the state and does not answer");
        }
    }
    Ok(())
}

/// The policies that proposals are held against.
fn policies(loaded: &Loaded, report: &mut Report) {
    match crate::running::policies(loaded) {
        Ok(policies) => {
            let rules = policies.rules().len();
            let own = match loaded.config.checks.policies.as_str() {
                "" => "all built in".to_owned(),
                folder => format!("those of {folder} among them"),
            };
            report.ok("policies", format!("{rules} rules, {own}"));
        }
        Err(error) => {
            let (_, message) = Problem::report(&error);
            report.say(Level::Problem, "policies", message, "mend the folder that checks.policies names");
        }
    }
}

/// What shuts in the code of proposals, and what it can be run by.
async fn runs(loaded: &Loaded, report: &mut Report) {
    let about = "running code";
    let runs = crate::running::runs(loaded);
    if loaded.config.checks.sandbox == fleet_sandbox::Choice::Off {
        report.ok(about, "off, as checks.sandbox says: proposals are only read");
        return;
    }
    match runs.sandbox().await {
        Ok(sandbox) => match runs.toolchains().await {
            none if none.is_empty() => report.say(
                Level::Note,
                about,
                format!("{sandbox}, and no toolchain was found"),
                "install one of python3, node, bash, rustc, cc and go, or nothing is run",
            ),
            found => {
                let lacking = match runs.lacking().await {
                    none if none.is_empty() => String::new(),
                    lacking => format!("; not run: {}", lacking.join("; ")),
                };
                report.ok(about, format!("{sandbox}; {}{lacking}", found.join(", ")));
            }
        },
        Err(error) => report.say(
            Level::Note,
            about,
            format!("{error}; proposals are only read"),
            "install bubblewrap, or use Linux 6.2 or newer with Landlock",
        ),
    }
}

/// Which linters look at proposals, too.
async fn linters(loaded: &Loaded, report: &mut Report) {
    let about = "linters";
    if !loaded.config.checks.tools {
        report.ok(about, "off, as checks.tools says: proposals are read by what is built in");
        return;
    }
    let runs = crate::running::runs(loaded);
    if let Err(error) = runs.sandbox().await {
        report.ok(about, format!("{error}; none is run"));
        return;
    }
    let (mut works, mut missing) = (Vec::new(), Vec::new());
    for found in Linters::new(runs).found().await {
        match found {
            LinterFound::Works(version) => works.push(version),
            LinterFound::Missing(name) => missing.push(name),
            LinterFound::Broken(name, why) => report.say(
                Level::Note,
                about,
                format!("{name} is here, and does not start in the sandbox: {why}"),
                "it needs more than its program, or the virtual environment it stands in; or set checks.tools = false",
            ),
        }
    }
    let works = if works.is_empty() { "none".to_owned() } else { works.join(", ") };
    let missing =
        if missing.is_empty() { String::new() } else { format!("; not found: {}", missing.join(", ")) };
    report.ok(about, works + &missing);
}

/// Who judges manifests.
async fn cluster(loaded: &Loaded, report: &mut Report) {
    let about = "manifests";
    match crate::running::runs(loaded).cluster().await {
        None => report.ok(about, "by schema, as checks.kubeconfig names no cluster"),
        Some(Ok(context)) => report.ok(about, format!("by the API server of context {context}")),
        Some(Err(why)) => report.say(
            Level::Note,
            about,
            format!("by schema: the cluster of checks.kubeconfig cannot be asked: {why}"),
            "mend checks.kubeconfig or checks.kube_context, or install kubectl",
        ),
    }
}

async fn models(loaded: &Loaded, report: &mut Report) -> anyhow::Result<()> {
    let models = match model::servers(loaded, model::World::new()).await {
        Ok(models) => models,
        Err(error) => {
            let (_, message) = Problem::report(&error);
            report.say(Level::Problem, "models", message, "mend the configuration");
            return Ok(());
        }
    };
    models.look().await;
    for (name, profile) in model::profiles_of(&loaded.config) {
        let about = format!("profile {name}");
        if profile.kind == ModelKind::Simulated {
            report.say(
                Level::Note,
                &about,
                "the simulated model, as configured: its answers are not real",
                "",
            );
            continue;
        }
        let pool = models.status().into_iter().find(|pool| pool.profile.as_deref() == Some(name));
        let Some(pool) = pool else {
            let level = if profile.kind == ModelKind::Openai { Level::Problem } else { Level::Note };
            let found = "no server is configured, and none answers on the usual local ports";
            let advice = match level {
                Level::Problem => "start one, or name one with model.url",
                _ => "tasks are answered by the simulated model; start a server, or name one with model.url",
            };
            report.say(level, &about, found, advice);
            continue;
        };
        for server in pool.servers {
            look_at(loaded, (name, &profile.name), &server, report);
        }
    }
    Ok(())
}

fn look_at(loaded: &Loaded, (profile, model): (&str, &str), server: &ServerStatus, report: &mut Report) {
    let about = format!("profile {profile}");
    let (place, health) = (&server.server, &server.health);
    let section = if profile == DEFAULT_PROFILE { "model".to_owned() } else { format!("profiles.{profile}") };
    let key = if loaded.api_key(profile).is_some() { "with a key" } else { "without a key" };
    let listed = health.models.as_deref().unwrap_or_default();
    match health.condition {
        Condition::Up if !health.why.is_empty() => report.say(
            Level::Problem,
            &about,
            format!("{place} answers ({key}), but {}", health.why),
            format!("set {section}.api_key_file or {section}.api_key_env"),
        ),
        Condition::Up if !model.is_empty() && !listed.is_empty() && !listed.iter().any(|m| m == model) => {
            let found = format!("{place} answers, and does not serve {model}; it has {}", listed.join(", "));
            report.say(Level::Problem, &about, found, format!("set {section}.name to one of these"));
        }
        Condition::Up => {
            let serves = if model.is_empty() { listed.first().map_or("", String::as_str) } else { model };
            report.ok(&about, format!("{place} answers ({key}) and serves {serves}"));
        }
        Condition::Loading => report.say(
            Level::Note,
            &about,
            format!("{place} is loading its model: {}", health.why),
            "wait until it is done; calls go elsewhere meanwhile",
        ),
        Condition::Down | Condition::Unknown => report.say(
            Level::Problem,
            &about,
            format!("{place} does not serve: {}", health.why),
            format!("start it, or name another in {section}.url"),
        ),
    }
}

fn text(findings: &[Finding]) -> String {
    let abouts = findings.iter().map(|finding| finding.about.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for Finding { about, level, found, advice } in findings {
        let mark = match level {
            Level::Ok => "ok     ",
            Level::Note => "note   ",
            Level::Problem => "PROBLEM",
        };
        text += &format!("{mark}  {about:abouts$}  {found}\n");
        if let Some(advice) = advice.as_deref().filter(|advice| !advice.is_empty()) {
            text += &format!("{:7}  {:abouts$}  -> {advice}\n", "", "");
        }
    }
    text
}
