//! Where files go on this system, by the XDG base directories.

use std::path::PathBuf;

use super::Environment;

/// `fleet.toml` in the user's configuration directory; nothing where there is no such directory.
pub(super) fn user_file(environment: &Environment) -> Option<PathBuf> {
    base(environment, "XDG_CONFIG_HOME", ".config").map(|dir| dir.join("fleet").join("fleet.toml"))
}

/// The directory for what must outlive the process: the one that was said, or the user's.
pub(super) fn state_dir(said: &str, environment: &Environment) -> Option<PathBuf> {
    if !said.is_empty() {
        return Some(PathBuf::from(said));
    }
    base(environment, "XDG_STATE_HOME", ".local/state").map(|dir| dir.join("fleet"))
}

fn base(environment: &Environment, variable: &str, in_home: &str) -> Option<PathBuf> {
    // The specification says that a path that is not absolute is to be ignored.
    let absolute = |name| environment.get(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute(variable).or_else(|| Some(absolute("HOME")?.join(in_home)))
}
