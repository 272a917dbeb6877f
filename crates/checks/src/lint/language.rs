//! The languages that are read, and by what.

use crate::data::Format;
use crate::names::language_of_tag;

/// A language that can be checked. Another one is a variant here and a row in each `match`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Language {
    Python,
    Rust,
    JavaScript,
    TypeScript,
    Tsx,
    Go,
    Java,
    C,
    Cpp,
    Bash,
    Hcl,
    Sql,
    Dockerfile,
    Yaml,
    Json,
    Jsonc,
    Toml,
}

/// What reads the SQL and the Dockerfiles.
const OWN: &str = concat!("fleet-checks ", env!("CARGO_PKG_VERSION"));

impl Language {
    pub(crate) const ALL: [Language; 17] = [
        Language::Python,
        Language::Rust,
        Language::JavaScript,
        Language::TypeScript,
        Language::Tsx,
        Language::Go,
        Language::Java,
        Language::C,
        Language::Cpp,
        Language::Bash,
        Language::Hcl,
        Language::Sql,
        Language::Dockerfile,
        Language::Yaml,
        Language::Json,
        Language::Jsonc,
        Language::Toml,
    ];

    /// The language a fence's tag names, if it is one of ours.
    pub(crate) fn of_tag(tag: &str) -> Option<Language> {
        let name = language_of_tag(tag)?;
        Language::ALL.into_iter().find(|language| language.name() == name)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Language::Python => "python",
            Language::Rust => "rust",
            Language::JavaScript => "javascript",
            Language::TypeScript => "typescript",
            Language::Tsx => "tsx",
            Language::Go => "go",
            Language::Java => "java",
            Language::C => "c",
            Language::Cpp => "cpp",
            Language::Bash => "bash",
            Language::Hcl => "hcl",
            Language::Sql => "sql",
            Language::Dockerfile => "dockerfile",
            Language::Yaml => "yaml",
            Language::Json => "json",
            Language::Jsonc => "jsonc",
            Language::Toml => "toml",
        }
    }

    /// The tool that reads it and its version, for the report.
    pub(crate) fn tool(self) -> &'static str {
        match self {
            Language::Python => "tree-sitter-python 0.25",
            Language::Rust => "tree-sitter-rust 0.24",
            Language::JavaScript => "tree-sitter-javascript 0.25",
            Language::TypeScript | Language::Tsx => "tree-sitter-typescript 0.23",
            Language::Go => "tree-sitter-go 0.25",
            Language::Java => "tree-sitter-java 0.23",
            Language::C => "tree-sitter-c 0.24",
            Language::Cpp => "tree-sitter-cpp 0.23",
            Language::Bash => "tree-sitter-bash 0.25",
            Language::Hcl => "tree-sitter-hcl 1.1",
            Language::Sql | Language::Dockerfile => OWN,
            Language::Yaml => "granit-parser 2.1",
            Language::Json | Language::Jsonc => "serde_json 1.0",
            Language::Toml => "toml 1.2",
        }
    }

    /// The grammar, where the language is read by one.
    pub(crate) fn grammar(self) -> Option<tree_sitter::Language> {
        Some(match self {
            Language::Python => tree_sitter_python::LANGUAGE.into(),
            Language::Rust => tree_sitter_rust::LANGUAGE.into(),
            Language::JavaScript => tree_sitter_javascript::LANGUAGE.into(),
            Language::TypeScript => tree_sitter_typescript::LANGUAGE_TYPESCRIPT.into(),
            Language::Tsx => tree_sitter_typescript::LANGUAGE_TSX.into(),
            Language::Go => tree_sitter_go::LANGUAGE.into(),
            Language::Java => tree_sitter_java::LANGUAGE.into(),
            Language::C => tree_sitter_c::LANGUAGE.into(),
            Language::Cpp => tree_sitter_cpp::LANGUAGE.into(),
            Language::Bash => tree_sitter_bash::LANGUAGE.into(),
            Language::Hcl => tree_sitter_hcl::LANGUAGE.into(),
            _ => return None,
        })
    }

    /// The format, where it is data.
    pub(crate) fn format(self) -> Option<Format> {
        match self {
            Language::Yaml => Some(Format::Yaml),
            Language::Json => Some(Format::Json),
            Language::Jsonc => Some(Format::Jsonc),
            Language::Toml => Some(Format::Toml),
            _ => None,
        }
    }
}
