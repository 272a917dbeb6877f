//! What happens when code is run by itself.

use fleet_deliberation::CheckOutcome;

use crate::dry;

#[tokio::test]
async fn code_that_runs_passes_and_says_how_it_ended() {
    for (tag, code) in [
        ("python", "print('here', 6 * 7)"),
        ("js", "console.log('here', 6 * 7);"),
        ("js", "import { sep } from 'node:path';\nconsole.log('here', 6 * 7, sep);"),
        ("bash", "echo here $((6 * 7))"),
        ("rust", "fn main() {\n    println!(\"here {}\", 6 * 7);\n}"),
        ("c", "#include <stdio.h>\nint main(void) { printf(\"here %d\\n\", 6 * 7); }"),
    ] {
        let result = dry(&format!("```{tag}\n{code}\n```")).await;
        assert_eq!(result.outcome, CheckOutcome::Pass, "{tag}: {result:?}");
        let run = result.run.clone().expect("it was run");
        assert_eq!(run.exit_code, Some(0), "{tag}");
        assert!(run.output.contains("here 42"), "{tag}: {run:?}");
        assert!(run.sandbox.contains("landlock") || run.sandbox.contains("bubblewrap"), "{run:?}");
        assert!(!result.tools.is_empty() && result.faults.is_empty(), "{result:?}");
    }
}

#[tokio::test]
async fn code_that_fails_is_held_against_the_line_where_it_does() {
    for (tag, code, line, what) in [
        ("python", "x = 1\n\nprint(y)", 6, "NameError: name 'y' is not defined"),
        ("js", "\nconst x = y;", 5, "ReferenceError: y is not defined"),
        ("bash", "set -eu\necho \"$undefined\"", 5, "unbound variable"),
        ("rust", "fn main() {\n    let x: u32 = \"a\";\n}", 5, "mismatched types"),
        ("rust", "fn main() {\n    panic!(\"it broke\");\n}", 5, "it broke"),
        ("c", "int f(void) {\n    return x;\n}", 5, "undeclared"),
        ("c", "#include <assert.h>\nint main(void) { assert(1 == 2); }", 5, "1 == 2"),
    ] {
        let result = dry(&format!("a\n\n```{tag}\n{code}\n```")).await;
        assert_eq!(result.outcome, CheckOutcome::Fail, "{tag}: {result:?}");
        let fault = &result.faults[0];
        assert_eq!((fault.rule.as_str(), fault.line), ("run", line), "{tag}: {result:?}");
        assert!(fault.message.contains(what) && result.message.contains(what), "{result:?}");
    }
}

#[tokio::test]
async fn what_waits_for_others_is_only_built_or_read_and_this_is_said() {
    for (tag, code, how) in [
        (
            "python",
            "import argparse\n\ndef main():\n    argparse.ArgumentParser().parse_args()",
            "imported only",
        ),
        ("js", "require('node:http').createServer().listen(80);", "parsed only"),
        ("js", "document.title = 'x';", "parsed only, as it is for a browser"),
        ("bash", "cp \"$1\" \"$2\"", "parsed only, as it takes arguments"),
        ("bash", "curl -fsS https://x.example -o x", "parsed only"),
        ("rust", "pub fn f() -> u32 { 1 }", "built only, as it is a library"),
        ("c", "int f(void) { return 1; }", "compiled only, as it is a library"),
    ] {
        let result = dry(&format!("```{tag}\n{code}\n```")).await;
        assert_eq!(result.outcome, CheckOutcome::Pass, "{tag}: {result:?}");
        assert!(result.message.contains(how), "{tag}: {}", result.message);
    }
}

#[tokio::test]
async fn what_is_not_the_code_s_fault_is_neither_passed_nor_failed() {
    for (proposal, why) in [
        ("```py\nimport no_such_package.thing\n```", "needs the module no_such_package"),
        ("```js\nconst x = require('no-such-package');\n```", "needs the module no-such-package"),
        ("```sh\nno-such-command --x\n```", "needs the command no-such-command"),
        ("```rust\nuse no_such_crate::Thing;\npub fn f(_: Thing) {}\n```", "needs the crate no_such_crate"),
        ("```c\n#include <no_such.h>\nint f(void);\n```", "needs the header no_such.h"),
        ("```py\nreturn x\n```", "an excerpt"),
        ("```rust\nlet x = f();\nx.g();\n```", "an excerpt"),
        ("```py\nname = input()\n```\n", "imported only"),
        ("```java\nclass A {}\n```", "nothing here runs java"),
        ("```py title=\"../../x.py\"\nx = 1\n```", "the path ../../x.py leaves the folder"),
        ("Only words.", "there is no code that could be run"),
        ("```yaml\na: 1\n```", "there is no code that could be run"),
    ] {
        let result = dry(proposal).await;
        let waits = why == "imported only";
        assert_eq!(result.outcome, CheckOutcome::Skipped, "{proposal}: {result:?}");
        assert!(waits || result.message.starts_with("not run: "), "{}", result.message);
        assert!(waits || result.message.contains(why), "{proposal}: {}", result.message);
    }
}

#[tokio::test]
async fn examples_in_python_are_held_to_what_they_say() {
    let right = "```py\ndef f(x):\n    \"\"\"\n    >>> f(2)\n    4\n    \"\"\"\n    return x * 2\n```";
    assert_eq!(dry(right).await.outcome, CheckOutcome::Pass);
    let wrong = right.replace("    4\n", "    5\n");
    assert_eq!(dry(&wrong).await.outcome, CheckOutcome::Fail);
    let shown = format!("{right}\n\n```py\n>>> f(3)\n7\n```");
    let result = dry(&shown).await;
    assert_eq!(result.outcome, CheckOutcome::Fail, "{result:?}");
    assert!(result.message.contains("1 of 2 examples failed"), "{}", result.message);
}

#[tokio::test]
async fn files_lie_where_their_paths_say_and_the_last_of_a_path_counts() {
    let proposal = "### src/shop/cart.py\n```py\nbroken = (1 /\n    0)\nmore = 1\n```\n### src/shop/__init__.py\n```py\nVERSION = 1\n```\n\
                    ### src/shop/cart.py\n```py\nfrom shop import VERSION\n\nTOTAL = VERSION + 1\n```\n### main.py\n```py\n\
                    import json\nfrom shop.cart import TOTAL\n\nprint(TOTAL, json.load(open('data/a.json')))\n```\n### \
                    data/a.json\n```json\n[1]\n```";
    let result = dry(proposal).await;
    assert_eq!(result.outcome, CheckOutcome::Pass, "{result:?}");
    assert!(result.run.is_some_and(|run| run.output.contains("2 [1]")));
    let modules = "### src/lib.rs\n```rust\npub mod sum;\n```\n### src/sum.rs\n```rust\npub fn sum(x: &[u32]) -> u32 { x.iter().sum() }\n```";
    assert_eq!(dry(modules).await.outcome, CheckOutcome::Pass);
}

#[tokio::test]
async fn code_sees_nothing_of_the_host_and_its_output_is_bounded() {
    let code = "import os\nassert not os.path.exists('/etc/passwd') or not os.access('/etc/passwd', os.R_OK)\n\
                assert 'FLEET_SECRET' not in os.environ\nprint('x' * 100_000)\nprint('the end')";
    let result = dry(&format!("```py\n{code}\n```")).await;
    assert_eq!(result.outcome, CheckOutcome::Pass, "{result:?}");
    let output = result.run.expect("it was run").output;
    assert!(output.ends_with("the end") && output.len() <= 2_000, "{} bytes", output.len());
}

#[tokio::test]
async fn of_several_ways_to_write_it_one_that_runs_is_enough() {
    let two = "```js\nconst add = (a, b) => a + b;\nconsole.log(add(1, 2));\n```\nOr:\n```js\nconst add = (a, b) => b + a;\n```";
    let result = dry(two).await;
    assert_eq!(result.outcome, CheckOutcome::Pass, "{result:?}");
    assert!(result.message.contains("its longest part alone"), "{}", result.message);
}
