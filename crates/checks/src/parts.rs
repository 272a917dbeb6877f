//! The fenced code blocks of a proposal, each line with the place it came from.
//!
//! They are read as CommonMark reads them, but for one thing: a block of Markdown is looked into.

use crate::diff;
use crate::names::tag_of_path;
use crate::path::{path_in_comment, path_in_heading, path_in_info};

/// One fenced block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    /// The first word of the fence's info string in lower case, without what is attached to it.
    /// Where the fence names none, what the path says.
    pub(crate) tag: String,
    /// The file it is, as the fence, its first line or the heading before it says.
    pub(crate) path: Option<String>,
    /// The line of the opening fence in the Markdown, from 1.
    pub(crate) fence_line: u32,
    /// What stands between the fences, each line without the fence's own indentation.
    pub(crate) lines: Vec<Line>,
    /// False when the text ended before the fence was closed.
    pub(crate) closed: bool,
}

/// One line of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) text: String,
    /// Its number in the Markdown, from 1.
    pub(crate) number: u32,
    /// How many characters stand before `text` in the Markdown's line.
    pub(crate) removed: u32,
}

impl Part {
    pub(crate) fn code(&self) -> String {
        self.lines.iter().flat_map(|line| [line.text.as_str(), "\n"]).collect()
    }
}

/// The fenced blocks of a text, in order; after a diff that makes new files, those files.
pub(crate) fn parts(markdown: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    for part in fenced(markdown) {
        let files = if diff::is_diff(&part) { diff::new_files(&part) } else { Vec::new() };
        parts.push(part);
        parts.extend(files);
    }
    parts
}

/// The fenced blocks of a text, in order, and nothing but these.
pub(crate) fn fenced(markdown: &str) -> Vec<Part> {
    let mut parts = found(markdown);
    for part in &mut parts {
        if part.path.is_none() {
            part.path = path_in_comment(&part.lines);
        }
        if part.tag.is_empty() {
            part.tag = part.path.as_deref().and_then(tag_of_path).unwrap_or_default();
        }
    }
    parts
}

fn found(markdown: &str) -> Vec<Part> {
    let mut found: Vec<Part> = Vec::new();
    let mut open: Option<Fence> = None;
    // A model likes to put its whole answer into a Markdown block, with blocks of its own in it.
    let mut wrapper: Option<Fence> = None;
    // Where the text of each enclosing list item begins.
    let mut items: Vec<usize> = Vec::new();
    // The last line with text before the fence.
    let mut before = "";
    for (number, line) in (1u32..).zip(markdown.lines()) {
        match &open {
            Some(fence) if fence.is_closed_by(line) => {
                if let Some(part) = found.last_mut() {
                    part.closed = true;
                }
                open = None;
            }
            Some(fence) => {
                let (text, removed) = without_indent(line, fence.column);
                if let Some(part) = found.last_mut() {
                    part.lines.push(Line { text: text.to_owned(), number, removed });
                }
            }
            None if wrapper.as_ref().is_some_and(|fence| fence.is_closed_by(line)) => wrapper = None,
            None => {
                let (column, text) = into_items(line, &mut items);
                let item = items.last().copied().unwrap_or(0);
                // Four columns further in it would be indented code.
                let opened = Fence::opened_by(text, column).filter(|_| column.saturating_sub(item) <= 3);
                let Some((fence, info)) = opened else {
                    if !text.is_empty() {
                        before = text;
                    }
                    continue;
                };
                let tag = tag(info);
                let heading = std::mem::take(&mut before);
                if wrapper.is_none() && matches!(tag.as_str(), "markdown" | "md") {
                    wrapper = Some(fence);
                    continue;
                }
                open = Some(fence);
                let path = path_in_info(info).or_else(|| path_in_heading(heading));
                found.push(Part { tag, path, fence_line: number, lines: Vec::new(), closed: false });
            }
        }
    }
    found
}

/// An opening fence.
struct Fence {
    mark: char,
    length: usize,
    column: usize,
}

impl Fence {
    fn opened_by(text: &str, column: usize) -> Option<(Fence, &str)> {
        let mark = text.chars().next().filter(|c| matches!(c, '`' | '~'))?;
        let info = text.trim_start_matches(mark);
        let length = text.len() - info.len();
        // A backtick after backticks makes it code within a line: ```like this```.
        let inline = mark == '`' && info.contains('`');
        (length >= 3 && !inline).then_some((Fence { mark, length, column }, info))
    }

    fn is_closed_by(&self, line: &str) -> bool {
        let text = line.trim_start();
        let rest = text.trim_start_matches(self.mark);
        let length = text.len() - rest.len();
        length >= self.length && rest.trim().is_empty() && indent(line) <= self.column + 3
    }
}

/// Leaves the list items a line no longer belongs to, enters those it begins, and gives the column and
/// the text of what is left of it.
fn into_items<'a>(line: &'a str, items: &mut Vec<usize>) -> (usize, &'a str) {
    let mut column = indent(line);
    let mut text = line.trim_start();
    if text.is_empty() {
        return (column, text);
    }
    while items.last().is_some_and(|item| column < *item) {
        items.pop();
    }
    while let Some(marker) = list_marker(text) {
        let rest = &text[marker..];
        let after = rest.trim_start();
        column += marker + (rest.len() - after.len()).min(4);
        text = after;
        // A line of markers only would nest without end.
        if items.len() < 32 {
            items.push(column);
        }
    }
    (column, text)
}

/// The length of the list marker a text begins with: `-`, `*`, `+`, `1.` or `1)`, and white space after.
fn list_marker(text: &str) -> Option<usize> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let rest = &text[digits..];
    let marker = match digits {
        0 => rest.starts_with(['-', '*', '+']),
        1..=9 => rest.starts_with(['.', ')']),
        _ => false,
    };
    (marker && rest[1..].starts_with([' ', '\t'])).then_some(digits + 1)
}

/// The columns of white space a line begins with; a tab goes to the next multiple of four.
fn indent(line: &str) -> usize {
    let mut columns = 0;
    for c in line.chars() {
        match c {
            ' ' => columns += 1,
            '\t' => columns += 4 - columns % 4,
            _ => break,
        }
    }
    columns
}

/// A line without up to `columns` columns of its indentation, and how many characters that were.
fn without_indent(line: &str, columns: usize) -> (&str, u32) {
    let (mut passed, mut removed) = (0, 0);
    for c in line.chars() {
        passed += match c {
            ' ' => 1,
            '\t' => 4 - passed % 4,
            _ => break,
        };
        if passed > columns {
            break;
        }
        removed += 1;
    }
    (&line[removed..], u32::try_from(removed).unwrap_or(u32::MAX))
}

/// The language in an info string: `python`, `{.python .numbered}`, `rust,ignore`, `py title="x"`.
fn tag(info: &str) -> String {
    let info = info.trim_start().trim_start_matches('{').trim_start().trim_start_matches('.');
    let end = info.find(|c: char| c.is_whitespace() || ",;:{}".contains(c)).unwrap_or(info.len());
    info[..end].chars().take(40).collect::<String>().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(markdown: &str) -> Vec<(String, String, bool)> {
        parts(markdown).iter().map(|p| (p.tag.clone(), p.code(), p.closed)).collect()
    }

    fn one(tag: &str, code: &str) -> Vec<(String, String, bool)> {
        vec![(tag.into(), code.into(), true)]
    }

    #[test]
    fn fences_are_backticks_or_tildes_of_any_length() {
        assert_eq!(found("a\n```py\nx\n```\nb"), one("py", "x\n"));
        assert_eq!(found("~~~py\nx\n```\n~~~"), one("py", "x\n```\n"));
        assert_eq!(found("`````py\n```\nx\n`````"), one("py", "```\nx\n"));
        assert_eq!(found("````py\nx\n``````"), one("py", "x\n"));
        assert_eq!(found("``py\nx\n``"), vec![]);
        assert_eq!(found("```x``` is code in a line"), vec![]);
        assert_eq!(found("~~~ py ``` ~~~\nx\n~~~"), one("py", "x\n"));
    }

    #[test]
    fn the_fence_s_own_indentation_is_taken_off_its_lines() {
        assert_eq!(found("   ```py\n   x\n     y\n z\n   ```"), one("py", "x\n  y\nz\n"));
        assert_eq!(found("    ```py\n    x\n    ```"), vec![], "four columns are indented code");
        let line = &parts("  ```py\n  x\n  ```")[0].lines[0];
        assert_eq!((line.number, line.removed), (2, 2));
    }

    #[test]
    fn fences_in_list_items_count_from_the_item() {
        assert_eq!(found("1. a\n\n    ```py\n    x\n    ```"), one("py", "x\n"));
        assert_eq!(found("- a\n  - b\n\n    ```py\n    x\n    ```"), one("py", "x\n"));
        assert_eq!(found("- ```py\n  x\n  ```"), one("py", "x\n"));
        assert_eq!(found("- a\n\nb\n\n    ```py\n    x\n    ```"), vec![], "the list has ended");
    }

    #[test]
    fn a_fence_that_is_not_closed_runs_to_the_end() {
        assert_eq!(found("```py\nx\n``\n"), vec![("py".into(), "x\n``\n".into(), false)]);
        assert_eq!(found("```py"), vec![("py".into(), String::new(), false)]);
        assert_eq!(found("```py\nx\n``` js"), vec![("py".into(), "x\n``` js\n".into(), false)]);
    }

    #[test]
    fn the_language_is_the_first_word_without_its_attributes() {
        for (info, expected) in [
            ("python", "python"),
            ("  Python3 title=\"a\"", "python3"),
            ("rust,ignore", "rust"),
            ("rust{1,3}", "rust"),
            ("{.python .numberLines}", "python"),
            ("py:src/a.py", "py"),
            ("c++", "c++"),
            ("", ""),
        ] {
            assert_eq!(tag(info), expected, "{info:?}");
        }
    }

    #[test]
    fn blocks_inside_a_block_of_markdown_are_found() {
        assert_eq!(found("```markdown\n# A\n```py\nx\n```\nb\n```\n"), one("py", "x\n"));
        let two = [one("py", "x\n"), one("rs", "y\n")].concat();
        assert_eq!(found("````md\n```py\nx\n```\n````\n```rs\ny\n```"), two);
        assert_eq!(found("```markdown\n# A\n```\n"), vec![]);
    }

    #[test]
    fn a_part_knows_the_file_it_is() {
        for (markdown, path) in [
            ("```python title=\"src/a.py\"\nx\n```", Some("src/a.py")),
            ("```py file=src/a.py\nx\n```", Some("src/a.py")),
            ("```py {filename='a.py' .x}\nx\n```", Some("a.py")),
            ("```python src/a.py\nx\n```", Some("src/a.py")),
            ("```py:src/a.py\nx\n```", Some("src/a.py")),
            ("```yaml title=\"templates/x.yaml (excerpt)\"\nx\n```", Some("templates/x.yaml")),
            ("```python\n# src/a.py\nx\n```", Some("src/a.py")),
            ("```sh\n#!/bin/sh\n# a.sh: does it\nx\n```", Some("a.sh")),
            ("```go\n// a.go\nx\n```", Some("a.go")),
            ("```sql\n-- a.sql\nx\n```", Some("a.sql")),
            ("```html\n<!-- a.html -->\nx\n```", Some("a.html")),
            ("```c\n/* a.c */\nx\n```", Some("a.c")),
            ("### src/a.py\n\n```\nx\n```", Some("src/a.py")),
            ("**`src/a.py`**\n```py\nx\n```", Some("src/a.py")),
            ("`src/a.py`:\n```py\nx\n```", Some("src/a.py")),
            ("## 2. The file `a.py`\n```py\nx\n```", Some("a.py")),
            ("### Dockerfile\n```\nx\n```", Some("Dockerfile")),
            ("Then `a.py`:\n```py\nx\n```", Some("a.py")),
            ("See `a.py` for more.\n```py\nx\n```", None),
            ("### a.py\n\nText.\n\n```py\nx\n```", None),
            ("### Version 1.2\n```py\n# e.g. 1.5 and so on\nx\n```", None),
            ("```py numbered\nx\n```", None),
        ] {
            assert_eq!(parts(markdown)[0].path.as_deref(), path, "{markdown}");
        }
    }

    #[test]
    fn a_fence_without_a_language_takes_that_of_its_path() {
        assert_eq!(found("### src/a.py\n```\nx\n```"), one("py", "x\n"));
        assert_eq!(found("### deploy/Dockerfile.dev\n```\nx\n```"), one("dockerfile", "x\n"));
        assert_eq!(found("### src/a.py\n```text\nx\n```"), one("text", "x\n"));
    }

    #[test]
    fn the_files_a_diff_makes_are_parts_with_their_added_lines() {
        let markdown = "```diff\n--- /dev/null\n+++ b/src/a.py\n@@ -0,0 +1,2 @@\n+x\n+\ty\n--- a/b\n+++ b/b\n@@ -1 +1 @@\n-a\n+b\n```";
        let parts = parts(markdown);
        assert_eq!(parts.len(), 2);
        assert_eq!((parts[1].tag.as_str(), parts[1].path.as_deref()), ("py", Some("src/a.py")));
        assert_eq!(parts[1].code(), "x\n\ty\n");
        assert_eq!((parts[1].lines[0].number, parts[1].lines[0].removed), (5, 1));
    }

    #[test]
    fn carriage_returns_are_no_part_of_a_line() {
        assert_eq!(found("```py\r\nx\r\n```\r\n"), one("py", "x\n"));
    }
}
