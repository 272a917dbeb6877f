//! `fleet backup`: the state as it is now, in one file.

use fleet_embedded::{BackupError, back_up};
use fleet_orchestrator::chain;
use indicatif::HumanBytes;

use crate::cli::Backup;
use crate::config::Loaded;
use crate::show::{copying, many, print};
use crate::{Exit, Problem};

pub(super) async fn run(loaded: &Loaded, asked: Backup) -> anyhow::Result<Exit> {
    let dir = loaded.state_dir()?;
    let (file, replace) = (asked.file.clone(), asked.force);
    let made = copying::watched(move |watch| back_up(&dir, &file, replace, watch)).await?;
    let made = made.map_err(error)?;
    print(&format!(
        "{}: {}, {} ({} open)\n",
        asked.file.display(),
        HumanBytes(made.bytes),
        many(made.deliberations, "deliberation"),
        made.open
    ))?;
    Ok(Exit::Done)
}

fn error(error: BackupError) -> anyhow::Error {
    let message = format!("there is no backup: {}", chain(&error));
    let (exit, advice) = match error {
        BackupError::State(error) => return error.into(),
        BackupError::Exists(_) => (Exit::Refused, "name another file, or give --force to replace it"),
        BackupError::OfTheState(_) => (Exit::Refused, "name another file"),
        BackupError::NotWritable(..) => {
            (Exit::Unavailable, "name a file in a directory that can be written and has room")
        }
        BackupError::NotReadable(_) => (
            Exit::Unavailable,
            "the disk may be failing; keep the backups there are, and a copy of the directory",
        ),
        BackupError::Interrupted => (Exit::Left, "nothing is left of it"),
    };
    Problem::new(exit, format!("{message}; {advice}")).into()
}
