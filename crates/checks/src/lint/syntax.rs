//! The syntax of one block of code: parsed by tree-sitter, faults with their places.

use std::ops::ControlFlow;
use std::time::Instant;

use tree_sitter::{Node, ParseOptions, Parser, Tree};

use super::excerpt::arounds;
use super::language::Language;
use super::soften::{softened, without_placeholders};
use super::{beyond, python};

/// A fault in a block of code. Rows count from 0, columns in bytes from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) row: usize,
    pub(crate) column: usize,
    pub(crate) message: String,
}

impl Found {
    pub(crate) fn at(node: Node<'_>, message: String) -> Found {
        let place = node.start_position();
        Found { row: place.row, column: place.column, message }
    }
}

/// What came of reading one block.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// There is nothing in it but white space and comments.
    NoCode,
    /// It was read whole; in the order of their places, what is wrong with it.
    Code(Vec<Found>),
}

/// The time ran out before the block was read.
#[derive(Debug)]
pub(crate) struct OutOfTime;

/// Reads one block until `deadline`: as a file, else as an excerpt of one, else without what the grammar is
/// known not to know. What leaves the fewest faults counts.
pub(crate) fn read(language: Language, code: &str, deadline: Instant) -> Result<Reading, OutOfTime> {
    // The parser looks at the time only now and then, and there may be very many small blocks.
    if Instant::now() >= deadline {
        return Err(OutOfTime);
    }
    let code = without_placeholders(language, code);
    let mut best = Attempt::new(language, code.clone().into_owned(), 0, deadline)?;
    if !has_code(&best.tree) {
        return Ok(Reading::NoCode);
    }
    if !best.found.is_empty() {
        best = with_surroundings(language, &code, best, deadline)?;
    }
    if let Some(code) = softened(language, &code).filter(|_| !best.found.is_empty()) {
        let soft = Attempt::new(language, code.clone(), 0, deadline)?;
        let soft =
            if soft.found.is_empty() { soft } else { with_surroundings(language, &code, soft, deadline)? };
        if soft.found.len() < best.found.len() {
            best = soft;
        }
    }
    if language == Language::TypeScript && !best.found.is_empty() {
        // Some tag JSX with types in it like this.
        let tsx = Attempt::new(Language::Tsx, code.into_owned(), 0, deadline)?;
        best = if tsx.found.is_empty() { tsx } else { best };
    }
    // What the grammar could not read has no indentation or bodies to speak of.
    if best.found.is_empty() {
        best.found = match language {
            Language::Python => python::faults(&best.tree, &best.code),
            Language::Rust => Vec::new(),
            _ => beyond::faults(language, &best.tree, &best.code, best.shift > 0, deadline)?,
        };
        best.found.extend(beyond::quotes(language, &best.tree, &best.code));
        best.shift_up();
    }
    Ok(Reading::Code(best.found))
}

/// A code as it was parsed.
struct Attempt {
    code: String,
    tree: Tree,
    /// How many rows stand before the block's own, which those of faults do not count.
    shift: usize,
    found: Vec<Found>,
}

impl Attempt {
    fn new(language: Language, code: String, shift: usize, deadline: Instant) -> Result<Attempt, OutOfTime> {
        // What is long to read may take much longer than the parser looks at the time.
        if Instant::now() >= deadline {
            return Err(OutOfTime);
        }
        let tree = parse(language, &code, deadline)?;
        let found = grammar_faults(language, &tree, &code);
        let mut attempt = Attempt { code, tree, shift, found };
        attempt.shift_up();
        Ok(attempt)
    }

    fn shift_up(&mut self) {
        for fault in &mut self.found {
            fault.row = fault.row.saturating_sub(self.shift);
        }
    }
}

/// The best of `plain` and of the same code as excerpts of what may surround it.
fn with_surroundings(
    language: Language,
    code: &str,
    plain: Attempt,
    deadline: Instant,
) -> Result<Attempt, OutOfTime> {
    let mut best = plain;
    for around in arounds(language, code) {
        let attempt = Attempt::new(language, around.put(code), 1, deadline)?;
        let root = attempt.tree.root_node();
        // Otherwise it does not stay inside.
        let inside = !root.is_error() && root.child_count() == around.children;
        if inside && attempt.found.len() < best.found.len() {
            best = attempt;
        }
    }
    Ok(best)
}

/// The tree of a text as it is.
pub(crate) fn parse(language: Language, code: &str, deadline: Instant) -> Result<Tree, OutOfTime> {
    let mut parser = Parser::new();
    let grammar = language.grammar().ok_or(OutOfTime)?;
    // Fails only for a grammar of another version of tree-sitter, and then every test of this crate does.
    parser.set_language(&grammar).map_err(|_| OutOfTime)?;
    let mut in_time = |_: &tree_sitter::ParseState| {
        if Instant::now() < deadline { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    let options = ParseOptions::new().progress_callback(&mut in_time);
    let bytes = code.as_bytes();
    let mut rest = |at: usize, _| bytes.get(at..).unwrap_or_default();
    parser.parse_with_options(&mut rest, None, Some(options)).ok_or(OutOfTime)
}

fn has_code(tree: &Tree) -> bool {
    let mut cursor = tree.walk();
    tree.root_node().has_error() || tree.root_node().children(&mut cursor).any(|child| !child.is_extra())
}

/// Every place the grammar could not read, and every token it had to make up.
pub(crate) fn grammar_faults(language: Language, tree: &Tree, code: &str) -> Vec<Found> {
    let mut found = Vec::new();
    if !tree.root_node().has_error() {
        return found;
    }
    walk(tree, |node| {
        if node.is_missing() {
            let kind = node.kind().replace('_', " ");
            let what = if node.is_named() { kind } else { format!("`{kind}`") };
            found.push(Found::at(node, format!("missing {what}")));
        } else if node.is_error() {
            found.push(unread(language, node, code));
            // What lies within is a guess of the parser's; one fault is one fault.
            return false;
        }
        node.has_error()
    });
    found
}

/// The fault behind a stretch of code that could not be read.
fn unread(language: Language, error: Node<'_>, code: &str) -> Found {
    if let Some(open) = never_closed(error) {
        return Found::at(open, format!("`{}` is never closed", open.kind()));
    }
    let colon = || python::missing_colon(error, code);
    if let Some(found) = (language == Language::Python).then(colon).flatten() {
        return found;
    }
    let text = shortened(&code[error.byte_range()], 40);
    // Of several tokens the parser cannot say which is the wrong one.
    let message = match error.child_count() {
        0 | 1 => format!("unexpected `{text}`"),
        _ => format!("cannot be read from `{text}` on"),
    };
    Found::at(error, message)
}

/// The innermost bracket among a node's own tokens that has no partner there.
fn never_closed(node: Node<'_>) -> Option<Node<'_>> {
    let mut cursor = node.walk();
    let mut open = Vec::new();
    for child in node.children(&mut cursor) {
        match child.kind() {
            "(" | "[" | "{" => open.push(child),
            ")" | "]" | "}" => {
                open.pop();
            }
            _ => {}
        }
    }
    open.pop()
}

/// Visits a tree in reading order, without recursion: code may nest as deep as it is long. `visit` says
/// whether to go below a node.
pub(crate) fn walk<'tree>(tree: &'tree Tree, mut visit: impl FnMut(Node<'tree>) -> bool) {
    let mut cursor = tree.walk();
    loop {
        if visit(cursor.node()) && cursor.goto_first_child() {
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                return;
            }
        }
    }
}

/// The first line of a text, at most `max` characters of it.
pub(crate) fn shortened(text: &str, max: usize) -> String {
    let line = text.lines().next().unwrap_or_default().trim();
    match line.char_indices().nth(max) {
        Some((end, _)) => format!("{}…", line[..end].trim_end()),
        None => line.to_owned(),
    }
}
