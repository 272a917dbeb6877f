//! Brings folders that only root can get to, such as a toolchain in `/root`, within reach of another user.
//!
//! In mounts of its own, what bars the way is covered by an empty folder with nothing but what is wanted in it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::mount::{self, MountFlags, MountPropagationFlags};

use crate::sys;

const OTHERS_ENTER: u32 = 0o001;
const COVER: &std::ffi::CStr = c"mode=0755,size=256k";

/// Makes each of `paths` reachable for a user that is in no group and owns nothing.
pub(crate) fn bring(paths: &[PathBuf]) -> io::Result<()> {
    let mut covered: BTreeMap<PathBuf, BTreeSet<PathBuf>> = BTreeMap::new();
    for path in paths {
        let real = fs::canonicalize(path)?;
        for place in [path, &real] {
            if let Some(bar) = bar(place)? {
                covered.entry(bar).or_default().insert(place.clone());
            }
        }
    }
    if covered.is_empty() {
        return Ok(());
    }
    sys::own_mounts()?;
    mount::mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    // All are opened before the first is covered: they may lead through each other.
    let mut wanted: Vec<(PathBuf, Vec<(PathBuf, OwnedFd)>)> = Vec::new();
    for (bar, places) in covered {
        let open = |place: PathBuf| {
            let fd = rustix::fs::open(&place, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
            Ok((place, fd))
        };
        wanted.push((bar, places.into_iter().map(open).collect::<io::Result<_>>()?));
    }
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    for (bar, places) in &wanted {
        mount::mount("tmpfs", bar, "tmpfs", flags, COVER)?;
        places.iter().try_for_each(|(place, fd)| show(place, fd))?;
        mount::mount_remount(bar, flags | MountFlags::RDONLY, COVER)?;
    }
    Ok(())
}

/// The first folder on the way to `path` that others may not enter.
fn bar(path: &Path) -> io::Result<Option<PathBuf>> {
    let mut way: Vec<&Path> = path.ancestors().skip(1).collect();
    way.reverse();
    for folder in way {
        if fs::metadata(folder)?.mode() & OTHERS_ENTER == 0 {
            return Ok(Some(folder.to_owned()));
        }
    }
    Ok(None)
}

fn show(place: &Path, what: &OwnedFd) -> io::Result<()> {
    let source = PathBuf::from(format!("/proc/self/fd/{}", what.as_raw_fd()));
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(0o755);
    if fs::metadata(&source)?.is_dir() {
        builder.create(place)?;
    } else {
        place.parent().map_or(Ok(()), |folder| builder.create(folder))?;
        if !place.exists() {
            File::create_new(place)?;
        }
    }
    Ok(mount::mount_bind_recursive(&source, place)?)
}
