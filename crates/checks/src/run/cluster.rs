//! Manifests: asked of the API server of a cluster, as if they were to be created; else held against the schema.
//!
//! Every request that could change something says `dryRun=All`. Nothing of a proposal is run: only `kubectl` is
//! started, which has the credentials and speaks to the server, and gets a manifest on standard input.

mod kubectl;
mod words;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use fleet_deliberation::{CheckOutcome, CheckResult, Fault, Severity};

use crate::FAULTS_MAX;
use crate::bound::Bound;
use crate::lint::{Manifest, Manifests, schema};
use kubectl::{Answer, Kubectl, Told};

/// The most manifests of a proposal that a server is asked of.
const ASKED_MAX: usize = 20;
const RULE: &str = "run";

/// A cluster that manifests are shown to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// A kubeconfig; no other is looked for.
    pub kubeconfig: PathBuf,
    /// Which of its contexts; none is its current one.
    pub context: Option<String>,
}

/// The dry run of manifests; none where there are none.
pub(super) async fn dry_run(
    cluster: Option<&Cluster>,
    path: Option<OsString>,
    found: Manifests,
    bound: Bound,
) -> Option<CheckResult> {
    if found.is_empty() {
        return None;
    }
    let mut came =
        Came { faults: found.faults, refused: found.refused, partial: found.partial, ..Came::default() };
    let Some(cluster) = cluster else {
        found.whole.iter().for_each(|manifest| came.by_schema(manifest, None));
        return Some(came.told());
    };
    let kubectl = Kubectl::find(cluster, path, bound);
    let context = match &kubectl {
        Ok(kubectl) => kubectl.context().await,
        Err(why) => Err(why.clone()),
    };
    let (Ok(kubectl), Ok((context, namespace))) = (&kubectl, &context) else {
        let why = context.err().unwrap_or_default();
        found.whole.iter().for_each(|manifest| came.by_schema(manifest, Some(&why)));
        return Some(came.told());
    };
    came.context = context.clone();
    let (mut told, mut silent) = (Told::default(), None);
    for (nth, manifest) in found.whole.iter().enumerate() {
        let answer = match &silent {
            _ if nth >= ASKED_MAX => Answer::Unjudged(format!("no more than {ASKED_MAX} are sent")),
            Some(why) => Answer::Silent(String::clone(why)),
            None => kubectl.ask(manifest, namespace, &mut told).await,
        };
        match answer {
            Answer::Accepted => came.accepted += 1,
            Answer::Refused(why) => came.refuse(manifest, why),
            Answer::Unjudged(why) => came.by_schema(manifest, Some(&why)),
            Answer::Silent(why) => {
                came.by_schema(manifest, Some(&why));
                silent = Some(why);
            }
        }
    }
    Some(came.told())
}

/// What became of all manifests.
#[derive(Default)]
struct Came {
    context: String,
    accepted: usize,
    said: Vec<String>,
    /// How many the schema has accepted, by why the server has not been asked.
    held: BTreeMap<String, usize>,
    /// How many of a kind that no schema here has, by the same.
    unknown: BTreeMap<String, usize>,
    refused: usize,
    partial: usize,
    faults: Vec<Fault>,
}

impl Came {
    fn by_schema(&mut self, manifest: &Manifest, why: Option<&str>) {
        let list = if manifest.known { &mut self.held } else { &mut self.unknown };
        *list.entry(why.unwrap_or_default().to_owned()).or_default() += 1;
    }

    fn refuse(&mut self, manifest: &Manifest, why: String) {
        self.faults.push(Fault {
            rule: RULE.to_owned(),
            severity: Severity::Medium,
            language: manifest.language.to_owned(),
            line: manifest.line,
            column: 1,
            message: why.clone(),
            excerpt: String::new(),
        });
        self.said.push(why);
    }

    fn told(self) -> CheckResult {
        let manifests = |n: usize| if n == 1 { "1 manifest".to_owned() } else { format!("{n} manifests") };
        let because = |why: &str| if why.is_empty() { String::new() } else { format!(", as {why}") };
        let mut words = Vec::new();
        if let Some(first) = self.said.first() {
            let n = manifests(self.said.len());
            words.push(format!("{n} refused by the API server of context {}: {first}", self.context));
        }
        if self.refused > 0 {
            words.push(format!("{} refused by schema", manifests(self.refused)));
        }
        if self.accepted > 0 {
            let n = manifests(self.accepted);
            words.push(format!("{n} accepted by the API server of context {}", self.context));
        }
        words.extend(
            self.held.iter().map(|(why, n)| format!("{} accepted by schema{}", manifests(*n), because(why))),
        );
        words.extend(
            self.unknown.iter().map(|(why, n)| {
                format!("{} of a kind that no schema here has{}", manifests(*n), because(why))
            }),
        );
        if self.partial > 0 {
            words.push(format!("{} to be filled in or patches", manifests(self.partial)));
        }
        let outcome = match (self.said.len() + self.refused, self.accepted + self.held.len()) {
            (0, 0) => CheckOutcome::Skipped,
            (0, _) => CheckOutcome::Pass,
            _ => CheckOutcome::Fail,
        };
        let before = if outcome == CheckOutcome::Skipped { "not run: " } else { "" };
        let mut result = CheckResult::new(outcome, format!("{before}{}", words.join("; ")));
        if !self.context.is_empty() && self.accepted + self.said.len() > 0 {
            result.tools.push(format!("API server of context {}", self.context));
        }
        if self.refused + self.held.len() > 0 {
            result.tools.push(schema());
        }
        result.faults = self.faults;
        result.faults.truncate(FAULTS_MAX);
        result
    }
}

/// The context whose server is asked.
///
/// # Errors
/// Why none can be, in words.
pub(super) async fn context(
    cluster: &Cluster,
    path: Option<OsString>,
    bound: Bound,
) -> Result<String, String> {
    let kubectl = Kubectl::find(cluster, path, bound)?;
    let (context, _) = kubectl.context().await?;
    let said = kubectl.call(&["get", "--raw", "/api/v1"], &[]).await?;
    if said.well { Ok(context) } else { Err(words::why(&said.err)) }
}
