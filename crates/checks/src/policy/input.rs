//! The document policies are evaluated on.

use std::collections::BTreeMap;

use fleet_deliberation::{Role, Task};
use regorus::Value;

use super::blocks::{Block, blocks};
use super::views::{Views, views};
use crate::parts::fenced;

/// The most bytes of a block that are read as YAML or JSON.
const DOCUMENT_BYTES_MAX: usize = 256 * 1024;

/// A proposal as policies see it.
pub(crate) struct Input {
    pub(crate) blocks: Vec<Block>,
    /// What each block says without its comments, and without what it only quotes.
    pub(crate) views: Vec<Views>,
    /// The lines of the text outside of fences, each in its place.
    pub(crate) prose: Vec<String>,
    /// Both, and the task, as the input document.
    pub(crate) document: Value,
}

impl Input {
    pub(crate) fn new(proposal: &str, task: Option<&Task>, role: Option<&Role>) -> Input {
        let fenced = fenced(proposal);
        let mut prose: Vec<String> = proposal.lines().map(str::to_owned).collect();
        for part in &fenced {
            let from = part.fence_line as usize - 1;
            let to = (from + 1 + part.lines.len() + usize::from(part.closed)).min(prose.len());
            prose[from..to].iter_mut().for_each(String::clear);
        }
        let blocks = blocks(fenced);
        let views: Vec<Views> = blocks.iter().map(|block| views(&block.language, &block.text())).collect();
        let document = object([
            ("role", role.map_or("", Role::as_str).into()),
            ("task", self::task(task)),
            ("prose", prose.join("\n").into()),
            ("parts", Value::from(blocks.iter().zip(&views).map(|(b, v)| part(b, v)).collect::<Vec<_>>())),
        ]);
        Input { blocks, views, prose, document }
    }

    /// Whether there is nothing in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.prose.iter().all(|line| line.trim().is_empty()) && !self.has_code()
    }

    /// Whether anything stands in a block.
    pub(crate) fn has_code(&self) -> bool {
        self.blocks.iter().any(|block| block.rows.iter().any(|row| !row.line.text.trim().is_empty()))
    }
}

fn task(task: Option<&Task>) -> Value {
    let requirements = task.map_or(&[][..], |task| &task.requirements);
    let metadata = task.into_iter().flat_map(|task| &task.metadata);
    object([
        ("description", task.map_or("", |task| &task.description).into()),
        ("requirements", requirements.iter().map(|text| text.as_str().into()).collect::<Vec<Value>>().into()),
        (
            "metadata",
            Value::from(
                metadata
                    .map(|(k, v)| (k.as_str().into(), v.as_str().into()))
                    .collect::<BTreeMap<Value, Value>>(),
            ),
        ),
    ])
}

fn part(block: &Block, views: &Views) -> Value {
    let text = block.text();
    object([
        ("language", block.language.as_str().into()),
        ("tag", block.tag.as_str().into()),
        ("path", block.path.as_deref().map_or(Value::Null, Value::from)),
        ("line", u64::from(block.line).into()),
        ("document", documents(&block.language, &text)),
        ("lines", block.rows.iter().map(|row| row.line.text.as_str().into()).collect::<Vec<Value>>().into()),
        ("code", views.code.as_str().into()),
        ("bare", views.bare.as_str().into()),
        ("text", text.into()),
    ])
}

/// The documents of YAML or JSON, and the manifests a script writes; a list that may be empty. One that
/// cannot be read is left out: that is the lint check's to say.
fn documents(language: &str, text: &str) -> Value {
    if text.len() > DOCUMENT_BYTES_MAX {
        return Value::new_array();
    }
    let found: Vec<Value> = match language {
        "yaml" => yaml_documents(text).iter().filter_map(|text| Value::from_yaml_str(text).ok()).collect(),
        "json" => Value::from_json_str(text).into_iter().collect(),
        "bash" => manifests(text).iter().filter_map(|text| Value::from_yaml_str(text).ok()).collect(),
        _ => Vec::new(),
    };
    found.into()
}

/// The documents of a YAML text: a line that begins with `---` or `...` ends one, wherever it stands.
fn yaml_documents(text: &str) -> Vec<String> {
    let mut documents = vec![String::new()];
    for line in text.lines() {
        let mark = |mark: &str| {
            line.strip_prefix(mark).filter(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace))
        };
        if let Some(rest) = mark("---").or_else(|| mark("...")) {
            documents.push(format!("{}\n", rest.trim_start()));
        } else if let Some(document) = documents.last_mut() {
            document.push_str(line);
            document.push('\n');
        }
    }
    documents.retain(|document| {
        document.lines().any(|line| !line.trim().is_empty() && !line.trim_start().starts_with(['#', '%']))
    });
    documents
}

/// Kubernetes manifests that stand in a script, up to the line that ends their heredoc.
fn manifests(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut end: Option<&str> = None;
    let mut body = String::new();
    for line in text.lines() {
        match end {
            Some(name) if line.trim() == name => {
                if body.starts_with("apiVersion:") {
                    found.extend(yaml_documents(&body));
                }
                body.clear();
                end = None;
            }
            Some(_) => {
                body.push_str(line);
                body.push('\n');
            }
            None => {
                end = line.split_once("<<").map(|(_, rest)| {
                    let rest = rest.trim_start_matches('-').trim_start().trim_start_matches(['\'', '"']);
                    let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
                    &rest[..length]
                });
                end = end.filter(|name| !name.is_empty());
            }
        }
    }
    found
}

fn object<const N: usize>(fields: [(&str, Value); N]) -> Value {
    Value::from(
        fields.into_iter().map(|(name, value)| (Value::from(name), value)).collect::<BTreeMap<_, _>>(),
    )
}
