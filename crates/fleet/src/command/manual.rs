//! `fleet completions` and `fleet man`: what is known of the command line, for shells and for readers.

use std::path::Path;

use clap::CommandFactory as _;

use crate::cli::Cli;
use crate::show::{print, say};
use crate::{Exit, Problem};

pub(super) fn completions(shell: clap_complete::Shell) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "fleet", &mut script);
    print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}

pub(super) fn pages(dir: Option<&Path>) -> anyhow::Result<Exit> {
    let Some(dir) = dir else {
        let mut page = Vec::new();
        clap_mangen::Man::new(Cli::command()).render(&mut page)?;
        print(&String::from_utf8_lossy(&page))?;
        return Ok(Exit::Done);
    };
    let written = std::fs::create_dir_all(dir).and_then(|()| clap_mangen::generate_to(Cli::command(), dir));
    written.map_err(|error| {
        Problem::new(Exit::Refused, format!("the manual cannot be written into {}: {error}", dir.display()))
    })?;
    say(format_args!(
        "the manual is in {}; read it with: man -l {}",
        dir.display(),
        dir.join("fleet.1").display()
    ));
    Ok(Exit::Done)
}
