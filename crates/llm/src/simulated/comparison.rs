//! How the simulated model compares drafts: mostly rightly, and not always the same way round.

use serde_json::json;

use super::draft::{Draft, Flaw};
use crate::dice::Dice;

/// Which of two drafts a judge prefers.
pub(super) fn judgement(user: &str, dice: &mut Dice) -> String {
    let drafts = Draft::all_marked(user);
    let [first, second] = drafts[..] else {
        // Not its own: it cannot tell.
        return json!({"reason": "Both look plausible.", "better": "neither"}).to_string();
    };
    let (a, b) = (worth(first) + dice.below(4), worth(second) + dice.below(4));
    let (better, reason) = match a.cmp(&b) {
        std::cmp::Ordering::Greater => ("A", "A leaves less open at the edges."),
        std::cmp::Ordering::Less => ("B", "B leaves less open at the edges."),
        std::cmp::Ordering::Equal => ("neither", "They are right in the same cases."),
    };
    json!({"reason": reason, "better": better}).to_string()
}

/// Which of several drafts an architect chooses, and what it cites of it.
pub(super) fn choice(user: &str, dice: &mut Dice) -> String {
    let drafts = Draft::all_marked(user);
    let mut best = (0, 0);
    for (place, draft) in drafts.iter().enumerate() {
        let worth = worth(*draft) + dice.below(2);
        if worth > best.1 {
            best = (place, worth);
        }
    }
    chosen(user, best.0)
}

/// The choice of the proposal in a place, citing what there is of it.
pub(super) fn chosen(user: &str, place: usize) -> String {
    let letter = char::from(b'A' + u8::try_from(place).unwrap_or(0));
    let ids =
        user.rsplit_once("of these ids: ").map_or("", |(_, behind)| behind.lines().next().unwrap_or(""));
    let ids = ids.split(". ").next().unwrap_or_default().split(", ");
    let cites: Vec<&str> = ids.filter(|id| id.starts_with(letter)).take(2).collect();
    json!({"cites": cites, "reason": "It is the one to build on.", "choice": letter.to_string()}).to_string()
}

/// How good a draft is.
fn worth(draft: Draft) -> u64 {
    let flaw = match draft.flaw {
        Flaw::None => 12,
        Flaw::Subtle => 4,
        Flaw::UnclosedBracket | Flaw::BadIndentation | Flaw::MissingColon => 0,
    };
    draft.quality + flaw
}
