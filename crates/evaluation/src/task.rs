//! The tasks of an evaluation: a file with a JSON object a line.

use std::collections::BTreeMap;

use fleet_deliberation::{METADATA_BYTES_MAX, Rejection, Role};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

/// The languages in which given tests can be run.
pub const LANGUAGES: [&str; 6] = ["python", "javascript", "bash", "rust", "c", "go"];
/// The longest id of a task, in bytes: what is made of it must still be an id of a deliberation.
pub const TASK_ID_BYTES_MAX: usize = 100;
/// By which name a task's tests are given with it.
const TESTS: &str = "tests";

/// A task with the tests that say whether an answer solves it.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// Its name: letters, digits, `-` and `_`.
    pub id: String,
    /// The language of its code, one of [`LANGUAGES`].
    pub language: String,
    /// What is asked.
    pub description: String,
    /// The role of the council that it is brought before.
    pub role: Role,
    /// How proposals are to be judged; may be empty.
    pub rubric: String,
    /// What every proposal must fulfil.
    pub requirements: Vec<String>,
    /// What an answer should mention, whatever the case of its letters.
    pub keywords: Vec<String>,
    /// Tests that are shown with the task, and run as its own.
    pub tests: Option<String>,
    /// Tests that nobody who answers sees.
    pub hidden_tests: String,
    /// What the error model of the simulated model answers with; only it is told.
    pub key: Option<Key>,
}

/// Right and wrong answers to a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Code that passes every hidden test.
    pub solution: String,
    /// Codes that each fail some hidden test; at least two, no two the same.
    pub wrong: Vec<String>,
}

/// Why a file holds no tasks that can be evaluated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadTasks {
    /// A line that cannot be read.
    #[error("line {line} is not a JSON object: {reason}")]
    NotAnObject {
        /// Its number, from 1.
        line: usize,
        /// Why not.
        reason: String,
    },
    /// A field that is missing, unknown, or not as it must be.
    #[error("line {line}: {field} {reason}")]
    Field {
        /// The line's number, from 1.
        line: usize,
        /// The field.
        field: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Two tasks of one name.
    #[error("line {line}: id {id:?} is taken by line {first}")]
    Twice {
        /// The later line.
        line: usize,
        /// The name.
        id: String,
        /// The earlier line.
        first: usize,
    },
    /// A file without tasks.
    #[error("there is no task in it; it must have a JSON object a line")]
    None,
}

/// Reads tasks, a JSON object a line; blank lines are passed over.
///
/// # Errors
/// The first line that is none, with its number and the field.
pub fn read_tasks(text: &str) -> Result<Vec<Task>, BadTasks> {
    let mut lines: BTreeMap<String, usize> = BTreeMap::new();
    let mut tasks = Vec::new();
    for (line, text) in (1..).zip(text.lines()).filter(|(_, text)| !text.trim().is_empty()) {
        let task = Task::read(line, text)?;
        if let Some(first) = lines.insert(task.id.clone(), line) {
            return Err(BadTasks::Twice { line, id: task.id, first });
        }
        tasks.push(task);
    }
    if tasks.is_empty() { Err(BadTasks::None) } else { Ok(tasks) }
}

impl Task {
    fn read(line: usize, text: &str) -> Result<Task, BadTasks> {
        let not_an_object =
            |error: serde_json::Error| BadTasks::NotAnObject { line, reason: error.to_string() };
        let mut fields = Fields::of(line, serde_json::from_str(text).map_err(not_an_object)?)?;
        let role = fields.text("role")?.unwrap_or_else(|| "DEV".into());
        let role = Role::new(&role).map_err(|error| fields.bad("role", error))?;
        let solution = fields.text("solution")?;
        let task = Task {
            id: fields.needed("id")?,
            language: fields.needed("language")?,
            description: fields.needed("description")?,
            role,
            rubric: fields.text("rubric")?.unwrap_or_default(),
            requirements: fields.texts("requirements")?.unwrap_or_default(),
            keywords: fields.texts("keywords")?.unwrap_or_default(),
            tests: fields.text("tests")?,
            hidden_tests: fields.needed("hidden_tests")?,
            key: match (solution, fields.texts("wrong")?) {
                (None, None) => None,
                (Some(solution), Some(wrong)) => Some(Key { solution, wrong }),
                (Some(_), None) => return Err(fields.bad("wrong", "is missing, and there is a solution")),
                (None, Some(_)) => return Err(fields.bad("solution", "is missing, and there is wrong code")),
            },
        };
        fields.end()?;
        task.check(&fields)?;
        Ok(task)
    }

    fn check(&self, fields: &Fields) -> Result<(), BadTasks> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        if self.id.len() > TASK_ID_BYTES_MAX || !self.id.chars().all(plain) {
            let bound = format!(
                "is {:?}; it must be letters, digits, - and _, at most {TASK_ID_BYTES_MAX} bytes",
                self.id
            );
            return Err(fields.bad("id", bound));
        }
        if !LANGUAGES.contains(&self.language.as_str()) {
            let (language, known) = (&self.language, LANGUAGES.join(", "));
            return Err(fields.bad("language", format!("is {language:?}; it must be one of {known}")));
        }
        let tests = [("hidden_tests", Some(&self.hidden_tests)), ("tests", self.tests.as_ref())];
        for (field, tests) in tests {
            if let Some(bytes) = tests.map(String::len).filter(|bytes| *bytes > METADATA_BYTES_MAX) {
                let reason = format!("has {bytes} bytes; at most {METADATA_BYTES_MAX} bytes are accepted");
                return Err(fields.bad(field, reason));
            }
        }
        if let Some(keyword) = self.keywords.iter().position(|keyword| keyword.trim().is_empty()) {
            return Err(fields.bad(&format!("keywords[{keyword}]"), "is empty"));
        }
        if let Err(Rejection::Malformed { field, reason }) = self.asked().validate() {
            // As the file names them, not the wire.
            let field = field.rsplit(['.', '_']).next().unwrap_or(&field);
            return Err(fields.bad(field, reason));
        }
        self.key.as_ref().map_or(Ok(()), |key| key.check(fields))
    }

    /// The task as those who answer it are asked.
    #[must_use]
    pub fn asked(&self) -> fleet_deliberation::Task {
        let tests = self.tests.iter().map(|tests| (TESTS.to_owned(), tests.clone()));
        self.with(tests.collect())
    }

    /// The task as its answers are scored: with the hidden tests.
    #[must_use]
    pub fn scored(&self) -> fleet_deliberation::Task {
        self.with(BTreeMap::from([(TESTS.to_owned(), self.hidden_tests.clone())]))
    }

    fn with(&self, metadata: BTreeMap<String, String>) -> fleet_deliberation::Task {
        let Task { description, rubric, requirements, .. } = self.clone();
        fleet_deliberation::Task { description, rubric, requirements, metadata }
    }

    /// The share of its keywords that a text has, whatever the case of their letters; `None` without keywords.
    #[must_use]
    pub fn keywords_in(&self, text: &str) -> Option<f64> {
        if self.keywords.is_empty() {
            return None;
        }
        let text = text.to_lowercase();
        let met = self.keywords.iter().filter(|keyword| text.contains(keyword.to_lowercase().trim()));
        Some(met.count() as f64 / self.keywords.len() as f64)
    }
}

impl Key {
    fn check(&self, fields: &Fields) -> Result<(), BadTasks> {
        if self.wrong.len() < 2 {
            return Err(fields.bad("wrong", "must have at least two codes that are wrong in different ways"));
        }
        let all: Vec<&str> =
            std::iter::once(&self.solution).chain(&self.wrong).map(|code| code.trim()).collect();
        for (nth, code) in all.iter().enumerate() {
            let field = nth.checked_sub(1).map_or("solution".into(), |nth| format!("wrong[{nth}]"));
            if code.is_empty() {
                return Err(fields.bad(&field, "is empty"));
            }
            if code.contains("```") {
                return Err(fields.bad(&field, "has ```, which would end the block that it is written in"));
            }
            if all[..nth].contains(code) {
                return Err(fields.bad(&field, "is the same as another code of the task"));
            }
        }
        Ok(())
    }
}

/// The fields of a line that are not read yet.
struct Fields {
    line: usize,
    left: Vec<(String, Value)>,
}

impl Fields {
    fn of(line: usize, Pairs(left): Pairs) -> Result<Fields, BadTasks> {
        let fields = Fields { line, left };
        let twice = (1..fields.left.len())
            .find(|nth| fields.left[..*nth].iter().any(|(name, _)| *name == fields.left[*nth].0));
        match twice {
            Some(nth) => Err(fields.bad(&fields.left[nth].0, "stands twice")),
            None => Ok(fields),
        }
    }

    fn bad(&self, field: &str, reason: impl ToString) -> BadTasks {
        BadTasks::Field { line: self.line, field: field.to_owned(), reason: reason.to_string() }
    }

    fn take(&mut self, field: &str) -> Option<Value> {
        let at = self.left.iter().position(|(name, _)| name == field)?;
        Some(self.left.remove(at).1)
    }

    fn text(&mut self, field: &str) -> Result<Option<String>, BadTasks> {
        match self.take(field) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.bad(field, "must be a text")),
        }
    }

    fn needed(&mut self, field: &str) -> Result<String, BadTasks> {
        match self.text(field)? {
            None => Err(self.bad(field, "is missing")),
            Some(text) if text.trim().is_empty() => Err(self.bad(field, "is empty")),
            Some(text) => Ok(text),
        }
    }

    fn texts(&mut self, field: &str) -> Result<Option<Vec<String>>, BadTasks> {
        let bad = |fields: &Fields| fields.bad(field, "must be a list of texts");
        let Some(value) = self.take(field) else { return Ok(None) };
        let Value::Array(values) = value else { return Err(bad(self)) };
        let text = |value: Value| value.as_str().map(str::to_owned).ok_or_else(|| bad(self));
        values.into_iter().map(text).collect::<Result<_, _>>().map(Some)
    }

    fn end(&self) -> Result<(), BadTasks> {
        self.left.first().map_or(Ok(()), |(name, _)| Err(self.bad(name, "is not a field of a task")))
    }
}

/// An object's members as they stand, those of one name as well.
struct Pairs(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Pairs, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Pairs;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Pairs, M::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Members)
    }
}
