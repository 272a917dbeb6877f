//! What a program said in the end: the line that matters, and the place in the code that it names.

use super::code::{Codes, Tongue};

const SAID_CHARS_MAX: usize = 200;
/// The end of an output that a report keeps, in characters.
pub(super) const OUTPUT_CHARS_MAX: usize = 2_000;

/// The line that says what is wrong.
pub(super) fn said(tongue: Tongue, log: &str) -> String {
    let lines = || log.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = |found: &dyn Fn(&str) -> bool| lines().find(|line| found(line));
    let line = match tongue {
        Tongue::Rust => first(&|line| line.starts_with("error"))
            .or_else(|| lines().skip_while(|line| !line.contains("panicked at")).nth(1)),
        Tongue::C => first(&|line| line.contains("error:") || line.contains("Assertion")),
        Tongue::Go => first(&|line| line.starts_with("panic: ") || is_go(line)),
        Tongue::JavaScript | Tongue::TypeScript => first(&|line| {
            let word = line.split([':', ' ']).next().unwrap_or_default();
            word.ends_with("Error")
        }),
        Tongue::Python | Tongue::Bash => None,
    };
    line.or_else(|| lines().next_back()).unwrap_or("it said nothing").chars().take(SAID_CHARS_MAX).collect()
}

/// Whether a line speaks of a place in Go and says something of it, which in a trace it does not.
fn is_go(line: &str) -> bool {
    let place =
        line.split_once(".go:").map(|(_, rest)| rest.trim_start_matches(|c: char| c.is_ascii_digit()));
    place.is_some_and(|rest| rest.contains(": "))
}

/// Which of the lines of code the log speaks of, from 1; 0 where it names none.
pub(super) fn place(codes: &Codes, tongue: Tongue, log: &str) -> u32 {
    let Some(code) = codes.get(tongue) else { return 0 };
    let mut found: Vec<(usize, usize)> = Vec::new();
    for file in &code.files {
        for (at, _) in log.match_indices(&file.path) {
            let rest = &log[at + file.path.len()..];
            let number = ["\", line ", ": line ", ":"].iter().find_map(|mark| rest.strip_prefix(mark));
            let digits = number.map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next().unwrap_or(rest));
            let line = digits.and_then(|digits| digits.parse::<usize>().ok());
            let row = line.and_then(|line| codes.row(tongue, &file.path, line.checked_sub(1)?));
            found.extend(row.map(|row| (at, row)));
        }
    }
    // A trace of Python ends where it happened, others begin there.
    let place = match tongue {
        Tongue::Python => found.iter().max_by_key(|(at, _)| *at),
        _ => found.iter().min_by_key(|(at, _)| *at),
    };
    place.map_or(0, |(_, row)| u32::try_from(row + 1).unwrap_or(0))
}

/// The end of a text.
pub(super) fn tail(text: &str) -> String {
    let text = text.trim_end();
    let skip = text.chars().count().saturating_sub(OUTPUT_CHARS_MAX);
    text.chars().skip(skip).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_that_matters_is_found_in_every_language() {
        for (tongue, log, line) in [
            (
                Tongue::Python,
                "Traceback:\n  File \"a\", line 1\nNameError: name 'x'\n\n",
                "NameError: name 'x'",
            ),
            (
                Tongue::Rust,
                "warning: x\nerror[E0308]: mismatched types\n --> a.rs:1:1\n",
                "error[E0308]: mismatched types",
            ),
            (Tongue::Rust, "thread 'main' panicked at a.rs:2:5:\noverflow\nnote: run\n", "overflow"),
            (Tongue::C, "a.c:1:2: error: expected ';'\n 1 | x\n", "a.c:1:2: error: expected ';'"),
            (
                Tongue::JavaScript,
                "/code/a.js:1\nx\n^\n\nReferenceError: x is not defined\n    at a\n",
                "ReferenceError: x is not defined",
            ),
            (Tongue::Bash, "a.sh: line 3: x: unbound variable\n", "a.sh: line 3: x: unbound variable"),
            (Tongue::C, "", "it said nothing"),
            (Tongue::Go, "# solution\n./a.go:3:5: undefined: x\n", "./a.go:3:5: undefined: x"),
            (
                Tongue::Go,
                "panic: it broke\n\ngoroutine 1 [running]:\nmain.f()\n\t/s/a.go:3 +0x1\n",
                "panic: it broke",
            ),
            (
                Tongue::Go,
                "--- FAIL: TestA (0.00s)\n    given0_test.go:5: 1, want 2\nFAIL\n",
                "given0_test.go:5: 1, want 2",
            ),
        ] {
            assert_eq!(said(tongue, log), line);
        }
    }

    #[test]
    fn a_place_is_that_of_the_code_and_not_of_what_runs_it() {
        let codes = Codes::of("```py\na\nb\n```\n```sh\nx\ny\n```");
        let log = "  File \"/s/code/solution.py\", line 1, in f\n  File \"/s/code/solution.py\", line 2\n  File \"x.py\", line 9\n";
        assert_eq!(place(&codes, Tongue::Python, log), 2);
        assert_eq!(place(&codes, Tongue::Bash, "solution.sh: line 2: boom"), 4);
        assert_eq!(place(&codes, Tongue::Bash, "solution.sh: line 7: boom"), 0);
    }
}
