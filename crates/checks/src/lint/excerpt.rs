//! What may surround an excerpt: code from inside a function, a class, a `switch` is no file, and no fault.

use super::language::Language;

/// What is longer is tried inside of one thing only.
const EXCERPT_BYTES_MAX: usize = 64 * 1024;

/// One line that goes before an excerpt and makes it whole, and what goes behind it.
pub(super) struct Around {
    pub(super) before: &'static str,
    pub(super) after: &'static str,
    /// How many children the root then has, unless the excerpt reaches out of it, as `} fn g() {` would.
    pub(super) children: u32,
    /// What the excerpt begins with, if that matters.
    begins: &'static [&'static str],
}

const fn around(before: &'static str, after: &'static str) -> Around {
    Around { before, after, children: 1, begins: &[] }
}

const fn of(begins: &'static [&'static str], around: Around) -> Around {
    Around { begins, ..around }
}

const CASES: &[&str] = &["case ", "default:", "default ->"];
const MEMBERS: Around = around("class X {", "}");
const CASE: Around = of(CASES, around("switch (x) {", "}"));
const OBJECT: Around = around("x = {", "}");
// Within tags nearly everything is text.
const TAGS: Around = of(&["<"], around("<>", "</>"));

const ELSE: Around = of(&["else"], around("if (x) {}", ""));
const CATCH: Around = of(&["catch", "finally"], around("try {}", ""));
// The rest of a chain of calls.
const CHAIN: Around = of(&["."], around("x", ""));

const PYTHON: &[Around] = &[
    of(&["elif ", "else:"], around("if x: pass", "")),
    of(&["except", "finally:"], around("try: pass", "")),
    of(&["\"", "'"], around("x = {", "}")),
];
const RUST: &[Around] = &[
    around("fn excerpt() {", "}"),
    around("fn excerpt() { match x {", "}}"),
    around("struct Excerpt {", "}"),
    around("enum Excerpt {", "}"),
    around("fn excerpt() { X {", "}}"),
    of(&["."], around("fn excerpt() { x", "}")),
];
const JAVASCRIPT: &[Around] = &[MEMBERS, OBJECT, CASE, TAGS, ELSE, CATCH, CHAIN];
const TYPESCRIPT: &[Around] =
    &[MEMBERS, OBJECT, around("interface X {", "}"), around("enum X {", "}"), CASE, ELSE, CATCH, CHAIN];
const TSX: &[Around] = &[MEMBERS, OBJECT, around("interface X {", "}"), CASE, TAGS, ELSE, CATCH, CHAIN];
// A declaration of Go needs the end of its line.
const GO: &[Around] = &[
    of(&["case <-", "case "], around("func x() { select {", "}}\n")),
    of(CASES, around("func x() { switch {", "}}\n")),
    around("type X struct {", "}\n"),
    around("var x = X{", "}\n"),
];
const JAVA: &[Around] = &[
    MEMBERS,
    of(CASES, around("class X { void x() { switch (x) {", "}}}")),
    around("enum X {", "}"),
    ELSE,
    CATCH,
    of(&["."], around("x", ";")),
];
const ITEMS: Around = around("int x[] = {", "};");
const C: &[Around] = &[
    around("void x(void) {", "}"),
    around("enum {", "};"),
    ITEMS,
    ELSE,
    of(CASES, around("void x(void) { switch (x) {", "}}")),
];
const CPP: &[Around] = &[
    around("void x() {", "}"),
    ITEMS,
    ELSE,
    CATCH,
    // The semicolon is part of it.
    Around { children: 2, ..around("class X {", "};") },
    of(CASES, around("void x() { switch (x) {", "}}")),
];
const BASH: &[Around] = &[around("case x in", "esac")];

/// What may surround this code.
pub(super) fn arounds(language: Language, code: &str) -> impl Iterator<Item = &'static Around> {
    let all = match language {
        Language::Python => PYTHON,
        Language::Rust => RUST,
        Language::JavaScript => JAVASCRIPT,
        Language::TypeScript => TYPESCRIPT,
        Language::Tsx => TSX,
        Language::Go => GO,
        Language::Java => JAVA,
        // What includes others is a file.
        Language::C | Language::Cpp if code.contains("#include") => &[],
        Language::C => C,
        Language::Cpp => CPP,
        // Without it, a stray bracket would read as a pattern.
        Language::Bash if code.contains(";;") => BASH,
        _ => &[],
    };
    let begin = code.trim_start();
    let most = if code.len() > EXCERPT_BYTES_MAX { 1 } else { all.len() };
    let closes = closes_more(code);
    all.iter().take(most).filter(move |around| {
        let begins = around.begins.is_empty() || around.begins.iter().any(|b| begin.starts_with(b));
        // Of what is open twice one may be closed without that the root tells.
        begins && !(closes && around.before.matches('{').count() > 1)
    })
}

/// Whether somewhere more braces are closed than were opened, those in strings among them.
fn closes_more(code: &str) -> bool {
    let mut depth = 0i64;
    code.bytes().any(|byte| {
        depth += i64::from(byte == b'{') - i64::from(byte == b'}');
        depth < 0
    })
}

impl Around {
    /// The code with what surrounds it, one row further down.
    pub(super) fn put(&self, code: &str) -> String {
        format!("{}\n{code}\n{}", self.before, self.after)
    }
}
