//! `kubectl`: started to ask an API server of one manifest.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use tokio::time::timeout;

use super::super::tools::on;
use super::Cluster;
use super::words::{answer, configured, is_not_found, why};
use crate::bound::Bound;
use crate::lint::Manifest;

/// The most that is read of what `kubectl` says, in bytes.
const SAID_BYTES_MAX: u64 = 1024 * 1024;
/// The longest a server may take for one answer, in seconds.
const ANSWER_S_MAX: u64 = 5;

/// What a server says of one manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    Accepted,
    /// It is wrong, in the words of the server.
    Refused(String),
    /// It could not be judged, for no fault of its own.
    Unjudged(String),
    /// No other will be either.
    Silent(String),
}

/// `kubectl` with a cluster.
pub(super) struct Kubectl<'a> {
    program: PathBuf,
    path: OsString,
    cluster: &'a Cluster,
    bound: Bound,
}

/// What a server has said of its kinds.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// By version, such as `apps/v1`; null where it has none of it.
    kinds: BTreeMap<String, Value>,
    /// By version: that it serves it itself, or why this is not known.
    own: BTreeMap<String, Result<(), String>>,
}

/// How `kubectl` ended, and what it said.
pub(super) struct Said {
    pub(super) well: bool,
    pub(super) out: String,
    pub(super) err: String,
}

impl<'a> Kubectl<'a> {
    /// That of `path`, else of the `PATH` of this program.
    pub(super) fn find(
        cluster: &'a Cluster,
        path: Option<OsString>,
        bound: Bound,
    ) -> Result<Kubectl<'a>, String> {
        let path = path.or_else(|| std::env::var_os("PATH")).unwrap_or_default();
        let program = on(&path, "kubectl").ok_or_else(|| "kubectl is not on this machine".to_owned())?;
        Ok(Kubectl { program, path, cluster, bound })
    }

    /// The context, and what is its namespace.
    pub(super) async fn context(&self) -> Result<(String, String), String> {
        let said = self.call(&["config", "view", "--minify", "--output=json"], &[]).await?;
        let config: Option<Value> = serde_json::from_str(&said.out).ok().filter(|_| said.well);
        let context = config.as_ref().and_then(|config| config.pointer("/contexts/0"));
        let name = context.and_then(|context| context.get("name")?.as_str());
        let Some((context, name)) = context.zip(name) else {
            let why = configured(&said.err);
            let why =
                why.unwrap_or_else(|| "run `kubectl config view --minify` with it to see why".to_owned());
            return Err(format!("its configuration cannot be used: {why}"));
        };
        let namespace = context.pointer("/context/namespace").and_then(Value::as_str).unwrap_or("default");
        Ok((name.to_owned(), namespace.to_owned()))
    }

    pub(super) async fn ask(&self, manifest: &Manifest, namespace: &str, told: &mut Told) -> Answer {
        let Manifest { api, kind, value, known, .. } = manifest;
        let namespace = value.pointer("/metadata/namespace").and_then(Value::as_str).unwrap_or(namespace);
        // They become part of an address.
        if !is_api(api) || !is_label(namespace) {
            return Answer::Unjudged("its version or its namespace is no name".to_owned());
        }
        let root = if api.contains('/') { format!("/apis/{api}") } else { format!("/api/{api}") };
        if !told.kinds.contains_key(api) {
            let said = match self.call(&["get", "--raw", &root], &[]).await {
                Ok(said) => said,
                Err(why) => return Answer::Silent(why),
            };
            let list = match (said.well, serde_json::from_str(&said.out)) {
                (true, Ok(list)) => list,
                (true, Err(_)) => return Answer::Silent("the server does not say what it has".to_owned()),
                (false, _) if is_not_found(&said.err) => Value::Null,
                (false, _) => return Answer::Silent(why(&said.err)),
            };
            told.kinds.insert(api.clone(), list);
        }
        let resources = told.kinds.get(api).and_then(|list| list.get("resources")?.as_array());
        let resource = resources.into_iter().flatten().find_map(|resource| {
            let name = resource.get("name")?.as_str().filter(|name| is_label(name))?;
            let namespaced = resource.get("namespaced")?.as_bool()?;
            (resource.get("kind")?.as_str()? == kind).then_some((name, namespaced))
        });
        let Some((resource, namespaced)) = resource else {
            return Answer::Unjudged(format!("the cluster has no {kind} in {api}"));
        };
        if !known && api.contains('/') {
            if !told.own.contains_key(api) {
                let own = self.serves_itself(api).await;
                told.own.insert(api.clone(), own);
            }
            if let Some(Err(why)) = told.own.get(api) {
                return Answer::Unjudged(why.clone());
            }
        }
        let within = if namespaced { format!("/namespaces/{namespace}") } else { String::new() };
        let address =
            format!("{root}{within}/{resource}?dryRun=All&fieldValidation=Strict&fieldManager=fleet");
        match self.call(&["create", "--raw", &address, "--filename=-"], value.to_string().as_bytes()).await {
            Ok(Said { well: true, .. }) => Answer::Accepted,
            Ok(said) => answer(&said.err),
            Err(why) => Answer::Silent(why),
        }
    }

    /// That the API server itself serves this version, as it does custom resources: what it hands on to another
    /// server (an aggregated API) may be created for all that `dryRun` says.
    async fn serves_itself(&self, api: &str) -> Result<(), String> {
        let (group, version) = api.split_once('/').unwrap_or(("", api));
        let address = format!("/apis/apiregistration.k8s.io/v1/apiservices/{version}.{group}");
        let said = self.call(&["get", "--raw", &address], &[]).await?;
        if !said.well {
            return Err(format!("it is not known which server has {api}: {}", why(&said.err)));
        }
        let service: Option<Value> = serde_json::from_str(&said.out).ok();
        match service.as_ref().and_then(|service| service.get("spec")?.as_object()) {
            Some(spec) if spec.get("service").is_none_or(Value::is_null) => Ok(()),
            Some(_) => Err(format!("{api} is of another server, which may not keep to a dry run")),
            None => Err(format!("the server does not say which server has {api}")),
        }
    }

    /// Starts `kubectl` with the cluster and nothing else of this program's.
    pub(super) async fn call(&self, args: &[&str], stdin: &[u8]) -> Result<Said, String> {
        let mut command = Command::new(&self.program);
        command.env_clear().env("PATH", &self.path).env("KUBERC", "off");
        // Programs that a kubeconfig names for credentials keep theirs there.
        command.envs(std::env::var_os("HOME").map(|home| ("HOME", home)));
        command.arg(format!("--kubeconfig={}", self.cluster.kubeconfig.display()));
        command.args(self.cluster.context.iter().map(|context| format!("--context={context}")));
        command.arg(format!("--request-timeout={ANSWER_S_MAX}s")).args(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let failed = |error: std::io::Error| format!("kubectl cannot be started: {error}");
        let mut child = command.spawn().map_err(failed)?;
        let (input, out, err) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let give = async {
            if let Some(mut input) = input {
                // What does not read it says why.
                let _ = input.write_all(stdin).await;
            }
        };
        let all = async { tokio::join!(give, text(out), text(err), child.wait()) };
        let most = Duration::from_secs(2 * ANSWER_S_MAX).min(self.bound.left());
        let Ok(((), out, err, status)) = timeout(most, all).await else {
            return Err("it did not answer in time".to_owned());
        };
        Ok(Said { well: status.is_ok_and(|status| status.success()), out, err })
    }
}

async fn text(from: Option<impl AsyncRead + Unpin>) -> String {
    let mut bytes = Vec::new();
    if let Some(from) = from {
        // A stream that breaks says what it has said.
        let _ = from.take(SAID_BYTES_MAX).read_to_end(&mut bytes).await;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Whether it is a version with its group, such as `v1` and `apps/v1`.
fn is_api(word: &str) -> bool {
    word.split_once('/').map_or(is_label(word), |(group, version)| is_subdomain(group) && is_label(version))
}

/// A name as namespaces, versions and resources have it: a label of RFC 1123.
fn is_label(word: &str) -> bool {
    let ends = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let plain = |c: char| ends(c) || c == '-';
    word.len() <= 63 && word.chars().all(plain) && word.starts_with(ends) && word.ends_with(ends)
}

/// Labels with dots between them, as groups are.
fn is_subdomain(word: &str) -> bool {
    word.len() <= 253 && word.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_become_part_of_an_address() {
        for word in ["default", "a-b", "v1", "v1beta1", "0"] {
            assert!(is_label(word), "{word}");
        }
        let long = "a".repeat(64);
        for word in
            ["", ".", "..", "a.b", "-", "-a", "a-", "a/b", "a?b", "a%2fb", "A", "a&b", "a b", "ä", &long]
        {
            assert!(!is_label(word), "{word}");
        }
        for api in ["v1", "apps/v1", "networking.k8s.io/v1beta1"] {
            assert!(is_api(api), "{api}");
        }
        for api in
            ["", "/", "/v1", "v1/", "./v1", "../v1", "a/.", "a/..", "a..b/v1", ".a/v1", "a./v1", "a/b/v1"]
        {
            assert!(!is_api(api), "{api}");
        }
    }
}
