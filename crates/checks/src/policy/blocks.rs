//! What policies look at: the blocks of a proposal by file, with language, path and rows.

use crate::diff::is_diff;
use crate::names::{language_of_path, language_of_tag};
use crate::parts::{Line, Part};

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

/// The blocks behind the fences of a proposal; a diff is one for each of its files.
pub(crate) fn blocks(parts: Vec<Part>) -> Vec<Block> {
    let mut blocks = Vec::new();
    for part in parts {
        if is_diff(&part) {
            blocks.extend(files_of_diff(part));
            continue;
        }
        let language = language(&part.tag, part.path.as_deref(), &part.lines).to_owned();
        let mut block = Block {
            language,
            path: part.path,
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
fn files_of_diff(part: Part) -> Vec<Block> {
    let new = |path: Option<String>, line: u32| Block {
        tag: part.tag.clone(),
        language: path.as_deref().and_then(language_of_path).unwrap_or("diff").to_owned(),
        path,
        line,
        rows: Vec::new(),
    };
    let mut blocks = vec![new(part.path.clone(), part.fence_line + 1)];
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
fn language<'a>(tag: &'a str, path: Option<&str>, lines: &[Line]) -> &'a str {
    let of_path = || path.and_then(language_of_path);
    match language_of_tag(tag) {
        None if tag.is_empty() => guessed(lines),
        None => tag,
        Some("text") => of_path().unwrap_or("text"),
        // Variables of an example are written as shell, too.
        Some("bash") if of_path() == Some("env") => "env",
        Some("jsonc" | "json5") => "json",
        Some(known) => known,
    }
}

/// What a block without a language begins with says for a few.
fn guessed(lines: &[Line]) -> &'static str {
    let first = lines.iter().map(|line| line.text.trim()).find(|text| !text.is_empty()).unwrap_or_default();
    let starts = |words: &[&str]| words.iter().any(|word| first.starts_with(word));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parts::fenced;

    fn found(markdown: &str) -> Vec<(String, Option<String>, String)> {
        let blocks = blocks(fenced(markdown));
        blocks.iter().map(|block| (block.language.clone(), block.path.clone(), block.text())).collect()
    }

    #[test]
    fn the_files_that_a_diff_makes_are_seen_once() {
        let diff = "```diff\n--- /dev/null\n+++ b/src/a.py\n@@ -0,0 +1 @@\n+x\n```";
        assert_eq!(found(diff), [("python".to_owned(), Some("src/a.py".to_owned()), "x\n".to_owned())]);
    }

    #[test]
    fn a_diff_is_a_block_for_each_file_without_what_it_removes() {
        let diff = "```diff\ndiff --git a/x.py b/x.py\n--- a/x.py\n+++ b/x.py\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n\
                    --- a/q.sql\n+++ b/q.sql\n@@ -1 +1 @@\n--- old\n+-- new\n```";
        let expected = |language: &str, path: &str, text: &str| {
            (language.to_owned(), Some(path.to_owned()), text.to_owned())
        };
        assert_eq!(found(diff), [expected("python", "x.py", "a\nc\n"), expected("sql", "q.sql", "-- new\n")]);
        let blocks = blocks(fenced(diff));
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
