//! `fleet explain`: why the winner won, or where it stands.

use fleet_orchestrator::explain::explain;

use crate::Exit;
use crate::cli::ById;
use crate::config::Loaded;
use crate::past::past;
use crate::show::{self, print};
use crate::state::{Source, at_work, source};

pub(super) async fn run(loaded: &Loaded, asked: ById) -> anyhow::Result<Exit> {
    let id = show::parse_id(&asked.id)?;
    let source = source(loaded, asked.server.as_deref()).await?;
    let left = matches!(source, Source::Files(_)) && !at_work(loaded);
    let explanation = explain(&past(&source, &id).await?);
    let text = match asked.json {
        true => serde_json::to_string(&explanation)? + "\n",
        false => show::explain::text(&explanation, left),
    };
    print(&text)?;
    Ok(Exit::Done)
}
