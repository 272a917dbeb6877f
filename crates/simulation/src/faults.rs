//! Which faults a run has, and how many.

use crate::rng::Rng;

/// Per mille of the operations that each fault hits.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Faults {
    /// An operation is refused and has no effect.
    pub(crate) refused: u64,
    /// An operation has its effect, and its acknowledgement is lost.
    pub(crate) unacknowledged: u64,
    /// The process dies just before or just after an operation's effect.
    pub(crate) crash: u64,
    /// A job is lost on its way through the queue.
    pub(crate) job_lost: u64,
    /// A job is handed out although it is leased.
    pub(crate) job_doubled: u64,
    /// The longest an operation takes each way, in milliseconds.
    pub(crate) delay_ms: u64,
    /// A process that died takes the queue's content with it.
    pub(crate) queue_forgets: bool,
}

impl Faults {
    /// Faults of one run. Each kind is missing from some runs, so that no kind can hide another one.
    pub(crate) fn draw(rng: &mut Rng) -> Faults {
        let mut some = |max: u64| if rng.chance(600) { rng.below(max) } else { 0 };
        Faults {
            refused: some(80),
            unacknowledged: some(80),
            crash: some(15),
            job_lost: some(200),
            job_doubled: some(150),
            delay_ms: some(200),
            queue_forgets: some(2) == 1,
        }
    }
}
