//! Programs with a view of the disk of their own: small disks, disks that are only read, files nobody may
//! touch. Namespaces give that to any user, and take it back with the program.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use super::Place;
use super::process::{Program, Running};

const UNSHARE: &str = "/usr/bin/unshare";

/// What `sh` does before it becomes the program, with the directory it is about in `$0`.
pub(crate) enum View {
    /// A disk of one megabyte, with nothing on it.
    Small,
    /// The same, with a copy of what is in a directory, and no room left. What is there afterwards is kept
    /// beside it, in a directory with `.after` at the end of its name.
    Full(PathBuf),
    /// The directory as it is, only to be read.
    ReadOnly,
}

impl Place {
    /// The program with `view` of `dir`, not yet started.
    pub(crate) async fn apart(&self, view: View, dir: &Path, arguments: &[&str]) -> Program {
        let disk = "mount -t tmpfs -o size=1m,mode=0700 small \"$0\"";
        let script = match &view {
            View::Small => format!("{disk} && exec \"$@\""),
            View::Full(with) => format!(
                "{disk} && cp -a {with:?}/. \"$0\" || exit 99
                 cat /dev/zero > \"$0/filler\" 2>/dev/null
                 \"$@\"; code=$?
                 rm \"$0/filler\" && rm -rf \"$0.after\" && cp -a \"$0\" \"$0.after\" || exit 99
                 exit $code"
            ),
            // Whatever holds of the disk below must be said again.
            View::ReadOnly => "mount --bind \"$0\" \"$0\" && \
                               mount -o remount,bind,ro,nosuid,nodev,noexec \"$0\" && exec \"$@\""
                .to_owned(),
        };
        self.can(&["-rm", "true"]).await;
        let options = ["-rm", "sh", "-c", &script, dir.to_str().unwrap(), env!("CARGO_BIN_EXE_fleet")];
        self.program(Path::new(UNSHARE), &options).also(arguments)
    }

    /// The program without any rights over files but those that their permissions give.
    pub(crate) async fn without_rights(&self, arguments: &[&str]) -> Program {
        self.can(&["-U", "true"]).await;
        self.program(Path::new(UNSHARE), &["-U", env!("CARGO_BIN_EXE_fleet")]).also(arguments)
    }

    async fn can(&self, options: &[&str]) {
        assert!(Path::new(UNSHARE).exists(), "{UNSHARE} is missing: install util-linux");
        let tried = self.program(Path::new(UNSHARE), options).end().await;
        let what =
            "namespaces cannot be made here (unprivileged user namespaces are needed), so nothing is shown";
        assert_eq!(tried.code, 0, "{what}: {}", tried.stderr);
    }
}

/// A file that takes all the room that is left on the disk a program sees.
pub(crate) struct Filler(PathBuf);

impl Filler {
    /// Fills the disk that `dir` is on, as `running` sees it.
    pub(crate) fn fill(running: &Running, dir: &Path) -> Filler {
        let seen = PathBuf::from(format!("/proc/{}/root", running.pid()));
        let path = seen.join(dir.strip_prefix("/").unwrap()).join("filler");
        let mut file = OpenOptions::new().append(true).create(true).open(&path).unwrap();
        for bytes in [4096, 1] {
            loop {
                match file.write(&vec![0; bytes]) {
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::StorageFull => break,
                    Err(error) => panic!("{error}"),
                }
            }
        }
        Filler(path)
    }

    /// Makes room.
    pub(crate) fn remove(self) {
        fs::remove_file(self.0).unwrap();
    }
}
