//! `fleet watch`: follow a deliberation until it ends.

use crate::cli::ById;
use crate::config::Loaded;
use crate::show::{self, follow};
use crate::state::{Source, source};

pub(super) async fn run(loaded: &Loaded, asked: ById) -> anyhow::Result<crate::Exit> {
    let id = show::parse_id(&asked.id)?;
    let outcome = match source(loaded, asked.server.as_deref()).await? {
        Source::Server(remote) => {
            follow::remotely(&remote, id.as_str(), false, follow::Signals::listen()?).await?
        }
        Source::Files(coordinator) => follow::from_files(loaded, &coordinator, &id).await?,
    };
    show::outcome(&outcome, "", asked.json)
}
