//! Whether code ends at a name that ruff finds nobody to define, or may well run.

use std::ops::Range;
use std::time::{Duration, Instant};

use crate::lint::{Language, parse, walk};

/// The longest that a block is parsed for.
const TIME_MAX: Duration = Duration::from_secs(1);
/// Code with one of these may bring in names in ways that are not seen, or keep a name from being used.
const UNSEEN: &[&str] =
    &["version_info", "PY2", "PY3", "globals()", "builtins", "exec(", "import *", "sys.modules", "NameError"];

/// What in a file speaks for a name that nobody defines.
#[derive(Debug)]
pub(super) struct Excuses<'a> {
    /// The file may bring in any name.
    any: bool,
    /// Where each begins, and what it says.
    lines: Vec<(usize, &'a str)>,
    /// Those of the lines that turn rules off in all of the file.
    of_the_file: Vec<&'a str>,
    /// The bytes of annotations and of strings, in order: what stands there is not looked up when it is read, or not
    /// by every version.
    unevaluated: Vec<Range<usize>>,
}

impl Excuses<'_> {
    pub(super) fn of(text: &str) -> Excuses<'_> {
        let mut at = 0;
        let lines = text.split_inclusive('\n').map(|line| {
            at += line.len();
            (at - line.len(), line)
        });
        let lines: Vec<_> = lines.collect();
        let of_the_file = lines.iter().map(|(_, line)| *line).filter(|line| is_of_the_file(line)).collect();
        let mut unevaluated = Vec::new();
        let tree = parse(Language::Python, text, Instant::now() + TIME_MAX);
        if let Ok(tree) = &tree {
            walk(tree, |node| {
                let found = matches!(node.kind(), "type" | "string_content");
                if found {
                    unevaluated.push(node.byte_range());
                }
                !found
            });
        }
        let any = tree.is_err() || UNSEEN.iter().any(|word| text.contains(word));
        Excuses { any, lines, of_the_file, unevaluated }
    }

    /// Whether the name at this line and character, both from 1, may do no harm by what this rule is about.
    pub(super) fn hold(&self, rule: &str, row: usize, column: usize) -> bool {
        let Some((begin, line)) = row.checked_sub(1).and_then(|row| self.lines.get(row)) else { return true };
        let at = line.char_indices().nth(column.saturating_sub(1)).map_or(line.len(), |(at, _)| at);
        let at = begin + at;
        let next = self.unevaluated.partition_point(|range| range.end <= at);
        let unevaluated = self.unevaluated.get(next).is_some_and(|range| range.contains(&at));
        let whole = || self.of_the_file.iter().any(|line| silences(line, rule));
        self.any || unevaluated || silences(line, rule) || whole()
    }
}

/// Whether a comment of a line, such as `# noqa: F821`, turns a rule off.
fn silences(line: &str, rule: &str) -> bool {
    let comment = line.split_once('#').map_or(String::new(), |(_, comment)| comment.to_uppercase());
    let Some((_, rest)) = comment.split_once("NOQA") else { return false };
    let Some(codes) = rest.trim_start().strip_prefix(':') else { return true };
    let mut codes = codes.split([',', ' ', '\t']).map(str::trim).filter(|code| !code.is_empty());
    codes.any(|code| rule.starts_with(code))
}

fn is_of_the_file(line: &str) -> bool {
    let comment = line.trim_start().strip_prefix('#').map(str::trim_start);
    comment.is_some_and(|comment| comment.starts_with("ruff:") || comment.starts_with("flake8:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_turns_off_the_rules_that_it_names() {
        for line in ["f()  # noqa", "f()  # NOQA:F821", "f()  # x # noqa: F401, F821", "f()  # noqa: F8"] {
            assert!(silences(line, "F821"), "{line}");
        }
        for line in ["f()", "noqa", "f()  # noqa: F401", "f()  # noqa:"] {
            assert!(!silences(line, "F821"), "{line}");
        }
    }

    #[test]
    fn what_stands_in_an_annotation_or_a_string_is_told_from_what_is_used() {
        let text = "def f(a: Ä, b: \"C\") -> list[D]:\n    e: F = g\n    return f\"h {i}\", cast(\"J\", k)\n";
        let excuses = Excuses::of(text);
        let place = |name: char| {
            let row = text.lines().position(|line| line.contains(name)).expect("it is there");
            (
                row + 1,
                text.lines()
                    .nth(row)
                    .and_then(|line| line.chars().position(|c| c == name))
                    .expect("it is there")
                    + 1,
            )
        };
        for (name, held) in
            [('Ä', true), ('C', true), ('D', true), ('F', true), ('J', true), ('g', false), ('k', false)]
        {
            let (row, column) = place(name);
            assert_eq!(excuses.hold("F821", row, column), held, "{name}");
        }
        let within = text.lines().nth(2).and_then(|line| line.find("{i}")).expect("it is there") + 2;
        assert!(!excuses.hold("F821", 3, within));
        assert!(Excuses::of("# ruff: noqa\nf(x)\n").hold("F821", 2, 3));
        assert!(Excuses::of("exec('x = 1')\nf(x)\n").hold("F821", 2, 3));
    }
}
