//! TypeScript: run where node takes the types away, and tested.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use fleet_checks::{RunBounds, Surroundings};
use fleet_deliberation::{CheckOutcome, CheckResult};
use fleet_sandbox::Choice;

use crate::{BOUNDS, brought, dry_with, given_with, outcomes, suite_with};

async fn dry(proposal: &str) -> CheckResult {
    dry_with(&suite_with(Choice::Auto, BOUNDS, brought()), proposal).await
}

async fn given(code: &str, tests: &str) -> CheckResult {
    let proposal = format!("```ts\n{code}\n```");
    given_with(&suite_with(Choice::Auto, BOUNDS, brought()), &proposal, tests).await
}

#[tokio::test]
async fn what_runs_passes_in_either_sandbox() {
    for choice in [Choice::Bubblewrap, Choice::Landlock] {
        let suite = suite_with(choice, BOUNDS, brought());
        for code in [
            "interface Pair { a: number; b: number }\nconst pair: Pair = { a: 6, b: 7 };\nconsole.log('here', pair.a * (pair.b as number));",
            "import { sep } from 'node:path';\nexport type Text = string;\nconst text: Text = 'here 42' + sep;\nconsole.log(text);",
            "enum Level { Low = 41, High }\nclass A { constructor(readonly x: number) {} }\nconsole.log('here', new A(Level.High).x);",
        ] {
            let result = dry_with(&suite, &format!("```typescript\n{code}\n```")).await;
            assert_eq!(result.outcome, CheckOutcome::Pass, "{choice:?}: {code}\n{result:?}");
            assert_eq!(result.message, "typescript ran to its end");
            assert!(result.tools[0].contains("(types "), "{result:?}");
            let output = result.run.expect("it was run").output;
            assert!(output.contains("here 42") && !output.contains("Warning"), "{output}");
        }
    }
}

#[tokio::test]
async fn what_fails_is_held_against_the_line_where_it_does() {
    for (code, line, what) in [
        ("const a: number = 1;\n\nundefined_thing(a);", 6, "ReferenceError: undefined_thing is not defined"),
        ("const a: number = 1;\nconst b: = 2;\nconst c: number = 3;", 5, "Unexpected token"),
    ] {
        let result = dry(&format!("\n\n```ts\n{code}\n```")).await;
        assert_eq!(result.outcome, CheckOutcome::Fail, "{code}\n{result:?}");
        assert_eq!(result.faults[0].line, line, "{result:#?}");
        assert!(result.message.contains(what), "{}", result.message);
    }
}

#[tokio::test]
async fn what_is_for_others_is_only_read_and_what_is_missing_is_named() {
    for (proposal, outcome, what) in [
        (
            "```ts\nconst title: string = document.title;\n```",
            CheckOutcome::Pass,
            "parsed only, as it is for a browser",
        ),
        (
            "```ts\nimport express from 'express';\nconst app = express();\n```",
            CheckOutcome::Skipped,
            "needs the module express",
        ),
        ("```tsx\nconst A = () => <p>a</p>;\n```", CheckOutcome::Skipped, "nothing here runs tsx"),
    ] {
        let result = dry(proposal).await;
        assert_eq!(result.outcome, outcome, "{proposal}\n{result:?}");
        assert!(result.message.contains(what), "{}", result.message);
    }
}

#[tokio::test]
async fn files_import_each_other_as_the_compiler_lets_them() {
    for import in ["./src/sum", "./src/sum.js", "./src/sum.ts"] {
        let proposal = format!(
            "### main.ts\n```ts\nimport {{ sum }} from '{import}';\nimport type {{ Numbers }} from './src/sum';\n\nconst all: Numbers = [40, \
             2];\nconsole.log('total', sum(all));\n```\n### src/sum.ts\n```ts\nexport type Numbers = number[];\nexport const sum = (all: Numbers): \
             number => all.reduce((a, b) => a + b, 0);\n```"
        );
        let result = dry(&proposal).await;
        assert_eq!(result.outcome, CheckOutcome::Pass, "{import}: {result:?}");
        assert!(result.run.is_some_and(|run| run.output.contains("total 42")));
    }
}

#[tokio::test]
async fn tests_are_given_as_for_javascript() {
    let code = "enum By { Two = 2 }\nexport function double(x: number): number {\n  return x === 3 ? 0 : By.Two * x;\n}";
    let tests = "for (const x of [1, 3] as number[]) test(`doubles ${x}`, () => assert.equal(double(x), 2 * x));\nit('waits', async (): Promise<void> \
                 => { await null; assert.equal(double(2), 4); });\nfunction test_four(): void { assert.strictEqual(double(4), 8); }";
    let result = given(code, tests).await;
    assert_eq!(outcomes(&result), ["doubles 1", "-doubles 3", "waits", "test_four"], "{result:?}");
    let bare = given(&code.replace("export ", ""), "assert.strictEqual(double(1), 2);").await;
    assert_eq!(outcomes(&bare), ["tests"], "{bare:?}");
    for cheat in [
        "process.exit(0);",
        "process.on('exit', () => { process.exitCode = 0; }); process.on('uncaughtException', () => process.exit(0));",
    ] {
        let result = given(&format!("export const double = (x: number) => x;\n{cheat}"), tests).await;
        assert_eq!(result.outcome, CheckOutcome::Fail, "{cheat}\n{result:?}");
        assert!(result.tests.iter().all(|test| !test.passed), "{result:?}");
    }
}

/// A folder with a `node` that is the one brought, but for what it can do.
fn lesser_node(folder: &Path, refuses: &str) -> Surroundings {
    let brought = brought();
    let path = brought.path.clone().expect("a path");
    let node = std::env::split_paths(&path)
        .map(|folder| folder.join("node"))
        .find(|node| node.exists())
        .expect("node");
    let script = format!(
        "#!/bin/bash\nfor word; do case $word in {refuses}) echo \"bad option: $word\" >&2; exit 9 ;; esac; done\nexec '{}' \"$@\"\n",
        node.display()
    );
    let file = folder.join("node");
    std::fs::write(&file, script).expect("a script");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).expect("a mode");
    let path = std::env::join_paths([folder.to_owned()].into_iter().chain(std::env::split_paths(&path)))
        .expect("a path");
    Surroundings { path: Some(path), ..brought }
}

#[tokio::test]
async fn a_node_that_only_takes_types_away_skips_what_is_more_than_types() {
    let folder = tempfile::tempdir().expect("a folder");
    let suite =
        suite_with(Choice::Auto, BOUNDS, lesser_node(folder.path(), "--experimental-transform-types"));
    let plain = dry_with(&suite, "```ts\nconst a: number = 1;\nconsole.log(a);\n```").await;
    assert_eq!(plain.outcome, CheckOutcome::Pass, "{plain:?}");
    assert!(plain.tools[0].ends_with("(types stripped)"), "{plain:?}");
    let more = "```ts\nenum A { B }\nexport const b = () => A.B;\n```";
    let result = dry_with(&suite, more).await;
    assert_eq!(result.outcome, CheckOutcome::Skipped, "{result:?}");
    assert!(result.message.contains("--experimental-transform-types"), "{}", result.message);
    let tests = given_with(&suite, more, "test('b', () => assert.equal(b(), 0));").await;
    assert_eq!(tests.outcome, CheckOutcome::Skipped, "{tests:?}");
}

#[tokio::test]
async fn a_node_that_knows_no_types_runs_none_and_says_which_would() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = "#!/bin/bash\nif [ \"$1\" = -e ]; then printf 'node 20.0.0\\n%s\\n' \"$0\"; else exit 9; fi\n";
    std::fs::write(folder.path().join("node"), node).expect("a script");
    std::fs::set_permissions(folder.path().join("node"), std::fs::Permissions::from_mode(0o755))
        .expect("a mode");
    let path =
        std::env::join_paths([folder.path(), Path::new("/usr/bin"), Path::new("/bin")]).expect("a path");
    let surroundings = Surroundings { path: Some(path), ..Surroundings::default() };
    let result =
        dry_with(&suite_with(Choice::Auto, BOUNDS, surroundings), "```ts\nconst a: number = 1;\n```").await;
    assert_eq!(result.outcome, CheckOutcome::Skipped, "{result:?}");
    assert_eq!(
        result.message,
        "not run: typescript: node 20.0.0 does not run it; one from 22.18 or 23.6 on does"
    );
}

const ADDS: &str = "test('adds', () => assert.equal(add(1, 2), 3));";

#[tokio::test]
async fn what_only_types_say_of_others_is_no_fault_where_nothing_is_left_of_it() {
    let suite = suite_with(Choice::Auto, BOUNDS, brought());
    let types = "export interface Pair { a: number; b: number }\nexport type Text = string;\nexport const plus = (a: number, b: number): number => a + b;";
    for index in [
        "import { Pair } from './types';\nexport function add(a: number, b: number): number { const p: Pair = { a, b }; return p.a + p.b; }",
        "import { plus, Pair } from './types';\nexport { Pair, Text as Words } from './types';\nexport * from './types';\nexport const add = (a: number, b: number): number => { \
         const p: Pair = { a, b }; return plus(p.a, p.b); };",
        "import { RequestOptions } from 'node:http';\nimport {\n  Text,\n  type Pair,\n  plus,\n} from './types';\nconst options: RequestOptions = {};\n\
         export const add = (a: number, b: number, text?: Text) => plus(a, b);\nexport { Pair, options };",
        "interface Options { n: number }\nfunction add(a: number, b: number): number { return a + b; }\nexport { add, Options };",
        "import { Pair } from './types';\nexport const add = (a: number, b: number) => a + b;\nexport { Pair };",
    ] {
        let proposal =
            format!("### src/types.ts\n```ts\n{types}\n```\n### src/index.ts\n```ts\n{index}\n```\n");
        let result = dry_with(&suite, &proposal).await;
        assert_eq!(result.outcome, CheckOutcome::Pass, "{index}\n{result:?}");
        let tests = given_with(&suite, &proposal, ADDS).await;
        assert_eq!(
            (tests.outcome, outcomes(&tests)),
            (CheckOutcome::Pass, vec!["adds".to_owned()]),
            "{index}\n{tests:?}"
        );
    }
}

#[tokio::test]
async fn older_forms_are_run_and_decorators_are_skipped() {
    for code in [
        "export function add(a: number, b: number): number { const x = <number>(a as any); return x + b; }",
        "module Util { export function plus(a: number, b: number) { return a + b; } }\nexport function add(a: number, b: number): number { return \
         Util.plus(a, b); }",
        "function add(a: number, b: number): number { return a + b; }\nexport = { add };",
        "import fs = require('fs');\nfunction add(a: number, b: number): number { fs.constants; return a + b; }\nexport = { add };",
        "import path = require('path');\nexport function add(a: number, b: number): number { path.sep; return a + b; }",
    ] {
        let result = given(code, ADDS).await;
        assert_eq!(
            (result.outcome, outcomes(&result)),
            (CheckOutcome::Pass, vec!["adds".to_owned()]),
            "{code}\n{result:?}"
        );
        let dry = dry(&format!("```ts\n{code}\n```")).await;
        assert_eq!(dry.outcome, CheckOutcome::Pass, "{code}\n{dry:?}");
    }
    let code = "function logged(value: any, _: any) { return value; }\nclass M { @logged add(a: number, b: number) { return a + b; } }\n\
                export const add = (a: number, b: number) => new M().add(a, b);";
    for result in [given(code, ADDS).await, dry(&format!("```ts\n{code}\n```")).await] {
        assert_eq!(result.outcome, CheckOutcome::Skipped, "{result:?}");
        assert!(result.message.contains("it has decorators"), "{}", result.message);
    }
}

#[tokio::test]
async fn what_takes_too_long_to_read_is_an_error() {
    let code = format!("export const x = {};", "a<".repeat(400_000));
    let bounds = RunBounds { dry_run_ms: 2_000, tests_ms: 2_000, ..BOUNDS };
    let suite = suite_with(Choice::Auto, bounds, brought());
    let proposal = format!("```ts\n{code}\n```");
    let result = given_with(&suite, &proposal, ADDS).await;
    assert_eq!(result.outcome, CheckOutcome::Error, "{result:?}");
    assert!(result.message.contains("took too long"), "{}", result.message);
}

#[tokio::test]
async fn tests_import_types_of_modules_and_of_what_is_none() {
    let tests = "import type { Foo } from './solution';\nimport { type Bar, add as plus } from './solution';\nconst foo: Foo | Bar = 1;\n\
                 test('adds', () => assert.equal(plus(1, 2) as number, 3 * foo));";
    for end in ["export { add };", "module.exports = { add };", ""] {
        let code = format!(
            "type Foo = number;\ntype Bar = number;\nfunction add(a: number, b: number): number {{ return a + b; }}\n{end}"
        );
        let result = given(&code, tests).await;
        assert_eq!(
            (result.outcome, outcomes(&result)),
            (CheckOutcome::Pass, vec!["adds".to_owned()]),
            "{code}\n{result:?}"
        );
    }
}
