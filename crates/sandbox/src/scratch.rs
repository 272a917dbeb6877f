//! The scratch folder on disk: made, measured and removed, whatever a command did in it.

use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::process::{Gid, Uid};

const OWNER_ALL: u32 = 0o700;
const OTHERS_CHANGE: u32 = 0o003;
const BLOCK_BYTES: u64 = 512;

/// What lies in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Content {
    pub(crate) bytes: u64,
    pub(crate) files: u64,
}

/// A folder could not be looked into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hidden;

/// Makes the folder, for `owner` alone.
pub(crate) fn make(path: &Path, owner: Option<u32>) -> io::Result<()> {
    if owner.is_some() {
        let around =
            path.parent().map_or(Ok(0), |folder| fs::metadata(folder).map(|folder| folder.mode()))?;
        if around & OTHERS_CHANGE != OTHERS_CHANGE {
            return Err(io::Error::other("not everybody may make folders beside it, and remove their own"));
        }
    }
    DirBuilder::new().mode(OWNER_ALL).create(path)?;
    if let Some(id) = owner {
        rustix::fs::chown(path, Some(Uid::from_raw(id)), Some(Gid::from_raw(id)))?;
    }
    Ok(())
}

/// What lies in the folder; stops counting once there are more than `files_max`.
pub(crate) fn measure(path: &Path, files_max: u64) -> Result<Content, Hidden> {
    let mut content = Content::default();
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            // It went, or was replaced, while it was looked at.
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => continue,
            Err(_) => return Err(Hidden),
        };
        for entry in entries.flatten() {
            let Ok(metadata) = entry.metadata() else { continue };
            content.files += 1;
            content.bytes += metadata.blocks() * BLOCK_BYTES;
            if content.files > files_max {
                return Ok(content);
            }
            if metadata.is_dir() {
                folders.push(entry.path());
            }
        }
    }
    Ok(content)
}

/// Removes the folder. No process may be at work in it any more.
///
/// Folders inside folders are first moved up, so that their depth does not matter.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    if !path.exists() {
        return Ok(());
    }
    fs::set_permissions(path, Permissions::from_mode(OWNER_ALL))?;
    let mut moved: u64 = 0;
    loop {
        let mut folders: Vec<PathBuf> = Vec::new();
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path())
            } else {
                fs::remove_file(entry.path())?
            }
        }
        if folders.is_empty() {
            return fs::remove_dir(path);
        }
        for folder in folders {
            // It may have been closed to its owner.
            fs::set_permissions(&folder, Permissions::from_mode(OWNER_ALL))?;
            for entry in fs::read_dir(&folder)? {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    // Moving a folder writes to it.
                    fs::set_permissions(entry.path(), Permissions::from_mode(OWNER_ALL))?;
                    fs::rename(entry.path(), fresh(path, &mut moved))?;
                } else {
                    fs::remove_file(entry.path())?;
                }
            }
            fs::remove_dir(&folder)?;
        }
    }
}

/// A name in `path` that nothing has.
fn fresh(path: &Path, moved: &mut u64) -> PathBuf {
    loop {
        *moved += 1;
        let name = path.join(format!("moved-{moved}"));
        if name.symlink_metadata().is_err() {
            return name;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_goes_however_deep_or_closed_it_is() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("scratch");
        make(&path, None).unwrap();
        fs::write(path.join("moved-1"), "in the way").unwrap();
        std::os::unix::fs::symlink("/", path.join("root")).unwrap();
        // Deeper than a path can be long.
        let mut at = rustix::fs::open(
            &path,
            rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::DIRECTORY,
            rustix::fs::Mode::empty(),
        )
        .unwrap();
        for _ in 0..100 {
            let name = "d".repeat(200);
            rustix::fs::mkdirat(&at, &name, rustix::fs::Mode::from_raw_mode(0o700)).unwrap();
            let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::DIRECTORY;
            at = rustix::fs::openat(&at, &name, flags, rustix::fs::Mode::empty()).unwrap();
        }
        assert_eq!(measure(&path, 10_000), Err(Hidden));
        fs::create_dir_all(path.join("closed/inside")).unwrap();
        fs::set_permissions(path.join("closed/inside"), Permissions::from_mode(0o000)).unwrap();
        fs::set_permissions(path.join("closed"), Permissions::from_mode(0o000)).unwrap();
        remove(&path).unwrap();
        assert!(!path.exists());
        remove(&path).unwrap();
    }

    #[test]
    fn what_lies_in_a_folder_is_counted() {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir(place.path().join("a")).unwrap();
        fs::write(place.path().join("a/b"), vec![1; 100_000]).unwrap();
        std::os::unix::fs::symlink("/usr", place.path().join("usr")).unwrap();
        let content = measure(place.path(), 10).unwrap();
        assert_eq!(content.files, 3);
        assert!((100_000..200_000).contains(&content.bytes), "{content:?}");
        assert_eq!(measure(place.path(), 1).unwrap().files, 2);
    }
}
