//! The Kubernetes manifests of a proposal, for whoever asks more of them than the schema.

use std::time::Instant;

use fleet_deliberation::Fault;
use serde_json::Value;

use super::{Found, Language, MANIFEST, OutOfTime, documents, fault, kubernetes, template};
use crate::PROPOSAL_BYTES_MAX;
use crate::data::{Content, Format, Node, Places};
use crate::diff::is_diff;
use crate::parts::{Part, parts};

/// One manifest with which the schema finds no fault, whole.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Manifest {
    /// Such as `v1` and `apps/v1`.
    pub(crate) api: String,
    pub(crate) kind: String,
    /// The schema has its kind; it has none of custom resources.
    pub(crate) known: bool,
    pub(crate) value: Value,
    pub(crate) language: &'static str,
    /// Where in the Markdown it begins.
    pub(crate) line: u32,
}

/// What there is of manifests in a proposal.
#[derive(Debug, Default)]
pub(crate) struct Manifests {
    pub(crate) whole: Vec<Manifest>,
    /// How many have something to be filled in, or are patches.
    pub(crate) partial: usize,
    /// How many the schema refuses, and why.
    pub(crate) refused: usize,
    pub(crate) faults: Vec<Fault>,
}

impl Manifests {
    /// Whether there may be any in a proposal.
    pub(crate) fn may_be_in(proposal: &str) -> bool {
        proposal.len() <= PROPOSAL_BYTES_MAX && proposal.contains("apiVersion")
    }

    /// Those of a proposal, read until `deadline`.
    pub(crate) fn of(proposal: &str, deadline: Instant) -> Result<Manifests, OutOfTime> {
        let in_time = || if Instant::now() < deadline { Ok(()) } else { Err(OutOfTime) };
        let mut found = Manifests::default();
        if !Manifests::may_be_in(proposal) {
            return Ok(found);
        }
        let parts = parts(proposal);
        let patches = kubernetes::patches(&parts);
        for part in parts.iter().filter(|part| !is_diff(part)) {
            let Some(language) = Language::of_tag(&part.tag) else { continue };
            let Some(format @ (Format::Yaml | Format::Json)) = language.format() else { continue };
            let code = part.code();
            if template::is_template_file(part.path.as_deref(), &code)
                || template::is_transcript(language, &code)
            {
                continue;
            }
            let text = template::without_placeholders(format, &code);
            in_time()?;
            let (0, Ok(documents)) = documents(format, &text) else { continue };
            let places = Places::of(&text);
            let partial = text != code || kubernetes::is_partial(part.path.as_deref(), &code, &patches);
            for document in documents {
                for node in objects(&document.root) {
                    in_time()?;
                    found.take(node, partial || document.odd_keys, language, part, &places);
                }
            }
        }
        Ok(found)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.whole.is_empty() && self.partial == 0 && self.refused == 0
    }

    fn take(&mut self, node: &Node, partial: bool, language: Language, part: &Part, places: &Places) {
        let text_of = |key: &str| node.get(key).and_then(Node::text).map(str::to_owned);
        let (Some(api), Some(kind)) = (text_of("apiVersion"), text_of("kind")) else { return };
        // Nothing but `v1` is without a group; other tools have versions, too.
        if api != "v1" && !api.contains('/') {
            return;
        }
        let wrong = kubernetes::faults(node, partial);
        if !wrong.is_empty() {
            self.refused += 1;
            self.faults.extend(wrong.into_iter().map(|wrong| {
                let (row, column) = places.at(wrong.at);
                let found = Found { row, column, message: wrong.message };
                fault(MANIFEST, wrong.severity, language.name(), part, &found)
            }));
            return;
        }
        let value = node.value();
        if partial || has_placeholder(&value) {
            self.partial += 1;
            return;
        }
        let (row, _) = places.at(node.at);
        let line = part.lines.get(row).map_or(part.fence_line, |line| line.number);
        let known = kubernetes::knows(&api, &kind);
        self.whole.push(Manifest { api, kind, known, value, language: language.name(), line });
    }
}

/// A document, or what it lists.
fn objects(root: &Node) -> &[Node] {
    match (root.get("kind").and_then(Node::text), root.get("items").map(|items| &items.content)) {
        (Some("List"), Some(Content::List(items))) => items,
        _ => std::slice::from_ref(root),
    }
}

/// Whether somewhere in it something is to be filled in.
fn has_placeholder(value: &Value) -> bool {
    match value {
        Value::String(text) => {
            let angled = text.starts_with('<') && text.ends_with('>');
            angled || ["${", "{{"].iter().any(|begin| text.contains(begin))
        }
        Value::Array(items) => items.iter().any(has_placeholder),
        Value::Object(entries) => entries.iter().any(|(_, value)| has_placeholder(value)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn of(proposal: &str) -> Manifests {
        Manifests::of(proposal, Instant::now() + Duration::from_secs(60)).expect("there is time")
    }

    #[test]
    fn very_many_are_read_in_one_pass() {
        let one = |n| format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a{n}}}\n---\n");
        let many: String = (0..15_000).map(one).collect();
        let proposal = format!("```yaml\n{many}```\n");
        // Within a minute, of which it takes some seconds; looked for from the start of the text for each, they took
        // longer than that.
        let found = of(&proposal);
        assert_eq!((found.whole.len(), found.whole[14_999].line), (15_000, 2 + 4 * 14_999));
        assert!(Manifests::of(&proposal, Instant::now()).is_err());
    }

    #[test]
    fn what_is_whole_is_told_from_what_is_refused_or_to_be_filled_in() {
        let map = |name: &str, more: &str| {
            format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n{more}")
        };
        let yaml = [
            map("a", "data: {x: y}\n"),
            map("b", "dta: {}\n"),
            map("<name>", ""),
            "apiVersion: example.org/v1\nkind: Shop\nmetadata: {name: c}\n".to_owned(),
            "version: 3\nservices: {}\n".to_owned(),
        ];
        let found = of(&format!("Words.\n\n```yaml\n{}```\n", yaml.join("---\n")));
        let whole: Vec<_> = found.whole.iter().map(|it| (it.kind.as_str(), it.known, it.line)).collect();
        assert_eq!(whole, [("ConfigMap", true, 4), ("Shop", false, 21)]);
        assert_eq!((found.partial, found.refused, found.faults.len()), (1, 1, 1), "{:?}", found.faults);
        assert!(of("```yaml\na: 1\n```").is_empty());
    }
}
