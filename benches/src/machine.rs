//! The machine that was measured on.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::disk;

/// What is known of the machine, a line each.
pub(crate) fn describe(dir: &Path) -> anyhow::Result<Vec<String>> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split(':').nth(1)).map_or("unknown".to_owned(), |value| value.trim().into())
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory_kb: f64 =
        field(&read("/proc/meminfo"), "MemTotal").trim_end_matches(" kB").parse().unwrap_or(f64::NAN);
    let said = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).current_dir(crate::repository()).output();
        output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
    };
    let changed = if said("git", &["status", "--porcelain"]).is_empty() { "" } else { ", with changes" };
    Ok(vec![
        format!("{cores} cores of {}", field(&read("/proc/cpuinfo"), "model name")),
        format!("{:.0} GiB of memory", memory_kb / 1024.0 / 1024.0),
        format!("Linux {}", read("/proc/sys/kernel/osrelease").trim()),
        format!("file system: {}", disk::file_system(dir)?),
        format!("revision {}{changed}", said("git", &["rev-parse", "--short", "HEAD"])),
        format!("{}", jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC")),
    ])
}

/// How many tasks wanted a core of late.
pub(crate) fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().unwrap_or_default().to_owned()
}
