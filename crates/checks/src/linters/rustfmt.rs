//! rustfmt, for Rust: whether it is laid out as all Rust is, and nothing else.

use std::collections::BTreeSet;

use fleet_deliberation::Severity;

use super::output::{Finding, Read, Said};
use super::{Linter, Takes};
use crate::lint::{Language, Sound};
use crate::run::code::Tongue;

pub(super) const RUSTFMT: Linter = Linter {
    name: "rustfmt",
    // On the PATH there may be a proxy that wants a home.
    comes_with: Some(Tongue::Rust),
    takes,
    args: &["--check", "--files-with-diff", "--edition=2024", "--color=never"],
    read,
};

/// Not what has modules in other files: it would look for those.
fn takes(sound: &Sound) -> Option<Takes> {
    let module = |line: &str| {
        let line = line.split("//").next().unwrap_or(line).trim();
        line.ends_with(';') && line.split_whitespace().any(|word| word == "mod")
    };
    let modules = sound.part.lines.iter().any(|line| module(&line.text));
    (sound.language == Language::Rust && !modules).then_some(Takes::as_it_is("rs"))
}

fn read(said: &Said<'_>) -> Result<Read, String> {
    let places = said.stderr.lines().filter_map(|line| line.trim_start().strip_prefix("--> "));
    // What follows are the line and the column.
    let named = places.filter_map(|place| place.split(':').next());
    let unread = named.map(|name| said.file(name)).collect::<Result<BTreeSet<_>, _>>()?;
    let differ = said.stdout.lines().map(|name| said.file(name)).collect::<Result<BTreeSet<_>, _>>()?;
    if (unread.is_empty() && differ.is_empty()) != (said.code == 0) {
        return Err(said.unreadable("it says that it found something, and not what"));
    }
    let differ: Vec<usize> = differ.difference(&unread).copied().collect();
    let of = match differ.len() {
        0 | 1 => String::new(),
        n => format!(", and so {} more", n - 1),
    };
    // One for all: how code is laid out weighs next to nothing.
    let finding = differ.first().map(|file| Finding {
        file: *file,
        row: 1,
        column: 1,
        rule: "format".to_owned(),
        message: format!("not formatted as rustfmt does it{of}"),
        severity: Severity::Low,
    });
    Ok(Read { findings: finding.into_iter().collect(), unread })
}
