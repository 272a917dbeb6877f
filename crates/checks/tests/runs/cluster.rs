//! Manifests: shown to an API server in a dry run, else held against the schema.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fleet_checks::{Cluster, RunBounds, Runs, Surroundings};
use fleet_deliberation::{CheckKind, CheckOutcome, CheckResult};
use fleet_sandbox::{Choice, Sandbox};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{BOUNDS, dry_with, report, suite_with};

/// A request that came.
#[derive(Debug, Clone)]
struct Asked {
    method: String,
    address: String,
    body: String,
}

/// What an API server answers to what is created: a status, and a reason with a message where it is none of success.
type Script = fn(&str) -> (u16, Value);

/// An API server of which only the answers are made up.
struct Server {
    asked: Arc<Mutex<Vec<Asked>>>,
    port: u16,
}

impl Server {
    fn start(script: Script) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let all = Arc::clone(&asked);
        // It ends with the process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let all = Arc::clone(&all);
                std::thread::spawn(move || serve(stream, &all, script));
            }
        });
        Server { asked, port }
    }

    fn posts(&self) -> Vec<Asked> {
        let asked = self.asked.lock().expect("nobody broke");
        asked.iter().filter(|asked| asked.method != "GET").cloned().collect()
    }
}

fn serve(mut stream: TcpStream, all: &Mutex<Vec<Asked>>, script: Script) {
    let mut reader = BufReader::new(stream.try_clone().expect("a stream"));
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).map(|_| line.trim().to_owned()).unwrap_or_default()
    };
    let first = line();
    let mut words = first.split(' ').map(str::to_owned);
    let (Some(method), Some(address)) = (words.next(), words.next()) else { return };
    let mut chunked = false;
    while let Some(header) = Some(line()).filter(|line| !line.is_empty()) {
        chunked |= header.eq_ignore_ascii_case("transfer-encoding: chunked");
    }
    let mut body = Vec::new();
    while chunked {
        let mut size = String::new();
        reader.read_line(&mut size).expect("a size");
        let size = usize::from_str_radix(size.trim(), 16).expect("a number");
        let mut chunk = vec![0; size + 2];
        reader.read_exact(&mut chunk).expect("a chunk");
        body.extend_from_slice(&chunk[..size]);
        chunked = size > 0;
    }
    let path = address.split('?').next().unwrap_or_default().to_owned();
    let (status, answer) = match (method.as_str(), path.as_str()) {
        ("GET", "/api/v1") => {
            (200, resources(&[("configmaps", "ConfigMap", true), ("namespaces", "Namespace", false)]))
        }
        ("GET", "/apis/apps/v1") => {
            (200, resources(&[("deployments/scale", "Scale", true), ("deployments", "Deployment", true)]))
        }
        ("GET", "/apis/example.org/v1" | "/apis/other.org/v1" | "/apis/third.org/v1") => {
            (200, resources(&[("shops", "Shop", true)]))
        }
        ("GET", "/apis/apiregistration.k8s.io/v1/apiservices/v1.example.org") => {
            (200, json!({"kind": "APIService", "spec": {"group": "example.org", "service": null}}))
        }
        ("GET", "/apis/apiregistration.k8s.io/v1/apiservices/v1.other.org") => {
            (200, json!({"kind": "APIService", "spec": {"service": {"name": "s", "namespace": "n"}}}))
        }
        ("GET", "/apis/apiregistration.k8s.io/v1/apiservices/v1.third.org") => {
            (403, status_of(403, "Forbidden", "User \"x\" cannot get resource \"apiservices\""))
        }
        ("GET", "/version") => (200, json!({"major": "1", "minor": "32", "gitVersion": "v1.32.0"})),
        ("GET", _) => (404, status_of(404, "NotFound", "the server could not find the requested resource")),
        _ => script(&path),
    };
    let body = String::from_utf8(body).expect("text");
    all.lock().expect("nobody broke").push(Asked { method, address, body });
    let answer = answer.to_string();
    let head = format!(
        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        answer.len()
    );
    // Whoever asked may be gone.
    let _ = stream.write_all((head + &answer).as_bytes());
}

fn resources(all: &[(&str, &str, bool)]) -> Value {
    let one = |(name, kind, namespaced): &(&str, &str, bool)| json!({"name": name, "kind": kind, "namespaced": namespaced});
    json!({"kind": "APIResourceList", "resources": all.iter().map(one).collect::<Vec<_>>()})
}

fn status_of(code: u16, reason: &str, message: &str) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": message,
           "details": {"name": "a", "kind": "ConfigMap", "causes": [{"reason": "X", "message": message, "field": "x"}]}})
}

fn accepts(_: &str) -> (u16, Value) {
    (201, json!({"kind": "Anything"}))
}

fn cluster(folder: &TempDir, port: u16) -> Surroundings {
    let kubeconfig = folder.path().join("kubeconfig");
    let text = format!(
        "apiVersion: v1\nkind: Config\nclusters: [{{name: c, cluster: {{server: 'http://127.0.0.1:{port}'}}}}]\nusers: [{{name: u, user: {{}}}}]\n\
         contexts: [{{name: ours, context: {{cluster: c, user: u, namespace: team}}}}, {{name: other, context: {{cluster: c, user: u}}}}]\n\
         current-context: ours\n"
    );
    std::fs::write(&kubeconfig, text).expect("a file");
    Surroundings { cluster: Some(Cluster { kubeconfig, context: None }), ..Surroundings::default() }
}

async fn dry(surroundings: Surroundings, proposal: &str) -> CheckResult {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let there = surroundings.path.is_some()
        || std::env::split_paths(&path).any(|folder| folder.join("kubectl").exists());
    assert!(there, "kubectl is not here: run tests/setup.sh");
    dry_with(&suite_with(Choice::Off, BOUNDS, surroundings), proposal).await
}

async fn dry_at(script: Script, proposal: &str) -> (CheckResult, Vec<Asked>) {
    let (server, folder) = (Server::start(script), tempfile::tempdir().expect("a folder"));
    let result = dry(cluster(&folder, server.port), proposal).await;
    (result, server.posts())
}

fn map(name: &str, more: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}{more}}}\ndata: {{x: y}}\n")
}

fn yaml(documents: &[String]) -> String {
    format!("Words.\n\n```yaml\n{}```\n", documents.join("---\n"))
}

#[tokio::test]
async fn a_server_is_asked_of_every_manifest_and_of_nothing_but_a_dry_run() {
    let space = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n".to_owned();
    let proposal =
        yaml(&[space, map("a", ""), map("b", ", namespace: shop"), map("<name>", ""), "a: 1\n".to_owned()]);
    let (result, posts) = dry_at(accepts, &proposal).await;
    assert_eq!(result.outcome, CheckOutcome::Pass, "{result:?}");
    let message =
        "3 manifests accepted by the API server of context ours; 1 manifest to be filled in or patches";
    assert_eq!(result.message, message);
    let paths =
        ["/api/v1/namespaces", "/api/v1/namespaces/team/configmaps", "/api/v1/namespaces/shop/configmaps"];
    assert_eq!(
        posts.iter().map(|asked| asked.address.split('?').next().expect("a path")).collect::<Vec<_>>(),
        paths
    );
    for asked in &posts {
        let query: Vec<&str> = asked.address.split(['?', '&']).skip(1).collect();
        assert_eq!(asked.method, "POST");
        assert_eq!(
            query.iter().filter(|word| word.starts_with("dryRun")).collect::<Vec<_>>(),
            [&"dryRun=All"],
            "{asked:?}"
        );
        assert!(query.contains(&"fieldValidation=Strict"), "{asked:?}");
    }
    let body: Value = serde_json::from_str(&posts[1].body).expect("JSON");
    assert_eq!(
        body,
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"x": "y"}})
    );
}

#[tokio::test]
async fn what_the_server_refuses_fails_with_its_words_at_the_manifest() {
    let script: Script = |path| match path.contains("/bad/") {
        true => (422, status_of(422, "Invalid", "ConfigMap \"a\" is invalid: metadata.name: too odd")),
        false => accepts(path),
    };
    let (result, posts) = dry_at(script, &yaml(&[map("b", ""), map("a", ", namespace: bad")])).await;
    assert_eq!((result.outcome, posts.len()), (CheckOutcome::Fail, 2), "{result:?}");
    assert_eq!((result.faults[0].line, result.faults[0].rule.as_str()), (9, "run"));
    assert!(result.faults[0].message.contains("too odd"), "{:?}", result.faults);
    assert!(
        result.message.starts_with("1 manifest refused by the API server of context ours: "),
        "{}",
        result.message
    );
}

#[tokio::test]
async fn what_the_schema_refuses_or_could_change_the_address_is_never_sent() {
    let wrong = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndta: {}\n".to_owned();
    let (result, posts) = dry_at(accepts, &yaml(&[wrong])).await;
    assert_eq!((result.outcome, posts.len()), (CheckOutcome::Fail, 0), "{result:?}");
    assert_eq!(result.faults[0].rule, "manifest");
    for namespace in ["'x/configmaps?dryRun=&'", "'../../pods'", "'x%2f..'", "'.'", "'..'"] {
        let (result, posts) = dry_at(accepts, &yaml(&[map("a", &format!(", namespace: {namespace}"))])).await;
        assert_eq!(posts.len(), 0, "{posts:?}");
        assert!(
            result.message.contains("by schema, as its version or its namespace is no name"),
            "{}",
            result.message
        );
    }
}

#[tokio::test]
async fn what_is_the_cluster_s_fault_is_held_against_the_schema_and_this_is_said() {
    let forbids: Script =
        |_| (403, status_of(403, "Forbidden", "User \"x\" cannot create resource \"configmaps\""));
    let lacks: Script = |_| (404, status_of(404, "NotFound", "namespaces \"team\" not found"));
    let breaks: Script = |_| (500, json!({"x": 1}));
    for (script, why) in [
        (forbids, "cannot create resource"),
        (lacks, "namespaces \"team\" not found"),
        (breaks, "InternalError"),
    ] {
        let (result, _) = dry_at(script, &yaml(&[map("a", "")])).await;
        assert_eq!(result.outcome, CheckOutcome::Pass, "{result:?}");
        assert!(result.message.starts_with("1 manifest accepted by schema, as "), "{}", result.message);
        assert!(result.message.contains(why), "{}", result.message);
    }
    let (result, posts) = dry_at(accepts, &yaml(&[shop("none.org")])).await;
    assert_eq!((result.outcome, posts.len()), (CheckOutcome::Skipped, 0), "{result:?}");
    assert!(result.message.ends_with("as the cluster has no Shop in none.org/v1"), "{}", result.message);
}

fn shop(group: &str) -> String {
    format!("apiVersion: {group}/v1\nkind: Shop\nmetadata: {{name: a}}\n")
}

#[tokio::test]
async fn a_custom_resource_is_sent_where_the_api_server_itself_has_it_and_not_to_another_server() {
    let (result, posts) = dry_at(accepts, &yaml(&[shop("example.org")])).await;
    assert_eq!((result.outcome, posts.len()), (CheckOutcome::Pass, 1), "{result:?}");
    assert!(
        posts[0].address.starts_with("/apis/example.org/v1/namespaces/team/shops?dryRun=All"),
        "{posts:?}"
    );
    for (group, why) in [
        ("other.org", "as other.org/v1 is of another server, which may not keep to a dry run"),
        ("third.org", "as it is not known which server has third.org/v1: Error from server (Forbidden): "),
    ] {
        let (result, posts) = dry_at(accepts, &yaml(&[shop(group)])).await;
        assert_eq!((result.outcome, posts.len()), (CheckOutcome::Skipped, 0), "{result:?}");
        assert!(result.message.contains(why), "{}", result.message);
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_or_never_answers_is_not_waited_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let port = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a port").port();
    let gone = dry(cluster(&folder, port), &yaml(&[map("a", ""), map("b", "")])).await;
    assert_eq!(gone.outcome, CheckOutcome::Pass, "{gone:?}");
    assert!(
        gone.message.starts_with("2 manifests accepted by schema, as ") && gone.message.contains("refused"),
        "{}",
        gone.message
    );
    // It takes what comes and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let surroundings = cluster(&folder, silent.local_addr().expect("an address").port());
    let begun = Instant::now();
    let suite = suite_with(Choice::Off, BOUNDS, surroundings);
    let report = report(&suite, &yaml(&[map("a", "")]), None, 2_000).await;
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    let result = &report.checks[&CheckKind::DryRun];
    assert_eq!(result.message, "1 manifest accepted by schema, as it did not answer in time");
}

#[tokio::test]
async fn without_a_cluster_manifests_are_held_against_the_schema() {
    let suite = suite_with(Choice::Auto, BOUNDS, Surroundings::default());
    let result = dry_with(&suite, &yaml(&[map("a", "")])).await;
    assert_eq!(
        (result.outcome, result.message.as_str()),
        (CheckOutcome::Pass, "1 manifest accepted by schema")
    );
    let both = format!("{}\n```bash\necho a\n```\n", yaml(&[map("a", "")]));
    let result = dry_with(&suite, &both).await;
    assert_eq!(
        (result.outcome, result.message.as_str()),
        (CheckOutcome::Pass, "bash ran to its end; 1 manifest accepted by schema")
    );
}

/// A `kubectl` that writes down how it was started, and fails.
fn recorder(folder: &Path) -> PathBuf {
    let script =
        format!("#!/bin/sh\n{{ /usr/bin/env; echo \"$@\"; }} > '{}/started'\nexit 1\n", folder.display());
    let file = folder.join("kubectl");
    std::fs::write(&file, script).expect("a script");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).expect("a mode");
    file
}

#[tokio::test]
async fn nothing_is_used_but_the_kubeconfig_and_the_context_that_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    recorder(folder.path());
    let mut surroundings = cluster(&folder, 1);
    surroundings.path = Some(folder.path().into());
    let named = surroundings.cluster.as_mut().expect("a cluster");
    named.context = Some("other".to_owned());
    let kubeconfig = named.kubeconfig.display().to_string();
    let result = dry(surroundings, &yaml(&[map("a", "")])).await;
    assert!(result.message.contains("by schema, as its configuration cannot be used"), "{}", result.message);
    let started = std::fs::read_to_string(folder.path().join("started")).expect("it was started");
    let (environment, words) = started.trim_end().rsplit_once('\n').expect("two parts");
    let names: Vec<&str> = environment.lines().filter_map(|line| line.split('=').next()).collect();
    assert!(
        names.iter().all(|name| ["PATH", "HOME", "KUBERC", "PWD", "_", "SHLVL"].contains(name)),
        "{names:?}"
    );
    assert!(
        words.starts_with(&format!("--kubeconfig={kubeconfig} --context=other --request-timeout=")),
        "{words}"
    );
}

#[tokio::test]
async fn what_a_program_for_credentials_says_is_not_repeated() {
    let folder = tempfile::tempdir().expect("a folder");
    let plugin = folder.path().join("plugin");
    std::fs::write(&plugin, "#!/bin/sh\necho refresh failed for token=hunter2 >&2\nexit 1\n")
        .expect("a script");
    std::fs::set_permissions(&plugin, std::fs::Permissions::from_mode(0o755)).expect("a mode");
    let surroundings = cluster(&folder, 1);
    let kubeconfig = &surroundings.cluster.as_ref().expect("a cluster").kubeconfig;
    let exec = format!(
        "exec: {{apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: '{}'}}",
        plugin.display()
    );
    let text = std::fs::read_to_string(kubeconfig).expect("a file");
    let text = text.replace("user: {}", &format!("user: {{{exec}}}")).replace("http:", "https:");
    std::fs::write(kubeconfig, text).expect("a file");
    let suite = suite_with(Choice::Off, BOUNDS, surroundings.clone());
    let result = dry_with(&suite, &yaml(&[map("a", "")])).await;
    assert_eq!(
        result.message,
        "1 manifest accepted by schema, as Unable to connect to the server: getting credentials failed"
    );
    // As `fleet doctor` asks.
    let runs = Runs::new(Sandbox::new(Choice::Off), RunBounds::default(), surroundings);
    let why = runs.cluster().await.expect("one is named").expect_err("it cannot be asked");
    assert_eq!(why, "Unable to connect to the server: getting credentials failed");
}

#[tokio::test]
async fn a_manifest_that_quotes_a_reason_is_refused_for_the_server_s() {
    let script: Script = |_| {
        let message = "strict decoding error: unknown field \"spec.(AlreadyExists)\", unknown field \"spec.exceeded quota\"";
        (400, status_of(400, "BadRequest", message))
    };
    let (result, posts) = dry_at(script, &yaml(&[map("a", "")])).await;
    assert_eq!((result.outcome, posts.len()), (CheckOutcome::Fail, 1), "{result:?}");
}
