//! `fleet watch`: follow a deliberation until it ends.

use crate::Exit;
use crate::cli::Watch;
use crate::config::Loaded;
use crate::remote::{Asked, Following};
use crate::show::follow::Signals;
use crate::show::shows::Shows;
use crate::show::{self, follow, say};
use crate::state::{self, Source, source};

pub(super) async fn run(loaded: &Loaded, asked: Watch) -> anyhow::Result<Exit> {
    let id = show::parse_id(&asked.id)?;
    let shows = match (asked.events, asked.json) {
        (true, _) => Shows::Lines,
        (false, true) => Shows::steps(),
        (false, false) => Shows::steps_anywhere(),
    };
    let followed = match source(loaded, asked.server.as_deref()).await? {
        Source::Server(remote) => {
            let find = || match &asked.server {
                Some(address) => Some(address.clone()),
                // It may listen elsewhere after a start.
                None => state::server(loaded).ok().flatten(),
            };
            let what = Asked {
                id: id.to_string(),
                after: asked.after,
                tokens: asked.tokens || shows.writing(),
                only_end: !asked.events,
            };
            let following = Following::new(remote, &find, what);
            let named = asked.server.as_deref();
            follow::remotely(following, id.as_str(), None, named, Signals::listen()?, shows).await?
        }
        Source::Files(coordinator) => {
            if asked.tokens {
                say("what is being written is only seen through a server; only the steps are shown");
            }
            follow::from_files(loaded, &coordinator, &id, asked.after, shows).await?
        }
    };
    match followed {
        Some(outcome) if asked.json || !asked.events => show::outcome(&outcome, "", asked.json),
        Some(outcome) => Ok(show::end(&outcome)),
        // Whoever read the lines has read what it wanted.
        None => Ok(Exit::Done),
    }
}
