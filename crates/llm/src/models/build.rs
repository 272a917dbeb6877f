//! Makes pools from settings; a server that several profiles name is made once.

use std::collections::BTreeMap;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};

use super::settings::{BadModels, ModelsSettings, ServerSettings};
use crate::openai::canonical;
use crate::pool::{Bounds, Gate, Pool, Servers, World};
use crate::{OpenAi, SIMULATED, ServerConfig};

/// The pools of all profiles, and their servers.
pub(super) fn pools(
    settings: &ModelsSettings,
    world: &World,
) -> Result<(BTreeMap<String, Pool>, Arc<Servers>), BadModels> {
    let mut known: Vec<Known<'_>> = Vec::new();
    let mut members_of = BTreeMap::new();
    for (profile, pool) in &settings.profiles {
        if profile == SIMULATED {
            return Err(BadModels::Reserved(profile.clone()));
        }
        if pool.servers.is_empty() {
            return Err(BadModels::NoServer(profile.clone()));
        }
        let mut members = Vec::with_capacity(pool.servers.len());
        for server in &pool.servers {
            let (url, label) = canonical(&server.url)
                .map_err(|source| BadModels::Server { profile: profile.clone(), source })?;
            let at = match known.iter().position(|known| known.is(&url, server)) {
                Some(at) if !known[at].agrees(server) => {
                    let (one, other) = (known[at].profile.to_owned(), profile.clone());
                    return Err(BadModels::Disagree { one, other, server: label });
                }
                Some(at) => at,
                None => {
                    known.push(Known { profile, url, label: label.clone(), settings: server });
                    known.len() - 1
                }
            };
            if members.contains(&at) {
                return Err(BadModels::Twice { profile: profile.clone(), server: label });
            }
            members.push(at);
        }
        members_of.insert(profile.clone(), (members, pool.hedge_after_ms));
    }
    let clients = known.iter().map(Known::client).collect::<Result<Vec<_>, _>>()?;
    let bounds = known.iter().map(|known| (known.label.clone(), bounds(known.settings)));
    let gate = Gate::new(bounds, settings.health_every_ms, world.clock.clone(), world.entropy.clone());
    let servers = Arc::new(Servers { clients, gate: Arc::new(gate) });
    let pools = members_of.into_iter().map(|(profile, (members, hedge_after_ms))| {
        let pool = Pool::new(Some(&profile), Arc::clone(&servers), members, hedge_after_ms, world.clone());
        (profile, pool)
    });
    Ok((pools.collect(), Arc::clone(&servers)))
}

/// A server, by whoever named it first.
struct Known<'a> {
    profile: &'a str,
    url: String,
    label: String,
    settings: &'a ServerSettings,
}

impl Known<'_> {
    /// With another key it is another account, and counts as another server.
    fn is(&self, url: &str, server: &ServerSettings) -> bool {
        let key = |key: &Option<SecretString>| key.as_ref().map(|key| key.expose_secret().to_owned());
        self.url == url && key(&self.settings.api_key) == key(&server.api_key)
    }

    fn agrees(&self, server: &ServerSettings) -> bool {
        bounds(self.settings) == bounds(server) && self.settings.limits == server.limits
    }

    fn client(&self) -> Result<Arc<OpenAi>, BadModels> {
        let ServerSettings { url, api_key, limits, .. } = self.settings;
        let config = ServerConfig { url: url.clone(), api_key: api_key.clone(), limits: *limits };
        let client = OpenAi::new(config)
            .map_err(|source| BadModels::Server { profile: self.profile.into(), source })?;
        Ok(Arc::new(client))
    }
}

const fn bounds(server: &ServerSettings) -> Bounds {
    Bounds { calls_max: server.calls_max, tokens_per_minute_max: server.tokens_per_minute_max }
}
