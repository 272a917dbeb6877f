//! The table, and where it goes.

use std::fmt::{Display, Write as _};
use std::fs;
use std::path::Path;

use anyhow::Context as _;

use crate::figures::Figures;
use crate::{machine, progress};

const BEGIN: &str = "<!-- measured: begin -->";
const END: &str = "<!-- measured: end -->";

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
    syncs: Vec<String>,
    memory: Vec<String>,
}

impl Report {
    /// Nothing yet, of a state in `dir`.
    pub(crate) fn new(dir: &Path) -> anyhow::Result<Report> {
        let mut machine = machine::describe(dir)?;
        machine.push(format!("load before: {}", machine::load()));
        machine.iter().for_each(progress);
        Ok(Report { machine, rows: Vec::new(), syncs: Vec::new(), memory: Vec::new() })
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

    /// All of it as Markdown.
    pub(crate) fn text(&self) -> String {
        let mut text = "| figure | measured | target | beside it |\n|---|---|---|---|\n".to_owned();
        for Row { name, value, target, note } in &self.rows {
            _ = writeln!(text, "| {name} | {value} | {target} | {note} |");
        }
        for (title, lines) in [
            ("A sync of 8 KiB on this disk", &self.syncs),
            ("Memory of the server", &self.memory),
            ("The machine", &self.machine),
        ] {
            _ = writeln!(text, "\n{title}:\n");
            lines.iter().for_each(|line| _ = writeln!(text, "- {line}"));
        }
        text
    }
}

/// Puts `text` between the marks in the file, and leaves everything around them as it is.
pub(crate) fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let old = match fs::read_to_string(path) {
        Ok(old) => old,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            format!("# Performance\n\n{BEGIN}\n{END}\n")
        }
        Err(error) => return Err(error).context("reading what was measured before"),
    };
    let (before, rest) =
        old.split_once(BEGIN).with_context(|| format!("{} has no {BEGIN}", path.display()))?;
    let (_, after) = rest.split_once(END).with_context(|| format!("{} has no {END}", path.display()))?;
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, format!("{before}{BEGIN}\n{text}{END}{after}")).context("writing what was measured")?;
    progress(format_args!("written to {}", path.display()));
    Ok(())
}
