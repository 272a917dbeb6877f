//! The languages whose syntax is known, and what Markdown calls them.

/// A language whose syntax can be checked. Another one is a variant here and a row in each `match`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Language {
    Python,
    Rust,
}

impl Language {
    /// The language a fence's tag names, if it is one of ours.
    pub(crate) fn of_tag(tag: &str) -> Option<Language> {
        match tag {
            "python" | "py" | "python3" | "py3" | "pycon" | "python-console" | "python-repl" => {
                Some(Language::Python)
            }
            "rust" | "rs" => Some(Language::Rust),
            _ => None,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Language::Python => "python",
            Language::Rust => "rust",
        }
    }

    /// The tool that reads it and its version, for the report.
    pub(crate) fn tool(self) -> &'static str {
        match self {
            Language::Python => "tree-sitter-python 0.25",
            Language::Rust => "tree-sitter-rust 0.24",
        }
    }

    pub(crate) fn grammar(self) -> tree_sitter::Language {
        match self {
            Language::Python => tree_sitter_python::LANGUAGE.into(),
            Language::Rust => tree_sitter_rust::LANGUAGE.into(),
        }
    }
}
