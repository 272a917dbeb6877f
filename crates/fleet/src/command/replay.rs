//! `fleet replay`: the history folded anew.

use anyhow::Context as _;

use crate::cli::Replay;
use crate::config::Loaded;
use crate::past::past;
use crate::show::replay::{Then, Told, Whole};
use crate::show::{self, complain, print, say};
use crate::state::{Source, at_work, source};
use crate::{Exit, Problem};

pub(super) async fn run(loaded: &Loaded, asked: Replay) -> anyhow::Result<Exit> {
    let id = show::parse_id(&asked.id)?;
    let source = source(loaded, asked.server.as_deref()).await?;
    let past = past(&source, &id).await?;
    let last = past.len();
    if let Some(until) = asked.until.filter(|until| *until > last) {
        let message =
            format!("--until is {until}; {id} has {last} events so far, so it must be at most {last}");
        return Err(Problem::new(Exit::Refused, message).into());
    }
    if asked.events {
        let told = Told::of(&past, asked.until.unwrap_or(last));
        print(&if asked.json { serde_json::to_string(&told)? + "\n" } else { told.text() })?;
        return Ok(Exit::Done);
    }
    if let Some(until) = asked.until {
        let then = Then::of(&past, until).context("a history that was read has events")?;
        print(&if asked.json { serde_json::to_string(&then)? + "\n" } else { then.text() })?;
        return Ok(Exit::Done);
    }
    let replayed = past.replayed();
    let whole = Whole::of(&past, &replayed);
    print(&if asked.json { serde_json::to_string(&whole)? + "\n" } else { whole.text() })?;
    // Seen from the records alone, a history that was cut off is one that goes on.
    if past.state.ended.is_none() && matches!(source, Source::Files(_)) && !at_work(loaded) {
        say(format_args!(
            "no end of {id} is recorded, and nobody works on it: it was left (fleet resume {id}), or its history was cut \
             off, which `fleet verify` finds"
        ));
    }
    if replayed.must_agree() && replayed.agrees() == Some(false) {
        complain(format_args!(
            "the verdict of {id} is not what its history gives by the same rule ({}): `fleet verify` looks for \
             damage; if it finds none, please report it",
            replayed.recomputed.rule
        ));
        return Ok(Exit::Differs);
    }
    Ok(Exit::Done)
}
