//! Reads in `/proc` which processes descend from one, and what they use.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;

const SMAPS_PSS: &str = "Pss_Anon:";
/// Where `stat` has their number.
const ADDRESSES: usize = 20;
const KIB: u64 = 1024;

/// What one process uses.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    /// Where it can be looked into.
    at: String,
    /// It only waits to be asked how it ended.
    pub(crate) ended: bool,
    pub(crate) threads: u64,
    /// Processor time of itself and of the children it waited for, in ticks.
    pub(crate) ticks: u64,
    /// That of the children alone.
    pub(crate) ticks_of_children: u64,
    pub(crate) address_bytes: u64,
    /// Memory that is not a file's; what it shares with its parent since a fork counts for both.
    pub(crate) own_bytes: u64,
}

/// All that descend from `root`, without it. Quick; where processes come and go quickly it misses some.
pub(crate) fn descendants(root: i32) -> Vec<i32> {
    let listed = fs::metadata(format!("/proc/{root}/task/{root}/children")).is_ok();
    if listed { beneath(root, None) } else { descendants_thoroughly(root) }
}

/// The same from a look at every process of the system, which misses few.
pub(crate) fn descendants_thoroughly(root: i32) -> Vec<i32> {
    beneath(root, Some(parents()))
}

fn beneath(root: i32, parents: Option<BTreeMap<i32, Vec<i32>>>) -> Vec<i32> {
    let mut found: Vec<i32> = Vec::new();
    let mut seen = BTreeSet::from([root]);
    let mut next = vec![root];
    while let Some(pid) = next.pop() {
        let children = match &parents {
            None => children(pid),
            Some(parents) => parents.get(&pid).cloned().unwrap_or_default(),
        };
        for child in children.into_iter().filter(|child| seen.insert(*child)) {
            found.push(child);
            next.push(child);
        }
    }
    found
}

/// The children of a process, where the kernel lists them.
fn children(pid: i32) -> Vec<i32> {
    let mut found = Vec::new();
    for task in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
        let listed = fs::read_to_string(task.path().join("children")).unwrap_or_default();
        found.extend(listed.split_whitespace().filter_map(|pid| pid.parse::<i32>().ok()));
    }
    found
}

/// Every process of the system by its parent.
fn parents() -> BTreeMap<i32, Vec<i32>> {
    let mut parents: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    let names = fs::read_dir("/proc").into_iter().flatten().flatten();
    for pid in names.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok()) {
        let fields = stat(&format!("/proc/{pid}"));
        if let Some(parent) = fields.and_then(|(_, fields)| i32::try_from(fields[1]).ok()) {
            parents.entry(parent).or_default().push(pid);
        }
    }
    parents
}

/// The state in `/proc/PID/stat`, and the numbers from it on: 1 is the parent.
fn stat(at: &str) -> Option<(char, Vec<u64>)> {
    let text = fs::read_to_string(format!("{at}/stat")).ok()?;
    let (_, fields) = text.rsplit_once(") ")?;
    let state = fields.chars().next()?;
    let fields: Vec<u64> = fields.split_whitespace().map(|field| field.parse().unwrap_or(0)).collect();
    (fields.len() > 21).then_some((state, fields))
}

/// Whether it has ended, and only waits to be asked how.
fn ended(state: char) -> bool {
    matches!(state, 'Z' | 'X' | 'x')
}

pub(crate) fn read(pid: i32, page_bytes: u64) -> Option<Process> {
    let at = format!("/proc/{pid}");
    let (state, fields) = stat(&at)?;
    let threads = fields[17];
    // Where the first thread has ended, another one shows what they have.
    let (at, address_bytes) =
        if ended(state) && threads > 1 { living(&at)? } else { (at, fields[ADDRESSES]) };
    let pages = fs::read_to_string(format!("{at}/statm")).ok()?;
    let mut pages = pages.split_whitespace().map(|field| field.parse::<u64>().unwrap_or(0));
    let (_, resident, shared) = (pages.next()?, pages.next()?, pages.next()?);
    Some(Process {
        pid,
        at,
        // It is past giving back its memory.
        ended: address_bytes == 0,
        threads,
        ticks: fields[11] + fields[12] + fields[13] + fields[14],
        ticks_of_children: fields[13] + fields[14],
        address_bytes,
        own_bytes: resident.saturating_sub(shared) * page_bytes,
    })
}

/// A thread of a process that has not ended, and how many addresses it has.
fn living(at: &str) -> Option<(String, u64)> {
    let tasks = fs::read_dir(format!("{at}/task")).ok()?.flatten();
    let mut tasks = tasks.filter_map(|task| task.path().to_str().map(str::to_owned));
    tasks.find_map(|task| {
        let (state, fields) = stat(&task)?;
        (!ended(state)).then_some((task, fields[ADDRESSES]))
    })
}

/// Memory of a process, what is shared counted once over all (or in parts): for when a rough look says too much.
pub(crate) fn memory_bytes(process: &Process, shared: &mut BTreeMap<(String, String), u64>) -> u64 {
    let at = &process.at;
    // One that nobody may look into is ended for that.
    let maps = fs::read_to_string(format!("{at}/maps")).unwrap_or_default();
    for (file, bytes) in maps.lines().filter_map(nameless) {
        let known = shared.entry(file).or_default();
        *known = bytes.max(*known);
    }
    let own = fs::read_to_string(format!("{at}/smaps_rollup")).ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix(SMAPS_PSS))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    });
    own.map_or(process.own_bytes, |kib| kib * KIB)
}

/// A mapping of a file that has no name any more, as shared memory has none: what it is, and its size.
fn nameless(line: &str) -> Option<((String, String), u64)> {
    let rest = line.strip_suffix(" (deleted)")?;
    let mut fields = rest.split_whitespace();
    let (from, to) = fields.next()?.split_once('-')?;
    let (device, inode) = (fields.nth(2)?, fields.next()?);
    let bytes = u64::from_str_radix(to, 16).ok()?.saturating_sub(u64::from_str_radix(from, 16).ok()?);
    Some(((device.to_owned(), inode.to_owned()), bytes))
}

/// The files without a name that a process holds open: device, number and bytes. None: nobody may look.
pub(crate) fn nameless_files(process: &Process) -> Option<Vec<((u64, u64), u64)>> {
    let mut found = Vec::new();
    if process.ended {
        return Some(found);
    }
    let entries = match fs::read_dir(format!("{}/fd", process.at)) {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => return None,
        // It ends.
        entries => entries.into_iter().flatten(),
    };
    for entry in entries {
        let Ok(file) = entry.and_then(|entry| fs::metadata(entry.path())) else { continue };
        if file.is_file() && file.nlink() == 0 {
            found.push(((file.dev(), file.ino()), file.blocks() * 512));
        }
    }
    Some(found)
}

/// How many processes and threads the whole system has.
pub(crate) fn tasks_of_system() -> Option<u64> {
    let text = fs::read_to_string("/proc/loadavg").ok()?;
    text.split_whitespace().nth(3)?.split_once('/')?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_process_started_is_found_and_measured() {
        let mut child = std::process::Command::new("/bin/sh")
            .args(["-c", "sleep 60 & read x"])
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let own = i32::try_from(std::process::id()).unwrap();
        let child_id = i32::try_from(child.id()).unwrap();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
        let sleep = loop {
            if let Some(pid) = descendants(child_id).first() {
                break *pid;
            }
            assert!(std::time::Instant::now() < deadline, "the shell starts its child");
        };
        assert!(descendants(own).contains(&child_id) && descendants(own).contains(&sleep));
        assert_eq!(parents().get(&child_id), Some(&vec![sleep]));
        let shell = read(child_id, 4096).unwrap();
        assert_eq!(shell.threads, 1);
        assert!(shell.own_bytes > 0 && shell.address_bytes > shell.own_bytes);
        let exact = memory_bytes(&shell, &mut BTreeMap::new());
        assert!(exact > 0 && exact <= shell.address_bytes);
        assert!(tasks_of_system().unwrap() > 2);
        let _ = rustix::process::kill_process(
            rustix::process::Pid::from_raw(sleep).unwrap(),
            rustix::process::Signal::KILL,
        );
        drop(child.stdin.take());
        child.wait().unwrap();
        assert_eq!(read(child_id, 4096), None);
    }

    #[test]
    fn shared_memory_is_told_from_files() {
        let line = "7f0000000000-7f0000100000 rw-s 00000000 00:01 1045  /dev/zero (deleted)";
        assert_eq!(nameless(line), Some((("00:01".into(), "1045".into()), 1024 * 1024)));
        assert_eq!(nameless("7f00-7f10 r--p 00000000 fe:00 12  /usr/lib/x.so"), None);
    }
}
