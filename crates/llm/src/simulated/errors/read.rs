//! What a prompt shows, as far as the error model reads it.

use super::{Attempt, ErrorTrial};

/// What the proposals in a prompt are, in its order; `None` of one whose code is none that the key has.
pub(super) fn shown(trial: &ErrorTrial, prompt: &str) -> impl Iterator<Item = Option<Attempt>> {
    prompt.split("<proposal>\n").skip(1).map(|proposal| {
        let (proposal, _) = proposal.split_once("\n</proposal>").unwrap_or((proposal, ""));
        let code = code(proposal)?;
        let wrong = trial.key.wrong.iter().position(|wrong| wrong.trim() == code);
        match wrong {
            Some(at) => Some(Attempt::Wrong(at)),
            None => (trial.key.solution.trim() == code).then_some(Attempt::Right),
        }
    })
}

/// The first block of code of a proposal.
fn code(proposal: &str) -> Option<&str> {
    let (_, fence) = proposal.split_once("```")?;
    let (_, code) = fence.split_once('\n')?;
    code.split("\n```").next().map(str::trim)
}

/// Whether the review in a prompt has a finding with evidence.
pub(super) fn has_evidence(prompt: &str) -> bool {
    prompt.split_once("\n# A colleague's review\n").is_some_and(|(_, review)| review.contains("(evidence: "))
}

/// The number at the end of an agent's name, without zeros before it; the name where it has none. So the third
/// agent of a council and the third sample make the same attempt.
pub(super) fn number(agent: &str) -> String {
    let last = agent.rsplit('-').next().unwrap_or_default();
    last.parse::<u32>().map_or_else(|_| agent.to_owned(), |number| number.to_string())
}
