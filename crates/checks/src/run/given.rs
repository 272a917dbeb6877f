//! The tests that a task gives: which files they are, in which languages, and what each test is called.

use tree_sitter::{Node, Parser, Tree};

use super::code::Tongue;
use super::go::stands_outside;
use crate::lint::Language;
use crate::parts::fenced;

/// The name of the test that the statements outside of all tests are.
pub(crate) const LOOSE: &str = "tests";

/// Tests in one language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Given {
    pub(crate) tongue: Tongue,
    pub(crate) files: Vec<TestFile>,
}

/// One file of tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TestFile {
    pub(crate) path: Option<String>,
    pub(crate) text: String,
    /// Of Python `function` or `Class.method`, of Rust `module::function`; of JavaScript its functions alone,
    /// as what `test(…)` is called with is known only once it runs.
    pub(crate) names: Vec<String>,
}

/// Why there are no tests.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoTests {
    #[error("the tests given with the task stand in a block of {0:?}, in which none can be run")]
    Language(String),
    #[error("the tests given with the task hold no test in {}", .0.name())]
    Nothing(Tongue),
    #[error("the tests given with the task do not parse as {}", .0.name())]
    Syntax(Tongue),
    #[error(
        "the tests given with the task stand in a package of their own; in Go they must be in that of the code"
    )]
    Package,
    #[error("the path {0} of the tests given with the task leaves the folder")]
    Path(String),
    #[error(
        "the tests given with the task name no language, and the proposal has no code that could tell it"
    )]
    Unknown,
}

/// The tests in a text: the fenced blocks in it; where there are none all of it, in the language of the proposal.
pub(crate) fn given(text: &str, of_proposal: Option<Tongue>) -> Result<Vec<Given>, NoTests> {
    let blocks = fenced(text);
    let mut found: Vec<Given> = Vec::new();
    let mut add = |tongue: Tongue, path: Option<String>, text: String| {
        let names = names(tongue, &text);
        let file = TestFile { path, text, names };
        match found.iter_mut().find(|given| given.tongue == tongue) {
            Some(given) => given.files.push(file),
            None => found.push(Given { tongue, files: vec![file] }),
        }
    };
    if blocks.is_empty() {
        add(of_proposal.ok_or(NoTests::Unknown)?, None, text.to_owned());
    }
    for block in blocks {
        let tongue = Tongue::of_tag(&block.tag).ok_or_else(|| NoTests::Language(block.tag.clone()))?;
        let outside = |path: &String| path.split('/').any(|part| matches!(part, "" | "." | ".."));
        if let Some(path) = block.path.clone().filter(outside) {
            return Err(NoTests::Path(path));
        }
        let text = block.code();
        add(tongue, block.path, text);
    }
    for given in &found {
        if given.tongue == Tongue::Python && given.files.iter().any(|file| !parses(given.tongue, &file.text))
        {
            return Err(NoTests::Syntax(given.tongue));
        }
        if given.tongue == Tongue::Go && given.files.iter().any(|file| stands_outside(&file.text)) {
            return Err(NoTests::Package);
        }
        let any = given.files.iter().any(|file| !file.names.is_empty());
        if !any && !matches!(given.tongue, Tongue::JavaScript | Tongue::TypeScript) {
            return Err(NoTests::Nothing(given.tongue));
        }
    }
    Ok(found)
}

fn tree(tongue: Tongue, text: &str) -> Option<Tree> {
    let mut parser = Parser::new();
    let grammar = Language::of_tag(tongue.name()).and_then(Language::grammar);
    let ready = grammar.is_some_and(|grammar| parser.set_language(&grammar).is_ok());
    ready.then(|| parser.parse(text, None)).flatten()
}

/// Whether nothing in a text is against the grammar; also where it cannot be told.
fn parses(tongue: Tongue, text: &str) -> bool {
    tree(tongue, text).is_none_or(|tree| !tree.root_node().has_error())
}

fn names(tongue: Tongue, text: &str) -> Vec<String> {
    let Some(tree) = tree(tongue, text) else { return Vec::new() };
    let root = tree.root_node();
    let mut names = match tongue {
        Tongue::Python => python(root, text),
        Tongue::Rust => rust(root, text, ""),
        Tongue::C => functions(root, text, "function_definition"),
        Tongue::JavaScript | Tongue::TypeScript => functions(root, text, "function_declaration"),
        Tongue::Go => go(root, text),
        Tongue::Bash => {
            let names = functions(root, text, "function_definition");
            let any = root.named_children(&mut root.walk()).any(|node| node.kind() != "comment");
            if names.is_empty() && any { vec![LOOSE.to_owned()] } else { names }
        }
    };
    let mut seen = std::collections::BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names
}

fn said<'a>(node: Option<Node>, text: &'a str) -> &'a str {
    node.and_then(|node| text.get(node.byte_range())).unwrap_or_default()
}

fn children(node: Node) -> Vec<Node> {
    node.named_children(&mut node.walk()).collect()
}

/// The functions `test_…` at the top.
fn functions(root: Node, text: &str, kind: &str) -> Vec<String> {
    let name = |node: Node| {
        let mut node = node.child_by_field_name("name").or_else(|| node.child_by_field_name("declarator"))?;
        while let Some(inner) = node.child_by_field_name("declarator") {
            node = inner;
        }
        Some(said(Some(node), text).to_owned())
    };
    let found = children(root).into_iter().filter(|node| node.kind() == kind).filter_map(name);
    found.filter(|name| name.starts_with("test_")).collect()
}

fn python(root: Node, text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut groups: Vec<String> = Vec::new();
    let mut loose = false;
    for node in children(root) {
        let node = match node.kind() {
            "decorated_definition" => node.child_by_field_name("definition").unwrap_or(node),
            _ => node,
        };
        let name = said(node.child_by_field_name("name"), text);
        match node.kind() {
            "function_definition" if name.starts_with("test_") => names.push(name.to_owned()),
            "class_definition" => {
                let bases = said(node.child_by_field_name("superclasses"), text);
                let bases = bases.trim_matches(|c| matches!(c, '(' | ')'));
                let is_case = |base: &str| base.ends_with("TestCase") || groups.iter().any(|g| g == base);
                if bases.split(',').map(str::trim).any(is_case) {
                    groups.push(name.to_owned());
                    let body = node.child_by_field_name("body").map(children).unwrap_or_default();
                    let methods =
                        body.into_iter().map(|node| node.child_by_field_name("definition").unwrap_or(node));
                    let methods = methods.map(|node| said(node.child_by_field_name("name"), text));
                    let tests = methods.filter(|method| method.starts_with("test"));
                    names.extend(tests.map(|method| format!("{name}.{method}")));
                }
            }
            "assert_statement" => loose = true,
            _ => {}
        }
    }
    if loose {
        names.push(LOOSE.to_owned());
    }
    names
}

/// The functions `Test…` at the top that take a `*testing.T`.
fn go(root: Node, text: &str) -> Vec<String> {
    let is_test = |node: &Node| {
        let name = said(node.child_by_field_name("name"), text);
        let takes = said(node.child_by_field_name("parameters"), text);
        let after = name.strip_prefix("Test").and_then(|rest| rest.chars().next());
        name.starts_with("Test") && !after.is_some_and(char::is_lowercase) && takes.contains("testing.T")
    };
    let nodes =
        children(root).into_iter().filter(|node| node.kind() == "function_declaration" && is_test(node));
    let names = nodes.map(|node| said(node.child_by_field_name("name"), text).to_owned());
    names.filter(|name| name != "TestMain").collect()
}

fn rust(node: Node, text: &str, module: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut is_test = false;
    for node in children(node) {
        let name = said(node.child_by_field_name("name"), text);
        match node.kind() {
            "attribute_item" => is_test |= said(Some(node), text).replace(' ', "") == "#[test]",
            "function_item" if std::mem::take(&mut is_test) => names.push(format!("{module}{name}")),
            "mod_item" => {
                is_test = false;
                if let Some(body) = node.child_by_field_name("body") {
                    names.extend(rust(body, text, &format!("{module}{name}::")));
                }
            }
            "line_comment" | "block_comment" => {}
            _ => is_test = false,
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(tongue: Tongue, text: &str) -> Vec<String> {
        let found = given(text, Some(tongue)).expect("there are tests");
        found.into_iter().flat_map(|given| given.files).flat_map(|file| file.names).collect()
    }

    #[test]
    fn every_language_has_its_form_of_tests() {
        let python = "import unittest\nassert f(1)\ndef helper(): pass\ndef test_a(): pass\n@x\nasync def test_b(): pass\n\
                      class T(unittest.TestCase):\n    def setUp(self): pass\n    def test_c(self): pass\n\
                      class U(T):\n    def test_d(self): pass\n";
        assert_eq!(named(Tongue::Python, python), ["test_a", "test_b", "T.test_c", "U.test_d", "tests"]);
        let rust = "use super::*;\n#[test]\nfn a() {}\nfn helper() {}\nmod m {\n #[test]\n #[should_panic]\n // x\n fn b() {}\n}";
        assert_eq!(named(Tongue::Rust, rust), ["a", "m::b"]);
        assert_eq!(named(Tongue::C, "static int x;\nvoid test_a(void) {}\nvoid other(void) {}"), ["test_a"]);
        assert_eq!(
            named(Tongue::Bash, "help() { :; }\ntest_a() { :; }\nfunction test_b { :; }"),
            ["test_a", "test_b"]
        );
        assert_eq!(named(Tongue::Bash, "[ \"$(solution)\" = x ]"), ["tests"]);
        let go = "package a\n\nfunc TestA(t *testing.T) {}\nfunc Test_b(t *testing.T) {}\nfunc Testing(t *testing.T) {}\n\
                  func TestMain(m *testing.M) {}\nfunc help(t *testing.T) {}\nfunc TestC() {}";
        assert_eq!(named(Tongue::Go, go), ["TestA", "Test_b"]);
        assert_eq!(named(Tongue::JavaScript, "test('x', () => {});\nfunction test_a() {}"), ["test_a"]);
    }

    #[test]
    fn blocks_say_their_language_and_their_path() {
        let found = given("```py tests/a.py\ndef test_a(): pass\n```\n```sh\ntrue\n```", Some(Tongue::C))
            .expect("tests");
        assert_eq!(
            found.iter().map(|given| given.tongue).collect::<Vec<_>>(),
            [Tongue::Python, Tongue::Bash]
        );
        assert_eq!(found[0].files[0].path.as_deref(), Some("tests/a.py"));
    }

    #[test]
    fn what_cannot_be_tests_is_said() {
        let refused = |text: &str, tongue| given(text, tongue).expect_err(text);
        assert_eq!(refused("```cobol\nX\n```", None), NoTests::Language("cobol".to_owned()));
        assert_eq!(
            refused("```py ../a.py\ndef test_a(): pass\n```", None),
            NoTests::Path("../a.py".to_owned())
        );
        assert_eq!(refused("x = 1", Some(Tongue::Python)), NoTests::Nothing(Tongue::Python));
        assert_eq!(refused("assert x", None), NoTests::Unknown);
        assert_eq!(
            refused("package a_test\nfunc TestA(t *testing.T) {}", Some(Tongue::Go)),
            NoTests::Package
        );
    }
}
