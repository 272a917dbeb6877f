//! What stands in proposals that grammars do not know, covered over: each text keeps its length and lines,
//! so that places stay what they are.

use std::borrow::Cow;
use std::ops::Range;

use super::language::Language;

/// The longest code that is looked at again.
const SOFTENED_BYTES_MAX: usize = 32 * 1024;
/// How far away the bracket is looked for that closes one.
const BRACKET_BYTES_MAX: usize = 2_000;
/// How many of each kind are covered over.
const COVERED_MAX: usize = 200;

/// The code without what stands for something left out: lines of `...`, and `{ ... }`.
pub(super) fn without_placeholders(language: Language, code: &str) -> Cow<'_, str> {
    // In Python it is a value.
    if language == Language::Python || !(code.contains("...") || code.contains('…')) {
        return Cow::Borrowed(code);
    }
    let mut bytes = code.as_bytes().to_vec();
    let mut at = 0;
    for line in code.split_inclusive('\n') {
        if matches!(line.trim().trim_end_matches([',', ';']), "..." | "…") {
            blank(&mut bytes, at..at + line.len());
        } else if language != Language::Rust {
            for body in ["{ ... }", "{...}", "{ … }"] {
                for (begin, _) in line.match_indices(body) {
                    blank(&mut bytes, at + begin + 1..at + begin + body.len() - 1);
                }
            }
        }
        at += line.len();
    }
    text(bytes, code)
}

/// The code as the grammar may like it better, if there is anything about it that the grammar is known not to
/// know.
pub(super) fn softened(language: Language, code: &str) -> Option<String> {
    if code.len() > SOFTENED_BYTES_MAX {
        return None;
    }
    let mut bytes = code.as_bytes().to_vec();
    match language {
        Language::C | Language::Cpp => c(&mut bytes, code),
        Language::TypeScript | Language::Tsx => typescript(&mut bytes, code),
        Language::Java => {
            for (at, _) in code.match_indices("import module ") {
                blank(&mut bytes, at + 7..at + 13);
            }
        }
        Language::Bash => bash(&mut bytes, code),
        _ => {}
    }
    (bytes != code.as_bytes()).then(|| text(bytes, code).into_owned())
}

fn text(bytes: Vec<u8>, code: &str) -> Cow<'_, str> {
    // Only whole characters are covered over, so it is text still.
    String::from_utf8(bytes).map_or(Cow::Borrowed(code), Cow::Owned)
}

fn blank(bytes: &mut [u8], range: Range<usize>) {
    for byte in bytes.get_mut(range).unwrap_or_default() {
        if *byte != b'\n' {
            *byte = b' ';
        }
    }
}

fn put(bytes: &mut [u8], at: usize, word: &str) {
    if let Some(place) = bytes.get_mut(at..at + word.len()) {
        place.copy_from_slice(word.as_bytes());
    }
}

/// The words of a code with their places.
fn words(code: &str) -> impl Iterator<Item = (usize, &str)> {
    let inner = |c: char| c.is_alphanumeric() || c == '_';
    let mut at = 0;
    std::iter::from_fn(move || {
        at += code[at..].find(inner)?;
        let length = code[at..].find(|c| !inner(c)).unwrap_or(code.len() - at);
        at += length;
        Some((at - length, &code[at - length..at]))
    })
}

/// The byte behind the bracket that closes the one at `open`.
fn behind(code: &str, open: usize) -> Option<usize> {
    let mut depth = 0usize;
    for (at, byte) in code.bytes().enumerate().skip(open).take(BRACKET_BYTES_MAX) {
        match byte {
            b'(' => depth += 1,
            b')' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            b';' | b'{' => return None,
            _ => {}
        }
    }
    None
}

/// Attributes, macros, modules, and the other branches of what the preprocessor decides.
fn c(bytes: &mut [u8], code: &str) {
    for (at, word) in words(code) {
        let after = code[at + word.len()..].trim_start_matches([' ', '\t']);
        let next = code.len() - after.len();
        let shouted = word.len() > 1
            && word.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
            && word.starts_with(|c: char| c.is_ascii_uppercase());
        let begins_line = code[..at].rsplit('\n').next().is_some_and(|line| line.trim().is_empty());
        // Before a type, or alone in a class.
        let macro_word = shouted
            && if after.starts_with('\n') {
                code[..at].trim_end().ends_with(['{', '}', ';', ':'])
            } else {
                after.starts_with(|c: char| c.is_alphabetic() || c == '_') && !in_directive(code, at)
            };
        let reserved = word.starts_with("__") && !word.ends_with("__") && !after.starts_with('(');
        if matches!(word, "__attribute__" | "__declspec" | "__asm__" | "alignas" | "_Alignas") {
            blank(bytes, at..behind(code, next).unwrap_or(at));
        } else if reserved || macro_word {
            blank(bytes, at..at + word.len());
        } else if matches!(word, "slots" | "signals") && after.starts_with(':') {
            put(bytes, at, if word == "slots" { "     " } else { "public " });
        } else if matches!(word, "export" | "import") && begins_line {
            let line = code[at..].find('\n').unwrap_or(code.len() - at);
            let module = after.starts_with("module ") || word == "import";
            blank(bytes, at..at + if module { line } else { word.len() });
        } else if begins_line && after.starts_with('(') && word.len() > 1 && !is_keyword(word) {
            // A macro that is a loop or a test: `list_for_each(a, b) {`.
            let end = behind(code, next).filter(|end| code[*end..].trim_start().starts_with('{'));
            if let Some(end) = end.filter(|end| end - at >= 5) {
                blank(bytes, at..end);
                put(bytes, at, "if(x)");
            }
        }
    }
    for (at, _) in code.match_indices("[[").take(COVERED_MAX) {
        if let Some(length) =
            code[at..].find("]]").filter(|length| !code[at..at + length].contains(['\n', ';']))
        {
            blank(bytes, at..at + length + 2);
        }
    }
    for (at, _) in code.match_indices(" ... ").take(COVERED_MAX) {
        // A range of cases.
        let line = code[..at].rsplit('\n').next().unwrap_or_default();
        if let Some(end) = code[at..].find(':').filter(|_| line.contains("case ")) {
            blank(bytes, at..at + end);
        }
    }
    first_branches(bytes, code);
}

fn in_directive(code: &str, at: usize) -> bool {
    code[..at].rsplit('\n').next().is_some_and(|line| line.trim_start().starts_with('#'))
}

fn is_keyword(word: &str) -> bool {
    matches!(word, "if" | "while" | "for" | "switch" | "return" | "sizeof" | "catch" | "else" | "do")
}

/// Leaves of every `#if` its first branch.
fn first_branches(bytes: &mut [u8], code: &str) {
    let mut at = 0;
    // For each `#if` that is open, whether one of its other branches has begun.
    let mut open: Vec<bool> = Vec::new();
    let mut others = Vec::new();
    for line in code.split_inclusive('\n') {
        let directive = line.trim_start().strip_prefix('#').map(str::trim_start).unwrap_or_default();
        let mut covered = open.contains(&true);
        if directive.starts_with("if") {
            open.push(false);
            covered = true;
        } else if directive.starts_with("el") {
            if let Some(other) = open.last_mut() {
                *other = true;
            }
            covered = true;
        } else if directive.starts_with("endif") {
            covered = open.pop().is_some();
        }
        if covered {
            others.push(at..at + line.len());
        }
        at += line.len();
    }
    if open.is_empty() {
        others.into_iter().for_each(|range| blank(bytes, range));
    }
}

/// `in` and `out` of type parameters, and `export type * from`.
fn typescript(bytes: &mut [u8], code: &str) {
    for (at, word) in words(code) {
        let before = code[..at].trim_end();
        let after = code[at + word.len()..].trim_start();
        let parameter = before.ends_with(['<', ',']) || before.ends_with("<in") || before.ends_with(", in");
        if matches!(word, "in" | "out") && parameter && after.starts_with(|c: char| c.is_alphabetic()) {
            blank(bytes, at..at + word.len());
        }
        if word == "type" && before.ends_with("export") && after.starts_with('*') {
            blank(bytes, at..at + word.len());
        }
    }
}

/// Heredocs, quotes in patterns, and `<placeholders>`.
fn bash(bytes: &mut [u8], code: &str) {
    let mut at = 0;
    let mut until: Vec<(String, bool)> = Vec::new();
    let mut heredocs = 0;
    for line in code.split_inclusive('\n') {
        if let Some((word, indented)) = until.first() {
            let text = line.trim_end_matches(['\n', '\r']);
            let text = if *indented { text.trim_start_matches('\t') } else { text };
            if text == word {
                until.remove(0);
            }
            blank(bytes, at..at + line.len());
        } else if !line.trim_start().starts_with('#') {
            for (begin, _) in line.match_indices("<<").take(COVERED_MAX) {
                if heredocs == COVERED_MAX
                    || line[begin..].starts_with("<<<")
                    || line[..begin].ends_with('<')
                    || line[..begin].ends_with("((")
                {
                    continue;
                }
                let rest = &line[begin + 2..];
                let indented = rest.starts_with('-');
                let rest = rest.strip_prefix('-').unwrap_or(rest).trim_start_matches(' ');
                let quoted = rest.trim_start_matches(['\'', '"', '\\']);
                let word: String = quoted.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                let closed = |text: &str| text.trim_start_matches('\t').trim_end() == word;
                if word.starts_with(|c: char| c.is_alphabetic() || c == '_')
                    && code[at..].lines().skip(1).any(closed)
                {
                    let end = quoted[word.len()..].trim_start_matches(['\'', '"']);
                    blank(bytes, at + begin..at + line.len() - end.len());
                    until.push((word, indented));
                    heredocs += 1;
                }
            }
            placeholders(bytes, at, line);
            pattern(bytes, at, line);
            bases(bytes, at, line);
        }
        at += line.len();
    }
}

/// The base of a number whose digits are expanded, as in `10#$x`: base and sign stand before any number ("Shell
/// Arithmetic" of Bash's manual: [base#]n), the grammar wants digits behind them.
fn bases(bytes: &mut [u8], at: usize, line: &str) {
    for (sign, _) in line.match_indices("#$").take(COVERED_MAX) {
        let digits = line[..sign].bytes().rev().take_while(u8::is_ascii_digit).count();
        let before = line[..sign - digits].bytes().next_back();
        let free = before.is_none_or(|byte| !byte.is_ascii_alphanumeric() && byte != b'_' && byte != b'$');
        if (1..=2).contains(&digits) && free {
            blank(bytes, at + sign - digits..at + sign + 1);
        }
    }
}

/// What is quoted in a pattern of a `case`, as in `?*' '*)`.
fn pattern(bytes: &mut [u8], at: usize, line: &str) {
    let Some((pattern, _)) = line.split_once(')').filter(|(pattern, _)| !pattern.contains(['(', '$', '=']))
    else {
        return;
    };
    let mut quote: Option<char> = None;
    if ['"', '\''].iter().any(|quote| pattern.matches(*quote).count() % 2 == 1) {
        return;
    }
    for (begin, c) in pattern.char_indices() {
        let inside = quote.is_some();
        match quote {
            None if matches!(c, '"' | '\'') => quote = Some(c),
            Some(open) if open == c => quote = None,
            _ => {}
        }
        if inside || quote.is_some() {
            put(bytes, at + begin, &"x".repeat(c.len_utf8()));
        }
    }
}

/// `<file>`, where a person is to write something.
fn placeholders(bytes: &mut [u8], at: usize, line: &str) {
    for (begin, _) in line.match_indices('<').take(COVERED_MAX) {
        let inner = line[begin + 1..].split('>').next().unwrap_or_default();
        let known = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        let closed = line[begin + 1 + inner.len()..].starts_with('>');
        if closed && inner.starts_with(|c: char| c.is_ascii_alphabetic()) && inner.chars().all(known) {
            put(bytes, at + begin, "x");
            put(bytes, at + begin + 1 + inner.len(), "x");
        }
    }
}
