//! Reading policies: those that are built in, then those of a folder, each tried before it counts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io};

use fleet_deliberation::{Severity, Task};
use regorus::{Engine, Value};
use serde::Deserialize;

use super::input::Input;
use super::{Failure, Loaded, POLICY_MS_MAX, Place, Policies, Rule};
use crate::bound::Bound;

/// The most files a folder of policies may hold.
const FILES_MAX: usize = 256;
const ID_CHARS_MAX: usize = 80;

/// Where the built-in ones come from: the name of the file and what it holds.
const BUILT_IN: [(&str, &str); 7] = [
    ("lib.rego", include_str!("../../policies/lib.rego")),
    ("dependencies.rego", include_str!("../../policies/dependencies.rego")),
    ("kubernetes.rego", include_str!("../../policies/kubernetes.rego")),
    ("license.rego", include_str!("../../policies/license.rego")),
    ("secrets.rego", include_str!("../../policies/secrets.rego")),
    ("shell.rego", include_str!("../../policies/shell.rego")),
    ("tls.rego", include_str!("../../policies/tls.rego")),
];
/// The package of what the built-in ones share.
const LIBRARY: &str = "fleet.lib";

/// What every policy is tried on before it counts, besides its own examples.
const SAMPLES: [&str; 3] = [
    "",
    "Words.\n\n```python\n# a.py\nprint(1)\n```\n\n```\nx\n```\n",
    "```yaml\napiVersion: v1\nkind: Pod\nspec: {containers: [{name: a, image: b}]}\n```\n```bash\ncurl x | sh\n```\n",
];

/// Why policies are refused. Each says what and where, so that it can be put right.
#[derive(Debug, thiserror::Error)]
pub enum BadPolicy {
    /// A folder or a file cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The folder or the file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A folder holds too much.
    #[error("{} holds more than {FILES_MAX} policies", folder.display())]
    TooMany {
        /// The folder.
        folder: PathBuf,
    },
    /// A policy is not what a policy must be.
    #[error("{file}:{line}: {what}")]
    Refused {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        what: String,
    },
}

/// An entry of `rules`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    severity: Severity,
    #[serde(default)]
    title: String,
    #[serde(default)]
    explanation: String,
    catches: Option<String>,
    passes: Option<String>,
    #[serde(default)]
    metadata: BTreeMap<String, String>,
}

/// A file of policies.
struct Source {
    file: String,
    text: String,
    own: bool,
}

impl Source {
    fn refused(&self, line: usize, what: impl Into<String>) -> BadPolicy {
        BadPolicy::Refused { file: self.file.clone(), line, what: what.into() }
    }

    /// The first line that holds a text, from 1; else that of the package.
    fn line_of(&self, text: &str) -> usize {
        let line = |text: &str| self.text.lines().position(|line| line.contains(text));
        line(text).or_else(|| line("package ")).map_or(1, |line| line + 1)
    }

    /// What the engine says of this file.
    fn said(&self, error: &anyhow::Error) -> BadPolicy {
        let (place, what) = said(error);
        match place {
            Some((file, line)) => BadPolicy::Refused { file, line, what },
            None => self.refused(self.line_of("package "), what),
        }
    }
}

impl Policies {
    /// Reads the policies that are built in and those of a folder, and tries each.
    pub fn load(folder: Option<&Path>) -> Result<Policies, BadPolicy> {
        let mut sources: Vec<Source> = BUILT_IN
            .iter()
            .map(|(file, text)| Source { file: (*file).into(), text: (*text).into(), own: false })
            .collect();
        if let Some(folder) = folder {
            sources.extend(of_folder(folder)?);
        }
        let mut engine = Engine::new();
        let mut packages: Vec<(String, &Source)> = Vec::new();
        for source in &sources {
            engine
                .add_policy(source.file.clone(), source.text.clone())
                .map_err(|error| source.said(&error))?;
            let package = package(&engine, source)?;
            if package == LIBRARY && !source.own {
                continue;
            }
            if let Some((_, other)) = packages.iter().find(|(name, _)| *name == package) {
                let what = format!("the package {package} stands in {} already", other.file);
                return Err(source.refused(source.line_of("package "), what));
            }
            packages.push((package, source));
        }
        let mut loaded = Loaded { engine, packages: Vec::new(), rules: Vec::new() };
        loaded.engine.set_input(Input::new("", None, None).document);
        for (package, source) in &packages {
            let rules = rules(&mut loaded.engine, package, source)?;
            if let Some(known) = rules.iter().find(|rule| loaded.rules.iter().any(|r| r.id == rule.id)) {
                let id = &known.id;
                return Err(source.refused(
                    source.line_of(&format!("\"{id}\"")),
                    format!("there is a rule {id:?} already"),
                ));
            }
            loaded.rules.extend(rules);
            loaded.packages.push(package.clone());
        }
        let policies = Policies(Arc::new(loaded));
        for (package, source) in &packages {
            policies.tried(package, source)?;
        }
        Ok(policies)
    }

    /// Tries a package: on nothing, and where it is not built in, on samples and its own examples.
    fn tried(&self, package: &str, source: &Source) -> Result<(), BadPolicy> {
        let samples = if source.own { &SAMPLES[..] } else { &SAMPLES[..1] };
        for sample in samples {
            self.ids(package, source, sample, &BTreeMap::new())?;
        }
        for rule in self.rules().iter().filter(|rule| source.own && rule.package == package) {
            for (example, caught) in [(&rule.catches, true), (&rule.passes, false)] {
                let Some(example) = example else { continue };
                if self.ids(package, source, example, &rule.metadata)?.contains(&rule.id) != caught {
                    let what = if caught {
                        "does not catch what `catches` holds"
                    } else {
                        "catches what `passes` holds"
                    };
                    let line = source.line_of(&format!("\"{}\"", rule.id));
                    return Err(source.refused(line, format!("the rule {:?} {what}", rule.id)));
                }
            }
        }
        Ok(())
    }

    /// The ids of what a package denies in a proposal.
    fn ids(
        &self,
        package: &str,
        source: &Source,
        proposal: &str,
        metadata: &BTreeMap<String, String>,
    ) -> Result<Vec<String>, BadPolicy> {
        let task = Task { metadata: metadata.clone(), ..Task::default() };
        let mut engine = self.0.engine.clone();
        engine.set_input(Input::new(proposal, Some(&task), None).document);
        let bound = Bound::new(Duration::from_millis(POLICY_MS_MAX));
        match self.denied(&mut engine, package, bound) {
            Ok(denied) => Ok(denied.into_iter().map(|denied| denied.id).collect()),
            Err(Failure::Broken { place, what, .. }) => {
                let (file, line) = place.unwrap_or_else(|| (source.file.clone(), source.line_of("deny ")));
                Err(BadPolicy::Refused { file, line, what })
            }
            Err(failure @ Failure::OutOfTime { .. }) => {
                Err(source.refused(source.line_of("deny "), failure.to_string()))
            }
        }
    }
}

/// The policies of a folder, in the order of their names.
fn of_folder(folder: &Path) -> Result<Vec<Source>, BadPolicy> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        |source| BadPolicy::Unreadable { path, source }
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable(folder))? {
        let path = entry.map_err(unreadable(folder))?.path();
        if path.extension().is_some_and(|extension| extension == "rego") {
            files.push(path);
        }
        if files.len() > FILES_MAX {
            return Err(BadPolicy::TooMany { folder: folder.to_owned() });
        }
    }
    files.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).map_err(unreadable(&path))?;
        Ok(Source { file: path.display().to_string(), text, own: true })
    };
    files.into_iter().map(read).collect()
}

/// The package of the policy that was added last.
fn package(engine: &Engine, source: &Source) -> Result<String, BadPolicy> {
    let packages = engine.get_policy_package_components().map_err(|error| source.said(&error))?;
    let components = packages.last().map(|package| package.components.clone()).unwrap_or_default();
    let name = components.join(".");
    let word =
        |text: &String| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let fits = match components.as_slice() {
        [fleet, policy, name] => fleet == "fleet" && policy == "policy" && word(name),
        _ => name == LIBRARY && !source.own,
    };
    if !fits {
        let what = format!("the package is {name}; it must be fleet.policy.NAME, of letters, digits and _");
        return Err(source.refused(source.line_of("package "), what));
    }
    Ok(name)
}

/// What a package says of its rules.
fn rules(engine: &mut Engine, package: &str, source: &Source) -> Result<Vec<Rule>, BadPolicy> {
    let at_package = source.line_of("package ");
    for name in ["rules", "deny"] {
        let declared = engine.has_declared_rule_rooted_at(&source.file, name);
        if !declared.map_err(|error| source.said(&error))? {
            return Err(source.refused(at_package, format!("the package {package} has no `{name}`")));
        }
    }
    let found =
        engine.eval_query(format!("data.{package}.rules"), false).map_err(|error| source.said(&error))?;
    let value = found.result.first().and_then(|result| result.expressions.first()).map(|e| &e.value);
    let Some(Value::Object(entries)) = value else {
        return Err(source.refused(source.line_of("rules"), "`rules` is no object of rules by id".to_owned()));
    };
    let mut rules = Vec::new();
    for (id, entry) in entries.iter() {
        let Value::String(id) = id else {
            return Err(source.refused(source.line_of("rules"), "an id in `rules` is no text".to_owned()));
        };
        let at_id = source.line_of(&format!("\"{id}\""));
        let word = |part: &str| {
            !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        };
        if id.len() > ID_CHARS_MAX || id.split('/').count() != 2 || !id.split('/').all(word) {
            let what =
                format!("the id {id:?} is not of the form group/name, of letters, digits, `-`, `_` and `.`");
            return Err(source.refused(at_id, what));
        }
        let entry: Result<Entry, _> = serde_json::to_value(entry).and_then(serde_json::from_value);
        let Entry { severity, title, explanation, catches, passes, metadata } =
            entry.map_err(|error| source.refused(at_id, format!("the rule {id:?}: {error}")))?;
        let (id, package) = (id.to_string(), package.to_owned());
        rules.push(Rule { id, package, severity, title, explanation, catches, passes, metadata });
    }
    if rules.is_empty() {
        return Err(source.refused(source.line_of("rules"), "`rules` names no rule".to_owned()));
    }
    Ok(rules)
}

/// The place in an error of the engine, `--> FILE:LINE:COLUMN`, and what it says, without the lines of source
/// that it shows.
pub(super) fn said(error: &anyhow::Error) -> (Option<Place>, String) {
    let text = error.to_string();
    let place = text.lines().find_map(|line| {
        let (file, place) =
            line.trim().strip_prefix("--> ")?.rsplit_once(':').and_then(|(rest, _)| rest.rsplit_once(':'))?;
        Some((file.to_owned(), place.parse().ok()?))
    });
    let said = text.lines().find_map(|line| line.trim().strip_prefix("error: "));
    let last =
        || text.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("it cannot be evaluated");
    (place, said.unwrap_or_else(last).to_owned())
}
