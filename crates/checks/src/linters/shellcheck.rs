//! shellcheck, for scripts of the shells that it knows.

use fleet_deliberation::Severity;
use serde::Deserialize;

use super::output::{Finding, Read, Said};
use super::{Linter, Takes};
use crate::lint::{Language, Sound};

pub(super) const SHELLCHECK: Linter = Linter {
    name: "shellcheck",
    comes_with: None,
    takes,
    args: &["--norc", "--format=json1", "--severity=warning", "--wiki-link-count=0"],
    read,
};

/// What is no bug in a script of which one sees only so much: files that are read elsewhere, names that come from the
/// environment or go there, no first line, exit codes that `local` and `export` hide, `local`, `break` and arguments
/// outside of what surrounds them.
pub(super) const NO_BUGS: &[u32] = &[1090, 1091, 2034, 2104, 2105, 2119, 2120, 2148, 2154, 2155, 2168, 2317];
/// The codes below are of its parser.
const PARSER: u32 = 2000;

#[derive(Deserialize)]
struct Output {
    comments: Vec<Comment>,
}

#[derive(Deserialize)]
struct Comment {
    file: String,
    line: usize,
    column: usize,
    level: String,
    code: u32,
    message: String,
}

fn takes(sound: &Sound) -> Option<Takes> {
    if sound.language != Language::Bash || sound.part.tag == "zsh" {
        return None;
    }
    let first = sound.part.lines.first().map(|line| line.text.as_str()).unwrap_or_default();
    if first.starts_with("#!") {
        let known = ["sh", "bash", "dash", "ksh", "bats"];
        let shell = first.split(['/', ' ']).rev().find(|word| !word.is_empty() && !word.starts_with('-'));
        return shell.filter(|shell| known.contains(shell)).map(|_| Takes::as_it_is("sh"));
    }
    let before = if sound.part.tag == "bats" {
        "# shellcheck shell=bats\n"
    } else {
        // What is tagged `sh` is as a rule meant for bash, too.
        "# shellcheck shell=bash\n"
    };
    Some(Takes { extension: "sh", before })
}

fn read(said: &Said<'_>) -> Result<Read, String> {
    let output: Output = said.json()?;
    if output.comments.is_empty() != (said.code == 0) {
        return Err(said.unreadable("it says that it found something, and not what"));
    }
    let mut read = Read::default();
    for comment in output.comments {
        let file = said.file(&comment.file)?;
        if comment.code < PARSER && comment.level == "error" {
            read.unread.insert(file);
        } else if !NO_BUGS.contains(&comment.code) {
            read.findings.push(Finding {
                file,
                row: comment.line,
                column: comment.column,
                rule: format!("SC{}", comment.code),
                message: comment.message,
                severity: Severity::Low,
            });
        }
    }
    Ok(read)
}
