//! yamllint, for YAML.

use fleet_deliberation::Severity;

use super::output::{Finding, Read, Said};
use super::{Linter, Takes};
use crate::lint::Language;

pub(super) const YAMLLINT: Linter = Linter {
    name: "yamllint",
    comes_with: None,
    takes: |sound| (sound.language == Language::Yaml).then_some(Takes::as_it_is("yaml")),
    // What reads as something else than it looks like: of the words that mean true and false, those that nobody means
    // so (`NO`, `Off`). How it is laid out is not looked at.
    args: &[
        "--format=parsable",
        "--config-data={rules: {anchors: {forbid-unused-anchors: true}, key-duplicates: {}, truthy: {check-keys: \
         false, allowed-values: ['true', 'false', 'True', 'False', 'yes', 'no', 'on', 'off']}}}",
    ],
    read,
};

/// The rule that is about what it cannot read, and so stands without one.
const PARSER: &str = "syntax";

fn read(said: &Said<'_>) -> Result<Read, String> {
    let mut read = Read::default();
    for line in said.stdout.lines() {
        let (file, row, column, rest) =
            parsed(line).ok_or_else(|| said.unreadable(&format!("it says {line}")))?;
        let file = said.file(file)?;
        let rule = rest.rsplit_once(" (").and_then(|(before, rule)| Some((before, rule.strip_suffix(')')?)));
        match rule {
            None | Some((_, PARSER)) => {
                read.unread.insert(file);
            }
            Some((message, rule)) => read.findings.push(Finding {
                file,
                row,
                column,
                rule: rule.to_owned(),
                message: message.to_owned(),
                severity: Severity::Low,
            }),
        }
    }
    if said.stdout.trim().is_empty() != (said.code == 0) {
        return Err(said.unreadable("it says that it found something, and not what"));
    }
    Ok(read)
}

/// `FILE:LINE:COLUMN: [LEVEL] MESSAGE (RULE)`: the file, the line, the column and what stands after the level.
fn parsed(line: &str) -> Option<(&str, usize, usize, &str)> {
    let (place, said) = line.split_once(": [")?;
    let (level, said) = said.split_once("] ")?;
    let mut parts = place.splitn(3, ':');
    let (file, row, column) = (parts.next()?, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    matches!(level, "error" | "warning").then_some((file, row, column, said))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_whole_or_not_at_all() {
        let line = "b0.yaml:4:1: [error] duplication of key \"a: [x] b\" in mapping (key-duplicates)";
        let said = "duplication of key \"a: [x] b\" in mapping (key-duplicates)";
        assert_eq!(parsed(line), Some(("b0.yaml", 4, 1, said)));
        for line in
            ["", "b0.yaml:4: [error] x", "b0.yaml:4:1: error", "b0.yaml:x:1: [error] y", "a:1:1: [fatal] y"]
        {
            assert_eq!(parsed(line), None, "{line}");
        }
    }
}
