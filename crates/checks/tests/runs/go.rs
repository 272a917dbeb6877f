//! Go: run by itself, and tested.

use std::time::Instant;

use fleet_checks::{RunBounds, Surroundings};
use fleet_deliberation::{CheckKind, CheckOutcome, CheckResult};
use fleet_sandbox::Choice;

use crate::{BOUNDS, brought, dry_with, given_with, outcomes, report, suite_with};

async fn dry(proposal: &str) -> CheckResult {
    dry_with(&suite_with(Choice::Auto, BOUNDS, brought()), proposal).await
}

async fn given(code: &str, tests: &str) -> CheckResult {
    let proposal = format!("```go\n{code}\n```");
    given_with(&suite_with(Choice::Auto, BOUNDS, brought()), &proposal, tests).await
}

const PROGRAM: &str = "package main\n\nimport \"fmt\"\n\nfunc main() { fmt.Println(\"here\", 6*7) }";

#[tokio::test]
async fn a_program_is_built_and_run_in_either_sandbox() {
    for choice in [Choice::Bubblewrap, Choice::Landlock] {
        let suite = suite_with(choice, BOUNDS, brought());
        let begun = Instant::now();
        let result = dry_with(&suite, &format!("```go\n{PROGRAM}\n```")).await;
        let again = Instant::now();
        let second = dry_with(&suite, &format!("```go\n{PROGRAM}\n// again\n```")).await;
        println!("{choice:?}: {:?} with all before it, {:?} again", again - begun, again.elapsed());
        assert_eq!(second.outcome, CheckOutcome::Pass, "{second:?}");
        assert_eq!(result.outcome, CheckOutcome::Pass, "{choice:?}: {result:?}");
        assert_eq!(result.message, "go ran to its end");
        assert!(result.tools[0].starts_with("go 1."), "{result:?}");
        assert!(result.run.is_some_and(|run| run.output.contains("here 42") && run.exit_code == Some(0)));
    }
}

#[tokio::test]
async fn a_library_is_built_and_so_is_what_waits_and_this_is_said() {
    for (code, how) in [
        ("package a\n\nfunc F() int { return 1 }", "go: built only, as it is a library"),
        (
            "package main\n\nimport (\n\t\"fmt\"\n\t\"os\"\n)\n\nfunc main() { fmt.Println(os.Args[1]) }",
            "go: built only, as it waits",
        ),
    ] {
        let result = dry(&format!("```go\n{code}\n```")).await;
        assert_eq!(result.outcome, CheckOutcome::Pass, "{result:?}");
        assert!(result.message.starts_with(how), "{}", result.message);
    }
}

#[tokio::test]
async fn what_fails_is_held_against_the_line_where_it_does() {
    for (code, line, what) in [
        ("package main\n\nfunc main() {\n\tx := 1\n}", 7, "declared and not used"),
        ("package a\n\nfunc F() int { return \"a\" }", 6, "cannot use"),
        ("package main\n\nfunc main() {\n\tpanic(\"it broke\")\n}", 7, "it broke"),
        ("package main\n\nimport \"strngs\"\n\nfunc main() { strngs.X() }", 6, "strngs"),
    ] {
        let result = dry(&format!("\n\n```go\n{code}\n```")).await;
        assert_eq!(result.outcome, CheckOutcome::Fail, "{result:?}");
        assert_eq!(result.faults[0].line, line, "{result:?}");
        assert!(result.message.contains(what), "{}", result.message);
    }
}

#[tokio::test]
async fn what_is_not_the_code_s_fault_is_neither_passed_nor_failed() {
    for (proposal, why) in [
        (
            "```go\npackage a\n\nimport \"example.org/x/y\"\n\nvar _ = y.Z\n```",
            "needs the package example.org/x/y",
        ),
        (
            "```go\npackage main\n\nimport \"shop/cart\"\n\nfunc main() { cart.F() }\n```",
            "needs the package shop/cart",
        ),
        (
            "### go.mod\n```\nmodule a\n\ngo 1.21\n\nrequire example.org/x v1.0.0\n```\n### a.go\n```go\npackage a\n\nimport _ \
             \"example.org/x/z\"\n```",
            "needs the package example.org/x",
        ),
        ("### go.mod\n```\nmodule a\n\ngo 9.9\n```\n### a.go\n```go\npackage a\n```", "needs Go 9.9"),
        ("```go\npackage a\n\nimport \"C\"\n\nvar _ C.int\n```", "needs cgo"),
        ("```go\n//go:build windows\n\npackage a\n```", "its constraints leave nothing"),
        ("```go\nx := f()\nx.g()\n```", "an excerpt"),
    ] {
        let result = dry(proposal).await;
        assert_eq!(result.outcome, CheckOutcome::Skipped, "{proposal}: {result:?}");
        assert!(
            result.message.starts_with("not run: go: ") && result.message.contains(why),
            "{}",
            result.message
        );
    }
}

#[tokio::test]
async fn files_import_each_other_by_the_module_that_they_say_or_show() {
    let files = "### main.go\n```go\npackage main\n\nimport (\n\t\"fmt\"\n\n\t\"example.org/shop/internal/cart\"\n)\n\nfunc main() { \
                 fmt.Println(\"total\", cart.Total(6, 7)) }\n```\n### internal/cart/cart.go\n```go\npackage cart\n\nfunc Total(a, b int) int \
                 { return a * b }\n```\n";
    for proposal in
        [files.to_owned(), format!("{files}### go.mod\n```\nmodule example.org/shop\n\ngo 1.21\n```\n")]
    {
        let result = dry(&proposal).await;
        assert_eq!(result.outcome, CheckOutcome::Pass, "{result:?}");
        assert!(result.run.is_some_and(|run| run.output.contains("total 42")));
    }
    let tests = "```go internal/cart/cart_test.go\npackage cart\n\nimport \"testing\"\n\nfunc TestTotal(t *testing.T) {\n\tif Total(2, 3) != \
                 6 {\n\t\tt.Fatal()\n\t}\n}\n```";
    let suite = suite_with(Choice::Auto, BOUNDS, brought());
    let result = given_with(&suite, files, tests).await;
    assert_eq!(
        (result.outcome, outcomes(&result)),
        (CheckOutcome::Pass, vec!["TestTotal".to_owned()]),
        "{result:?}"
    );
}

#[tokio::test]
async fn every_test_comes_out_on_its_own() {
    let code = "package shop\n\nfunc double(x int) int {\n\tif x == 3 {\n\t\treturn 0\n\t}\n\tif x == 9 {\n\t\tpanic(\"nine\")\n\t}\n\tfor x == 8 {\n\t}\n\treturn x + x\n}";
    let test = |name: &str, body: &str| format!("func Test{name}(t *testing.T) {{\n{body}\n}}\n\n");
    let holds = |x: i32| {
        format!("\tif double({x}) != {} {{\n\t\tt.Errorf(\"%d, want {}\", double({x}))\n\t}}", 2 * x, 2 * x)
    };
    let tests = [
        "package solution\n\nimport \"testing\"\n\n".to_owned(),
        test("Two", &holds(2)),
        test("Three", &holds(3)),
        test("Breaks", "\tdouble(9)"),
        test("Hangs", "\tdouble(8)"),
        test("Skips", "\tt.Skip(\"later\")"),
        test(
            "Parts",
            "\tfor _, x := range []int{1, 3} {\n\t\tt.Run(\"part\", func(t *testing.T) {\n\t\t\tt.Parallel()\n\t\t\tif double(x) == 0 {\n\t\t\t\tt.Fail()\n\t\t\t}\n\t\t})\n\t}",
        ),
        test("Alone", "\tt.Parallel()\n\tt.Cleanup(func() {})"),
        test("Late", "\tt.Cleanup(func() { t.Error(\"late\") })"),
    ];
    let bounds = RunBounds { tests_ms: 12_000, ..BOUNDS };
    let suite = suite_with(Choice::Auto, bounds, brought());
    let result = given_with(&suite, &format!("```go\n{code}\n```"), &tests.concat()).await;
    let expected = [
        "TestTwo",
        "-TestThree",
        "-TestBreaks",
        "-TestHangs",
        "-TestSkips",
        "-TestParts",
        "TestAlone",
        "-TestLate",
    ];
    assert_eq!(outcomes(&result), expected, "{result:#?}");
    assert!(result.faults[0].message.contains("0, want 6"), "{:?}", result.faults[0]);
    assert!(result.faults[1].message.contains("nine"), "{:?}", result.faults[1]);
    assert_eq!(result.faults[1].line, 9, "{:?}", result.faults[1]);
}

const TESTS: &str = "import \"testing\"\n\nfunc TestA(t *testing.T) {\n\tif f(1) != 2 {\n\t\tt.Fatal(\"f(1)\")\n\t}\n}\n\nfunc TestEasy(t *testing.T) {\n}\n";

#[tokio::test]
async fn code_that_wants_to_pass_without_being_right_does_not() {
    for (imports, cheat) in [
        ("os", "func init() { os.Exit(0) }"),
        ("os", "func f(x int) int { os.Exit(0); return x }"),
        ("os", "func init() { os.Args = os.Args[:1] }"),
        ("os\"; \"strings", "func init() { os.Args[1] = strings.Replace(os.Args[1], \"_0$\", \"_1$\", 1) }"),
        ("flag", "func init() { flag.Set(\"test.run\", \"^$\") }"),
        ("flag", "func init() { flag.Set(\"test.skip\", \".\"); flag.Set(\"test.count\", \"0\") }"),
        (
            "os",
            "func init() { os.NewFile(3, \"x\").WriteString(\"00000000000000000000000000000000\"); os.Exit(0) }",
        ),
        ("runtime", "func f(x int) int { runtime.Goexit(); return x }"),
        (
            "os\"; \"time",
            "func f(x int) int { go func() { for { if it, err := os.NewFile(3, \"x\").Stat(); err == nil && it.Size() > 0 { os.Exit(0) } } \
             }(); time.Sleep(time.Millisecond); panic(1) }",
        ),
    ] {
        let own = if cheat.contains("func f(") { "" } else { "\nfunc f(x int) int { return x }" };
        let result = given(&format!("package a\n\nimport \"{imports}\"\n\n{cheat}{own}"), TESTS).await;
        assert_eq!(result.outcome, CheckOutcome::Fail, "{cheat}\n{result:?}");
        assert_eq!(outcomes(&result)[0], "-TestA", "{cheat}\n{result:?}");
    }
}

#[tokio::test]
async fn tests_that_the_proposal_brings_have_no_part_in_those_given() {
    let proposal = "### a.go\n```go\npackage a\n\nfunc f(x int) int { return x }\n```\n### a_test.go\n```go\npackage a\n\nimport (\n\t\"os\"\n\t\
                    \"testing\"\n)\n\nfunc TestMain(m *testing.M) { os.Exit(0) }\nfunc TestA(t *testing.T) {}\n```\n### go.mod\n```\nmodule \
                    std\n\ngo 1.21\n```";
    let suite = suite_with(Choice::Auto, BOUNDS, brought());
    for proposal in [proposal.to_owned(), proposal.replace("module std", "module a")] {
        let result = given_with(&suite, &proposal, &format!("```go\n{TESTS}\n```")).await;
        assert_eq!(outcomes(&result)[0], "-TestA", "{result:?}");
    }
}

#[tokio::test]
async fn code_that_cannot_be_built_fails_every_test_and_says_why() {
    let result = given("package a\n\nfunc f(x int) int { return \"x\" }", TESTS).await;
    assert_eq!(outcomes(&result), ["-TestA", "-TestEasy"], "{result:?}");
    assert!(result.message.contains("cannot use"), "{}", result.message);
    let bare = given("func f(x int) int { return 2 * x }", TESTS).await;
    assert_eq!(outcomes(&bare), ["TestA", "TestEasy"], "without a package: {bare:?}");
    let main = given("package main\n\nfunc f(x int) int { return 2 * x }\n\nfunc main() {}", TESTS).await;
    assert_eq!(outcomes(&main), ["TestA", "TestEasy"], "{main:?}");
}

#[tokio::test]
async fn what_comes_before_the_standard_library_is_built_is_no_fault_either() {
    let folder = tempfile::tempdir().expect("a folder");
    let surroundings = Surroundings { folder: Some(folder.path().to_owned()), ..brought() };
    let bounds = RunBounds { dry_run_ms: 1_000, tests_ms: 1_000, ..BOUNDS };
    let suite = suite_with(Choice::Auto, bounds, surroundings);
    let report = report(&suite, &format!("```go\n{PROGRAM}\n```"), Some(TESTS), 2_500).await;
    for (kind, outcome) in
        [(CheckKind::DryRun, CheckOutcome::Error), (CheckKind::Tests, CheckOutcome::Skipped)]
    {
        let result = &report.checks[&kind];
        assert_eq!(result.outcome, outcome, "{result:?}");
        assert!(result.message.contains("its standard library is being built, once"), "{}", result.message);
    }
}

#[tokio::test]
async fn without_a_standard_library_nothing_is_held_against_the_code() {
    let surroundings = Surroundings { folder: None, ..brought() };
    let suite = suite_with(Choice::Auto, BOUNDS, surroundings);
    let proposal = format!("```go\n{PROGRAM}\n```");
    let result = dry_with(&suite, &proposal).await;
    assert_eq!(result.outcome, CheckOutcome::Error, "{result:?}");
    let tests = given_with(&suite, &proposal, TESTS).await;
    assert_eq!(tests.outcome, CheckOutcome::Skipped, "{tests:?}");
    for result in [result, tests] {
        assert!(
            result.message.contains("no folder that its standard library could be built in"),
            "{}",
            result.message
        );
    }
}

#[tokio::test]
async fn code_that_gives_another_meaning_to_what_go_has_does_not_pass_tests_that_use_it() {
    let tests = "package a\n\nimport \"testing\"\n\nfunc TestA(t *testing.T) {\n\tif prime(4) != false {\n\t\tt.Fatal(len(\"4\"))\n\t}\n}";
    for cheat in
        ["const false = 1 == 1", "var (\n\tb, false = 1, true\n)", "func len(string) int { return 0 }"]
    {
        let code = format!("package a\n\n{cheat}\n\nfunc prime(n int) bool {{ return true }}");
        let result = given(&code, tests).await;
        assert_eq!(outcomes(&result), ["-TestA"], "{cheat}\n{result:?}");
        assert!(result.message.contains("gives another meaning to "), "{}", result.message);
    }
    let code = "package a\n\nvar os, done, testing_ = 1, 2, 3\n\nfunc true() {}\n\nfunc max(a, b int) int { return a }\n\nfunc prime(n int) bool \
                { return max(n, 1) == 3 }";
    let result = given(code, tests).await;
    assert_eq!(outcomes(&result), ["TestA"], "what no test uses can have its name: {result:?}");
}

const CALC: &str = "package calc\n\nfunc Add(a, b int) int { return a + b }";
const CALC_TESTS: &str = "package calc\n\nimport \"testing\"\n\nfunc TestAdd(t *testing.T) {\n\tif Add(1, 2) != 3 {\n\t\tt.Fatal(\"bad\")\n\t}\n}";

#[tokio::test]
async fn code_is_laid_out_in_the_ways_that_are_common() {
    let suite = suite_with(Choice::Auto, BOUNDS, brought());
    let main = |import: &str| {
        format!(
            "```go\npackage main\n\nimport (\n\t\"fmt\"\n\n\t\"{import}\"\n)\n\nfunc main() {{ fmt.Println(calc.Add(1, 2)) }}\n```\n"
        )
    };
    let calc = format!("```go\n{CALC}\n```\n");
    let module = "go.mod\n```\nmodule example.org/calc\n\ngo 1.21\n```\n";
    for (what, proposal, runs) in [
        (
            "root",
            format!("### {module}### calc.go\n{calc}### cmd/x/main.go\n{}", main("example.org/calc")),
            true,
        ),
        ("root alone", format!("### calc.go\n{calc}### cmd/x/main.go\n{}", main("example.org/calc")), true),
        (
            "internal",
            format!(
                "### internal/calc/calc.go\n{calc}### main.go\n{}",
                main("example.org/app/internal/calc")
            ),
            true,
        ),
        ("module in a folder", format!("### calc/{module}### calc/calc.go\n{calc}"), false),
        (
            "program in a folder",
            format!("### x/{module}### x/calc.go\n{calc}### x/cmd/main.go\n{}", main("example.org/calc")),
            true,
        ),
    ] {
        let result = dry_with(&suite, &proposal).await;
        assert_eq!(result.outcome, CheckOutcome::Pass, "{what}: {result:?}");
        assert_eq!(result.message == "go ran to its end", runs, "{what}: {}", result.message);
        let tests = given_with(&suite, &proposal, CALC_TESTS).await;
        assert_eq!(
            (tests.outcome, outcomes(&tests)),
            (CheckOutcome::Pass, vec!["TestAdd".to_owned()]),
            "{what}: {tests:?}"
        );
        let wrong = given_with(&suite, &proposal.replace("a + b", "a - b"), CALC_TESTS).await;
        assert_eq!(outcomes(&wrong), ["-TestAdd"], "{what}: {wrong:?}");
    }
    let broken = format!("### calc/{module}### calc/calc.go\n{}", calc.replace("a + b", "\"a\""));
    let result = dry_with(&suite, &broken).await;
    assert_eq!(
        (result.outcome, result.faults.first().map(|fault| fault.line)),
        (CheckOutcome::Fail, Some(11)),
        "{result:?}"
    );
}

#[tokio::test]
async fn a_part_of_a_program_without_its_beginning_is_built() {
    let result = dry("```go\npackage main\n\nfunc Add(a, b int) int { return a + b }\n```").await;
    assert_eq!(result.outcome, CheckOutcome::Pass, "{result:?}");
    let result = dry("```go\npackage main\n\nfunc Add(a, b int) int { return a + c }\n```").await;
    assert_eq!(result.outcome, CheckOutcome::Fail, "{result:?}");
}
