//! Looks at what a command uses, with all that it started, and says when it is too much.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::process::getpid;

use crate::ended::Limit;
use crate::limits::Limits;
use crate::processes::{self, Process};
use crate::scratch::{self, Content};

/// How often it looks at processes, in milliseconds.
const TICK_MS: u64 = 20;
/// How often it looks at files, in milliseconds.
const FOLDER_TICK_MS: u64 = 100;
/// From one in so many of the processes that it may have, a quick look is not enough.
const CROWD: u64 = 4;
/// Looking takes at most one part in so many of the time.
const SHARE: u32 = 10;

/// Where the scratch folder is.
pub(crate) enum Scratch {
    /// In memory, where its size is kept by the kernel.
    Memory(OwnedFd),
    /// On disk.
    Folder(PathBuf),
}

/// Looks at all that descends from this process.
pub(crate) struct Watch {
    limits: Limits,
    /// Processes of the sandbox itself: how many, and once they are known, which.
    own_tasks: u64,
    own_pids: Vec<i32>,
    /// Bytes in files that the sandbox itself has made.
    own_file_bytes: u64,
    scratch: Scratch,
    /// Processes that could not be looked into the last time: while another program is started, or for good.
    closed: BTreeSet<i32>,
    page_bytes: u64,
    ticks_per_s: u64,
    due: Instant,
    folder_due: Instant,
}

impl Watch {
    pub(crate) fn new(limits: Limits, own_tasks: u64, own_file_bytes: u64, scratch: Scratch) -> Self {
        let now = Instant::now();
        let page_bytes = rustix::param::page_size() as u64;
        let ticks_per_s = rustix::param::clock_ticks_per_second().max(1);
        Self {
            limits,
            own_tasks,
            own_pids: Vec::new(),
            closed: BTreeSet::new(),
            own_file_bytes,
            scratch,
            page_bytes,
            ticks_per_s,
            due: now,
            folder_due: now,
        }
    }

    /// To be told when the command is started: until then each process has one child, which is the sandbox's.
    pub(crate) fn start(&mut self) {
        self.own_pids = processes::descendants(getpid().as_raw_nonzero().get());
        self.own_pids.truncate(usize::try_from(self.own_tasks).unwrap_or(0));
    }

    /// When it is to look again.
    pub(crate) fn due(&self) -> Instant {
        self.due
    }

    /// What there is too much of.
    pub(crate) fn look(&mut self) -> Option<Limit> {
        let started = Instant::now();
        let own = getpid().as_raw_nonzero().get();
        let mut found = self.read(processes::descendants(own));
        if found.len() as u64 > self.limits.processes / CROWD {
            found = self.read(processes::descendants_thoroughly(own));
        }
        let over = self.tasks(&found).or_else(|| self.cpu(own, &found));
        found.retain(|process| !self.own_pids.contains(&process.pid));
        let over = over.or_else(|| self.memory(&found));
        self.due = next(started, TICK_MS);
        over.or_else(|| self.files(&found))
    }

    fn read(&self, pids: Vec<i32>) -> Vec<Process> {
        pids.into_iter().filter_map(|pid| processes::read(pid, self.page_bytes)).collect()
    }

    fn tasks(&self, found: &[Process]) -> Option<Limit> {
        let living = found.iter().filter(|process| !process.ended);
        let tasks: u64 = living.map(|process| process.threads).sum();
        (tasks > self.limits.processes + self.own_tasks).then_some(Limit::Processes)
    }

    fn cpu(&self, own: i32, found: &[Process]) -> Option<Limit> {
        let living: u64 = found.iter().map(|process| process.ticks).sum();
        let ended = processes::read(own, self.page_bytes).map_or(0, |own| own.ticks_of_children);
        (living + ended > self.limits.cpu_s.saturating_mul(self.ticks_per_s)).then_some(Limit::Cpu)
    }

    fn memory(&self, found: &[Process]) -> Option<Limit> {
        let max = self.limits.memory_bytes;
        let rough: u64 = found.iter().map(|process| process.own_bytes).sum();
        // Shared memory is in no rough figure; there can be no more of it than there are addresses.
        if rough <= max && found.iter().all(|process| process.address_bytes <= max) {
            return None;
        }
        let mut shared = BTreeMap::new();
        let own: u64 = found.iter().map(|process| processes::memory_bytes(process, &mut shared)).sum();
        (own + shared.values().sum::<u64>() > max).then_some(Limit::Memory)
    }

    fn files(&mut self, found: &[Process]) -> Option<Limit> {
        let files_max = self.limits.files + OWN_FILES;
        if let Scratch::Memory(fd) = &self.scratch {
            let used = rustix::fs::fstatvfs(fd).ok()?;
            if used.f_files - used.f_ffree > files_max {
                return Some(Limit::Files);
            }
        }
        let started = Instant::now();
        if started < self.folder_due {
            return None;
        }
        let content = match &self.scratch {
            // The kernel counts its bytes.
            Scratch::Memory(_) => Ok(Content::default()),
            Scratch::Folder(folder) => scratch::measure(folder, files_max),
        };
        let mut nameless = BTreeMap::new();
        let mut closed = BTreeSet::new();
        for process in found {
            match processes::nameless_files(process) {
                Some(files) => nameless.extend(files),
                None => _ = closed.insert(process.pid),
            }
        }
        self.folder_due = next(started, FOLDER_TICK_MS);
        let hides = !closed.is_disjoint(&self.closed);
        self.closed = closed;
        let Ok(content) = content else { return Some(Limit::Files) };
        if hides {
            return Some(Limit::Files);
        }
        if content.files > files_max {
            return Some(Limit::Files);
        }
        let bytes = content.bytes + nameless.values().sum::<u64>();
        (bytes > self.limits.file_bytes + self.own_file_bytes).then_some(Limit::FileBytes)
    }
}

/// The folder itself, and the one for temporary files.
const OWN_FILES: u64 = 2;

fn next(started: Instant, every_ms: u64) -> Instant {
    let took = started.elapsed();
    started + took + Duration::from_millis(every_ms).max(took * SHARE)
}
