//! What is wrong although the grammars take it: rules of languages that are not rules of their grammars.

use std::collections::BTreeSet;
use std::time::Instant;

use tree_sitter::{Node, Tree};

use super::language::Language;
use super::syntax::{Found, OutOfTime, walk};

/// How far up a function is looked for from within it.
const LEVELS_MAX: usize = 200;

/// The faults of code that the grammar has read; `excerpt` when it was read as part of something else.
pub(super) fn faults(
    language: Language,
    tree: &Tree,
    code: &str,
    excerpt: bool,
    deadline: Instant,
) -> Result<Vec<Found>, OutOfTime> {
    let mut found = Vec::new();
    let rows: Vec<&str> = code.split('\n').collect();
    let mut nodes = 0usize;
    let mut late = false;
    walk(tree, |node| {
        nodes += 1;
        // To find a node's parent takes as long as it lies deep.
        if nodes.is_multiple_of(32) {
            late = late || Instant::now() >= deadline;
        }
        if late {
            return false;
        }
        let fault = match language {
            Language::Go => go(node, &rows, excerpt),
            Language::JavaScript => javascript(node, code).or_else(|| const_without_value(node)),
            Language::TypeScript | Language::Tsx => javascript(node, code),
            Language::Java => java(node, code, excerpt),
            Language::C | Language::Cpp => c(node, code),
            Language::Bash => bash(node, code),
            Language::Hcl => {
                found.extend(hcl(node, code, &rows));
                None
            }
            _ => None,
        };
        found.extend(fault);
        true
    });
    if late { Err(OutOfTime) } else { Ok(found) }
}

/// Typographic quotes outside of strings and comments.
pub(super) fn quotes(language: Language, tree: &Tree, code: &str) -> Vec<Found> {
    const QUOTES: [char; 4] = ['“', '”', '‘', '’'];
    let mut found = Vec::new();
    if !code.contains(QUOTES) {
        return found;
    }
    let text =
        ["string", "comment", "template", "jsx_text", "heredoc", "char", "regex", "raw", "content", "quoted"];
    walk(tree, |node| {
        if text.iter().any(|kind| node.kind().contains(kind)) {
            return false;
        }
        if node.child_count() == 0 && found.is_empty() {
            let leaf = &code[node.byte_range()];
            // In a shell's words an apostrophe may be meant.
            let quote = match language {
                Language::Bash => leaf.starts_with(['“', '‘']),
                _ => leaf.contains(QUOTES),
            };
            if quote {
                found.push(Found::at(node, "typographic quotes where code has `\"` or `'`".to_owned()));
            }
        }
        true
    });
    found
}

fn children(node: Node<'_>) -> Vec<Node<'_>> {
    let mut cursor = node.walk();
    node.children(&mut cursor).collect()
}

fn has(node: Node<'_>, kind: &str) -> bool {
    let mut cursor = node.walk();
    node.children(&mut cursor).any(|child| child.kind() == kind)
}

fn begins_its_row(node: Node<'_>, rows: &[&str]) -> bool {
    let place = node.start_position();
    rows.get(place.row).and_then(|row| row.get(..place.column)).is_some_and(|before| before.trim().is_empty())
}

fn go(node: Node<'_>, rows: &[&str], excerpt: bool) -> Option<Found> {
    match node.kind() {
        "block" | "field_declaration_list" if begins_its_row(node, rows) => {
            const HEADERS: [&str; 5] = [
                "function_declaration",
                "method_declaration",
                "func_literal",
                "if_statement",
                "for_statement",
            ];
            // The grammar takes a body that comes a line too late for a block of its own.
            let before = node
                .prev_sibling()
                .filter(|before| matches!(before.kind(), "function_declaration" | "method_declaration"));
            let bare = before.is_some_and(|before| before.child_by_field_name("body").is_none());
            let late = HEADERS.contains(&node.parent()?.kind()) || node.kind() == "field_declaration_list";
            (late || bare).then(|| {
                Found::at(node, "`{` on a line of its own, where Go has ended the statement".to_owned())
            })
        }
        "literal_value" | "argument_list" | "parameter_list" => {
            let all = children(node);
            let all: Vec<_> = all.iter().filter(|child| child.kind() != "comment").collect();
            let [.., last, close] = all.as_slice() else { return None };
            let open = last.end_position().row < close.start_position().row;
            let ended = matches!(last.kind(), "," | "{" | "(");
            (open && !ended && !close.is_missing()).then(|| {
                let place = last.end_position();
                Found {
                    row: place.row,
                    column: place.column,
                    message: "missing `,` before the line ends".to_owned(),
                }
            })
        }
        "source_file" if !excerpt && has(node, "package_clause") => {
            const DECLARATIONS: [&str; 9] = [
                "package_clause",
                "import_declaration",
                "function_declaration",
                "method_declaration",
                "type_declaration",
                "var_declaration",
                "const_declaration",
                "comment",
                ";",
            ];
            let all = children(node);
            let wrong = all.iter().find(|child| {
                !DECLARATIONS.contains(&child.kind())
                    && !child.kind().trim().is_empty()
                    && child.kind() != "\0"
            })?;
            Some(Found::at(*wrong, "a statement outside of a function".to_owned()))
        }
        "expression_statement" if has(node, "composite_literal") => {
            Some(Found::at(node, "a value where a statement should be".to_owned()))
        }
        _ => None,
    }
}

fn javascript(node: Node<'_>, code: &str) -> Option<Found> {
    match node.kind() {
        "try_statement" if !has(node, "catch_clause") && !has(node, "finally_clause") => {
            Some(Found::at(node, "`try` without `catch` or `finally`".to_owned()))
        }
        "arguments" | "object" => {
            let all = children(node);
            let twice = all.windows(2).find(|pair| pair.iter().all(|child| child.kind() == ","))?;
            Some(Found::at(twice[1], "unexpected `,`".to_owned()))
        }
        "await_expression" => {
            const FUNCTIONS: [&str; 6] = [
                "function_declaration",
                "function_expression",
                "arrow_function",
                "method_definition",
                "generator_function",
                "generator_function_declaration",
            ];
            let above = std::iter::successors(node.parent(), Node::parent).take(LEVELS_MAX);
            let function = above.into_iter().find(|node| FUNCTIONS.contains(&node.kind()))?;
            let is_async = has(function, "async") || code[function.byte_range()].starts_with("async");
            (!is_async).then(|| Found::at(node, "`await` in a function that is not `async`".to_owned()))
        }
        "statement_block" => {
            let mut names = BTreeSet::new();
            for declaration in
                children(node).into_iter().filter(|child| child.kind() == "lexical_declaration")
            {
                for declarator in children(declaration) {
                    let Some(name) = declarator.child_by_field_name("name") else { continue };
                    if name.kind() == "identifier" && !names.insert(&code[name.byte_range()]) {
                        let message =
                            format!("`{}` is declared twice in one block", &code[name.byte_range()]);
                        return Some(Found::at(name, message));
                    }
                }
            }
            None
        }
        _ => None,
    }
}

fn const_without_value(node: Node<'_>) -> Option<Found> {
    if node.kind() != "lexical_declaration" || !has(node, "const") {
        return None;
    }
    let all = children(node);
    let bare = all.iter().find(|child| {
        child.kind() == "variable_declarator" && child.child_by_field_name("value").is_none()
    })?;
    Some(Found::at(*bare, "a `const` without a value".to_owned()))
}

fn java(node: Node<'_>, code: &str, excerpt: bool) -> Option<Found> {
    match node.kind() {
        "character_literal" => {
            let inner = code[node.byte_range()].trim_matches('\'');
            (inner.chars().count() > 1 && !inner.starts_with('\\'))
                .then(|| Found::at(node, "more than one character in single quotes".to_owned()))
        }
        "constructor_declaration" if !excerpt => {
            let class = node.parent()?.parent()?;
            let name = &code[node.child_by_field_name("name")?.byte_range()];
            let class_name = &code[class.child_by_field_name("name")?.byte_range()];
            (name != class_name)
                .then(|| Found::at(node, format!("`{name}` has no type and is no constructor")))
        }
        "try_statement" if !has(node, "catch_clause") && !has(node, "finally_clause") => {
            Some(Found::at(node, "`try` without `catch` or `finally`".to_owned()))
        }
        _ => None,
    }
}

fn c(node: Node<'_>, code: &str) -> Option<Found> {
    match node.kind() {
        "function_definition" => {
            let of = node.child_by_field_name("type")?;
            let name = node.child_by_field_name("declarator")?;
            let apart = name.start_position().row > of.end_position().row;
            let defines = matches!(
                of.kind(),
                "struct_specifier" | "class_specifier" | "union_specifier" | "enum_specifier"
            ) && of.child_by_field_name("body").is_some();
            (defines && apart).then(|| {
                let place = of.end_position();
                Found { row: place.row, column: place.column, message: "missing `;`".to_owned() }
            })
        }
        "identifier" | "type_identifier" if matches!(&code[node.byte_range()], "elif" | "elseif") => {
            Some(Found::at(node, format!("`{}`; it is `else if`", &code[node.byte_range()])))
        }
        _ => None,
    }
}

fn bash(node: Node<'_>, code: &str) -> Option<Found> {
    if node.kind() != "command_name" {
        return None;
    }
    let name = &code[node.byte_range()];
    match name {
        "fi" | "done" | "else" | "elif" | "esac" | "then" | "do" | "}" => {
            Some(Found::at(node, format!("unexpected `{name}`")))
        }
        _ => None,
    }
}

fn hcl(node: Node<'_>, code: &str, rows: &[&str]) -> Vec<Found> {
    let mut found = Vec::new();
    match node.kind() {
        "body" => {
            let mut names = BTreeSet::new();
            let mut before: Option<Node<'_>> = None;
            for child in children(node).into_iter().filter(|child| child.kind() != "comment") {
                let one =
                    before.is_some_and(|before| before.end_position().row == child.start_position().row);
                if one && !begins_its_row(child, rows) {
                    found.push(Found::at(child, "two on one line".to_owned()));
                }
                if child.kind() == "attribute" {
                    let name = child.child(0).map(|name| &code[name.byte_range()]).unwrap_or_default();
                    if !names.insert(name) {
                        found.push(Found::at(child, format!("`{name}` is set twice in one block")));
                    }
                }
                before = Some(child);
            }
        }
        "block_start" => {
            let header = node.prev_sibling();
            if header.is_some_and(|header| header.end_position().row < node.start_position().row) {
                found.push(Found::at(node, "`{` must stand on the line of its block".to_owned()));
            }
        }
        _ => {}
    }
    found
}
