//! The rules of a deliberation: pure, without I/O, clock or chance.

mod answer;
mod budget;
mod check;
mod command;
mod council;
mod decide;
mod event;
mod evolve;
mod grouped;
mod hour;
mod id;
mod jobs;
mod parameters;
mod profile;
pub mod prompts;
mod record;
mod schedule;
mod selection;
mod sketch;
mod state;
mod task;
mod testing;
mod time;
mod verdict;

pub use answer::{
    Answer, Choice, Failure, FailureKind, Finding, FindingCounts, Generation, Judgement, Outcome, Review,
    Severity, Usage,
};
pub use budget::{ATTEMPTS_MAX, Budget, Cost, Cut, Dropped, Effort, MONEY_MAX, Prices, Purse, SCHEMA_TOKENS};
pub use check::{
    CheckKind, CheckOutcome, CheckReport, CheckResult, CheckSummary, Fault, Run, Standing, TESTS_MAX, Tally,
    TestOutcome,
};
pub use command::{Command, Report};
pub use council::{
    AGENT_TEXT_BYTES_MAX, AGENT_TEXTS_MAX, Agent, Capabilities, Council, CouncilCommand, CouncilEvent,
    CouncilSettings, decide_council, evolve_council,
};
pub use decide::{Decision, decide};
pub use event::{Ending, Event, Opened, Window};
pub use evolve::{evolve, replay};
pub use grouped::Grouped;
pub use hour::{Hour, HourEvent, HourLedger, Reservation};
pub use id::{AgentId, DeliberationId, ID_BYTES_MAX, IdError, JobId, JobKind, Role};
pub use jobs::{Assignment, Contestant, Work, jobs_after};
pub use parameters::{
    BadParameter, PARAMETERS_BYTES_MAX, PARAMETERS_MAX, Parameters, STOP_BYTES_MAX, STOPS_MAX,
    check_parameters,
};
pub use profile::{BASE_URL_BOUND, Profile, is_base_url};
pub use record::{Digest, Record, RecordError, SCHEMA};
pub use selection::{
    CITES_MAX, Choosing, Chosen, Comparison, JUDGES_MAX, Judging, Preference, Selection, TOP_K_MAX, Vote,
    check_judges, check_test_writers, check_top_k,
};
pub use sketch::{BadSketch, NEARLY_THE_SAME, SKETCH_LENGTH, Sketch};
pub use state::{
    Deliberation, Ended, JobCounts, Lane, PeerScore, Phase, Status, Step, Version, check_job, text_job,
};
pub use task::{
    AGENTS_MAX, DESCRIPTION_BYTES_MAX, METADATA_BYTES_MAX, METADATA_MAX, Member, Priority,
    REQUIREMENT_BYTES_MAX, REQUIREMENTS_MAX, ROUNDS_MAX, RUBRIC_BYTES_MAX, Submission, TESTS, TIMEOUT_MS_MAX,
    TIMEOUT_MS_MIN, Task, check_agents, check_rounds, check_timeout,
};
pub use testing::{Behaviour, TEST_WRITERS_MAX, TRIAL_TESTS_MAX, Testing, Trial};
pub use time::Timestamp;
pub use verdict::{
    Copied, Merit, NO_ACCEPTABLE_PROPOSAL, Peers, RULE, Ranked, Strength, Tiebreak, Verdict, Votes,
};

/// Why a command was refused. Nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// There is no such deliberation.
    #[error("there is no deliberation {0}")]
    Unknown(DeliberationId),
    /// A field of the command is out of its bounds.
    #[error("{field} {reason}")]
    Malformed {
        /// The field, as the wire names it.
        field: String,
        /// What is wrong with it, and what would be right.
        reason: String,
    },
    /// The id is taken by a submission with other content.
    #[error("deliberation {0} was already submitted with other content; use another task_id")]
    OtherContent(DeliberationId),
    /// What is to be made is there.
    #[error("{0}")]
    Taken(String),
    /// What the command is about is not there.
    #[error("{0}")]
    NotThere(String),
    /// The command does not fit the state of things.
    #[error("{0}")]
    NotNow(String),
}
