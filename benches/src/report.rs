//! The table, and where it goes.

use std::fmt::{Display, Write as _};
use std::fs;
use std::path::Path;

use anyhow::Context as _;

use crate::figures::Figures;
use crate::{machine, progress};

/// One figure.
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) target: String,
    pub(crate) note: String,
}

impl Row {
    pub(crate) fn ms(name: String, ms: f64, target: &str, note: String) -> Row {
        Row { name, value: format!("{ms:.2} ms"), target: target.into(), note }
    }
}

/// What was measured so far.
pub(crate) struct Report {
    machine: Vec<String>,
    rows: Vec<Row>,
    /// Tables of their own, as Markdown.
    tables: Vec<String>,
    syncs: Vec<String>,
    memory: Vec<String>,
}

impl Report {
    /// Nothing yet, of a state in `dir`.
    pub(crate) fn new(dir: &Path) -> anyhow::Result<Report> {
        let mut machine = machine::describe(dir)?;
        machine.push(format!("load before: {}", machine::load()));
        machine.iter().for_each(progress);
        Ok(Report { machine, rows: Vec::new(), tables: Vec::new(), syncs: Vec::new(), memory: Vec::new() })
    }

    pub(crate) fn row(&mut self, row: Row) {
        progress(format_args!("{}: {}  {}  {}", row.name, row.value, row.target, row.note));
        self.rows.push(row);
    }

    pub(crate) fn sync(&mut self, when: &str, syncs: Figures) {
        let line = format!("{when}: p50 {:.2} ms, p99 {:.2} ms", syncs.median(), syncs.at(0.99));
        progress(format_args!("sync of 8 KiB {line}"));
        self.syncs.push(line);
    }

    pub(crate) fn memory(&mut self, when: &str, mib: impl Display) {
        let line = format!("{when}: {mib:.0} MiB");
        progress(format_args!("memory of the server {line}"));
        self.memory.push(line);
    }

    pub(crate) fn memory_mb(&mut self, when: &str, mb: impl Display) {
        let line = format!("{when}: {mb:.0} MB");
        progress(format_args!("memory of the server, {line}"));
        self.memory.push(line);
    }

    pub(crate) fn table(&mut self, header: &[&str], rows: Vec<Vec<String>>) {
        let mut text = format!("| {} |\n|{}\n", header.join(" | "), "---|".repeat(header.len()));
        for row in rows {
            _ = writeln!(text, "| {} |", row.join(" | "));
        }
        self.tables.push(text);
    }

    /// All of it as Markdown.
    pub(crate) fn text(&self) -> String {
        let mut text = "| figure | measured | target | beside it |\n|---|---|---|---|\n".to_owned();
        for Row { name, value, target, note } in &self.rows {
            _ = writeln!(text, "| {name} | {value} | {target} | {note} |");
        }
        for table in &self.tables {
            _ = write!(text, "\n{table}");
        }
        for (title, lines) in [
            ("A sync of 8 KiB on this disk", &self.syncs),
            ("Memory of the server", &self.memory),
            ("The machine", &self.machine),
        ]
        .into_iter()
        .filter(|(_, lines)| !lines.is_empty())
        {
            _ = writeln!(text, "\n{title}:\n");
            lines.iter().for_each(|line| _ = writeln!(text, "- {line}"));
        }
        text
    }
}

/// Puts `text` between the marks of that name in the file, and leaves everything around them as it is.
pub(crate) fn write(path: &Path, name: &str, text: &str) -> anyhow::Result<()> {
    let (begin, end) = (format!("<!-- {name}: begin -->"), format!("<!-- {name}: end -->"));
    let old = fs::read_to_string(path).context("reading what was measured before")?;
    let (before, rest) =
        old.split_once(&begin).with_context(|| format!("{} has no {begin}", path.display()))?;
    let (_, after) = rest.split_once(&end).with_context(|| format!("{} has no {end}", path.display()))?;
    fs::write(path, format!("{before}{begin}\n{text}{end}{after}")).context("writing what was measured")?;
    progress(format_args!("written to {}", path.display()));
    Ok(())
}
