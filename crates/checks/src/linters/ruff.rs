//! ruff, for Python.

use std::collections::{BTreeMap, BTreeSet};

use fleet_deliberation::Severity;
use serde::Deserialize;

use super::output::{Finding, Read, Said};
use super::undefined::Excuses;
use super::{Linter, Takes};
use crate::lint::Language;

pub(super) const RUFF: Linter = Linter {
    name: "ruff",
    comes_with: None,
    takes: |sound| (sound.language == Language::Python).then_some(Takes::as_it_is("py")),
    // Groups are chosen here and rules below: a rule that a version does not know would be an error.
    args: &[
        "check",
        "--isolated",
        "--no-cache",
        "--ignore-noqa",
        "--output-format=json",
        "--target-version=py313",
        "--select=F,B,PLE,PLW,ASYNC,RUF",
        // Names that notebooks and gettext give.
        "--config=builtins=['spark','dbutils','display','_']",
    ],
    read,
};

/// Rules that find bugs, by their ids or what these begin with.
const BUGS: &[&str] = &[
    "F402", "F404", "F406", "F407", "F50", "F52", "F601", "F602", "F621", "F622", "F631", "F632", "F633",
    "F634", "F70", "F811", "F821", "F822", "F823", "F901", "B002", "B003", "B005", "B006", "B012", "B015",
    "B016", "B020", "B021", "B022", "B023", "B025", "B026", "B029", "B030", "B031", "B032", "B033", "B035",
    "B039", "PLE", "PLW0127", "PLW0128", "PLW0129", "PLW0131", "PLW0133", "PLW0177", "PLW0245", "PLW0711",
    "PLW1501", "PLW1507", "PLW1508", "PLW1509", "PLW2101", "ASYNC100", "ASYNC105", "ASYNC115", "ASYNC210",
    "ASYNC220", "ASYNC221", "ASYNC222", "ASYNC251", "RUF006", "RUF008", "RUF009", "RUF016", "RUF018",
    "RUF026", "RUF040",
];
/// Those that say nothing of an excerpt, which lacks what surrounds it.
const OF_WHOLE_FILES: &[&str] = &["F70", "F811", "F821", "F822", "F823", "B015", "PLE0118", "PLE1142"];
/// A name that is not there when it is used: the code ends there. `F821` is about names that nobody defines, `F823`
/// about those of a function that are used before they have a value.
const UNDEFINED: &[&str] = &["F821", "F823"];

#[derive(Deserialize)]
struct Diagnostic {
    /// None is a syntax error in versions before 0.13.
    code: Option<String>,
    filename: String,
    location: Location,
    message: String,
}

#[derive(Deserialize)]
struct Location {
    row: usize,
    column: usize,
}

fn read(said: &Said<'_>) -> Result<Read, String> {
    let diagnostics: Vec<Diagnostic> = said.json()?;
    if diagnostics.is_empty() != (said.code == 0) {
        return Err(said.unreadable("it says that it found something, and not what"));
    }
    let whole: Vec<bool> = said.files.iter().map(|file| is_whole(&file.text)).collect();
    let mut excuses = BTreeMap::new();
    let mut read = Read::default();
    for diagnostic in diagnostics {
        let file = said.file(&diagnostic.filename)?;
        let rule = match diagnostic.code.as_deref() {
            None | Some("invalid-syntax" | "E999") => {
                read.unread.insert(file);
                continue;
            }
            Some(rule) => rule,
        };
        let is = |rules: &[&str]| rules.iter().any(|begin| rule.starts_with(begin));
        if !is(BUGS) || (is(OF_WHOLE_FILES) && !whole[file]) {
            continue;
        }
        if is(UNDEFINED) && known_elsewhere(said, file, &diagnostic.message) {
            continue;
        }
        let Location { row, column } = diagnostic.location;
        let mut ends = || {
            let excuses = excuses.entry(file).or_insert_with(|| Excuses::of(&said.files[file].text));
            !excuses.hold(rule, row, column)
        };
        read.findings.push(Finding {
            file,
            row,
            column,
            rule: rule.to_owned(),
            severity: if is(UNDEFINED) && ends() { Severity::Medium } else { Severity::Low },
            message: diagnostic.message,
        });
    }
    Ok(read)
}

/// Whether the name that a message is about stands in another of the files; also where it names none.
fn known_elsewhere(said: &Said<'_>, file: usize, message: &str) -> bool {
    let Some(name) = message.split('`').nth(1) else { return true };
    let words = |text: &str| {
        let words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
        words.map(str::to_owned).collect::<BTreeSet<_>>()
    };
    let others = said.files.iter().enumerate().filter(|(nth, _)| *nth != file);
    others.into_iter().any(|(_, other)| words(&other.text).contains(name))
}

/// Whether a block is all of a file, as far as one can see: it brings in what it needs, begins at the margin, and says
/// nowhere that something is left out.
fn is_whole(code: &str) -> bool {
    let lines = || code.lines().filter(|line| !line.trim().is_empty());
    let imports = |line: &str| line.starts_with("import ") || line.starts_with("from ");
    let begins = lines().next().is_some_and(|line| !line.starts_with([' ', '\t']));
    begins && lines().any(imports) && !lines().any(leaves_out)
}

fn leaves_out(line: &str) -> bool {
    const WORDS: &[&str] =
        &["...", "…", "existing", "rest of", "omitted", "unchanged", "as before", "elsewhere"];
    if line.trim_end() == "..." {
        return true;
    }
    let comment = line.split_once('#').map(|(_, comment)| comment.to_lowercase());
    comment.is_some_and(|comment| WORDS.iter().any(|word| comment.contains(word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leaves_something_out_or_brings_nothing_in_is_no_whole_file() {
        assert!(is_whole("\"\"\"Doc.\"\"\"\nimport a\n\ndef f():\n    ...\n"));
        for code in [
            "def f():\n    return g()\n",
            "    import a\n    b()\n",
            "import a\n...\nb()\n",
            "import a\n# ... the rest stays\nb()\n",
            "import a\nb()  # existing helper\n",
            "",
        ] {
            assert!(!is_whole(code), "{code}");
        }
    }
}
