//! `fleet restore`: a backup in the place of the state.

use fleet_embedded::{OpenError, RestoreError, restore};
use fleet_orchestrator::chain;

use crate::cli::Restore;
use crate::config::Loaded;
use crate::show::{copying, many, print};
use crate::{Exit, Problem};

pub(super) async fn run(loaded: &Loaded, asked: Restore) -> anyhow::Result<Exit> {
    let dir = loaded.state_dir()?;
    let (into, replace) = (dir.clone(), asked.force);
    let restored = copying::watched(move |watch| restore(&into, &asked.file, replace, watch)).await?;
    let restored = restored.map_err(error)?;
    let held = restored.contents;
    let deliberations = many(held.deliberations, "deliberation");
    let mut text = format!("{} holds {deliberations} now ({} open)\n", dir.display(), held.open);
    if held.open > 0 {
        text += "what is open goes on at the next start\n";
    }
    if let Some(before) = restored.before {
        text += &format!("what was there before is in {}\n", before.display());
    }
    print(&text)?;
    Ok(Exit::Done)
}

fn error(error: RestoreError) -> anyhow::Error {
    let message = format!("nothing was restored: {}", chain(&error));
    let (exit, advice) = match error {
        RestoreError::State(OpenError::Held { .. }) => {
            (Exit::Busy, "stop it first, as with SIGTERM, and wait for its end".to_owned())
        }
        RestoreError::State(error) => return error.into(),
        RestoreError::Backup(OpenError::Newer { .. }) => (Exit::Refused, "use that version".to_owned()),
        RestoreError::Backup(_) => (Exit::Refused, "name another file; the state is as it was".to_owned()),
        RestoreError::WorkedOn(file) => {
            let state = file.parent().unwrap_or(&file).display().to_string();
            (Exit::Refused, format!("make one of it with: fleet backup --state {state:?} FILE"))
        }
        RestoreError::Holds { .. } | RestoreError::HoldsUnknown { .. } => {
            (Exit::Refused, "give --force to move it aside (nothing is deleted)".to_owned())
        }
        RestoreError::NotWritable(..) => {
            (Exit::Unavailable, "make room, or mend its permissions; the state is as it was".to_owned())
        }
        RestoreError::NotCompleted(..) => {
            let advice = "mend the cause; the next start, or another restore, completes it".to_owned();
            return Problem::new(Exit::Unavailable, format!("{}; {advice}", chain(&error))).into();
        }
        RestoreError::Interrupted => (Exit::Left, "the state is as it was".to_owned()),
    };
    Problem::new(exit, format!("{message}; {advice}")).into()
}
