//! Where files go on this system, by the XDG base directories.

use std::path::{Path, PathBuf};

use super::key::canonical;
use super::{Environment, Scalar, Setting};

/// `fleet.toml` in the user's configuration directory; nothing where there is no such directory.
pub(super) fn user_file(environment: &Environment) -> Option<PathBuf> {
    base(environment, "XDG_CONFIG_HOME", ".config").map(|dir| dir.join("fleet").join("fleet.toml"))
}

/// The keys whose values are paths.
const PATHS: [&str; 3] = ["checks.policies", "model.api_key_file", "state.dir"];

/// A value that a configuration file says. A relative path starts at the file's own directory, so that it means the
/// same wherever a command is run.
pub(super) fn beside(mut setting: Setting, file: &Path) -> Setting {
    if let Scalar::Text(path) = &mut setting.value
        && PATHS.contains(&&*canonical(&setting.key))
        && !path.is_empty()
        && let Some(path_there) = file.parent().map(|dir| dir.join(&*path))
        && let Some(said) = path_there.to_str()
    {
        *path = said.to_owned();
    }
    setting
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
