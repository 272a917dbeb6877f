//! The tests that a task gives: their form in every language, and that none hides another.

use std::num::NonZeroUsize;

use fleet_checks::RunBounds;
use fleet_deliberation::{CheckOutcome, Severity};

use crate::{given, given_within, outcomes};

#[tokio::test]
async fn tests_of_python_are_functions_cases_and_bare_asserts() {
    let code = "def double(x):\n    return x + x if x != 3 else 0";
    let tests = "import unittest\n\nassert solution.double(0) == 0\n\ndef test_two():\n    assert double(2) == 4\n\ndef test_three():\n    \
                 assert double(3) == 6\n\nasync def test_later():\n    assert double(1) == 2\n\nclass Doubles(unittest.TestCase):\n    \
                 def setUp(self):\n        self.one = 1\n\n    def test_one(self):\n        self.assertEqual(double(self.one), 2)\n\n    \
                 def test_wrong(self):\n        self.assertEqual(double(3), 6)\n\n    @unittest.skip('later')\n    def test_not_yet(self): pass\n";
    let result = given("python", code, tests).await;
    let expected = [
        "test_two",
        "-test_three",
        "test_later",
        "Doubles.test_one",
        "-Doubles.test_wrong",
        "-Doubles.test_not_yet",
        "tests",
    ];
    assert_eq!(outcomes(&result), expected, "{result:?}");
    assert_eq!(result.outcome, CheckOutcome::Fail);
    assert_eq!((result.faults[0].rule.as_str(), result.faults[0].severity), ("test", Severity::High));
    assert!(result.faults[0].message.starts_with("test_three: AssertionError"), "{:?}", result.faults[0]);
    assert!(result.message.starts_with("3 of 7 tests failed"), "{}", result.message);
}

#[tokio::test]
async fn a_test_that_fails_is_in_no_line_of_the_proposal_and_one_that_the_code_breaks_is_where_it_breaks() {
    let code = "def half(x):\n    return 1 / x";
    let result = given("python", code, "def test_of(): assert half(2) == 2\ndef test_at(): half(0)").await;
    let places: Vec<_> = result.faults.iter().map(|fault| (fault.line, fault.column)).collect();
    assert_eq!(places, [(0, 0), (5, 1)], "{result:?}");
    assert!(result.faults[0].to_string().starts_with("python: test_of: "), "{}", result.faults[0]);
}

#[tokio::test]
async fn tests_of_javascript_are_calls_and_functions() {
    let code = "function double(x) {\n  return x === 3 ? 0 : x + x;\n}\nexports.triple = (x) => 3 * x;";
    let tests = "const values = [1, 3];\nfor (const x of values) test(`doubles ${x}`, () => assert.equal(double(x), 2 * x));\n\
                 it('waits', async () => { await null; assert.equal(triple(1), 3); });\nfunction test_four() { assert.strictEqual(double(4), 8); }";
    let result = given("js", code, tests).await;
    assert_eq!(outcomes(&result), ["doubles 1", "-doubles 3", "waits", "test_four"], "{result:?}");
    assert!(result.faults[0].message.contains("AssertionError"), "{:?}", result.faults);
    let module = given(
        "js",
        "export const double = (x) => x + x;",
        "import fs from 'node:fs';\ntest('x', () => assert.equal(double(fs.constants.R_OK), 8));",
    )
    .await;
    assert_eq!(outcomes(&module), ["x"], "{module:?}");
    let solution = "test('x', () => assert.equal(solution.double(solution.one), 2));";
    for code in [
        "function double(x) { return x + x; }\nconst one = 1;",
        "exports.double = (x) => x + x;\nexports.one = 1;",
        "export const double = (x) => x + x, one = 1, { a, b: [c] } = { b: [1] };",
        "const solution = { double: (x) => x + x, one: 1 };",
    ] {
        let result = given("js", code, solution).await;
        assert_eq!(outcomes(&result), ["x"], "{code}: {result:?}");
    }
    let bare = given("js", code, "assert.strictEqual(double(1), 2);").await;
    assert_eq!(outcomes(&bare), ["tests"], "{bare:?}");
}

#[tokio::test]
async fn tests_of_bash_are_functions_and_statements() {
    let code = "#!/usr/bin/env bash\nset -eu\ndouble() { echo $(($1 * 2)); }\nif [ $# -gt 0 ]; then double \"$1\"; fi";
    let tests = "test_runs() {\n  [ \"$(solution 2)\" = 4 ]\n}\ntest_sourced() {\n  source \"$SOLUTION\"\n  [ \"$(double 3)\" = 6 ]\n}\n\
                 test_wrong() {\n  [ \"$(solution 2)\" = 5 ]\n  true\n}\ntest_unbound() { echo \"$nothing\"; }";
    let result = given("bash", code, tests).await;
    assert_eq!(
        outcomes(&result),
        ["test_runs", "test_sourced", "-test_wrong", "-test_unbound"],
        "{result:?}"
    );
    let bare = given("bash", code, "[ \"$(double 4)\" = 8 ]").await;
    assert_eq!(outcomes(&bare), ["tests"], "{bare:?}");
    assert_eq!(outcomes(&given("bash", code, "[ \"$(double 4)\" = 9 ]\ntrue").await), ["-tests"]);
}

#[tokio::test]
async fn tests_of_rust_see_what_is_private() {
    let code = "#![forbid(unsafe_code)]\nfn double(x: u32) -> u32 {\n    if x == 3 { 0 } else { x + x }\n}\n\nfn main() {}";
    let tests = "use super::*;\n\n#[test]\nfn two() { assert_eq!(double(2), 4); }\n\n#[test]\nfn three() { assert_eq!(double(3), 6); }\n\n\
                 #[test]\n#[should_panic(expected = \"on purpose\")]\nfn panics() { panic!(\"on purpose\"); }\n\nmod more {\n    use super::*;\n    \
                 #[test]\n    fn one() -> Result<(), String> { if double(1) == 2 { Ok(()) } else { Err(\"no\".into()) } }\n}";
    let result = given("rust", code, tests).await;
    assert_eq!(outcomes(&result), ["two", "-three", "panics", "more::one"], "{result:?}");
}

#[tokio::test]
async fn tests_of_c_stand_in_the_unit_of_the_code_without_its_main() {
    let code = "#include <stdio.h>\n\nstatic int twice(int x) { return x == 3 ? 0 : x + x; }\n\nint main(void) {\n    puts(\"main\");\n    return 1;\n}";
    let tests = "void test_two(void) { assert(twice(2) == 4); }\nvoid test_three(void) { assert(twice(3) == 6); }\nvoid test_crash(void) { *(volatile int *)0 = 1; }";
    let result = given("c", code, tests).await;
    assert_eq!(outcomes(&result), ["test_two", "-test_three", "-test_crash"], "{result:?}");
    assert!(result.faults[0].message.contains("twice(3) == 6"), "{:?}", result.faults);
}

#[tokio::test]
async fn tests_may_be_blocks_in_languages_and_files_of_their_own() {
    let proposal = "def double(x):\n    return x + x\n```\n```bash\necho 4";
    let tests = "Some words.\n\n```python tests/values.py\nTWO = 2\n```\n```python\nfrom tests.values import TWO\n\ndef test_two():\n    \
                 assert double(TWO) == 4\n```\n```bash\ntest_prints() { [ \"$(solution)\" = 4 ]; }\n```";
    let result = given("python", proposal, tests).await;
    assert_eq!(outcomes(&result), ["test_two", "test_prints"], "{result:?}");
    assert_eq!(result.outcome, CheckOutcome::Pass);
    assert_eq!(result.tools.len(), 2, "{:?}", result.tools);
}

#[tokio::test]
async fn a_test_that_breaks_or_never_ends_hides_no_other() {
    let code = "def f(): pass";
    let bounds = RunBounds { at_once: NonZeroUsize::MIN, dry_run_ms: 1_000, tests_ms: 24_000 };
    let tests = "def test_hangs():\n    while True: pass\n\ndef test_eats():\n    x = []\n    while True: x.append(bytearray(10 << 20))\n\n\
                 def test_breaks():\n    import os, signal\n    os.kill(os.getpid(), signal.SIGSEGV)\n\ndef test_floods():\n    while True: print('x' * 100_000)\n\n\
                 def test_well(): pass\n";
    let result = given_within("python", code, tests, bounds).await;
    let expected = ["-test_hangs", "-test_eats", "-test_breaks", "-test_floods", "test_well"];
    assert_eq!(outcomes(&result), expected, "{result:?}");
    assert!(result.faults[0].message.contains("did not end in"), "{:?}", result.faults[0]);
}

#[tokio::test]
async fn code_that_cannot_be_built_or_is_missing_fails_every_test_and_says_why() {
    let tests = "def test_a(): pass\ndef test_b(): pass";
    let missing = given("python", "import no_such_package", tests).await;
    assert_eq!(outcomes(&missing), ["-test_a", "-test_b"]);
    assert!(missing.message.contains("it needs the module no_such_package"), "{}", missing.message);
    let broken = given("rust", "fn f( {}", "#[test]\nfn a() {}").await;
    assert_eq!(outcomes(&broken), ["-a"], "{broken:?}");
    let other = given("js", "f();", "```python\ndef test_a(): pass\n```").await;
    assert_eq!(outcomes(&other), ["-test_a"]);
    assert!(other.message.contains("there is no code in python"), "{}", other.message);
    let outside = given("py title=\"../x.py\"", "x = 1", "```python\ndef test_a(): pass\n```").await;
    assert!(outside.message.contains("leaves the folder"), "{outside:?}");
}

#[tokio::test]
async fn tests_that_cannot_be_tests_are_an_error_and_no_pass() {
    for (tests, why) in [
        ("x = 1", "hold no test in python"),
        ("```cobol\nX\n```", "in a block of \"cobol\""),
        ("```py ../../x.py\ndef test_a(): pass\n```", "leaves the folder"),
        (&"def test_a(): pass\n".repeat(20_000), "bytes; more than 262144 are not read"),
    ] {
        let result = given("python", "x = 1", tests).await;
        assert_eq!(result.outcome, CheckOutcome::Error, "{result:?}");
        assert!(result.message.contains(why), "{}", result.message);
    }
}

#[tokio::test]
async fn tests_of_javascript_import_in_every_form() {
    let imports = "import {\n  readFileSync as read,\n  existsSync,\n} from 'node:fs';\nimport path, { sep } from \"node:path\";\nimport * as os from \
                   'node:os'\nimport 'node:url';\nimport assert from 'node:assert';\nimport { test as check, it } from 'node:test';\n\
                   import { double, double as twice } from './solution';\nimport all from './solution.js';\n";
    let tests = format!(
        "{imports}check('x', () => {{ assert.equal(twice(1), 2); assert.equal(all === double || all.double === double, true); }});\n\
         it('y', () => assert.ok(read && existsSync && path.join && sep && os.EOL));\n"
    );
    for code in [
        "function double(x) { return x + x; }\nmodule.exports = { double };",
        "import fs from 'node:fs';\nimport path from 'node:path';\nexport default function double(x) { return x + x; }",
    ] {
        let result = given("js", code, &tests).await;
        assert_eq!(outcomes(&result), ["x", "y"], "{code}: {result:?}");
        let wrong = given("js", &code.replace("x + x", "x"), &tests).await;
        assert_eq!(outcomes(&wrong), ["-x", "y"], "{code}: {wrong:?}");
    }
    for (tests, why) in [
        ("test('x', () => {", "do not parse as javascript"),
        ("import { mock } from 'node:test';\ntest('x', () => {});", "import mock of node:test"),
        ("import { expect } from 'vitest';\nexpect(1);", "import expect of vitest"),
        ("export const x = 1;", "export something"),
        ("for (let at = 0; at < 201; at += 1) test(`${at}`, () => {});", "there are 201 tests"),
    ] {
        let result = given("js", "var f = 1;", tests).await;
        assert_eq!(result.outcome, CheckOutcome::Error, "{tests}: {result:?}");
        assert!(result.message.contains(why), "{}", result.message);
    }
}
