//! What agents are told. What a council shares stands first and what differs stands last, so that an
//! inference server's prefix cache serves it.

mod compare;
mod section;

use std::fmt::Write as _;

pub use compare::{Exhibit, citable, judge, label, select, write_tests};
pub use section::{RESULTS_BYTES_MAX, REVIEW_BYTES_MAX, results_bytes, review_bytes};
use section::{findings, results};

use crate::{CheckReport, Opened, Review};

/// A prompt: how to behave, and what is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// How the agent is to behave; the same for every job of a deliberation.
    pub system: String,
    /// What is asked of it.
    pub user: String,
}

impl Prompt {
    /// How long it is.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.system.len() + self.user.len()
    }
}

/// By how much an agent in diversity mode samples hotter.
pub const DIVERSITY_HEAT: f64 = 1.3;

/// The approaches of the agents in diversity mode, by seat: different ideas beat hotter sampling
/// (arXiv 2409.03733).
const LENSES: [&str; 12] = [
    "Simplicity first: find the smallest solution that is still complete, and leave everything else out.",
    "Failure first: begin with what can go wrong, and let the solution follow from surviving it.",
    "Data first: settle the data structures and their invariants, and let the steps follow from them.",
    "Tests first: begin with the cases that a solution must pass, and build exactly what they ask.",
    "Performance first: find what limits time and memory, and shape the solution around it.",
    "Standard parts first: rest on well-known libraries and tools, and write as little as possible anew.",
    "Security first: begin with who could misuse it and how, and leave them no way.",
    "Operations first: build what is easy to deploy, observe and repair at three in the morning.",
    "State as little as possible: pure steps from input to output, with effects only at the edge.",
    "Declare rather than do: describe the solution as data, tables or rules that a small engine reads.",
    "Streams rather than wholes: work on one item at a time, so that the size of the input never matters.",
    "Change first: build what is easiest to alter when the next requirement comes.",
];

/// Asks the agent in `seat` for a proposal. The agent in seat 0 answers plainly, every other one in
/// diversity mode.
#[must_use]
pub fn propose(opened: &Opened, seat: usize) -> Prompt {
    let mut user = task(opened);
    user.push_str(CONTENTS);
    user.push_str(&approach(seat));
    Prompt { system: system(opened), user }
}

/// What the agent in `seat` is told beside what all are; nothing for the one that answers plainly.
pub(crate) fn approach(seat: usize) -> String {
    lens(seat).map_or_else(String::new, |lens| {
        format!(
            "\n# Your approach\n\nOthers work on the same task. Take an approach of your own, not the first \
             one that comes to mind. {lens}\n"
        )
    })
}

/// Asks for a review of another agent's `text`, whose checks gave `checks`.
#[must_use]
pub fn critique(opened: &Opened, text: &str, checks: &CheckReport) -> Prompt {
    let mut user = task(opened);
    proposal(&mut user, "A colleague's proposal", text, checks);
    user.push_str(
        "\n# Your review\n\nReview the proposal against the task, the rubric, the requirements and the check \
         results. Hold against it only what you can point to: the id of a check result such as lint/1, words \
         quoted from the proposal, or an input with what comes out and what should. A finding without such \
         evidence is taken as advice and asks for no change. Answer with one JSON object and nothing else:\n\n\
         {\"findings\": [{\"severity\": \"high\" (it fails the task) or \"medium\" or \"low\", \"location\": where \
         in the proposal, \"claim\": what is wrong, \"evidence\": what shows it}], \"score\": a number from 0 \
         (useless) to 10 (could not be better), \"summary\": one or two sentences}\n\nLeave \"findings\" empty if \
         there is nothing to mend.\n",
    );
    Prompt { system: system(opened), user }
}

/// Asks an author to revise its own `text`, whose checks gave `checks`, with the `review` it got, if any.
#[must_use]
pub fn revise(opened: &Opened, text: &str, checks: &CheckReport, review: Option<&Review>) -> Prompt {
    let mut user = task(opened);
    proposal(&mut user, "Your proposal", text, checks);
    if let Some(review) = review {
        user.push_str("\n# A colleague's review\n\n");
        user.push_str(&findings(review, true, None).text);
    }
    user.push_str(
        "\n# Your revision\n\nWrite the whole proposal anew. Mend what the checks and the review show to be \
         wrong; where the review is mistaken, keep what is right. Keep what is good. Do not speak of the \
         review: the revision stands for itself.\n",
    );
    user.push_str(CONTENTS);
    Prompt { system: system(opened), user }
}

fn lens(seat: usize) -> Option<String> {
    let nth = seat.checked_sub(1)?;
    let lens = LENSES[nth % LENSES.len()];
    // More agents than lenses: the same lens comes again with another one beside it.
    match nth / LENSES.len() {
        0 => Some(lens.to_owned()),
        turn => Some(format!("{lens} And beside it: {}", LENSES[(nth + turn) % LENSES.len()])),
    }
}

const CONTENTS: &str = "\n# What an answer must contain\n\nIn Markdown: an analysis of the task; the approach and \
    why; the implementation, complete, with code in fenced blocks that name their language; and the challenges \
    that remain.\n";

fn system(opened: &Opened) -> String {
    system_of(opened, opened.submission.role.as_str())
}

/// How an agent of `role` is to behave, in the council of another as well.
fn system_of(opened: &Opened, role: &str) -> String {
    let submission = &opened.submission;
    let mut system = expertise(role);
    if !submission.task.rubric.is_empty() {
        let _ = write!(system, "\n\nAnswers are judged by this rubric:\n{}", submission.task.rubric);
    }
    if !submission.task.requirements.is_empty() {
        system.push_str("\n\nEvery answer must fulfil these requirements:\n");
        submission.task.requirements.iter().for_each(|requirement| {
            let _ = writeln!(system, "- {requirement}");
        });
    }
    system
}

fn expertise(role: &str) -> String {
    let of = match role {
        "DEV" => "an expert software developer. You write clean, maintainable and tested code",
        "QA" => {
            "an expert in quality assurance. You think in testing strategies, edge cases and the bugs others miss"
        }
        "ARCHITECT" => {
            "an expert software architect. You think in system design, scalability and well-understood patterns"
        }
        "DEVOPS" => {
            "an expert DevOps engineer. You think in deployment, CI/CD, infrastructure and reliability"
        }
        "DATA" => "an expert data engineer. You think in pipelines, storage and data quality",
        other => {
            return format!("You are an expert in the role {other}. You solve tasks of this role with care.");
        }
    };
    format!("You are {of}.")
}

fn task(opened: &Opened) -> String {
    let task = &opened.submission.task;
    let mut user = format!("# Task\n\n{}\n", task.description);
    if !task.metadata.is_empty() {
        user.push_str("\n# Further context\n\n");
        for (key, value) in &task.metadata {
            let _ = writeln!(user, "- {key}: {value}");
        }
    }
    user
}

fn proposal(user: &mut String, title: &str, text: &str, checks: &CheckReport) {
    let _ = write!(user, "\n# {title}\n\n<proposal>\n{text}\n</proposal>\n\n# Check results\n\n");
    user.push_str(&results(checks).text);
}
