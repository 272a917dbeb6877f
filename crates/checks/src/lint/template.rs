//! What is not read because it is not yet what its name says: templates and transcripts; and what stands for
//! something left out.

use std::borrow::Cow;

use super::language::Language;
use crate::data::Format;

/// How many marks of a template are looked at in one line.
const MARKS_MAX: usize = 20;
const EXTENSIONS: [&str; 10] =
    [".j2", ".jinja", ".jinja2", ".tmpl", ".gotmpl", ".tpl", ".mustache", ".hbs", ".erb", ".liquid"];

/// Whether a file is rendered before it is read: by its extension, or as part of a Helm chart.
pub(super) fn is_template_file(path: Option<&str>, code: &str) -> bool {
    let Some(path) = path else { return false };
    let chart = path.starts_with("templates/") || path.contains("/templates/");
    EXTENSIONS.iter().any(|extension| path.ends_with(extension)) || (chart && code.contains("{{"))
}

/// Whether a text has `{{ … }}` or `{% … %}` outside of quotes and comments, and not of GitHub's `${{ … }}`.
pub(super) fn has_template(code: &str) -> bool {
    code.lines().any(|line| {
        let line = line.trim_start();
        let comment = line.starts_with('#') && !line.starts_with("#{");
        ["{{", "{%"].iter().flat_map(|mark| line.match_indices(mark).take(MARKS_MAX)).any(|(at, _)| {
            let before = &line[..at];
            let quoted = |quote: char| before.matches(quote).count() % 2 == 1;
            !comment && !before.ends_with('$') && !quoted('"') && !quoted('\'')
        })
    })
}

/// Whether a block shows what was typed and what came of it.
pub(super) fn is_transcript(language: Language, code: &str) -> bool {
    let Some(first) = code.lines().map(str::trim).find(|line| !line.is_empty()) else { return false };
    match language {
        Language::Bash => {
            let prompt = first.split_whitespace().next().unwrap_or_default();
            let named = prompt.contains('@') && prompt.ends_with(['$', '#', '%']);
            matches!(prompt, "$" | "%" | "❯" | "➜") || named
        }
        Language::Sql => {
            let prompt = first.split_whitespace().next().unwrap_or_default();
            matches!(prompt, "mysql>" | "sqlite>" | "SQL>")
                || prompt.ends_with("=#")
                || prompt.ends_with("=>")
        }
        _ => false,
    }
}

/// Whether a file that ends in `.json` is one of those in which comments are right.
pub(super) fn relaxed_json(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let known = [
        "tsconfig",
        "jsconfig",
        "devcontainer",
        ".eslintrc",
        ".babelrc",
        ".swcrc",
        ".jshintrc",
        "api-extractor",
    ];
    let comments_only =
        path.contains(".vscode/") || name.ends_with(".jsonc") || name.ends_with(".code-workspace");
    // ESLint takes comments, but no trailing commas; its name says JSON all the same.
    comments_only || (known.iter().any(|known| name.starts_with(known)) && !name.starts_with(".eslintrc"))
}

/// Data without lines of `...` that stand for something left out; each text keeps its length and lines.
pub(super) fn without_placeholders(format: Format, code: &str) -> Cow<'_, str> {
    if matches!(format, Format::Json | Format::Jsonc) || !(code.contains("...") || code.contains('…')) {
        return Cow::Borrowed(code);
    }
    let mut text = String::with_capacity(code.len());
    for line in code.split_inclusive('\n') {
        let trimmed = line.trim();
        // At the margin it ends a document of YAML.
        let end = format == Format::Yaml && line.trim_end() == "...";
        if !end && matches!(trimmed, "..." | "…" | "- ..." | "- …" | "[...]") {
            let begin = line.len() - line.trim_start().len();
            text.push_str(&line[..begin]);
            text.push_str(&"#".repeat(trimmed.len()));
            text.push_str(&line[begin + trimmed.len()..]);
        } else {
            text.push_str(line);
        }
    }
    Cow::Owned(text)
}
