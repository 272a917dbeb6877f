//! Unified diffs: the files they make, and whether their hunks are as long as they say.

use crate::names::tag_of_path;
use crate::parts::{Line, Part};

/// Whether a block is a unified diff.
pub(crate) fn is_diff(part: &Part) -> bool {
    if !matches!(part.tag.as_str(), "" | "diff" | "patch" | "udiff" | "text") {
        return false;
    }
    let texts = || part.lines.iter().map(|line| line.text.as_str());
    let headed = texts().zip(texts().skip(1)).any(|(a, b)| a.starts_with("--- ") && b.starts_with("+++ "));
    headed || texts().any(|text| text.starts_with("diff --git "))
}

/// The files a diff makes, each with its lines, of which one character is taken off.
pub(crate) fn new_files(diff: &Part) -> Vec<Part> {
    let mut files: Vec<Part> = Vec::new();
    let mut new = false;
    let mut in_hunk = false;
    let mut lines = diff.lines.iter().peekable();
    while let Some(line) = lines.next() {
        let text = line.text.as_str();
        let target = lines.peek().and_then(|next| next.text.strip_prefix("+++ "));
        if let (true, Some(target)) = (text.starts_with("--- "), target) {
            let path = target.split('\t').next().unwrap_or(target).trim();
            let path = path.strip_prefix("b/").unwrap_or(path);
            new = text[4..].trim_start().starts_with("/dev/null") && path != "/dev/null";
            in_hunk = false;
            if new {
                files.push(Part {
                    tag: tag_of_path(path).unwrap_or_default(),
                    path: Some(path.to_owned()),
                    fence_line: line.number,
                    lines: Vec::new(),
                    closed: diff.closed,
                });
            }
            lines.next();
        } else if text.starts_with("diff --git ") {
            (new, in_hunk) = (false, false);
        } else if text.starts_with("@@") {
            in_hunk = true;
        } else if let (true, true, Some(added)) = (new, in_hunk, text.strip_prefix('+'))
            && let Some(file) = files.last_mut()
        {
            let added = added.to_owned();
            file.lines.push(Line { text: added, number: line.number, removed: line.removed + 1 });
        }
    }
    files
}

/// The hunks that are not as long as they say: the row of each, and what is wrong.
pub(crate) fn wrong_hunks(diff: &Part) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut row = 0;
    while let Some(line) = diff.lines.get(row) {
        let Some((old, new)) = counts(&line.text) else {
            row += 1;
            continue;
        };
        let (mut olds, mut news) = (0, 0);
        let begin = row;
        row += 1;
        while let Some(line) = diff.lines.get(row) {
            let text = line.text.as_str();
            let next = diff.lines.get(row + 1).map(|next| next.text.as_str());
            let header = text.starts_with("--- ") && next.is_some_and(|next| next.starts_with("+++ "));
            if text.starts_with("@@") || text.starts_with("diff --git ") || header {
                break;
            }
            match text.bytes().next() {
                Some(b'+') => news += 1,
                Some(b'-') => olds += 1,
                Some(b' ' | b'\t') => (olds, news) = (olds + 1, news + 1),
                // Editors cut the blank of an empty line of context.
                None if row + 1 < diff.lines.len() => (olds, news) = (olds + 1, news + 1),
                _ => {}
            }
            row += 1;
        }
        if (old, new) != (olds, news) {
            let message =
                format!("the hunk says {old} lines before and {new} after; it has {olds} and {news}");
            found.push((begin, message));
        }
    }
    found
}

/// How many lines a hunk's header says there are before and after.
fn counts(header: &str) -> Option<(usize, usize)> {
    let (ranges, _) = header.strip_prefix("@@ -")?.split_once(" @@")?;
    let (old, new) = ranges.split_once(" +")?;
    let count = |range: &str| range.split_once(',').map_or(Some(1), |(_, count)| count.parse().ok());
    Some((count(old)?, count(new)?))
}
