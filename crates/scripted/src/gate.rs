//! A gate that calls wait behind until it is opened.

use tokio::sync::watch;

/// Closed when it is made; once opened, it stays open. Clones are the same gate.
#[derive(Debug, Clone)]
pub struct Gate(watch::Sender<bool>);

impl Gate {
    /// A closed gate.
    #[must_use]
    pub fn closed() -> Gate {
        Gate(watch::Sender::new(false))
    }

    /// Lets all through that wait, and all that come later.
    pub fn open(&self) {
        self.0.send_replace(true);
    }

    pub(crate) async fn passed(&self) {
        // Fails only without a sender, and this is one.
        _ = self.0.subscribe().wait_for(|open| *open).await;
    }
}
