//! Who works on the state, and how it is asked.

use fleet_embedded::{ReadOnly, held_by};
use fleet_orchestrator::Coordinator;

use crate::config::Loaded;
use crate::remote::Remote;
use crate::running;

/// Where a question goes.
pub(crate) enum Source {
    /// To a server.
    Server(Remote),
    /// To the files; nobody who serves works on them.
    Files(Box<Coordinator>),
}

/// The words in the lock file before a server's address.
const SERVING: &str = "serving on ";

/// What a server writes into the lock file.
pub(crate) fn serving(address: std::net::SocketAddr) -> String {
    format!("process {}, a server, {SERVING}{address}", std::process::id())
}

/// The address of the server that wrote a line into the lock file, if it is one.
pub(crate) fn address_in(holder: &str) -> Option<&str> {
    holder.split(SERVING).nth(1)
}

/// The address of the server that works on the state, if there is one.
pub(crate) fn server(loaded: &Loaded) -> anyhow::Result<Option<String>> {
    let holder = held_by(&loaded.state_dir()?);
    Ok(holder.as_deref().and_then(address_in).map(str::to_owned))
}

/// The server that was named, else the one that works on the state, else the files.
pub(crate) async fn source(loaded: &Loaded, server: Option<&str>) -> anyhow::Result<Source> {
    if let Some(address) = server {
        return Ok(Source::Server(Remote::connect(address).await?));
    }
    if let Some(address) = self::server(loaded)? {
        return Ok(Source::Server(Remote::connect(&address).await?));
    }
    let files = ReadOnly::open(&loaded.state_dir()?)?;
    Ok(Source::Files(Box::new(running::reader(loaded, files.events, files.answers).await?)))
}

/// Whether some process works on the state.
pub(crate) fn at_work(loaded: &Loaded) -> bool {
    loaded.state_dir().is_ok_and(|dir| held_by(&dir).is_some())
}
