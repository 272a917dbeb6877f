//! The real linters, on good and on bad input.

use fleet_checks::{LinterFound, Linters};
use fleet_deliberation::{CheckOutcome, Severity, Standing};
use fleet_orchestrator::port::{CheckRequest, Checker};
use fleet_sandbox::Choice;

use crate::{TIMEOUT_MS, alone, assert_advice_only, block, installed, lint, lint_within, rules, runs, suite};

#[tokio::test]
async fn each_is_found_with_its_version_or_named_as_missing() {
    let found = Linters::on_path(runs(Choice::Auto), installed()).found().await;
    let versions: Vec<&str> = found
        .iter()
        .map(|found| match found {
            LinterFound::Works(version) => version.as_str(),
            other => panic!("{other:?}"),
        })
        .collect();
    let rustfmt = versions[4];
    assert!(rustfmt.starts_with("rustfmt 1."), "{rustfmt}");
    assert_eq!(
        [&versions[..4], &versions[5..]].concat(),
        ["ruff 0.17.6", "shellcheck 0.11.0", "hadolint 2.15.1", "yamllint 1.38.0", "biome 2.6.8"]
    );
    let found = Linters::on_path(runs(Choice::Auto), "/nowhere").found().await;
    let missing = found.iter().filter(|found| matches!(found, LinterFound::Missing(_))).count();
    assert_eq!((missing, &found[0]), (5, &LinterFound::Missing("ruff")), "{found:?}");
}

#[tokio::test]
async fn what_is_good_has_nothing_against_it_and_the_message_says_who_looked() {
    for (tag, code, tool) in [
        ("python", "import math\n\n\ndef area(r):\n    return math.pi * r**2", "ruff 0.17.6"),
        ("sh", "#!/bin/sh\nset -eu\nprintf '%s\\n' \"$1\"", "shellcheck 0.11.0"),
        ("bash", "shopt -s nullglob\nfiles=(*.txt)\nprintf '%s\\n' \"${files[@]}\"", "shellcheck 0.11.0"),
        ("dockerfile", "FROM debian:12\nWORKDIR /app\nCOPY . .\nCMD [\"./run\"]", "hadolint 2.15.1"),
        ("yaml", "on: push\nmode: 0644\nflag: yes", "yamllint 1.38.0"),
        ("js", "export function f(a) {\n  return <b>{a}</b>;\n}", "biome 2.6.8"),
        ("ts", "export const f = (a: number): number => a + 1;", "biome 2.6.8"),
        ("tsx", "export const F = () => <b>x</b>;", "biome 2.6.8"),
    ] {
        let proposal = block(tag, code);
        let (result, before) = (lint(&proposal).await, alone(&proposal));
        assert_advice_only(&result);
        assert!(result.faults.is_empty(), "{tag}: {:?}", result.faults);
        assert_eq!(result.message, format!("{}; {tool}: nothing", before.message));
        assert_eq!(result.tools, [before.tools, vec![tool.to_owned()]].concat());
    }
    let rust = lint(&block("rust", "fn main() {\n    println!(\"x\");\n}")).await;
    assert!(rust.faults.is_empty() && rust.message.contains("; rustfmt 1."), "{rust:?}");
}

#[tokio::test]
async fn bugs_are_advice_with_the_tool_the_rule_and_the_line_of_the_proposal() {
    for (tag, code, rule, line) in [
        ("py", "def f(x=[]):\n    return x", "ruff/B006", 4),
        ("py", "x = '%d %d' % (1,)\nassert (x, 'is long')", "ruff/F507", 4),
        ("sh", "dir=$1\nrm -rf $dir/*", "shellcheck/SC2115", 5),
        ("sh", "#!/bin/sh\nif [[ -n $1 ]]; then\n  echo x\nfi", "shellcheck/SC3010", 5),
        ("docker", "FROM debian:12\nRUN apt-get update\nCMD a\nCMD b", "hadolint/DL4003", 7),
        ("docker", "FROM debian:12\nRUN curl -s http://x | tar x", "hadolint/DL4006", 5),
        ("yaml", "countries:\n  - SE\n  - NO", "yamllint/truthy", 6),
        ("rust", "fn main(){\nprintln!(\"x\");}", "rustfmt/format", 4),
        ("js", "const a = 1;\na = 2;", "biome/noConstAssign", 5),
        ("ts", "export const f = (a: number) => a === NaN;", "biome/useIsNan", 4),
    ] {
        let result = lint(&block(tag, code)).await;
        assert_advice_only(&result);
        assert_eq!(rules(&result).get(rule), Some(&vec![line]), "{result:?}");
        let (tool, id) = rule.split_once('/').expect("two parts");
        let fault = result.faults.iter().find(|fault| fault.rule == rule).expect("it is there");
        assert!(fault.message.ends_with(&format!(" ({tool} {id})")), "{}", fault.message);
        assert!(result.message.contains(" of advice"), "{}", result.message);
    }
}

#[tokio::test]
async fn a_place_is_that_in_the_markdown_also_in_lists_and_after_wide_characters() {
    let result = lint("1. So:\n\n   ```js\n   const ä = 1;\n   /* 𝄞ü */ ä = 2;\n   ```\n").await;
    let fault = &result.faults[0];
    assert_eq!((fault.line, fault.column, fault.excerpt.as_str()), (5, 13, "/* 𝄞ü */ ä = 2;"), "{fault:?}");
    let result = lint("1. So:\n\n   ```py\n   ä = '𝄞'; b = ä.strip('abca')\n   ```\n").await;
    let fault = &result.faults[0];
    assert_eq!((fault.rule.as_str(), fault.line, fault.column), ("ruff/B005", 4, 17), "{fault:?}");
}

#[tokio::test]
async fn all_read_what_is_not_ascii() {
    let proposal = block("py", "# 𝄞 größer\ndef f(x=[]):\n    return 'ä'")
        + &block("sh", "# 𝄞 größer\nä=$1\nrm -rf $1/*  # ä")
        + &block("docker", "# 𝄞 größer\nFROM debian:12\nENV A=\"ä\"\nCMD ä\nCMD ö")
        + &block("yaml", "# 𝄞 größer\nä: NO")
        + &block("js", "// 𝄞 größer\nconst ä = 'ö';\nä = 2;")
        + &block("rs", "// 𝄞 größer\nfn main(){ }");
    let result = lint(&proposal).await;
    assert_advice_only(&result);
    assert_eq!(rules(&result).len(), 6, "{}", result.message);
}

#[tokio::test]
async fn a_name_that_a_whole_file_uses_and_nobody_defines_fails_and_not_badly() {
    let whole = "import json\n\n\ndef load(path):\n    return json.loads(pth.read_text())";
    let suite = suite(Choice::Auto, installed());
    let proposal = block("py", whole);
    let result = lint_within(&suite, &proposal, TIMEOUT_MS).await;
    assert_eq!(result.outcome, CheckOutcome::Fail);
    assert_eq!(result.faults[0].severity, Severity::Medium);
    assert_eq!(result.faults[0].message, "Undefined name `pth` (ruff F821)");
    assert!(result.message.ends_with("; ruff 0.17.6: 1 fault"), "{}", result.message);
    let (task, role) = (Default::default(), fleet_deliberation::Role::new("DEV").expect("a role"));
    let request = CheckRequest { proposal: &proposal, task: &task, role: &role, timeout_ms: TIMEOUT_MS };
    let summary = suite.check(request).await.summary();
    assert_eq!(summary.standing(), Standing::Passed);
    assert_eq!(summary.hard_failures().count(), 0);
}

#[tokio::test]
async fn a_name_that_nobody_defines_is_advice_where_code_may_run_without_it() {
    for code in [
        "import pandas\n\n\ndef f(d: \"DataFrame\"):\n    return d",
        "from __future__ import annotations\n\n\ndef f(d: DataFrame) -> list[Row]:\n    return d",
        "import os\n\nprint(nme)  # noqa: F821",
        "import sys\n\n\ndef f(d):\n    return sys.version_info[0] < 3 and isinstance(d, long)",
        "import os\n\nexec('nme = 1')\nprint(nme)",
    ] {
        let result = lint(&block("py", code)).await;
        assert_advice_only(&result);
        assert!(rules(&result).contains_key("ruff/F821"), "{code}: {result:?}");
    }
    for code in [
        "import os\n\nprint(nme)  # noqa: F401",
        "import os\n\nprint(f\"{nme}\")",
        "import os\n\n\ndef f(d: int):\n    return nme",
    ] {
        let result = lint(&block("py", code)).await;
        assert_eq!(result.outcome, CheckOutcome::Fail, "{code}: {result:?}");
    }
}

#[tokio::test]
async fn an_excerpt_is_not_blamed_for_what_surrounds_it() {
    for (tag, code) in [
        ("py", "def load(path):\n    return json.loads(path.read_text())"),
        ("py", "import json\n# ... the rest as it was\nreturn json.loads(x)"),
        ("py", "    import json\n    yield settings"),
        ("py", "count == 3"),
        ("py", "import os  # noqa: F401\nfrom .a import b"),
        ("sh", "local a=1\necho \"$b\" \"$a\""),
        ("sh", "source ./env.sh\nbreak"),
        ("dockerfile", "COPY --from=build a b\nRUN true | cat"),
        ("js", "return fetch(url).then(unpack);"),
        ("js", "if (ready) {\n  start();\n}"),
        ("ts", "constructor(private a: A) { super(); }"),
        ("rust", "let x = f()?;\nOk(x)"),
        ("rust", "mod parts;\n\nfn main(){}"),
        ("yaml", "    a: 1\n  b: 2"),
    ] {
        let result = lint(&block(tag, code)).await;
        assert_advice_only(&result);
        assert!(result.faults.is_empty(), "{tag} {code}: {:?}", result.faults);
    }
}

#[tokio::test]
async fn a_name_may_be_defined_in_another_block() {
    let first = block("py", "def area(r):\n    return 3 * r * r");
    let second = block("py", "import sys\n\nprint(area(int(sys.argv[1])))");
    assert_advice_only(&lint(&(first + &second)).await);
    assert_eq!(lint(&second).await.outcome, CheckOutcome::Fail);
}

#[tokio::test]
async fn syntax_decides_as_before_and_its_blocks_are_not_shown_to_linters() {
    let proposal = block("py", "def f(:\n    pass") + &block("js", "const a = 1;\na = 2;");
    let (result, before) = (lint(&proposal).await, alone(&proposal));
    assert_eq!(result.outcome, CheckOutcome::Fail);
    assert!(result.message.starts_with(&before.message) && !result.message.contains("ruff"), "{result:?}");
    assert_eq!(result.faults[..before.faults.len()], before.faults);
    assert_eq!(result.faults.last().map(|fault| fault.rule.as_str()), Some("biome/noConstAssign"));
    let nothing = lint("Only words.").await;
    assert_eq!(nothing, alone("Only words."));
}

#[tokio::test]
async fn configuration_and_comments_of_a_proposal_change_nothing() {
    let bad = "import os\n\n\ndef f(x=[]):\n    return nme";
    let with = block("toml title=\"ruff.toml\"", "lint.ignore = ['B006', 'F821']")
        + &block("toml title=\"pyproject.toml\"", "[tool.ruff.lint]\nselect = []")
        + &block("yaml title=\".yamllint\"", "rules: {truthy: disable}")
        + &block("yaml title=\".hadolint.yaml\"", "ignored: [DL4003]")
        + &block("sh title=\".shellcheckrc\"", "disable=all")
        + &block("json title=\"biome.json\"", "{\"linter\": {\"enabled\": false}}")
        + &block("toml title=\"rustfmt.toml\"", "disable_all_formatting = true")
        + &block("py", &format!("# ruff: noqa\n{bad}  # noqa"))
        + &block("docker", "FROM debian:12\nCMD a\n# hadolint ignore=DL4003\nCMD b")
        + &block("yaml", "a: NO")
        + &block("sh", "dir=$1\nrm -rf $dir/*")
        + &block("js", "const a = 1;\na = 2;")
        + &block("rs", "fn main(){ }");
    let result = lint(&with).await;
    let rules = rules(&result);
    for rule in [
        "ruff/B006",
        "ruff/F821",
        "hadolint/DL4003",
        "yamllint/truthy",
        "shellcheck/SC2115",
        "biome/noConstAssign",
        "rustfmt/format",
    ] {
        assert!(rules.contains_key(rule), "{rule} is not in {rules:?}; {}", result.message);
    }
}

#[tokio::test]
async fn names_of_files_are_no_options() {
    for name in ["--config=x.py", "-h.py", "--version.py", "@x.py", "--exit-zero.py", "a/../../x.py"] {
        let proposal = block(&format!("py title=\"{name}\""), "def f(x=[]):\n    return x");
        let result = lint(&proposal).await;
        assert_eq!(rules(&result).keys().copied().collect::<Vec<_>>(), ["ruff/B006"], "{name}: {result:?}");
    }
}

/// Version 2.15.1 of hadolint breaks on a working folder of one letter.
#[tokio::test]
async fn a_linter_that_breaks_says_nothing_of_the_proposal() {
    let proposal = block("docker", "FROM debian:12\nWORKDIR x\nCMD a\nCMD b");
    let (result, before) = (lint(&proposal).await, alone(&proposal));
    assert_eq!(
        (result.outcome, &result.faults, &result.tools),
        (before.outcome, &before.faults, &before.tools)
    );
    let said = format!("{}; hadolint 2.15.1 gave no result: its output cannot be read: ", before.message);
    assert!(result.message.starts_with(&said), "{}", result.message);
}

#[tokio::test]
async fn they_work_in_either_sandbox() {
    let proposal = block("py", "def f(x=[]):\n    return x")
        + &block("sh", "dir=$1\nrm -rf $dir/*")
        + &block("docker", "FROM debian:12\nCMD a\nCMD b")
        + &block("yaml", "a: NO")
        + &block("js", "const a = 1;\na = 2;")
        + &block("rs", "fn main(){ }");
    for choice in [Choice::Bubblewrap, Choice::Landlock] {
        if runs(choice).sandbox().await.is_err() {
            continue;
        }
        let result = lint_within(&suite(choice, installed()), &proposal, TIMEOUT_MS).await;
        assert_advice_only(&result);
        assert_eq!(rules(&result).len(), 6, "{choice:?}: {}", result.message);
    }
}
