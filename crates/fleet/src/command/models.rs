//! `fleet models`: a test call to each profile's servers.

use fleet_llm::OpenAi;
use serde::Serialize;

use crate::cli::ShowModels;
use crate::config::Loaded;
use crate::show::{Working, print, say};
use crate::{Exit, Problem, model};

#[derive(Serialize)]
struct Row {
    profile: String,
    server: String,
    /// The model that was asked; empty where none is known.
    model: String,
    ok: bool,
    first_token_ms: Option<u64>,
    tokens: Option<u64>,
    tokens_per_second: Option<f64>,
    models: Vec<String>,
    /// Why it did not answer, and what to do.
    error: Option<String>,
}

pub(super) async fn run(loaded: &Loaded, asked: ShowModels) -> anyhow::Result<Exit> {
    let models = model::servers(loaded, model::World::new()).await?;
    let known: Vec<&str> = models.profiles().collect();
    if let Some(profile) = &asked.profile
        && !known.contains(&profile.as_str())
    {
        let there = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        let message = format!("there is no profile {profile:?} with a server; there are: {there}");
        return Err(Problem::new(Exit::NotFound, message).into());
    }
    let mut rows = Vec::new();
    for profile in
        known.iter().filter(|known| asked.profile.as_deref().is_none_or(|wanted| wanted == **known))
    {
        for server in models.servers(profile) {
            let working = Working::begin(format!("asking {} ...", server.label()));
            rows.push(row(loaded, profile, &server, !asked.list).await);
            working.done();
        }
    }
    if asked.json {
        print(&(serde_json::to_string(&rows)? + "\n"))?;
    } else if rows.is_empty() {
        say(
            "no model server is configured and none was found on the usual local ports; tasks are answered by \
             the simulated model: name a server with model.url or --url",
        );
    } else {
        print(&text(&rows, asked.list))?;
    }
    Ok(if rows.iter().all(|row| row.ok) { Exit::Done } else { Exit::Unavailable })
}

async fn row(loaded: &Loaded, profile: &str, server: &OpenAi, call: bool) -> Row {
    let configured = model::profiles(loaded).into_iter().find(|known| known.name == profile);
    let (name, parameters) = configured.map(|known| (known.model, known.parameters)).unwrap_or_default();
    let listed = server.models().await;
    let models = listed.as_ref().cloned().unwrap_or_default();
    let mut row = Row {
        profile: profile.to_owned(),
        server: server.label().to_owned(),
        model: if name.is_empty() { models.first().cloned().unwrap_or_default() } else { name },
        ok: false,
        first_token_ms: None,
        tokens: None,
        tokens_per_second: None,
        models,
        error: None,
    };
    let not_listed = !row.models.is_empty() && !row.models.contains(&row.model);
    row.error = match listed {
        // Some servers list nothing and answer all the same, if they are told a model.
        Err(error) if row.model.is_empty() || !call => Some(error.message),
        _ if row.model.is_empty() => Some("it lists no model; load one there, or name one".to_owned()),
        _ if not_listed => Some(format!("it does not serve {}, but: {}", row.model, row.models.join(", "))),
        _ => None,
    };
    if row.error.is_some() || !call {
        row.ok = row.error.is_none();
        return row;
    }
    match server.test_call(&row.model, parameters).await {
        Ok(called) => {
            row.ok = true;
            row.first_token_ms = Some(called.first_token_ms);
            row.tokens = Some(called.tokens);
            row.tokens_per_second = called.tokens_per_second;
        }
        Err(error) => row.error = Some(error.message),
    }
    row
}

fn text(rows: &[Row], list: bool) -> String {
    let widest = |of: fn(&Row) -> &str, head: usize| {
        rows.iter().map(|row| of(row).chars().count()).max().unwrap_or(0).max(head)
    };
    let (profiles, servers, models) =
        (widest(|row| &row.profile, 7), widest(|row| &row.server, 6), widest(|row| &row.model, 5));
    let mut text = format!("{:profiles$}  {:servers$}  {:models$}", "PROFILE", "SERVER", "MODEL");
    text += if list { "  SERVES\n" } else { "  FIRST TOKEN  TOKENS/S\n" };
    for row in rows {
        let Row { profile, server, model, .. } = row;
        text += &format!("{profile:profiles$}  {server:servers$}  {model:models$}");
        text += &match (&row.error, row.first_token_ms) {
            (Some(error), _) => format!("  FAILED: {error}\n"),
            (None, Some(first)) => {
                let rate = row.tokens_per_second.map_or("-".to_owned(), |rate| format!("{rate:.1}"));
                format!("  {:>8} ms  {rate:>8}\n", first)
            }
            (None, None) => format!("  {}\n", row.models.join(", ")),
        };
    }
    if !list {
        text += "(one call of at most 64 tokens each; a server that is busy or cold answers later)\n";
    }
    text
}
