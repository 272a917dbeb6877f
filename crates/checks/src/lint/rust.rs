//! What Rust needs beyond its grammar: an excerpt from inside a function is not a file, and no fault.

use tree_sitter::Tree;

use super::language::Language;
use super::syntax::{Found, grammar_faults};

/// The code as the body of a function, one row further down.
pub(crate) fn as_excerpt(code: &str) -> String {
    format!("fn excerpt() {{\n{code}\n}}")
}

/// The faults of a code that was parsed as an excerpt, in rows of the code itself; nothing when it does
/// not stay inside the function around it, as `} fn g() {` would not.
pub(crate) fn excerpt_faults(tree: &Tree, code: &str) -> Option<Vec<Found>> {
    if tree.root_node().is_error() || tree.root_node().child_count() != 1 {
        return None;
    }
    let mut found = grammar_faults(Language::Rust, tree, &as_excerpt(code));
    for fault in &mut found {
        fault.row = fault.row.checked_sub(1)?;
    }
    Some(found)
}
