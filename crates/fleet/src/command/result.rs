//! `fleet result`: how a deliberation stands, once.

use crate::cli::ById;
use crate::config::Loaded;
use crate::show;
use crate::show::standing::Standing;
use crate::state::{Source, source};

pub(super) async fn run(loaded: &Loaded, asked: ById) -> anyhow::Result<crate::Exit> {
    let id = show::parse_id(&asked.id)?;
    let standing = match source(loaded, asked.server.as_deref()).await? {
        Source::Server(remote) => Standing::of_response(remote.result(id.as_str()).await?)?,
        Source::Files(coordinator) => Standing::of_view(&coordinator.view(&id).await?),
    };
    match standing {
        Standing::Ended(outcome) => show::outcome(&outcome, "", asked.json),
        Standing::Open(open) => show::open(&open, asked.json),
    }
}
