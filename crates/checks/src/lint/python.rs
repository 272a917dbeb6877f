//! What Python needs beyond its grammar: transcripts, and the rules tree-sitter is too kind about.

use tree_sitter::{Node, Tree};

use super::syntax::{Found, shortened, walk};
use crate::parts::{Line, Part};

/// If a block is a transcript of the interactive interpreter, leaves of it what was typed in; a
/// transcript is no program, and no fault.
pub(crate) fn without_prompts(part: &mut Part) {
    let typed = |line: &Line| prompted(&line.text, ">>>").is_some();
    if !part.lines.iter().find(|line| !line.text.trim().is_empty()).is_some_and(typed) {
        return;
    }
    let mut typing = false;
    part.lines.retain_mut(|line| {
        // Only after a prompt are three dots a second prompt; elsewhere they are output.
        let code = prompted(&line.text, ">>>").or_else(|| prompted(&line.text, "...").filter(|_| typing));
        typing = code.is_some();
        let Some((removed, code)) = code else { return false };
        line.removed += removed;
        line.text = code.to_owned();
        true
    });
}

/// What stands after a prompt, and how many characters stand before that.
fn prompted<'a>(line: &'a str, prompt: &str) -> Option<(u32, &'a str)> {
    let rest = line.trim_start().strip_prefix(prompt)?;
    let code = match rest.strip_prefix(' ') {
        Some(code) => code,
        None if rest.is_empty() => rest,
        None => return None,
    };
    Some((u32::try_from(line.chars().count() - code.chars().count()).unwrap_or(u32::MAX), code))
}

/// The commonest slip, which the grammar reports as a whole statement it cannot read: a header such as
/// `def f()` whose line ends without its colon.
pub(crate) fn missing_colon(error: Node<'_>, code: &str) -> Option<Found> {
    const HEADERS: [&str; 10] =
        ["def", "class", "if", "elif", "else", "for", "while", "try", "except", "finally"];
    if !HEADERS.contains(&error.child(0)?.kind()) || has_child(error, &[":"]) {
        return None;
    }
    let place = error.start_position();
    let line = code.split('\n').nth(place.row)?;
    let header = line.split(" #").next().unwrap_or(line).trim_end();
    // Otherwise it goes on, or something else is wrong with it.
    let ends = header.ends_with(|c: char| c.is_alphanumeric() || ")]'\"_".contains(c));
    let more = code
        .split('\n')
        .nth(place.row + 1)
        .is_none_or(|next| next.trim().is_empty() || next.starts_with(|c: char| c.is_whitespace()));
    (ends && more && !header.contains(':')).then(|| Found {
        row: place.row,
        column: header.len(),
        message: "missing `:`".to_owned(),
    })
}

/// The faults of code that the grammar has read.
pub(crate) fn faults(tree: &Tree, code: &str) -> Vec<Found> {
    let mut found = Vec::new();
    let rows: Vec<&str> = code.split('\n').collect();
    walk(tree, |node| {
        let fault = match node.kind() {
            "block" if is_empty(node) => body_missing(node),
            "module" | "block" => {
                found.extend(misplaced(node, &rows));
                None
            }
            "try_statement"
                if !has_child(node, &["except_clause", "except_group_clause", "finally_clause"]) =>
            {
                Some("`try` without `except` or `finally`".to_owned())
            }
            "try_statement" => {
                found.extend(clause_misplaced(node, &rows));
                None
            }
            "if_statement" | "for_statement" | "while_statement" => {
                found.extend(clause_misplaced(node, &rows));
                None
            }
            "print_statement" => Some("Python 2's `print` statement; `print(…)` is a function".to_owned()),
            "exec_statement" => Some("Python 2's `exec` statement; `exec(…)` is a function".to_owned()),
            "<>" => Some("`<>` is Python 2; `!=` compares".to_owned()),
            "string_start" if code[node.byte_range()].ends_with('`') => {
                Some("backticks are Python 2; `repr(…)` does it".to_owned())
            }
            "raise_statement" if has_child(node, &["expression_list"]) => {
                Some("Python 2's `raise A, b`; it is `raise A(b)`".to_owned())
            }
            "except_clause" if is_pair(node) => {
                Some("Python 2's `except A, b`; it is `except A as b`".to_owned())
            }
            "integer" if is_old_octal(&code[node.byte_range()]) => {
                Some("a number that begins with 0; octal is `0o…`".to_owned())
            }
            _ => None,
        };
        found.extend(fault.map(|message| Found::at(node, message)));
        true
    });
    found
}

fn is_empty(block: Node<'_>) -> bool {
    let mut cursor = block.walk();
    block.named_children(&mut cursor).all(|child| child.is_extra())
}

fn body_missing(block: Node<'_>) -> Option<String> {
    let header = block.parent()?.kind().trim_end_matches("_definition").trim_end_matches("_statement");
    let header = header.trim_end_matches("_clause").replace('_', " ");
    Some(format!("missing the indented body of this `{header}`"))
}

/// An `else` or its like that begins a line with other white space than the statement it belongs to.
fn clause_misplaced(statement: Node<'_>, rows: &[&str]) -> Option<Found> {
    let indent = |node: Node<'_>| {
        let place = node.start_position();
        rows.get(place.row).and_then(|row| row.get(..place.column)).filter(|before| before.trim().is_empty())
    };
    let level = indent(statement)?;
    let mut cursor = statement.walk();
    let wrong = statement.named_children(&mut cursor).find(|child| {
        child.kind().ends_with("_clause") && indent(*child).is_some_and(|indent| indent != level)
    })?;
    let name = wrong.kind().trim_end_matches("_clause").replace('_', " ");
    Some(Found::at(wrong, format!("the indentation of this `{name}` is not that of what it belongs to")))
}

fn has_child(node: Node<'_>, kinds: &[&str]) -> bool {
    let mut cursor = node.walk();
    node.children(&mut cursor).any(|child| kinds.contains(&child.kind()))
}

/// `except A, b:` without brackets around the two. (With brackets, or with more after a newer Python's
/// `except A, B, C:`, it is a tuple of types.)
fn is_pair(except: Node<'_>) -> bool {
    let mut cursor = except.walk();
    except.children_by_field_name("value", &mut cursor).filter(|child| child.kind() != ",").count() == 2
}

fn is_old_octal(number: &str) -> bool {
    number.len() > 1
        && number.starts_with('0')
        && number.bytes().all(|b| b.is_ascii_digit() || b == b'_')
        && number.bytes().any(|b| (b'1'..=b'9').contains(&b))
}

/// Statements of one block that begin a line with other white space than the block's first one.
fn misplaced(block: Node<'_>, rows: &[&str]) -> Vec<Found> {
    let mut found = Vec::new();
    let mut level: Option<&str> = None;
    let mut cursor = block.walk();
    for statement in block.named_children(&mut cursor).filter(|child| !child.is_extra()) {
        let place = statement.start_position();
        let Some(indent) = rows.get(place.row).and_then(|row| row.get(..place.column)) else { continue };
        // Something else stands before it on its line: `if x: y` or `x; y`.
        if !indent.trim().is_empty() {
            continue;
        }
        match level {
            None => level = Some(indent),
            Some(before) if before == indent => {}
            // An excerpt may begin further in than it goes on.
            Some(before) if block.kind() == "module" && before.starts_with(indent) => level = Some(indent),
            Some(_) => {
                let text = shortened(&rows[place.row][place.column..], 40);
                found.push(Found::at(statement, format!("unexpected indentation before `{text}`")));
            }
        }
    }
    found
}
