//! Where Go is laid out: which module a folder is of, which package a file, and what that declares.

use std::collections::{BTreeMap, BTreeSet};

use tree_sitter::{Node, Parser};

use super::is_standard;
use crate::run::code::{Code, File};

/// What every package can name without saying where it is from.
const PREDECLARED: &str = "any bool byte comparable complex64 complex128 error float32 float64 int int8 int16 int32 int64 rune string uint \
                           uint8 uint16 uint32 uint64 uintptr true false iota nil append cap clear close complex copy delete imag len make \
                           max min new panic print println real recover";

/// The folder of a path, with a slash at its end; empty for the root.
pub(super) fn folder(path: &str) -> &str {
    path.rfind('/').map_or("", |at| &path[..=at])
}

/// The folder of the module that a folder is of: the nearest that has a `go.mod`, else the root.
pub(super) fn module_folder<'a>(files: &BTreeMap<String, Vec<u8>>, folder: &'a str) -> &'a str {
    let mut at = folder;
    while !at.is_empty() && !files.contains_key(&format!("{at}go.mod")) {
        at = self::folder(at.trim_end_matches('/'));
    }
    at
}

/// The folder that tests without a path are of: the one of whose package they say to be, if it is one alone.
pub(super) fn of_tests<'a>(code: &'a Code, tests: &str) -> &'a str {
    let main = folder(&code.main().path);
    let Some(said) = package_of(tests) else { return main };
    let has = |file: &&File| package(file) == Some(said);
    let folders: BTreeSet<&str> = code.files.iter().filter(has).map(|file| folder(&file.path)).collect();
    match (folders.len(), folders.first()) {
        (1, Some(only)) => only,
        _ => main,
    }
}

/// The module that its files go by when they import each other.
pub(super) fn module(code: &Code) -> Option<&str> {
    let folders: Vec<&str> = code.files.iter().map(|file| folder(&file.path)).collect();
    let words = code.files.iter().flat_map(|file| file.text.lines()).filter_map(|line| {
        let word = line.strip_prefix("import").unwrap_or(line).trim();
        word.strip_suffix('"')?.rsplit_once('"').map(|(_, word)| word)
    });
    let of = |import: &'_ str| {
        let folder = folders.iter().filter_map(|folder| folder.strip_suffix('/'));
        let of_folder = |folder: &str| {
            import.strip_suffix(folder)?.strip_suffix('/').map(str::len).filter(|length| *length > 0)
        };
        folder.filter_map(of_folder).min()
    };
    let words: Vec<&str> = words.filter(|word| !is_standard(word)).collect();
    // What is at the root is imported by the name of the module alone.
    let root = code.files.iter().filter(|file| folder(&file.path).is_empty()).find_map(package);
    let is_root = |import: &&&str| root.is_some_and(|root| import.rsplit('/').next() == Some(root));
    let by_folder = words.iter().find_map(|import| Some(&import[..of(import)?]));
    by_folder.or_else(|| words.iter().find(is_root).copied())
}

/// The package that a file says it belongs to.
pub(super) fn package(file: &File) -> Option<&str> {
    package_of(&file.text)
}

fn package_of(text: &str) -> Option<&str> {
    package_line(text).and_then(|(_, line)| line.split([' ', '\t', ';', '/']).nth(1))
}

/// Where the line of the package begins, and that line.
pub(super) fn package_line(text: &str) -> Option<(usize, &str)> {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if line.starts_with("package ") || line.starts_with("package\t") {
            return Some((at, line.trim_end()));
        }
        at += line.len();
    }
    None
}

/// What Go itself means by a word that `tests` say, and by which the package in `folder` means something else.
pub(super) fn redeclared(files: &BTreeMap<String, Vec<u8>>, folder: &str, tests: &[&str]) -> Option<String> {
    let own = |path: &&String| path.ends_with(".go") && self::folder(path) == folder;
    let texts = files.iter().filter(|(path, _)| own(path)).map(|(_, text)| String::from_utf8_lossy(text));
    let declared: BTreeSet<String> = texts.flat_map(|text| declared(&text)).collect();
    let known = PREDECLARED.split_whitespace().filter(|name| declared.contains(*name));
    let said: BTreeSet<String> = tests.iter().flat_map(|text| said(text)).collect();
    known.into_iter().find(|name| said.contains(*name)).map(str::to_owned)
}

fn parsed<T>(text: &str, read: impl FnOnce(Node<'_>) -> T) -> Option<T> {
    let mut parser = Parser::new();
    parser.set_language(&tree_sitter_go::LANGUAGE.into()).ok()?;
    parser.parse(text, None).map(|tree| read(tree.root_node()))
}

fn children(node: Node<'_>) -> Vec<Node<'_>> {
    node.named_children(&mut node.walk()).collect()
}

/// The names that a file declares for its whole package.
fn declared(text: &str) -> Vec<String> {
    const SPECS: [&str; 5] = ["const_spec", "var_spec", "var_spec_list", "type_spec", "type_alias"];
    let read = |root: Node<'_>| {
        let mut names = Vec::new();
        let mut nodes = children(root);
        while let Some(node) = nodes.pop() {
            match node.kind() {
                "const_declaration" | "var_declaration" | "type_declaration" | "var_spec_list" => {
                    nodes.extend(children(node));
                }
                "function_declaration" => names.extend(node.child_by_field_name("name")),
                kind if SPECS.contains(&kind) => {
                    names.extend(node.children_by_field_name("name", &mut node.walk()));
                }
                _ => {}
            }
        }
        let words = names.into_iter().filter_map(|name| text.get(name.byte_range()));
        words.map(str::to_owned).collect()
    };
    parsed(text, read).unwrap_or_default()
}

/// The words in a text that may name what its package, or Go, declares.
fn said(text: &str) -> BTreeSet<String> {
    let read = |root: Node<'_>| {
        let mut words = BTreeSet::new();
        let mut cursor = root.walk();
        loop {
            let node = cursor.node();
            if node.child_count() == 0 && node.is_named() && node.kind() != "field_identifier" {
                words.extend(text.get(node.byte_range()).map(str::to_owned));
            }
            if cursor.goto_first_child() {
                continue;
            }
            while !cursor.goto_next_sibling() {
                if !cursor.goto_parent() {
                    return words;
                }
            }
        }
    };
    parsed(text, read).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::code::{Codes, Tongue};

    #[test]
    fn the_module_is_the_one_that_its_files_import_each_other_by() {
        let code = |markdown: &str| Codes::of(markdown).get(Tongue::Go).expect("code").clone();
        let files = "### main.go\n```go\npackage main\n\nimport (\n\t\"fmt\"\n\tx \"example.org/shop/internal/cart\"\n)\n```\n\
                     ### internal/cart/cart.go\n```go\npackage cart\n```";
        assert_eq!(module(&code(files)), Some("example.org/shop"));
        assert_eq!(module(&code("```go\npackage a\n\nimport \"fmt\"\n```")), None);
        let standard = files.replace("example.org/shop/internal/cart", "encoding/cart");
        assert_eq!(module(&code(&standard.replace("internal/cart/cart.go", "cart/cart.go"))), None);
        let root = "### calc.go\n```go\npackage calc\n```\n### cmd/x/main.go\n```go\npackage main\n\nimport \"example.org/calc\"\n```";
        assert_eq!(module(&code(root)), Some("example.org/calc"));
    }

    #[test]
    fn what_a_package_declares_again_is_found_where_tests_say_it() {
        for (text, tests, found) in [
            ("const false = 1 == 1", "if f() != false {}", Some("false")),
            ("const (\n\ta = 1\n\tx, true = 2, 1 == 2\n)", "_ = true", Some("true")),
            ("var (\n\tnil, b = 1, 2\n)", "_ = nil", Some("nil")),
            ("var len = func(any) int { return 0 }", "_ = len(x)", Some("len")),
            ("type error = int", "var _ error", Some("error")),
            ("type (\n\tstring int\n)", "var _ string", Some("string")),
            ("func panic(any) {}", "panic(1)", Some("panic")),
            ("func panic[T any](T) {}", "panic(1)", Some("panic")),
            ("func max(a, b int) int { return a }", "_ = len(x)", None),
            ("func (t T) len() int { return 0 }\nfunc f() { len := 1; _ = len }", "_ = len(x)", None),
            ("type T struct{ len int }", "_ = len(x)", None),
            ("func max(a, b int) int { return a }", "_ = x.max", None),
        ] {
            let files =
                BTreeMap::from([("a/a.go".to_owned(), format!("package a\n\n{text}\n").into_bytes())]);
            let tests = format!("package a\n\nfunc TestA(t *testing.T) {{\n\t{tests}\n}}\n");
            assert_eq!(redeclared(&files, "a/", &[&tests]).as_deref(), found, "{text}");
            assert_eq!(redeclared(&files, "", &[&tests]), None);
        }
    }

    #[test]
    fn a_folder_is_of_the_nearest_module() {
        let files = ["a/go.mod", "go.mod"].map(|path| (path.to_owned(), Vec::new())).into();
        assert_eq!(
            ["", "a/", "a/b/c/", "b/"].map(|folder| module_folder(&files, folder)),
            ["", "a/", "a/", ""]
        );
    }
}
