//! Who spoke through which model, and how different what they wrote is.

use std::collections::{BTreeMap, BTreeSet};

use fleet_deliberation::{Deliberation, Generation, JobKind, Lane, Outcome, Parameters, jobs_after};
use serde::Serialize;

use super::cost::doer;
use crate::past::Past;

/// What an agent spoke through.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelShown {
    /// The agent.
    pub agent_id: String,
    /// Its seat, from 0. The agent in seat 0 answers plainly, every other one in diversity mode: hotter, and
    /// by an approach of its own.
    pub seat: usize,
    /// Whether it proposed in diversity mode.
    pub diversity: bool,
    /// The model profile.
    pub profile: String,
    /// The model it was to speak through.
    pub model: String,
    /// The models that answered, by the names their servers gave.
    pub answered_by: BTreeSet<String>,
    /// The agent's own server; `None` where the profile names the servers.
    pub endpoint: Option<String>,
    /// The sampling temperature of the profile.
    pub temperature: f64,
    /// The temperatures its answers were written at, by kind of job.
    pub temperatures: BTreeMap<&'static str, BTreeSet<String>>,
    /// The most tokens of one answer.
    pub tokens_max: u32,
    /// What was sent with every request besides; `seed`, if one was given, is among them.
    pub parameters: Parameters,
    /// How many of its answers were cut off at the limit of tokens.
    pub truncated: u32,
}

/// How different the proposals in force are, by the sketches of their texts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Diversity {
    /// Pairs of proposals that could be compared.
    pub pairs: u32,
    /// The mean likeness of the pairs, from 0 to 1.
    pub mean_likeness: f64,
    /// The authors of the pair that is most alike.
    pub most_alike: (String, String),
    /// How alike these are, from 0 to 1.
    pub most_likeness: f64,
}

pub(super) fn of(past: &Past) -> Vec<ModelShown> {
    let members = past.state.submission().members.iter().enumerate();
    let shown = members.map(|(seat, member)| {
        let profile = &member.profile;
        ModelShown {
            agent_id: member.agent.to_string(),
            seat,
            diversity: seat > 0,
            profile: profile.name.clone(),
            model: profile.model.clone(),
            answered_by: BTreeSet::new(),
            endpoint: profile.endpoint.clone(),
            temperature: profile.temperature,
            temperatures: BTreeMap::new(),
            tokens_max: profile.tokens_max,
            parameters: (*profile.parameters).clone(),
            truncated: 0,
        }
    });
    let mut shown: Vec<ModelShown> = shown.collect();
    let mut seen = BTreeSet::new();
    let asked = past.events().flat_map(|asked| jobs_after(past.id(), asked.event));
    for job in asked.filter(|job| seen.insert(job.clone())) {
        let Some(generation) = past.answer(&job).and_then(|answer| generation(&answer.outcome)) else {
            continue;
        };
        let agent = doer(&past.state, job.kind, &job.subject);
        if let Some(shown) = shown.iter_mut().find(|shown| shown.agent_id == agent.as_str()) {
            shown.take(job.kind, generation);
        }
    }
    shown
}

impl ModelShown {
    fn take(&mut self, kind: JobKind, generation: &Generation) {
        self.answered_by.insert(generation.model.clone());
        // As text: numbers with a fraction have no order of their own.
        let temperature = format!("{:.2}", generation.temperature);
        self.temperatures.entry(kind.as_str()).or_default().insert(temperature);
        self.truncated += u32::from(generation.truncated);
    }
}

fn generation(outcome: &Outcome) -> Option<&Generation> {
    match outcome {
        Outcome::Text(generation)
        | Outcome::Review { generation, .. }
        | Outcome::Judgement { generation, .. }
        | Outcome::Choice { generation, .. } => Some(generation),
        Outcome::Checks(_) | Outcome::Trial(_) | Outcome::Failed(_) => None,
    }
}

pub(super) fn diversity(state: &Deliberation) -> Option<Diversity> {
    let written: Vec<&Lane> = state.lanes.iter().filter(|lane| lane.current().is_some()).collect();
    let (mut pairs, mut sum, mut most) = (0, 0.0, None);
    for (place, lane) in written.iter().enumerate() {
        for other in &written[..place] {
            let (Some(one), Some(two)) = (other.current(), lane.current()) else { continue };
            let Some(likeness) = one.sketch.likeness(&two.sketch) else { continue };
            pairs += 1;
            sum += likeness;
            if most.as_ref().is_none_or(|(_, known)| likeness > *known) {
                most = Some(((other.author.to_string(), lane.author.to_string()), likeness));
            }
        }
    }
    let (most_alike, most_likeness) = most?;
    Some(Diversity { pairs, mean_likeness: sum / f64::from(pairs), most_alike, most_likeness })
}
