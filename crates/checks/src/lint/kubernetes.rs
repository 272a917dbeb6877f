//! Kubernetes manifests against the fields of their kinds, strictly; custom resources are not looked into.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use fleet_deliberation::Severity;
use serde_json::Value;

use super::nearest;
use crate::data::{Content, Format, Node, documents};
use crate::parts::Part;

/// The fields of the built-in kinds; `kubernetes/make_schema.py` says how it is made and read.
const TABLE: &str = include_str!("../../kubernetes/schema.txt");

/// After how many faults of one document no more are looked for.
const FOUND_MAX: usize = 50;
/// How many fields of one object are looked at; none has as many.
const ENTRIES_MAX: usize = 200;

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| Schema::read(TABLE));

/// Something the schema does not allow.
pub(super) struct Wrong {
    pub(super) at: usize,
    pub(super) message: String,
    pub(super) severity: Severity,
}

struct Schema {
    version: &'static str,
    /// The type of a kind, by group and version.
    kinds: BTreeMap<(&'static str, &'static str), usize>,
    groups: BTreeSet<&'static str>,
    /// The fields of each type, in the order of their names.
    types: Vec<Vec<Field>>,
}

struct Field {
    name: &'static str,
    required: bool,
    shape: &'static str,
}

impl Schema {
    fn read(table: &'static str) -> Schema {
        let mut lines = table.lines();
        let version = lines.next().and_then(|line| line.strip_prefix("kubernetes ")).unwrap_or_default();
        let mut kinds = BTreeMap::new();
        for line in lines.by_ref().take_while(|line| !line.is_empty()) {
            let mut words = line.split(' ');
            if let (Some(api), Some(kind), Some(Ok(number))) =
                (words.next(), words.next(), words.next().map(str::parse))
            {
                kinds.insert((api, kind), number);
            }
        }
        let field = |text: &'static str| {
            let (name, shape) = text.split_once(':')?;
            let required = name.starts_with('!');
            Some(Field { name: name.trim_start_matches('!'), required, shape })
        };
        let groups = kinds.keys().filter_map(|(api, _): &(&str, &str)| api.split('/').next()).collect();
        let types = lines.map(|line| line.split(' ').filter_map(field).collect()).collect();
        Schema { version, kinds, groups, types }
    }
}

/// What it is checked against, for the report.
pub(crate) fn tool() -> String {
    format!("kubernetes schema {}", SCHEMA.version)
}

/// Whether there is a schema of this kind.
pub(super) fn knows(api: &str, kind: &str) -> bool {
    let api = if api.contains('/') { api.to_owned() } else { format!("/{api}") };
    SCHEMA.kinds.contains_key(&(api.as_str(), kind))
}

/// How many manifests a document is or lists.
pub(super) fn count(root: &Node) -> usize {
    manifests(root).count()
}

/// The manifests of a document: itself, or what it lists. Those of groups that are not built in are left out.
fn manifests(root: &Node) -> impl Iterator<Item = (&Node, String, &str)> {
    let listed = match (root.get("kind").and_then(Node::text), root.get("items").map(|items| &items.content))
    {
        (Some("List"), Some(Content::List(items))) => items.as_slice(),
        _ => std::slice::from_ref(root),
    };
    listed.iter().filter_map(|node| {
        let (api, kind) = (node.get("apiVersion")?.text()?, node.get("kind")?.text()?);
        let api = if api.contains('/') { api.to_owned() } else { format!("/{api}") };
        let group = api.split('/').next()?;
        // Nothing but `v1` is without a group; `apiVersion: 1` of other tools is no manifest.
        let core = !group.is_empty() || api == "/v1";
        (SCHEMA.groups.contains(group) && core).then_some((node, api, kind))
    })
}

/// What the schema does not allow; `partial` manifests may lack what they must have.
pub(super) fn faults(root: &Node, partial: bool) -> Vec<Wrong> {
    let mut walk = Walk { found: Vec::new(), partial };
    for (node, api, kind) in manifests(root) {
        let Some(number) = SCHEMA.kinds.get(&(api.as_str(), kind)) else {
            if kind != "List" {
                walk.found.push(unknown_kind(node, &api, kind));
            }
            continue;
        };
        walk.object(node, *number, "");
    }
    walk.found
}

fn unknown_kind(node: &Node, api: &str, kind: &str) -> Wrong {
    let shown = api.trim_start_matches('/');
    let elsewhere = SCHEMA.kinds.keys().rev().find(|(_, known)| *known == kind);
    let more = match elsewhere {
        Some((api, _)) => format!("; it is in {}", api.trim_start_matches('/')),
        None => {
            let kinds = SCHEMA.kinds.keys().map(|(_, kind)| *kind);
            nearest(kind, kinds).map(|near| format!("; `{near}`?")).unwrap_or_default()
        }
    };
    let message = format!("Kubernetes {} has no kind `{kind}` in {shown}{more}", SCHEMA.version);
    let at = node.get("kind").map_or(node.at, |kind| kind.at);
    Wrong { at, message, severity: Severity::Medium }
}

struct Walk {
    found: Vec<Wrong>,
    partial: bool,
}

impl Walk {
    fn hold(&mut self, at: usize, message: String) {
        if self.found.len() < FOUND_MAX {
            self.found.push(Wrong { at, message, severity: Severity::High });
        }
    }

    fn object(&mut self, node: &Node, number: usize, path: &str) {
        if self.found.len() >= FOUND_MAX {
            return;
        }
        let Content::Map(entries) = &node.content else {
            return self.mismatch(node, path, "a map");
        };
        let fields = SCHEMA.types.get(number).map(Vec::as_slice).unwrap_or_default();
        for entry in entries.iter().take(ENTRIES_MAX) {
            match fields.binary_search_by(|field| field.name.cmp(&entry.key)) {
                Ok(field) => self.value(&entry.node, fields[field].shape, &join(path, &entry.key)),
                Err(_) => {
                    let near = nearest(&entry.key, fields.iter().map(|field| field.name));
                    let near = near.map(|near| format!("; `{near}`?")).unwrap_or_default();
                    let whole = if path.is_empty() { "the manifest" } else { path };
                    self.hold(entry.at, format!("`{}` is no field of {whole}{near}", entry.key));
                }
            }
        }
        let partial = self.partial;
        for field in fields.iter().filter(|field| field.required && !partial) {
            let there = node.get(field.name).is_some_and(|node| node.content != Content::Scalar(Value::Null));
            if !there {
                self.hold(node.at, format!("`{}` is missing, which there must be", join(path, field.name)));
            }
        }
    }

    fn value(&mut self, node: &Node, shape: &'static str, path: &str) {
        if node.content == Content::Scalar(Value::Null) || node.text().is_some_and(is_placeholder) {
            return;
        }
        if let Some(inner) = shape.strip_prefix('[') {
            let Content::List(items) = &node.content else { return self.mismatch(node, path, "a list") };
            for (index, item) in items.iter().enumerate() {
                self.value(item, inner, &format!("{path}[{index}]"));
            }
            return;
        }
        if let Some(inner) = shape.strip_prefix('{') {
            let Content::Map(entries) = &node.content else { return self.mismatch(node, path, "a map") };
            for entry in entries {
                self.value(&entry.node, inner, &join(path, &entry.key));
            }
            return;
        }
        if let Some(values) = shape.strip_prefix('=') {
            let fits = node.text().is_some_and(|text| values.split('|').any(|value| value == text));
            if !fits {
                let near = node.text().and_then(|text| nearest(text, values.split('|')));
                let near = near.map(|near| format!("; `{near}`?")).unwrap_or_default();
                let list = values.split('|').filter(|value| !value.is_empty()).collect::<Vec<_>>().join(", ");
                self.hold(node.at, format!("`{path}` is none of {list}{near}"));
            }
            return;
        }
        if let Ok(number) = shape.parse() {
            return self.object(node, number, path);
        }
        let scalar = match &node.content {
            Content::Scalar(value) => Some(value),
            Content::List(_) | Content::Map(_) => None,
        };
        let whole = |value: &Value| {
            value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|f| f.fract() == 0.0)
        };
        let (fits, expected) = match shape {
            "s" => (scalar.is_some_and(Value::is_string), "a string"),
            "b" => (scalar.is_some_and(is_boolean), "true or false"),
            "i" => (scalar.is_some_and(whole), "an integer"),
            "n" => (scalar.is_some_and(Value::is_number), "a number"),
            "I" => (scalar.is_some_and(|value| value.is_string() || whole(value)), "an integer or a string"),
            "q" => (scalar.is_some_and(is_quantity), "a quantity such as 500m or 2Gi"),
            _ => (true, ""),
        };
        if !fits {
            self.mismatch(node, path, expected);
        }
    }

    fn mismatch(&mut self, node: &Node, path: &str, expected: &str) {
        let is = match &node.content {
            Content::Scalar(Value::String(text)) => {
                format!("the string `{}`", text.chars().take(40).collect::<String>())
            }
            Content::Scalar(Value::Null) => "nothing".to_owned(),
            Content::Scalar(value) => format!("`{value}`"),
            Content::List(_) => "a list".to_owned(),
            Content::Map(_) => "a map".to_owned(),
        };
        let whole = if path.is_empty() { "the manifest" } else { path };
        self.hold(node.at, format!("`{whole}` must be {expected}, and is {is}"));
    }
}

fn join(path: &str, key: &str) -> String {
    let key: String = key.chars().take(60).collect();
    if path.is_empty() { key } else { format!("{path}.{key}") }
}

/// `${REPLICAS}`, `<image>`: to be filled in.
fn is_placeholder(text: &str) -> bool {
    ["${", "{{", "$(", "<"].iter().any(|begin| text.starts_with(begin))
}

/// Kubernetes reads YAML 1.1, in which these are booleans as well.
fn is_boolean(value: &Value) -> bool {
    let word = |text: &str| matches!(text.to_lowercase().as_str(), "yes" | "no" | "on" | "off" | "y" | "n");
    value.is_boolean() || value.as_str().is_some_and(word)
}

fn is_quantity(value: &Value) -> bool {
    const SUFFIXES: [&str; 15] =
        ["", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi"];
    if value.is_number() {
        return true;
    }
    let Some(text) = value.as_str() else { return false };
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let length = unsigned.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(unsigned.len());
    let (number, suffix) = unsigned.split_at(length);
    let exponent = suffix.strip_prefix(['e', 'E']).is_some_and(|digits| digits.parse::<i32>().is_ok());
    let counted = number.bytes().any(|byte| byte.is_ascii_digit()) && number.matches('.').count() <= 1;
    counted && (SUFFIXES.contains(&suffix) || suffix == "Ei" || exponent)
}

/// The files that Kustomizations among the parts name as patches.
pub(super) fn patches(parts: &[Part]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for part in parts.iter().filter(|part| matches!(part.tag.as_str(), "yaml" | "yml" | "kubernetes" | "k8s"))
    {
        let code = part.code();
        if !code.contains("patches") {
            continue;
        }
        for document in documents(Format::Yaml, &code).unwrap_or_default() {
            for key in ["patches", "patchesStrategicMerge"] {
                let Some(Content::List(items)) = document.root.get(key).map(|node| &node.content) else {
                    continue;
                };
                let name = |item: &Node| item.text().or_else(|| item.get("path")?.text()).map(str::to_owned);
                found.extend(items.iter().filter_map(name));
            }
        }
    }
    found
}

/// Whether a manifest is a patch, or says that it leaves something out.
pub(super) fn is_partial(path: Option<&str>, code: &str, patches: &BTreeSet<String>) -> bool {
    let patch = path.is_some_and(|path| {
        let name = path.rsplit('/').next().unwrap_or(path);
        path.contains("patch")
            || path.contains("overlays/")
            || patches.iter().any(|patch| patch.ends_with(name))
    });
    patch
        || code.lines().any(|line| {
            let comment = line.split_once('#').map(|(_, comment)| comment);
            let bare = line.trim().trim_start_matches("- ");
            comment.is_some_and(|comment| comment.contains("...") || comment.contains('…'))
                || matches!(bare, "..." | "…") && line.starts_with(' ')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(yaml: &str) -> Vec<String> {
        let read = documents(Format::Yaml, yaml).expect("it is YAML");
        read.iter().flat_map(|document| faults(&document.root, false)).map(|wrong| wrong.message).collect()
    }

    #[test]
    fn the_table_is_read_whole() {
        assert_eq!(SCHEMA.version, "1.37.0");
        assert!(SCHEMA.kinds.len() > 90 && SCHEMA.types.len() > 500);
        for fields in &SCHEMA.types {
            assert!(fields.is_sorted_by(|a, b| a.name < b.name));
            for field in fields {
                let shape = field.shape.trim_start_matches(['[', '{']);
                let number = shape.parse().is_ok_and(|number: usize| number < SCHEMA.types.len());
                assert!(number || shape.starts_with('=') || "sbinIq*".contains(shape), "{}", field.shape);
            }
        }
    }

    #[test]
    fn what_the_schema_does_not_allow_is_said() {
        let pod = |spec: &str| format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: x}}\nspec: {spec}\n");
        for (yaml, expected) in [
            (pod("{container: []}"), "`container` is no field of spec; `containers`?"),
            (pod("{containers: [{image: x}]}"), "`spec.containers[0].name` is missing, which there must be"),
            (pod("{containers: {name: x}}"), "`spec.containers` must be a list, and is a map"),
            (
                pod("{containers: [{name: x, imagePullPolicy: Allways}]}"),
                "`spec.containers[0].imagePullPolicy` is none of Always, IfNotPresent, Never; `Always`?",
            ),
            (
                pod("{containers: [{name: x, ports: [{containerPort: 80a}]}]}"),
                "`spec.containers[0].ports[0].containerPort` must be an integer, and is the string `80a`",
            ),
            (
                pod("{containers: [{name: x, env: [{name: A, value: 1}]}]}"),
                "`spec.containers[0].env[0].value` must be a string, and is `1`",
            ),
            (
                pod("{containers: [{name: x, resources: {limits: {memory: 512MB}}}]}"),
                "`spec.containers[0].resources.limits.memory` must be a quantity such as 500m or 2Gi, and is the \
                 string `512MB`",
            ),
            (pod("{hostNetwork: 1, containers: []}"), "`spec.hostNetwork` must be true or false, and is `1`"),
            (
                "apiVersion: v1\nkind: Deployment\n".to_owned(),
                "Kubernetes 1.37.0 has no kind `Deployment` in v1; it is in apps/v1",
            ),
            (
                "apiVersion: apps/v1\nkind: Deploymnet\n".to_owned(),
                "Kubernetes 1.37.0 has no kind `Deploymnet` in apps/v1; `Deployment`?",
            ),
            (
                "kind: List\napiVersion: v1\nitems:\n- {apiVersion: v1, kind: Service, spec: {port: 1}}\n"
                    .to_owned(),
                "`port` is no field of spec; `ports`?",
            ),
        ] {
            let said = said(&yaml);
            assert_eq!(said.first().map(String::as_str), Some(expected), "{said:?}");
        }
    }

    #[test]
    fn what_is_allowed_and_what_is_not_ours_passes() {
        for yaml in [
            "apiVersion: v1\nkind: Service\nspec: {ports: [{port: 80, targetPort: http}]}\n",
            "apiVersion: v1\nkind: ConfigMap\ndata: {a: 'b'}\nbinaryData:\n",
            "apiVersion: v1\nkind: Pod\nspec: {hostPID: no, containers: [{name: a, resources: {limits: {cpu: 1}}}]}\n",
            "apiVersion: apps/v1\nkind: Deployment\nspec: {replicas: '${N}', selector: {}, template: {}}\n",
            "apiVersion: example.com/v1\nkind: Deployment\nspec: {replicas: many}\n",
            "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nspec: {x: 1}\n",
            "apiVersion: 1\nkind: other\n",
            "apiVersion: v2\nkind: chart\n",
            "- a\n- b\n",
        ] {
            assert_eq!(said(yaml), Vec::<String>::new(), "{yaml}");
        }
    }
}
