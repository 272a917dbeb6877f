//! What can be read of deliberations: one of them as it is or as it goes on, or lists of them.

use std::sync::Arc;

use fleet_deliberation::{Deliberation, DeliberationId, Ended, Rejection, Status, Timestamp};
use tokio::sync::watch;

use super::Coordinator;
use crate::announcement::error_type;
use crate::histories::Loaded;
use crate::hours::HourStanding;
use crate::past::Recording;
use crate::port::{HistoryInfo, HistoryKind, Listing, StoreError};
use crate::updates::Updates;
use crate::view::{self, View};
use crate::{AtWork, HandleError, chain, rfc3339};

/// How many deliberations are looked at for a list of some of them.
pub const LOOKED_AT_MAX: usize = 10_000;

/// Which deliberations are to be listed. What is `None` does not matter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// How it stands.
    pub status: Option<Status>,
    /// The council's role, in small or in capital letters.
    pub role: Option<String>,
    /// What kind of end it was, such as `cancelled`, of those that gave no verdict.
    pub error_type: Option<String>,
}

impl Filter {
    fn lets_through(&self, state: &Deliberation) -> bool {
        let role = &state.submission().role;
        self.status.is_none_or(|status| status == state.status())
            && self.role.as_deref().is_none_or(|wanted| role.as_str().eq_ignore_ascii_case(wanted))
            && self.error_type.as_deref().is_none_or(|wanted| error_type(state) == Some(wanted))
    }
}

impl Coordinator {
    /// A deliberation with the texts of its results, as long as it is served.
    pub async fn view(&self, id: &DeliberationId) -> Result<View, HandleError> {
        let loaded = self.served(id).await?;
        Ok(view::of(&loaded.state, &*self.answers).await?)
    }

    /// The updates of a deliberation behind `after`, which is 0 or the sequence of one of them, as long as it
    /// is served.
    pub async fn updates(&self, id: &DeliberationId, after: u64) -> Result<Updates, HandleError> {
        self.served(id).await?;
        let (histories, answers) = (Arc::clone(&self.histories), Arc::clone(&self.answers));
        Updates::open(histories, answers, Arc::clone(&self.clock), id.clone(), after).await
    }

    /// What was recorded of a deliberation, however long ago it ended.
    pub async fn recording(&self, id: &DeliberationId) -> Result<Recording, HandleError> {
        let recording = Recording::read(id, &**self.histories.store(), &self.answers).await?;
        recording.ok_or_else(|| Rejection::Unknown(id.clone()).into())
    }

    /// The deliberations that are kept, newest first, whether or not their results are still served: up to
    /// `limit`.
    pub async fn kept(&self, limit: usize) -> Result<Vec<HistoryInfo>, HandleError> {
        let listing = Listing::Newest { kind: HistoryKind::Deliberation, limit };
        Ok(self.histories.store().histories(listing).await?)
    }

    /// Follows a deliberation.
    pub async fn watch(&self, id: &DeliberationId) -> Result<watch::Receiver<Arc<Loaded>>, HandleError> {
        let receiver = self.histories.watch(id).await?;
        receiver.ok_or_else(|| Rejection::Unknown(id.clone()).into())
    }

    /// Waits until a deliberation has ended, or until `moment`.
    pub async fn ended(&self, id: &DeliberationId, moment: Timestamp) -> Result<(), HandleError> {
        let mut watched = self.watch(id).await?;
        tokio::select! {
            biased;
            // The sender goes only with the coordinator; then there is nothing to wait for.
            _ = watched.wait_for(|loaded| loaded.state.ended.is_some()) => {}
            () = self.clock.sleep_until(moment) => {}
        }
        Ok(())
    }

    /// Up to `limit` deliberations that a filter lets through, those opened last first. Of those that have
    /// ended, only the last [`LOOKED_AT_MAX`] are looked at.
    pub async fn newest(&self, limit: usize, filter: &Filter) -> Result<Vec<Arc<Loaded>>, HandleError> {
        let kind = HistoryKind::Deliberation;
        let infos = match filter.status {
            Some(Status::Pending | Status::InProgress) => {
                let mut open = self.histories.store().histories(Listing::Open(kind)).await?;
                open.reverse();
                open
            }
            _ => {
                let looked_at = if *filter == Filter::default() { limit } else { LOOKED_AT_MAX };
                self.histories.store().histories(Listing::Newest { kind, limit: looked_at }).await?
            }
        };
        let mut newest = Vec::new();
        for info in infos {
            if newest.len() == limit {
                break;
            }
            if let Some(id) = info.id.as_deliberation()
                && let Some(loaded) = self.readable(&id).await?
                && filter.lets_through(&loaded.state)
            {
                newest.push(loaded);
            }
        }
        Ok(newest)
    }

    /// Where the hours of the councils stand that may only spend so much in one, by role.
    pub async fn hours(&self) -> Result<Vec<HourStanding>, StoreError> {
        self.hours.standing(self.councils.all().iter().map(|council| &council.role)).await
    }

    /// What the councils are busy with.
    pub async fn at_work(&self) -> Result<AtWork, HandleError> {
        let mut at_work = AtWork::default();
        let open = Listing::Open(HistoryKind::Deliberation);
        for info in self.histories.store().histories(open).await? {
            if let Some(id) = info.id.as_deliberation()
                && let Some(loaded) = self.readable(&id).await?
            {
                at_work.count(&loaded.state);
            }
        }
        Ok(at_work)
    }

    /// A deliberation, unless its history cannot be read: one of them must not hide the others.
    async fn readable(&self, id: &DeliberationId) -> Result<Option<Arc<Loaded>>, StoreError> {
        match self.histories.load(id).await {
            Err(error @ StoreError::Corrupt(..)) => {
                tracing::error!(deliberation.id = %id, error = chain(&error), "a history cannot be read");
                Ok(None)
            }
            other => other,
        }
    }

    async fn served(&self, id: &DeliberationId) -> Result<Arc<Loaded>, HandleError> {
        let loaded = self.known(id).await?;
        if let Some(Ended { at, .. }) = &loaded.state.ended
            && self.clock.now() > at.plus_ms(self.settings.served_ms)
        {
            return Err(HandleError::NoLongerServed {
                id: id.clone(),
                ended_at: rfc3339(*at),
                served_s: self.settings.served_ms / 1000,
            });
        }
        Ok(loaded)
    }
}
