//! Models by the name of the profile that asks for them.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use fleet_deliberation::{FailureKind, Generation};
use fleet_orchestrator::port::{LanguageModel, ModelError, ModelRequest, Tokens};

/// Passes each call on to the model of its profile.
#[derive(Clone, Default)]
pub struct Profiles {
    models: BTreeMap<Arc<str>, Arc<dyn LanguageModel>>,
}

impl Profiles {
    /// No profiles yet.
    #[must_use]
    pub fn new() -> Profiles {
        Profiles::default()
    }

    /// The same profiles, and one more; it replaces an earlier one of its name.
    #[must_use]
    pub fn with(mut self, profile: &str, model: Arc<dyn LanguageModel>) -> Profiles {
        self.models.insert(profile.into(), model);
        self
    }
}

#[async_trait]
impl LanguageModel for Profiles {
    async fn complete(
        &self,
        request: &ModelRequest,
        heard: &(dyn Fn(Tokens) + Send + Sync),
    ) -> Result<Generation, ModelError> {
        let Some(model) = self.models.get(&request.profile) else {
            let known: Vec<&str> = self.models.keys().map(AsRef::as_ref).collect();
            let (profile, known) = (&request.profile, known.join(", "));
            let message = format!("there is no model profile {profile} here; there are: {known}");
            return Err(ModelError { kind: FailureKind::NotFound, message, retry_after_ms: None });
        };
        model.complete(request, heard).await
    }
}
