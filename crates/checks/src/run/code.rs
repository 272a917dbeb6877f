//! The code of a proposal that can be run: by language, laid out as files, each line with its place in the Markdown.

use std::collections::{BTreeMap, BTreeSet};

use super::reads_as_file;
use crate::diff::is_diff;
use crate::lint::is_transcript;
use crate::names::language_of_tag;
use crate::parts::{Part, parts};

/// Languages of programs that have no runner.
const NOT_RUN: [&str; 7] = ["tsx", "java", "cpp", "csharp", "kotlin", "ruby", "powershell"];

/// A language that code is run in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Tongue {
    Python,
    JavaScript,
    TypeScript,
    Bash,
    Rust,
    C,
    Go,
}

impl Tongue {
    pub(crate) const ALL: [Tongue; 7] = [
        Tongue::Python,
        Tongue::JavaScript,
        Tongue::TypeScript,
        Tongue::Bash,
        Tongue::Rust,
        Tongue::C,
        Tongue::Go,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Tongue::Python => "python",
            Tongue::JavaScript => "javascript",
            Tongue::TypeScript => "typescript",
            Tongue::Bash => "bash",
            Tongue::Rust => "rust",
            Tongue::C => "c",
            Tongue::Go => "go",
        }
    }

    pub(crate) fn of_tag(tag: &str) -> Option<Tongue> {
        let name = language_of_tag(tag)?;
        Tongue::ALL.into_iter().find(|tongue| tongue.name() == name)
    }

    /// The file of what has no path.
    fn file(self) -> &'static str {
        match self {
            Tongue::Python => "solution.py",
            Tongue::JavaScript => "solution.js",
            Tongue::TypeScript => "solution.ts",
            Tongue::Bash => "solution.sh",
            Tongue::Rust => "solution.rs",
            Tongue::C => "solution.c",
            Tongue::Go => "solution.go",
        }
    }
}

/// One file of code.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) text: String,
    /// The line in the Markdown of each of its lines, from 1.
    pub(crate) places: Vec<u32>,
}

impl File {
    fn add(&mut self, part: &Part) {
        for line in &part.lines {
            self.text.push_str(&line.text);
            self.text.push('\n');
            self.places.push(line.number);
        }
    }
}

/// The code of a proposal in one language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Code {
    pub(crate) tongue: Tongue,
    /// Its files, those that are tests of its own left out; never none.
    pub(crate) files: Vec<File>,
    /// What a Python interpreter was shown doing, and the line where it stands.
    pub(crate) examples: Vec<(String, u32)>,
    /// Some parts were excerpts, which were left out: the rest may be one, too.
    pub(crate) excerpts: bool,
    /// Parts without a path, until they become a file.
    loose: Vec<File>,
}

impl Code {
    /// The file that the others are for: by its name, by its beginning a program, else the longest.
    pub(crate) fn main(&self) -> &File {
        const NAMES: [&str; 8] = ["main", "__main__", "index", "app", "cli", "lib", "server", "run"];
        let rank = |file: &&File| {
            let name = file.path.rsplit('/').next().unwrap_or_default();
            let stem = name.split('.').next().unwrap_or_default();
            let named = NAMES.iter().position(|known| *known == stem).map_or(0, |at| NAMES.len() - at);
            let program =
                ["__name__ ==", "int main(", "func main("].iter().any(|word| file.text.contains(word));
            (program, named, file.places.len())
        };
        self.files.iter().max_by_key(rank).unwrap_or(&self.files[0])
    }

    pub(crate) fn lines(&self) -> usize {
        self.files.iter().map(|file| file.places.len()).sum()
    }

    pub(crate) fn has(&self, words: &[&str]) -> bool {
        self.files.iter().any(|file| words.iter().any(|word| file.text.contains(word)))
    }
}

/// What there is to be run in a proposal.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Codes {
    /// By language, the one with most lines first.
    pub(crate) codes: Vec<Code>,
    /// All parts that have a path, of whatever language.
    pub(crate) files: BTreeMap<String, String>,
    /// A path that does not stay inside of the folder.
    pub(crate) refused: Option<String>,
    /// The languages of programs that nothing here runs.
    pub(crate) others: BTreeSet<&'static str>,
}

impl Codes {
    /// The code of a proposal. Parts without a path are one file.
    pub(crate) fn of(proposal: &str) -> Codes {
        Codes::with(proposal, false)
    }

    /// The same with only the longest of the parts without a path: the others may be another way to do it, or
    /// excerpts that show its use. None where there is at most one.
    pub(crate) fn of_longest(proposal: &str) -> Option<Codes> {
        let codes = Codes::with(proposal, true);
        (codes != Codes::of(proposal)).then_some(codes)
    }

    fn with(proposal: &str, longest_only: bool) -> Codes {
        let mut codes = Codes::default();
        let mut by_tongue: BTreeMap<Tongue, Code> = BTreeMap::new();
        for part in parts(proposal) {
            if is_diff(&part) || part.lines.iter().all(|line| line.text.trim().is_empty()) {
                continue;
            }
            let tongue = Tongue::of_tag(&part.tag);
            let others = |name: &&str| NOT_RUN.contains(name);
            codes.others.extend(language_of_tag(&part.tag).filter(others));
            // A file named above a block in another language is spoken of, and is not the block.
            let path = part.path.clone().filter(|path| tongue.is_none() || fits(path, tongue));
            if let Some(path) = &path {
                if stays_inside(path) {
                    codes.files.insert(path.clone(), part.code());
                } else if tongue.is_some() {
                    codes.refused.get_or_insert(path.clone());
                    continue;
                }
            }
            if let Some(tongue) = tongue {
                let code = by_tongue.entry(tongue).or_insert_with(|| Code {
                    tongue,
                    files: Vec::new(),
                    examples: Vec::new(),
                    excerpts: false,
                    loose: Vec::new(),
                });
                take(code, &part, path);
            }
        }
        for code in by_tongue.values_mut() {
            gather(code, longest_only);
        }
        codes.codes = by_tongue.into_values().filter(|code| !code.files.is_empty()).collect();
        codes.codes.sort_by_key(|code| std::cmp::Reverse(code.lines()));
        codes
    }

    /// Whether there is nothing that is a program in any language.
    pub(crate) fn is_empty(&self) -> bool {
        self.codes.is_empty() && self.others.is_empty() && self.refused.is_none()
    }

    /// The line in the Markdown of every line of code, file by file.
    pub(crate) fn rows(&self) -> Vec<u32> {
        let files = self.codes.iter().flat_map(|code| &code.files);
        files.flat_map(|file| file.places.iter().copied()).collect()
    }

    /// Which of [`rows`](Self::rows) a line of a file is, from 0.
    pub(crate) fn row(&self, tongue: Tongue, path: &str, line: usize) -> Option<usize> {
        let mut before = 0;
        for code in &self.codes {
            for file in &code.files {
                if code.tongue == tongue && file.path == path {
                    return (line < file.places.len()).then_some(before + line);
                }
                before += file.places.len();
            }
        }
        None
    }

    /// What a sandbox has of the proposal.
    pub(crate) fn laid_out(&self) -> BTreeMap<String, Vec<u8>> {
        let files = self.codes.iter().flat_map(|code| &code.files);
        let named = self.files.iter().map(|(path, text)| (path.clone(), text.clone().into_bytes()));
        named.chain(files.map(|file| (file.path.clone(), file.text.clone().into_bytes()))).collect()
    }

    pub(crate) fn get(&self, tongue: Tongue) -> Option<&Code> {
        self.codes.iter().find(|code| code.tongue == tongue)
    }
}

fn take(code: &mut Code, part: &Part, path: Option<String>) {
    let text = part.code();
    if code.tongue == Tongue::Python && text.trim_start().starts_with(">>>") {
        code.examples.push((text, part.fence_line));
        return;
    }
    if is_transcript(code.tongue.name(), &text) {
        return;
    }
    if is_own_test(code.tongue, path.as_deref(), &text) {
        return;
    }
    let mut file = File { path: path.unwrap_or_default(), ..File::default() };
    file.add(part);
    if file.path.is_empty() {
        code.loose.push(file);
        return;
    }
    // A file that is given again replaces what was given before.
    code.files.retain(|known| known.path != file.path);
    code.files.push(file);
}

/// Makes one file of the parts without a path, but for those that are only about the code.
fn gather(code: &mut Code, longest_only: bool) {
    let mut loose = std::mem::take(&mut code.loose);
    let shows_use = |file: &File| {
        ["require('./", "require(\"./", "from './", "from \"./"].iter().any(|word| file.text.contains(word))
    };
    code.excerpts = loose.iter().any(|file| !reads_as_file(code.tongue, &file.text));
    let is_file = |file: &File| reads_as_file(code.tongue, &file.text) && !shows_use(file);
    if loose.iter().any(is_file) || !code.files.is_empty() {
        loose.retain(is_file);
    }
    let lines = |files: &[File]| files.iter().map(|file| file.places.len()).sum::<usize>();
    // Beside whole files they are excerpts.
    if !code.files.is_empty() && lines(&code.files) >= lines(&loose) {
        return;
    }
    if let Some(longest) = loose.iter().max_by_key(|file| file.places.len()).filter(|_| longest_only) {
        loose = vec![longest.clone()];
    }
    // In Go each says itself what it belongs to.
    if code.tongue == Tongue::Go && loose.len() > 1 {
        for (nth, file) in loose.drain(..).enumerate() {
            code.files.push(File { path: format!("solution_part{}.go", nth + 1), ..file });
        }
        return;
    }
    let mut whole = File { path: code.tongue.file().to_owned(), ..File::default() };
    for file in loose {
        whole.text.push_str(&file.text);
        whole.places.extend(file.places);
    }
    if !whole.places.is_empty() && code.files.iter().all(|file| file.path != whole.path) {
        code.files.push(whole);
    }
}

fn fits(path: &str, tongue: Option<Tongue>) -> bool {
    let of_path = crate::names::tag_of_path(path).and_then(|tag| language_of_tag(&tag).map(str::to_owned));
    of_path.is_none_or(|language| {
        // What is C reads as a header of C++, too.
        tongue.is_some_and(|tongue| language == tongue.name() || (tongue == Tongue::C && language == "cpp"))
    })
}

/// Whether a path names a file in the folder that code is laid out in.
fn stays_inside(path: &str) -> bool {
    let plain = |part: &str| !matches!(part, "" | "." | ".." | "~");
    path.split('/').all(plain) && !path.contains(['$', '\0'])
}

/// Whether a part is tests that the proposal brings, and not the solution.
fn is_own_test(tongue: Tongue, path: Option<&str>, text: &str) -> bool {
    let begins = |words: &[&str]| text.lines().any(|line| words.iter().any(|word| line.starts_with(word)));
    let named = path.is_some_and(|path| {
        let name = path.rsplit('/').next().unwrap_or(path);
        name.starts_with("test_")
            || name.contains("_test.")
            || name.contains(".test.")
            || name.contains(".spec.")
    });
    named
        || match tongue {
            Tongue::Python => {
                begins(&["import pytest", "from pytest", "import unittest", "from unittest", "def test_"])
            }
            Tongue::JavaScript | Tongue::TypeScript => {
                begins(&["test(", "describe(", "it("]) || text.contains("node:test")
            }
            Tongue::Bash => begins(&["@test "]),
            Tongue::Go => begins(&["func Test"]) && text.contains("testing.T"),
            Tongue::Rust | Tongue::C => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(markdown: &str) -> Vec<(String, String)> {
        let codes = Codes::of(markdown);
        codes.codes.into_iter().flat_map(|code| code.files).map(|file| (file.path, file.text)).collect()
    }

    fn file(path: &str, text: &str) -> (String, String) {
        (path.to_owned(), text.to_owned())
    }

    #[test]
    fn parts_without_a_path_are_one_file_and_parts_with_one_replace_what_was_before() {
        let loose = "```py\na\n```\n```py\nb\nc\n```\n";
        assert_eq!(files(loose), [file("solution.py", "a\nb\nc\n")]);
        assert_eq!(Codes::of(loose).codes[0].files[0].places, [2, 5, 6]);
        let named = "### src/x.py\n```py\n1\n```\n```py title=\"src/x.py\"\n2\n3\n4\n```";
        assert_eq!(files(named), [file("src/x.py", "2\n3\n4\n")]);
        assert_eq!(files(&format!("{loose}{named}")), files(named), "beside whole files they are excerpts");
    }

    #[test]
    fn of_parts_without_a_path_the_longest_may_be_all_that_counts() {
        let loose = "```py\na\n```\n```py\nb\nc\n```\n";
        let longest = Codes::of_longest(loose).expect("there are two");
        assert_eq!(longest.codes[0].files[0].text, "b\nc\n");
        assert_eq!(Codes::of_longest("```py\na\n```"), None);
    }

    #[test]
    fn excerpts_and_what_shows_the_use_of_the_code_are_left_out() {
        assert_eq!(
            files("```c\nint f(void);\n```\n```c\nif (f())\n    g();\n```"),
            [file("solution.c", "int f(void);\n")]
        );
        let used =
            "```js\nfunction f() {}\n```\n```js\nconst { f } = require('./solution');\nf();\nf();\n```";
        assert_eq!(files(used), [file("solution.js", "function f() {}\n")]);
    }

    #[test]
    fn a_path_stays_in_the_folder_or_is_refused() {
        for path in ["../a.py", "/etc/a.py", "a/../../b.py", "~/a.py", "$HOME/a.py"] {
            let codes = Codes::of(&format!("```py title=\"{path}\"\nx\n```"));
            assert_eq!((codes.refused.as_deref(), codes.codes.len()), (Some(path), 0), "{path}");
        }
    }

    #[test]
    fn a_file_that_is_named_above_another_language_is_not_that_file() {
        assert_eq!(
            files("Then run `main.py`:\n```bash\npython3 main.py\n```"),
            [file("solution.sh", "python3 main.py\n")]
        );
    }

    #[test]
    fn transcripts_outputs_and_tests_of_its_own_are_not_the_solution() {
        let markdown = "```py\nx = 1\n```\n```py\n>>> x\n1\n```\n```py\nimport pytest\n\ndef test_x(): pass\n```\n```text\n1\n```";
        let codes = Codes::of(markdown);
        assert_eq!(codes.codes[0].files[0].text, "x = 1\n");
        assert_eq!(codes.codes[0].examples.len(), 1);
    }

    #[test]
    fn the_language_with_most_lines_comes_first() {
        let codes = Codes::of("```py\nx\n```\n```js\na\nb\n```");
        assert_eq!(codes.codes[0].tongue, Tongue::JavaScript);
    }
}
