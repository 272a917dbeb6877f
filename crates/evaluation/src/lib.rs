//! The rules of an evaluation: which tasks are brought before which arms, what is measured, and how it is
//! reported. Pure: texts in, texts out; what runs the arms is elsewhere.

mod arm;
mod outcome;
mod plot;
mod rates;
mod report;
mod statistics;
mod task;

pub use arm::{Arm, BadArms, SAMPLES_MAX, Trial, check_arms, draws_another};
pub use outcome::{Cell, Outcome, Proposal, Revisions, Score};
pub use plot::{Line, Point, Row, lines, rows};
pub use rates::{BadRates, POINTS_MAX, Rate, Rates, Sweep};
pub use report::{
    ArmReport, DISTINCT_WANTED, Difference, KEYWORDS_WANTED, Report, Setup, Share, SweepReport, Unscored,
    markdown, sweep_markdown,
};
pub use statistics::{Estimate, RESAMPLES, estimate, mean};
pub use task::{BadTasks, LANGUAGES, TASK_ID_BYTES_MAX, Task, read_tasks};
