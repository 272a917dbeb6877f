//! What a prompt is about, as far as the simulated model understands it.

use fleet_orchestrator::port::{ModelRequest, Speaker};

/// Language of the code that is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    Python,
    Rust,
}

impl Language {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Language::Python => "python",
            Language::Rust => "rust",
        }
    }
}

/// Something the simulated model has code for.
pub(super) struct Topic {
    /// Words that tell a task of this topic.
    words: &'static [&'static str],
    python: &'static str,
    rust: &'static str,
    /// Tests in Python, a blank line between them; none where there is no telling what is right.
    tests: &'static str,
}

macro_rules! topic {
    ($file:literal, $($word:literal),*) => {
        Topic {
            words: &[$($word),*],
            python: include_str!(concat!("snippets/", $file, ".py")),
            rust: include_str!(concat!("snippets/", $file, ".rs")),
            tests: include_str!(concat!("snippets/tests/", $file, ".py")),
        }
    };
}

static TOPICS: [Topic; 6] = [
    topic!("factorial", "factorial"),
    topic!("fibonacci", "fibonacci"),
    topic!("sort", "sort", "sorts", "sorted", "sorting", "quicksort", "mergesort"),
    topic!("palindrome", "palindrome", "palindromes"),
    topic!("prime", "prime", "primes", "primality"),
    topic!("csv", "csv"),
];
static OTHER: Topic = topic!("other",);

/// A task as the simulated model understands it.
pub(super) struct Task<'a> {
    /// The task in its own words, shortened to a line.
    pub(super) line: &'a str,
    /// What its function is called where nothing better is known.
    pub(super) name: String,
    pub(super) language: Language,
    topic: &'static Topic,
}

impl<'a> Task<'a> {
    pub(super) fn of(request: &'a ModelRequest) -> Task<'a> {
        let user = request.messages.iter().filter(|message| message.speaker == Speaker::User);
        let texts: Vec<&str> = user.map(|message| message.text.as_str()).collect();
        let line = texts.iter().find_map(|text| task_line(text)).unwrap_or("the task");
        let words: Vec<String> = line
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .map(str::to_lowercase)
            .collect();
        let has = |known: &&str| words.iter().any(|word| word == known);
        Task {
            line,
            name: name(&words),
            language: if has(&"rust") || has(&"cargo") { Language::Rust } else { Language::Python },
            topic: TOPICS.iter().find(|topic| topic.words.iter().any(has)).unwrap_or(&OTHER),
        }
    }

    /// Tests for the code of the task, each by itself; none where the simulated model knows none.
    pub(super) fn tests(&self) -> Vec<&'static str> {
        let known = self.language == Language::Python;
        self.topic.tests.trim_end().split("\n\n").filter(|test| known && !test.is_empty()).collect()
    }

    /// The code for the task: variants 0 and 1 are right, 2 is wrong in a way that no parser sees.
    pub(super) fn code(&self, variant: usize) -> String {
        let (all, mark) = match self.language {
            Language::Python => (self.topic.python, "# ----\n"),
            Language::Rust => (self.topic.rust, "// ----\n"),
        };
        let code = all.split(mark).nth(variant).unwrap_or(all);
        code.trim_end().replace("{name}", &self.name)
    }
}

/// The line that says what the task is: behind a heading that names it, or the first that is no heading.
fn task_line(text: &str) -> Option<&str> {
    const SHOWN_MAX: usize = 160;
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    let is_heading = |line: &&str| {
        let title = line.trim_matches(|c: char| !c.is_alphanumeric()).to_ascii_lowercase();
        matches!(title.as_str(), "task" | "the task" | "your task" | "task description")
    };
    let behind = lines().skip_while(|line| !is_heading(line)).find(|line| !is_heading(line));
    let inline = || {
        lines().find_map(|line| {
            let line = line.trim_start_matches(|c: char| !c.is_alphanumeric());
            line.get(..5)
                .filter(|head| head.eq_ignore_ascii_case("task:"))
                .map(|_| line[5..].trim_matches(|c: char| c.is_whitespace() || c == '*'))
        })
    };
    let first = || lines().find(|line| !line.starts_with(['#', '<', '`', '-']));
    let line = behind.or_else(inline).or_else(first)?;
    let end = line.char_indices().nth(SHOWN_MAX).map_or(line.len(), |(at, _)| at);
    Some(&line[..end])
}

/// A name for a function, from the words of a task that say something.
fn name(words: &[String]) -> String {
    const EMPTY: [&str; 34] = [
        "a",
        "an",
        "and",
        "the",
        "that",
        "which",
        "for",
        "of",
        "to",
        "in",
        "on",
        "with",
        "write",
        "create",
        "implement",
        "build",
        "make",
        "add",
        "please",
        "python",
        "rust",
        "function",
        "functions",
        "program",
        "code",
        "returns",
        "return",
        "it",
        "is",
        "be",
        "we",
        "our",
        "from",
        "into",
    ];
    let plain = |word: &&str| word.chars().all(|c| c.is_ascii_alphanumeric()) && !EMPTY.contains(word);
    let words: Vec<&str> = words.iter().map(String::as_str).filter(plain).take(3).collect();
    let name = words.join("_");
    // It must neither begin with a digit nor be a word of the language.
    if name.starts_with(|c: char| c.is_ascii_alphabetic()) && words.len() > 1 {
        name
    } else {
        format!("do_{name}").trim_end_matches('_').into()
    }
}

#[cfg(test)]
mod tests {
    use super::task_line;

    #[test]
    fn a_task_is_found_in_prompts_of_several_forms() {
        assert_eq!(task_line("# Rubric\nbe good\n\n## Task\n\nSort a list.\nFast."), Some("Sort a list."));
        assert_eq!(task_line("**Task:** Sort a list."), Some("Sort a list."));
        assert_eq!(task_line("Task: Sort a list."), Some("Sort a list."));
        assert_eq!(task_line("# Hello\nSort a list."), Some("Sort a list."));
        assert_eq!(task_line("\n\n"), None);
    }
}
