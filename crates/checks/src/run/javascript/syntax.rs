//! What the syntax of JavaScript and TypeScript says of a text, within a deadline.

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Instant;

use tree_sitter::{Node, Tree};

use crate::lint::{Language, OutOfTime, parse, walk};
use crate::run::code::Tongue;

/// A text and its tree.
pub(super) struct Script<'a> {
    pub(super) text: &'a str,
    tree: Tree,
}

/// How much more than types there is in TypeScript.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum More {
    Nothing,
    /// It has to be transformed.
    Transformed,
    /// Nothing transforms it.
    Decorators,
}

/// An import: of what, and the names it gives, each with that by which the other knows it; `*` is all of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Import {
    pub(super) range: Range<usize>,
    pub(super) from: String,
    pub(super) names: Vec<(String, String)>,
    /// It is only of types, and nothing of it is there when it runs.
    pub(super) types: bool,
}

/// Words to be put in the place of a range of a text.
pub(super) type Edit = (Range<usize>, String);

pub(super) fn edited(text: &str, mut edits: Vec<Edit>) -> String {
    edits.sort_by_key(|(range, _)| std::cmp::Reverse((range.start, range.end)));
    let mut text = text.to_owned();
    for (range, words) in edits {
        text.replace_range(range, &words);
    }
    text
}

fn children(node: Node<'_>) -> Vec<Node<'_>> {
    node.children(&mut node.walk()).collect()
}

fn has(node: Node<'_>, token: &str) -> bool {
    children(node).iter().any(|child| child.kind() == token)
}

impl<'a> Script<'a> {
    pub(super) fn read(tongue: Tongue, text: &'a str, deadline: Instant) -> Result<Script<'a>, OutOfTime> {
        let language = if tongue == Tongue::TypeScript { Language::TypeScript } else { Language::JavaScript };
        Ok(Script { text, tree: parse(language, text, deadline)? })
    }

    pub(super) fn has_error(&self) -> bool {
        self.tree.root_node().has_error()
    }

    fn said(&self, node: Node<'_>) -> &'a str {
        self.text.get(node.byte_range()).unwrap_or_default()
    }

    fn top(&self) -> Vec<Node<'_>> {
        let root = self.tree.root_node();
        root.named_children(&mut root.walk()).collect()
    }

    /// What is not gone with the types.
    pub(super) fn more(&self) -> More {
        let mut more = More::Nothing;
        walk(&self.tree, |node| {
            let in_parameter = || node.parent().is_some_and(|parent| parent.kind().ends_with("_parameter"));
            more = more.max(match node.kind() {
                "decorator" => More::Decorators,
                "enum_declaration" | "internal_module" | "import_alias" | "type_assertion" => {
                    More::Transformed
                }
                "accessibility_modifier" | "override_modifier" | "readonly" if in_parameter() => {
                    More::Transformed
                }
                _ => More::Nothing,
            });
            true
        });
        more
    }

    /// What it defines at its top that is there when it runs, and what of that it exports by default.
    pub(super) fn names(&self) -> (Vec<String>, Option<String>) {
        let (mut names, mut default) = (Vec::new(), None);
        for statement in self.top() {
            let defined = statement.child_by_field_name("declaration").unwrap_or(statement);
            let named = match defined.kind() {
                "function_declaration"
                | "generator_function_declaration"
                | "class_declaration"
                | "abstract_class_declaration"
                | "enum_declaration" => vec![defined],
                "lexical_declaration" | "variable_declaration" => {
                    defined.named_children(&mut defined.walk()).collect()
                }
                _ => Vec::new(),
            };
            let name = named.into_iter().filter_map(|node| node.child_by_field_name("name"));
            let name = name.filter(|name| !name.kind().ends_with("_pattern"));
            let before = names.len();
            names.extend(name.map(|name| self.said(name).to_owned()));
            if has(statement, "default") {
                let value = statement.child_by_field_name("value").filter(|node| node.kind() == "identifier");
                default = names.get(before).cloned().or(value.map(|value| self.said(value).to_owned()));
            }
        }
        (names, default)
    }

    /// Whether it exports at its top, which nothing inside of a block can.
    pub(super) fn exports(&self) -> bool {
        self.top().iter().any(|node| node.kind() == "export_statement")
    }

    pub(super) fn imports(&self) -> Vec<Import> {
        let nodes = self.top().into_iter().filter(|node| node.kind() == "import_statement");
        nodes.map(|node| self.import(node)).collect()
    }

    fn import(&self, node: Node<'_>) -> Import {
        let mut import = Import { range: node.byte_range(), types: has(node, "type"), ..Import::default() };
        let mut nodes = children(node);
        while let Some(node) = nodes.pop() {
            let named = |field| node.child_by_field_name(field).map(|node| self.said(node));
            match node.kind() {
                "string" => import.from = self.said(node).trim_matches(['\'', '"']).to_owned(),
                "identifier" => import.names.push(("default".to_owned(), self.said(node).to_owned())),
                "namespace_import" | "import_require_clause" => {
                    let inner = children(node);
                    let name = inner.iter().find(|node| node.kind() == "identifier");
                    import.names.extend(name.map(|name| ("*".to_owned(), self.said(*name).to_owned())));
                    nodes.extend(inner.into_iter().filter(|node| node.kind() == "string"));
                }
                "import_clause" | "named_imports" => nodes.extend(children(node)),
                "import_specifier" if !has(node, "type") => {
                    let name = named("name").unwrap_or_default();
                    let local = named("alias").unwrap_or(name);
                    import.names.push((name.to_owned(), local.to_owned()));
                }
                _ => {}
            }
        }
        import
    }

    /// The names that are used as values, but for where they are imported or exported.
    pub(super) fn values(&self) -> BTreeSet<&'a str> {
        let mut values = BTreeSet::new();
        walk(&self.tree, |node| {
            if matches!(node.kind(), "identifier" | "shorthand_property_identifier") {
                values.insert(self.said(node));
            }
            !matches!(node.kind(), "import_statement" | "export_clause")
        });
        values
    }

    /// What makes TypeScript what node can read: what is imported or exported and only a type says so, and what has an
    /// older form gets its newer one. No line changes its number. `used` are names that others use as values, `types`
    /// those that all files have only as types.
    pub(super) fn plain(&self, module: bool, used: &BTreeSet<&str>, types: &BTreeSet<&str>) -> Vec<Edit> {
        let mut edits = Vec::new();
        if self.has_error() {
            return edits;
        }
        let values = self.values();
        let is_value = |name: &str| values.contains(name) || used.contains(name);
        let says_type = |node: Node<'_>| (node.start_byte()..node.start_byte(), "type ".to_owned());
        let mut specifiers = Vec::new();
        walk(&self.tree, |node| {
            match node.kind() {
                // `module A {}`; that of a string is nothing when it runs.
                "module" if node.is_named() => {
                    let token = node.child(0).filter(|token| token.kind() == "module");
                    let named = node.child_by_field_name("name").is_some_and(|name| name.kind() != "string");
                    edits.extend(
                        token.filter(|_| named).map(|token| (token.byte_range(), "namespace".to_owned())),
                    );
                }
                "import_require_clause" => {
                    let source = children(node).into_iter().find(|node| node.kind() == "string");
                    let name = children(node).into_iter().find(|node| node.kind() == "identifier");
                    if let (Some(source), Some(name), Some(whole)) = (source, name, node.parent()) {
                        let (name, source) = (self.said(name), self.said(source));
                        let words = match module {
                            true => format!("import {name} from {source};"),
                            false => format!("const {name} = require({source});"),
                        };
                        edits.push((whole.byte_range(), words));
                    }
                    return false;
                }
                "export_statement" if has(node, "=") => {
                    let equals = children(node).into_iter().find(|node| node.kind() == "=");
                    edits.extend(
                        equals.map(|to| (node.start_byte()..to.start_byte(), "module.exports ".to_owned())),
                    );
                }
                "import_specifier" | "export_specifier" if !has(node, "type") => specifiers.push(node),
                _ => {}
            }
            true
        });
        let exported: BTreeSet<&str> = specifiers
            .iter()
            .filter(|node| node.kind() == "export_specifier")
            .filter_map(|node| Some(self.said(node.child_by_field_name("name")?)))
            .collect();
        for node in specifiers {
            let statement = node.parent().and_then(|node| node.parent());
            let statement = statement
                .filter(|node| node.kind() != "import_clause")
                .or(statement.and_then(|node| node.parent()));
            if statement.is_some_and(|statement| has(statement, "type")) {
                continue;
            }
            let field = |field| node.child_by_field_name(field).map(|node| self.said(node));
            let name = field("name").unwrap_or_default();
            let local = field("alias").unwrap_or(name);
            let unused = node.kind() == "import_specifier" && !is_value(local) && !exported.contains(local);
            let only_type = unused || types.contains(name);
            edits.extend(only_type.then(|| says_type(node)));
        }
        edits
    }

    /// The names that it defines at its top as types.
    pub(super) fn types(&self) -> BTreeSet<&'a str> {
        let defined = |node: Node<'_>| {
            let node = node.child_by_field_name("declaration").unwrap_or(node);
            let is_type = matches!(node.kind(), "interface_declaration" | "type_alias_declaration");
            node.child_by_field_name("name").filter(|_| is_type).map(|name| self.said(name))
        };
        self.top().into_iter().filter_map(defined).collect()
    }
}
