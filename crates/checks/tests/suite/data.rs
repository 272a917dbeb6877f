//! What the check says of data and manifests.

use fleet_deliberation::CheckOutcome;

use crate::{lint, refused, right};

#[test]
fn data_is_told_from_what_is_not() {
    refused(
        "json",
        "data",
        &["{\"a\": 1,}", "{'a': 1}", "{\"a\": 1", "{\"a\": 1} }", "[1 2]", "{\"a\": 1 /* b */}"],
    );
    refused(
        "yaml",
        "data",
        &["a:\n\tb: 1", "a: b: c", "a: [1", "a: \"b", "a: 1\na: 2", "- a\n b: c", "a: *b"],
    );
    refused(
        "toml",
        "data",
        &["a = b", "a = 1\na = 2", "[a\nb = 1", "a = 'b", "a: 1", "[a]\n[a]", "a = {b = 1"],
    );
    right("json", &["{\"a\": [1, {}], \"b\": \"//\"}", "{\n  \"a\": 1,\n  // ...\n}", "\"a\": {\"b\": 1},"]);
    right("jsonc", &["{ // a\n  \"b\": [1,],\n}"]);
    right("json title=\"tsconfig.json\"", &["{ // a\n  \"b\": [1,],\n}"]);
    right("jsonl", &["{\"a\": 1}\n{\"a\": 2}"]);
    right("toml", &["a.b = 1\n[c]\nd = [\n  1,\n]\n...\n[[e]]\nf = 1979-05-27"]);
    right(
        "yaml",
        &[
            "a: &x {b: 1}\nc:\n  <<: *x\n---\n- !Ref d\n- |\n  {{ text }}\n  \tx\n",
            "on: push\nenv:\n  A: ${{ secrets.A }}\nrun: echo '{{ x }}'",
            "    a:\n      - b\n  c: 1",
            "a:\n  ...\nb: 1",
            "a:\n  # ... more\n  b: 1\n...\n",
        ],
    );
}

#[test]
fn manifests_are_held_against_their_schema() {
    refused(
        "yaml",
        "manifest",
        &[
            "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n    - image: a",
            "apiVersion: apps/v1\nkind: Deployment\nspec: {replicas: \"3\", selector: {}, template: {}}",
            "apiVersion: apps/v1\nkind: Deployment\nspec: {template: {}}",
            "apiVersion: batch/v1beta1\nkind: CronJob",
            "a: 1\n---\napiVersion: v1\nkind: Service\nspec: {ports: [{port: 80a}]}",
        ],
    );
    refused("json", "manifest", &["{\"apiVersion\": \"v1\", \"kind\": \"ConfigMap\", \"data\": {\"a\": 1}}"]);
    right(
        "yaml",
        &[
            "apiVersion: v1\nkind: ConfigMap\ndata:\n  a: \"1\"",
            "apiVersion: example.com/v1\nkind: Deployment\nspec: {replicas: \"3\"}",
            "apiVersion: apps/v1\nkind: Deployment\nspec:\n  replicas: 3\n  # ...",
        ],
    );
    right(
        "yaml title=\"replicas-patch.yaml\"",
        &["apiVersion: apps/v1\nkind: Deployment\nspec: {replicas: 3}"],
    );
    let patched = "```yaml\nkind: Kustomization\npatches:\n- path: more.yaml\n```\n### more.yaml\n```yaml\n\
                   apiVersion: apps/v1\nkind: Deployment\nspec: {replicas: 3}\n```";
    assert_eq!(lint(patched).outcome, CheckOutcome::Pass);
}

#[test]
fn templates_are_not_taken_for_data() {
    for (tag, code) in [
        ("yaml", "a:\n  {{- if b }}\n  c: {{ d }}\n  {{- end }}"),
        ("yaml title=\"chart/templates/a.yaml\"", "a: \"{{ b }}\""),
        ("json title=\"a.json.tmpl\"", "{\"a\": {{ b }}}"),
        ("sql", "SELECT * FROM {{ ref('a') }} WHERE"),
        ("toml", "a = {{ b }}"),
    ] {
        let result = lint(&format!("```{tag}\n{code}\n```"));
        assert_eq!(result.outcome, CheckOutcome::Skipped, "{code}: {:?}", result.faults);
        assert!(result.message.contains("a template"), "{}", result.message);
    }
}
