//! Dockerfiles: which instructions there are, how lines go on, and what an instruction needs.

use super::nearest;
use super::syntax::{Found, Reading, shortened};

const INSTRUCTIONS: [&str; 18] = [
    "FROM",
    "RUN",
    "CMD",
    "LABEL",
    "MAINTAINER",
    "EXPOSE",
    "ENV",
    "ADD",
    "COPY",
    "ENTRYPOINT",
    "VOLUME",
    "USER",
    "WORKDIR",
    "ARG",
    "ONBUILD",
    "STOPSIGNAL",
    "HEALTHCHECK",
    "SHELL",
];

/// How many faults are looked for.
const FOUND_MAX: usize = 200;

/// Reads a Dockerfile or a part of one.
pub(super) fn read(code: &str) -> Reading {
    let escape = escape(code);
    let mut found = Vec::new();
    let mut any = false;
    let mut lines = code.lines().enumerate().peekable();
    while let Some((row, line)) = lines.next() {
        let column = line.len() - line.trim_start().len();
        let text = line.trim();
        if text.is_empty() || text.starts_with('#') || matches!(text.trim_end_matches(','), "..." | "…") {
            continue;
        }
        if found.len() >= FOUND_MAX {
            break;
        }
        any = true;
        let mut whole = String::new();
        let mut more = without_escape(text, escape);
        whole.push_str(more.unwrap_or(text));
        let mut last = row;
        while more.is_some() {
            let Some((next, line)) = lines.next() else {
                let column = line.trim_end().len().saturating_sub(1);
                found.push(Found {
                    row: last,
                    column,
                    message: "the line goes on, but none follows".to_owned(),
                });
                break;
            };
            last = next;
            let text = line.trim();
            // Within an instruction these are passed over.
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            more = without_escape(text, escape);
            whole.push(' ');
            whole.push_str(more.unwrap_or(text));
        }
        for word in heredocs(&whole) {
            let ends = |line: &str| line.trim_start_matches('\t') == word;
            if !lines.by_ref().any(|(_, line)| ends(line.trim_end())) {
                let message = format!("the heredoc `{word}` is never closed");
                found.push(Found { row, column, message });
            }
        }
        if let Some(message) = instruction(&whole) {
            found.push(Found { row, column, message });
        }
    }
    if any { Reading::Code(found) } else { Reading::NoCode }
}

/// The character that lets a line go on: `\`, or what a directive at the top says.
fn escape(code: &str) -> char {
    let directives = code.lines().take_while(|line| line.starts_with('#'));
    let mut escapes = directives.filter_map(|line| line[1..].trim().strip_prefix("escape="));
    escapes.next().and_then(|escape| escape.trim().chars().next()).unwrap_or('\\')
}

fn without_escape(text: &str, escape: char) -> Option<&str> {
    text.strip_suffix(escape)
}

/// The words that end the heredocs an instruction begins.
fn heredocs(whole: &str) -> Vec<String> {
    let instruction = whole.split_whitespace().next().unwrap_or_default().to_uppercase();
    if !matches!(instruction.as_str(), "RUN" | "COPY" | "ADD") {
        return Vec::new();
    }
    let mut words = Vec::new();
    for (at, _) in whole.match_indices("<<") {
        let rest = whole[at + 2..].trim_start_matches('-');
        let free = whole[..at].ends_with(|c: char| c.is_whitespace() || c.is_ascii_digit());
        let word: String = rest
            .trim_start_matches(['\'', '"'])
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect();
        if free && word.starts_with(|c: char| c.is_alphabetic() || c == '_') {
            words.push(word);
        }
    }
    words
}

/// What is wrong with one instruction, its lines put together.
fn instruction(whole: &str) -> Option<String> {
    let mut words = whole.split_whitespace();
    let word = words.next()?;
    let name = word.to_uppercase();
    if !INSTRUCTIONS.contains(&name.as_str()) {
        let near = nearest(&name, INSTRUCTIONS.into_iter());
        let near = near.map(|near| format!("; `{near}`?")).unwrap_or_default();
        return Some(format!("`{}` is no instruction{near}", shortened(word, 40)));
    }
    let rest: Vec<&str> = words.skip_while(|word| word.starts_with("--")).collect();
    let Some(first) = rest.first() else {
        // `CMD` and `ENTRYPOINT` without anything take back what the base says.
        return (!matches!(name.as_str(), "CMD" | "ENTRYPOINT"))
            .then(|| format!("`{name}` without anything it is about"));
    };
    let text = whole[word.len()..].trim();
    match name.as_str() {
        "FROM" => match rest.as_slice() {
            [_] => None,
            [_, word, _] if word.eq_ignore_ascii_case("as") => None,
            _ => Some("`FROM` takes an image and, behind `AS`, a name".to_owned()),
        },
        "COPY" | "ADD" if first.starts_with('[') => list(text.trim_start_matches(|c| c != '[')),
        "COPY" | "ADD" if rest.len() < 2 && !text.contains("<<") => {
            Some(format!("`{name}` needs what to copy and where to"))
        }
        "CMD" | "ENTRYPOINT" | "RUN" | "SHELL" | "VOLUME" if first.starts_with('[') => list(text),
        "SHELL" => Some("`SHELL` takes a list, as in [\"/bin/sh\", \"-c\"]".to_owned()),
        "EXPOSE" => {
            let port = |word: &str| {
                let (ports, protocol) = word.split_once('/').unwrap_or((word, "tcp"));
                let number = |text: &str| text.parse::<u16>().is_ok();
                let ranged = ports.split_once('-').map_or(number(ports), |(a, b)| number(a) && number(b));
                word.contains('$') || (ranged && matches!(protocol, "tcp" | "udp" | "sctp"))
            };
            let wrong = rest.iter().take_while(|word| !word.starts_with('#')).find(|word| !port(word))?;
            Some(format!("`{}` is no port", shortened(wrong, 40)))
        }
        "ENV" | "LABEL" if rest.len() == 1 && !text.contains('=') => {
            Some(format!("`{name}` needs a name and a value"))
        }
        "HEALTHCHECK" if !matches!(first.to_uppercase().as_str(), "CMD" | "NONE") => {
            Some("`HEALTHCHECK` takes `CMD` or `NONE`".to_owned())
        }
        "ONBUILD" => instruction(text),
        _ => None,
    }
}

/// What is wrong with a list in brackets. A shell's test begins with a bracket as well.
fn list(text: &str) -> Option<String> {
    let begin = text.trim_start_matches('[').trim_start();
    let shell = text.starts_with("[[") || !begin.starts_with(['"', '\'', ']', '“']);
    if shell {
        return None;
    }
    match serde_json::from_str::<Vec<String>>(text) {
        Ok(_) => None,
        Err(_) if begin.starts_with('\'') => Some("a list has its strings in double quotes".to_owned()),
        Err(_) => Some("the list in brackets cannot be read".to_owned()),
    }
}
