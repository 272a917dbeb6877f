//! Code that wants to pass without being right does not.

use fleet_deliberation::CheckOutcome;
use fleet_sandbox::Choice;

use crate::{BOUNDS, brought, given, given_with, outcomes, suite, suite_with};

async fn does_not_pass(tag: &str, code: &str, tests: &str) {
    let result = given(tag, code, tests).await;
    assert_eq!(result.outcome, CheckOutcome::Fail, "{code}\n{result:?}");
    assert!(result.tests.iter().all(|test| !test.passed), "{code}\n{result:?}");
}

const PYTHON: &str = "import unittest\n\ndef test_a():\n    assert f(1) == 2\n\nclass T(unittest.TestCase):\n    def test_b(self):\n        self.assertEqual(f(1), 2)\n";

#[tokio::test]
async fn python_that_ends_early_or_says_so_itself_does_not_pass() {
    for cheat in [
        "import sys\nsys.exit(0)",
        "import os\nos._exit(0)",
        "import os, atexit\natexit.register(lambda: os._exit(0))",
        "import os\nfor fd in range(3, 20):\n    try: os.write(fd, b'0' * 32)\n    except OSError: pass\nos._exit(0)",
        "print('2 of 2 tests passed\\nOK')\nraise SystemExit",
        "import os, glob\nfor path in glob.glob(os.environ['TMPDIR'] + '/*'):\n    open(path, 'w').write('0' * 32)\nos._exit(0)",
        "import os\nos.kill(os.getppid(), 9)",
    ] {
        does_not_pass("python", &format!("def f(x):\n    return x\n\n{cheat}"), PYTHON).await;
    }
}

#[tokio::test]
async fn python_that_changes_what_tests_are_made_of_does_not_pass() {
    for cheat in [
        "import unittest\nunittest.TestCase.assertEqual = lambda *_, **__: None",
        "import builtins\nbuiltins.AssertionError = type('Nothing', (BaseException,), {})",
        "import sys\nsys.excepthook = lambda *_: None",
        "import os\nos._exit = os.write = lambda *_: None",
        "import asyncio, inspect\ninspect.iscoroutine = lambda _: False",
    ] {
        does_not_pass("python", &format!("{cheat}\n\ndef f(x):\n    return x"), PYTHON).await;
    }
}

#[tokio::test]
async fn one_test_cannot_change_what_the_next_one_is() {
    let code = "import os\n\ndef f(x):\n    for folder, _, files in os.walk('..'):\n        for name in files:\n            try: open(os.path.join(folder, name), 'w').write('')\n            \
                except OSError: pass\n    return x";
    let result = given("python", code, PYTHON).await;
    assert_eq!(outcomes(&result), ["-test_a", "-T.test_b"], "{result:?}");
}

#[tokio::test]
async fn javascript_that_ends_early_does_not_pass() {
    let tests = "test('a', () => assert.equal(f(1), 2));\nfunction test_b() { assert.strictEqual(f(1), 2); }";
    for cheat in [
        "process.exit(0);",
        "process.on('exit', () => { process.exitCode = 0; });\nprocess.on('uncaughtException', () => process.exit(0));\nprocess.on('unhandledRejection', () => process.exit(0));\nfunction f() { setTimeout(() => {}, 0); throw new Error(); }",
        "require('node:fs').writeSync(3, '0'.repeat(32)); process.exit(0);",
        "console.log('[\"a\"]'); process.exit(0);",
        "globalThis.test = () => {}; globalThis.assert = { equal() {}, strictEqual() {} };\nfunction test_b() {}",
    ] {
        let result = given("js", &format!("var f = (x) => x;\n{cheat}"), tests).await;
        assert_ne!(result.outcome, CheckOutcome::Pass, "{cheat}\n{result:?}");
    }
}

#[tokio::test]
async fn bash_that_ends_early_does_not_pass() {
    let tests = "test_a() {\n  source \"$SOLUTION\"\n  [ \"$(f 1)\" = 2 ]\n}";
    for cheat in [
        "exit 0",
        "trap 'exit 0' EXIT ERR",
        "printf '%032d' 0 >&3; exit 0",
        "printf '%032d' 0 >&4; exit 0",
        "kill -9 $PPID",
    ] {
        does_not_pass("bash", &format!("f() {{ echo \"$1\"; }}\n{cheat}"), tests).await;
    }
}

#[tokio::test]
async fn what_is_compiled_and_ends_early_does_not_pass() {
    let rust = "#[test]\nfn a() { assert_eq!(f(1), 2); }";
    for body in [
        "std::process::exit(0)",
        "println!(\"test result: ok. 2 passed\"); std::process::exit(0)",
        "{ let _ = std::fs::write(format!(\"{}/seal\", std::env::var(\"TMPDIR\").unwrap()), \"0\".repeat(32)); std::process::exit(0) }",
    ] {
        does_not_pass("rust", &format!("pub fn f(_: u32) -> u32 {{ {body} }}"), rust).await;
    }
    let c = "void test_a(void) { assert(f(1) == 2); }";
    for code in [
        "#include <stdlib.h>\nint f(int x) { exit(0); }",
        "#include <stdlib.h>\n__attribute__((constructor)) void early(void) { _Exit(0); }\nint f(int x) { return x; }",
        "#define NDEBUG\n#include <assert.h>\nint f(int x) { return x; }",
        "#include <stdlib.h>\nint f(int x) { abort(); }",
    ] {
        does_not_pass("c", code, c).await;
    }
}

/// Looks for what tests are written with wherever code can look, and makes each test one that does nothing.
const FORGES: &str = "for (const key of Object.getOwnPropertyNames(globalThis)) {\n  const it = globalThis[key];\n  if (key.startsWith('fleet_') && \
                      it.test) { const real = it.test; it.test = it.it = (title) => real(title, () => {}); it.collect = () => {}; }\n}";

#[tokio::test]
async fn javascript_that_changes_what_tests_are_made_of_does_not_pass() {
    let tests = "test('a', () => assert.equal(f(1), 2));\ntest('b', async () => { await null; assert.equal(f(1), 2); });\n\
                 function test_c() { assert.strictEqual(f(1), 2); }\n/* the end */";
    let cheats = [
        FORGES,
        "Array.prototype.push = function () { return 0; };",
        "Array.prototype.findLast = () => () => {};",
        "Array.prototype.findLast = Array.prototype.at = Array.prototype.map = () => () => {};",
        "for (let at = 0; at < 9; at += 1) Object.defineProperty(Array.prototype, at, { set() {}, get: () => () => {} });",
        "Object.entries = Object.keys = () => [];",
        "Object.defineProperty(Object.prototype, 'fn', { get: () => () => {}, set() {} });",
        "JSON.stringify = () => '[]';",
        "globalThis.String = () => { throw new Error(); };",
        "Promise.prototype.then = function (well) { well(); return this; };",
        "Object.defineProperty(Promise.prototype, 'constructor', { value: Object }); Promise.prototype.then = (well) => well();",
        "process.reallyExit = process.exit = () => {};",
        "console.error = () => {};",
    ];
    for (end, cheat) in ["", "export { f };"].into_iter().cycle().zip(cheats) {
        does_not_pass_in_javascript(&format!("var f = (x) => x;\n{cheat}\n{end}"), tests).await;
    }
    let module =
        format!("import fs from 'node:fs';\nexport var f = (x) => x;\nfs.writeSync = () => {{}};\n{FORGES}");
    does_not_pass_in_javascript(&module, tests).await;
    for cheat in [
        // The text of the program says by which name, and what was called so.
        "const text = arguments.callee.toString(); const it = eval(/fleet_[0-9a-f]+/.exec(text)[0]); try { it.test = () => {}; } catch {}\n\
         for (let at = 0; at < 300; at += 1) it.test('a', () => {});",
        "return;",
        "module.exports = { f }; return",
        "{ { const test = () => {}, assert = {}; /*",
    ] {
        does_not_pass_in_javascript(&format!("var f = (x) => x;\n{cheat}"), tests).await;
    }
}

async fn does_not_pass_in_javascript(code: &str, tests: &str) {
    let result = given("js", code, tests).await;
    assert_eq!(result.outcome, CheckOutcome::Fail, "{code}\n{result:?}");
    assert!(!result.tests.is_empty(), "{code}\n{result:?}");
    let names = ["a", "b", "test_c"];
    let passed = result.tests.iter().find(|test| test.passed && names.contains(&test.name.as_str()));
    assert_eq!(passed, None, "{code}\n{result:?}");
}

#[tokio::test]
async fn what_javascript_imports_of_the_proposal_cannot_change_what_tests_are_made_of() {
    let proposal = format!(
        "### src/main.js\n```js\nimport './other.js';\nexport const f = (x) => x;\n```\n### src/other.js\n```js\n{FORGES}\nimport {{ readdirSync, \
         readFileSync }} from 'node:fs';\nfor (const name of readdirSync(import.meta.dirname)) if (name.startsWith('fleet_')) \
         {{\n  const [it] = /fleet_[0-9a-f]+/.exec(readFileSync(`${{import.meta.dirname}}/${{name}}`, 'utf8'));\n  const known = await \
         import(`data:text/javascript,export default globalThis.${{it}}`);\n  known.default.begin(); known.default.collect({{ a() {{}} }});\n}}\n```"
    );
    let result =
        given_with(&suite(Choice::Auto, BOUNDS), &proposal, "test('a', () => assert.equal(f(1), 2));").await;
    assert_eq!(
        (result.outcome, outcomes(&result)),
        (CheckOutcome::Fail, vec!["-a".to_owned()]),
        "{result:?}"
    );
}

#[tokio::test]
async fn code_does_not_say_itself_that_it_is_beyond_this_machine() {
    let says = "console.log('ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX');";
    let tests = "test('a', () => assert.equal(f(1), 2));";
    does_not_pass("js", &format!("{says}\nvar f = (x) => x;"), tests).await;
    let suite = suite_with(Choice::Auto, BOUNDS, brought());
    for code in [
        format!("{says}\nexport const f = (x: number) => x;"),
        format!("export const f = (x: number) => {{ throw new Error({says:?}); }};"),
    ] {
        let result = given_with(&suite, &format!("```ts\n{code}\n```"), tests).await;
        assert_eq!(
            (result.outcome, outcomes(&result)),
            (CheckOutcome::Fail, vec!["-a".to_owned()]),
            "{result:?}"
        );
    }
}
