//! The names of files, where a proposal gives them.

use crate::parts::Line;

const LENGTH_MAX: usize = 200;
/// How much of what a fence says is looked at.
const INFO_CHARS_MAX: usize = 500;
/// Files that are known by their whole name.
const NAMES: [&str; 10] = [
    "Dockerfile",
    "Containerfile",
    "Makefile",
    "Jenkinsfile",
    "Vagrantfile",
    "Procfile",
    "Gemfile",
    ".env",
    ".gitignore",
    ".dockerignore",
];
/// Extensions of what is written as text; in prose, `example.com` and `1.5` are no files.
const EXTENSIONS: [&str; 84] = [
    "py",
    "pyi",
    "rs",
    "js",
    "jsx",
    "mjs",
    "cjs",
    "ts",
    "tsx",
    "mts",
    "cts",
    "go",
    "java",
    "c",
    "h",
    "cc",
    "cpp",
    "cxx",
    "hh",
    "hpp",
    "hxx",
    "sh",
    "bash",
    "zsh",
    "bats",
    "yaml",
    "yml",
    "json",
    "jsonc",
    "json5",
    "jsonl",
    "ndjson",
    "toml",
    "sql",
    "hcl",
    "tf",
    "tfvars",
    "nomad",
    "md",
    "txt",
    "cfg",
    "ini",
    "conf",
    "env",
    "css",
    "scss",
    "html",
    "htm",
    "xml",
    "svg",
    "gradle",
    "kt",
    "kts",
    "rb",
    "php",
    "swift",
    "cs",
    "fs",
    "scala",
    "lua",
    "pl",
    "r",
    "jl",
    "ex",
    "exs",
    "erl",
    "hs",
    "ml",
    "proto",
    "graphql",
    "rego",
    "lock",
    "mod",
    "sum",
    "tmpl",
    "tpl",
    "j2",
    "gotmpl",
    "service",
    "timer",
    "properties",
    "dockerfile",
    "containerfile",
    "mk",
];

/// The path in a fence's info string: an attribute, the second word, or what is tied to the language.
pub(crate) fn path_in_info(info: &str) -> Option<String> {
    let info = info.char_indices().nth(INFO_CHARS_MAX).map_or(info, |(end, _)| &info[..end]);
    for key in ["title", "file", "filename", "path", "name"] {
        for (at, _) in info.match_indices(key) {
            let free = at == 0 || info[..at].ends_with(|c: char| c.is_whitespace() || "{,".contains(c));
            let value = info[at + key.len()..].trim_start().strip_prefix('=').map(str::trim_start);
            let Some(value) = value.filter(|_| free) else { continue };
            let value = match value.chars().next() {
                Some(quote @ ('"' | '\'')) => value[1..].split(quote).next(),
                _ => value.split(|c: char| c.is_whitespace() || "},".contains(c)).next(),
            };
            if let Some(path) = value.and_then(|value| value.split_whitespace().find_map(path)) {
                return Some(path);
            }
        }
    }
    let info = info.trim();
    let mut words = info.split_whitespace();
    let first = words.next()?;
    let tied = first.split_once(':').and_then(|(_, path)| self::path(path));
    // A fence may name the file alone.
    tied.or_else(|| words.next().and_then(path)).or_else(|| path(first).filter(|_| info == first))
}

/// The path in a comment that is the first line, or the second after a `#!`.
pub(crate) fn path_in_comment(lines: &[Line]) -> Option<String> {
    let mut texts = lines.iter().map(|line| line.text.trim()).filter(|text| !text.is_empty());
    let first = texts.next()?;
    let line = if first.starts_with("#!") { texts.next()? } else { first };
    let text = ["<!--", "/*", "//", "--", "#", ";"].iter().find_map(|mark| line.strip_prefix(mark))?;
    let text = text.trim_start_matches(['/', '*', '#', '-', '!']).trim();
    let text = ["file:", "File:", "filename:", "path:"]
        .iter()
        .find_map(|word| text.strip_prefix(word))
        .unwrap_or(text);
    let mut words = text.split_whitespace();
    let path = path(words.next()?)?;
    // Of a sentence that begins with a file's name one cannot say; of a name and what it is for one can.
    let rest = words.next();
    let names = rest.is_none() || text.split_whitespace().next().is_some_and(|word| word.ends_with(':'));
    (names
        || matches!(rest, Some("-->" | "*/" | "-" | "–" | "—"))
        || rest.is_some_and(|w| w.starts_with('(')))
    .then_some(path)
}

/// The path in the line before a fence, if that is a heading, ends in a colon, or names a file and nothing else.
pub(crate) fn path_in_heading(line: &str) -> Option<String> {
    let line = line.trim();
    let bold = line.starts_with("**") && line.trim_end_matches(':').ends_with("**");
    let heading = line.starts_with('#') || bold || line.ends_with(':');
    let mut paths = line.split_whitespace().filter_map(path);
    let first = paths.next()?;
    let alone = line.split_whitespace().count() == 1;
    ((heading || alone) && paths.next().is_none()).then_some(first)
}

/// A word that looks like the path of a file, without what Markdown puts around it.
fn path(word: &str) -> Option<String> {
    let around = |c: char| "`*_\"'():,;".contains(c);
    let word = word.trim_end_matches(around).trim_start_matches(|c: char| around(c) && c != '_');
    let word = word.strip_prefix("./").unwrap_or(word);
    let known = |c: char| c.is_alphanumeric() || "._-/+@[]$~".contains(c);
    if word.is_empty() || word.len() > LENGTH_MAX || !word.chars().all(known) || word.contains("//") {
        return None;
    }
    let name = word.rsplit('/').next()?;
    let named = NAMES
        .iter()
        .any(|known| name == *known || name.strip_prefix(known).is_some_and(|r| r.starts_with('.')));
    let by_extension = name
        .rsplit_once('.')
        .is_some_and(|(_, extension)| EXTENSIONS.contains(&extension.to_lowercase().as_str()));
    (named || by_extension).then(|| word.to_owned())
}
