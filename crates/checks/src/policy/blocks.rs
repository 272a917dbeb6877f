//! What policies look at: the blocks of a proposal by file, with language, path and rows.

use crate::parts::{Line, Part};

/// The most rows above a block that are looked at for its path.
const ROWS_ABOVE_MAX: usize = 3;
const PATH_CHARS_MAX: usize = 200;

/// One file of a proposal, or a piece of one.
#[derive(Debug)]
pub(crate) struct Block {
    /// The first word of the fence.
    pub(crate) tag: String,
    /// The language under one name for all its tags.
    pub(crate) language: String,
    pub(crate) path: Option<String>,
    /// The line of the first row in the Markdown, from 1.
    pub(crate) line: u32,
    pub(crate) rows: Vec<Row>,
}

/// One line of a block.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) line: Line,
    /// False where a diff only shows what is there already.
    pub(crate) new: bool,
}

impl Block {
    pub(crate) fn text(&self) -> String {
        self.rows.iter().flat_map(|row| [row.line.text.as_str(), "\n"]).collect()
    }
}

/// The blocks behind the fences of a Markdown text; a diff is one for each of its files.
pub(crate) fn blocks(markdown: &str, parts: Vec<Part>) -> Vec<Block> {
    let rows: Vec<&str> = markdown.lines().collect();
    let mut blocks = Vec::new();
    for part in parts {
        let path = path(&rows, &part);
        if matches!(part.tag.as_str(), "diff" | "patch" | "udiff") {
            blocks.extend(files_of_diff(part, path));
            continue;
        }
        let language = language(&part.tag, path.as_deref(), &part.lines);
        let mut block = Block {
            language,
            path,
            line: part.fence_line + 1,
            tag: part.tag,
            rows: part.lines.into_iter().map(|line| Row { line, new: true }).collect(),
        };
        if block.language == "python" {
            without_output(&mut block);
        }
        blocks.push(block);
    }
    blocks
}

/// Leaves of a transcript of the interpreter what was typed in, each line in its place.
fn without_output(block: &mut Block) {
    let first = block.rows.iter().find(|row| !row.line.text.trim().is_empty());
    if !first.is_some_and(|row| row.line.text.trim_start().starts_with(">>>")) {
        return;
    }
    for row in &mut block.rows {
        let text = row.line.text.trim_start();
        let code = text.strip_prefix(">>> ").or_else(|| text.strip_prefix("... "));
        row.line.removed +=
            u32::try_from(row.line.text.chars().count() - code.map_or(0, |c| c.chars().count()))
                .unwrap_or(u32::MAX);
        row.line.text = code.unwrap_or_default().to_owned();
    }
}

/// The files of a unified diff, as they are after it.
fn files_of_diff(part: Part, path: Option<String>) -> Vec<Block> {
    let new = |path: Option<String>, line: u32| Block {
        tag: part.tag.clone(),
        language: path.as_deref().and_then(language_of_path).unwrap_or("diff").to_owned(),
        path,
        line,
        rows: Vec::new(),
    };
    let mut blocks = vec![new(path, part.fence_line + 1)];
    for (nth, line) in part.lines.iter().enumerate() {
        let text = line.text.as_str();
        let next = part.lines.get(nth + 1).map_or("", |line| line.text.as_str());
        let header = text.starts_with("--- ") && next.starts_with("+++ ");
        if let Some(file) = text.strip_prefix("+++ ").filter(|_| nth > 0 && is_old_file(&part.lines[nth - 1]))
        {
            let file = file.split('\t').next().unwrap_or(file).trim();
            let file = file.strip_prefix("b/").unwrap_or(file);
            blocks.push(new(Some(file.to_owned()), line.number + 1));
            continue;
        }
        const ABOUT_FILES: [&str; 9] = [
            "diff --git ",
            "index ",
            "@@ ",
            "\\ ",
            "new file mode ",
            "deleted file mode ",
            "similarity index ",
            "rename ",
            "old mode ",
        ];
        if header || ABOUT_FILES.iter().any(|start| text.starts_with(start)) || text.starts_with('-') {
            continue;
        }
        let (text, new) = match text.strip_prefix('+') {
            Some(text) => (text, true),
            None => (text.strip_prefix(' ').unwrap_or(text), false),
        };
        let removed = line.removed + u32::from(text.len() < line.text.len());
        let line = Line { text: text.to_owned(), number: line.number, removed };
        if let Some(block) = blocks.last_mut() {
            block.rows.push(Row { line, new });
        }
    }
    blocks.retain(|block| !block.rows.is_empty());
    blocks
}

fn is_old_file(line: &Line) -> bool {
    line.text.starts_with("--- ")
}

/// The name of a language, whatever the fence calls it.
fn language(tag: &str, path: Option<&str>, lines: &[Line]) -> String {
    let known = match tag {
        "py" | "python" | "python3" | "py3" | "pycon" | "python-console" | "python-repl" => "python",
        "rs" | "rust" => "rust",
        "js" | "javascript" | "mjs" | "cjs" | "jsx" | "node" => "javascript",
        "ts" | "typescript" | "mts" | "cts" => "typescript",
        "tsx" => "tsx",
        "go" | "golang" => "go",
        "java" => "java",
        "c" | "h" => "c",
        "cpp" | "c++" | "cxx" | "cc" | "hpp" => "cpp",
        "cs" | "csharp" | "c#" => "csharp",
        "kt" | "kotlin" | "kts" => "kotlin",
        "rb" | "ruby" => "ruby",
        "ps1" | "powershell" | "pwsh" => "powershell",
        "bash" | "sh" | "shell" | "zsh" | "ksh" | "dash" => "bash",
        "console" | "shell-session" | "shellsession" | "terminal" | "sh-session" | "bash-session" => {
            "console"
        }
        "yaml" | "yml" => "yaml",
        "json" | "jsonc" | "json5" | "jsonl" | "ndjson" => "json",
        "toml" => "toml",
        "sql" | "postgresql" | "pgsql" | "mysql" | "sqlite" | "plsql" | "tsql" => "sql",
        "hcl" | "terraform" | "tf" | "tfvars" => "hcl",
        "dockerfile" | "docker" | "containerfile" => "dockerfile",
        "make" | "makefile" => "makefile",
        "env" | "dotenv" => "env",
        "ini" | "cfg" | "conf" | "properties" => "ini",
        "" | "text" | "txt" | "plain" | "plaintext" => "",
        other => other,
    };
    let name = match known {
        "" => path.and_then(language_of_path).unwrap_or_else(|| guessed(tag, lines)),
        // Variables of an example are written as shell, too.
        "bash" if path.and_then(language_of_path) == Some("env") => "env",
        known => known,
    };
    name.to_owned()
}

/// What a block without a language begins with says for a few.
fn guessed(tag: &str, lines: &[Line]) -> &'static str {
    let first = lines.iter().map(|line| line.text.trim()).find(|text| !text.is_empty()).unwrap_or_default();
    let starts = |words: &[&str]| words.iter().any(|word| first.starts_with(word));
    if !tag.is_empty() {
        return "text";
    }
    if first.starts_with("#!") {
        return if first.contains("python") { "python" } else { "bash" };
    }
    if first.starts_with("$ ") {
        "console"
    } else if starts(&["apiVersion:"]) {
        "yaml"
    } else if starts(&["FROM "]) {
        "dockerfile"
    } else if starts(&["curl ", "wget ", "sudo ", "apt ", "apt-get ", "rm ", "export ", "set -"]) {
        "bash"
    } else {
        "text"
    }
}

fn language_of_path(path: &str) -> Option<&'static str> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let lower = name.to_ascii_lowercase();
    if lower.starts_with("dockerfile") || lower.starts_with("containerfile") || lower.ends_with(".dockerfile")
    {
        return Some("dockerfile");
    }
    if lower == ".env" || lower.starts_with(".env.") || lower.ends_with(".env") {
        return Some("env");
    }
    if lower == "makefile" {
        return Some("makefile");
    }
    Some(match lower.rsplit_once('.')?.1 {
        "py" | "pyi" => "python",
        "rs" => "rust",
        "js" | "mjs" | "cjs" | "jsx" => "javascript",
        "ts" | "mts" | "cts" => "typescript",
        "tsx" => "tsx",
        "go" => "go",
        "java" => "java",
        "c" | "h" => "c",
        "cpp" | "cc" | "cxx" | "hpp" | "hh" => "cpp",
        "cs" => "csharp",
        "kt" | "kts" => "kotlin",
        "rb" => "ruby",
        "ps1" => "powershell",
        "sh" | "bash" | "zsh" => "bash",
        "yaml" | "yml" => "yaml",
        "json" | "jsonc" | "json5" => "json",
        "toml" => "toml",
        "sql" => "sql",
        "tf" | "hcl" | "tfvars" => "hcl",
        "ini" | "cfg" | "conf" | "properties" => "ini",
        "txt" => "text",
        _ => return None,
    })
}

/// The path of the file a block holds: on its fence, in a comment on its first line, or above it.
fn path(rows: &[&str], part: &Part) -> Option<String> {
    let above = (part.fence_line as usize).saturating_sub(1);
    on_fence(rows.get(above).copied().unwrap_or_default())
        .or_else(|| part.lines.first().and_then(|line| in_comment(&line.text)))
        .or_else(|| above_fence(rows.get(..above).unwrap_or_default()))
}

fn on_fence(fence: &str) -> Option<String> {
    let info = fence.trim_start_matches(|c: char| !"`~".contains(c)).trim_start_matches(['`', '~']);
    for name in ["title", "file", "filename", "path", "name"] {
        let said = info.split_once(&format!("{name}=")).map(|(_, said)| said.trim_start());
        if let Some(said) = said {
            let quote = said.chars().next().filter(|c| matches!(c, '"' | '\''));
            let said = said.trim_start_matches(['"', '\'']);
            let end = said.find(|c: char| Some(c) == quote || quote.is_none() && c.is_whitespace());
            return as_path(&said[..end.unwrap_or(said.len())]);
        }
    }
    let mut words = info.split_whitespace();
    let tag = words.next()?;
    let attached = tag.split_once(':').map(|(_, path)| path);
    attached.and_then(as_path).or_else(|| words.find_map(as_path))
}

fn in_comment(line: &str) -> Option<String> {
    let line = line.trim();
    let text = ["//", "#", "--", "/*", "<!--", ";"].iter().find_map(|mark| line.strip_prefix(mark))?;
    let text = text.trim_end_matches("*/").trim_end_matches("-->").trim();
    as_path(text.split_once(": ").map_or(text, |(path, _)| path))
}

fn above_fence(rows: &[&str]) -> Option<String> {
    let row = rows.iter().rev().take(ROWS_ABOVE_MAX).find(|row| !row.trim().is_empty())?.trim();
    let heading = row.starts_with('#') || row.starts_with("**") || row.ends_with(':') || row.ends_with(":**");
    if !heading {
        return None;
    }
    let words = row.split(|c: char| c.is_whitespace() || "`*()\":,".contains(c));
    words.filter(|word| !word.is_empty()).find_map(as_path)
}

/// A word that reads like the name of a file.
fn as_path(word: &str) -> Option<String> {
    let word = word.trim_matches(|c: char| "`*\"'".contains(c));
    let name = word.rsplit('/').next()?;
    let fits = word.len() <= PATH_CHARS_MAX
        && !word.contains(|c: char| c.is_whitespace() || "{}<>|=()$".contains(c))
        && !word.contains("://");
    let extension = name.rsplit_once('.').is_some_and(|(_, extension)| {
        (1..=10).contains(&extension.len())
            && extension.chars().all(char::is_alphanumeric)
            && extension.starts_with(char::is_alphabetic)
    });
    let known = ["Dockerfile", "Containerfile", "Makefile", "Jenkinsfile", "Procfile", "Gemfile"];
    (fits && (extension || known.contains(&name))).then(|| word.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parts::parts;

    fn found(markdown: &str) -> Vec<(String, Option<String>, String)> {
        let blocks = blocks(markdown, parts(markdown));
        blocks.iter().map(|block| (block.language.clone(), block.path.clone(), block.text())).collect()
    }

    #[test]
    fn a_path_stands_on_the_fence_in_the_first_comment_or_above() {
        for (markdown, path) in [
            ("```py title=\"src/a b.py\"\nx\n```", None),
            ("```py title=\"src/a.py\" linenos\nx\n```", Some("src/a.py")),
            ("```text requirements.txt\nx\n```", Some("requirements.txt")),
            ("```py:src/a.py\nx\n```", Some("src/a.py")),
            ("```rust,ignore\nx\n```", None),
            ("```js\n// lib/a.js\nx\n```", Some("lib/a.js")),
            ("```bash\n# install.sh: no trick\nx\n```", Some("install.sh")),
            ("### `src/a.py`\n\n```py\nx\n```", Some("src/a.py")),
            ("**Dockerfile**\n```\nx\n```", Some("Dockerfile")),
            ("Then `a.py`:\n```py\nx\n```", Some("a.py")),
            ("It is in a.py now.\n```py\nx\n```", None),
        ] {
            assert_eq!(found(markdown)[0].1.as_deref(), path, "{markdown}");
        }
    }

    #[test]
    fn a_diff_is_a_block_for_each_file_without_what_it_removes() {
        let diff = "```diff\ndiff --git a/x.py b/x.py\n--- a/x.py\n+++ b/x.py\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n\
                    --- a/q.sql\n+++ b/q.sql\n@@ -1 +1 @@\n--- old\n+-- new\n```";
        let expected = |language: &str, path: &str, text: &str| {
            (language.to_owned(), Some(path.to_owned()), text.to_owned())
        };
        assert_eq!(found(diff), [expected("python", "x.py", "a\nc\n"), expected("sql", "q.sql", "-- new\n")]);
        let blocks = blocks(diff, parts(diff));
        let rows: Vec<_> =
            blocks[0].rows.iter().map(|row| (row.line.number, row.line.removed, row.new)).collect();
        assert_eq!(rows, [(6, 1, false), (8, 1, true)]);
    }

    #[test]
    fn languages_have_one_name_and_are_guessed_where_there_is_none() {
        for (markdown, language) in [
            ("```yml\nx\n```", "yaml"),
            ("```\n$ ls\n```", "console"),
            ("```\n#!/bin/sh\n```", "bash"),
            ("```\na tree\n```", "text"),
            ("```text .env.example\nA=\n```", "env"),
            ("```brainfuck\nx\n```", "brainfuck"),
        ] {
            assert_eq!(found(markdown)[0].0, language, "{markdown}");
        }
    }
}
