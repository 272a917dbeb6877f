//! Where the parts that tests need are found.

use std::path::{Path, PathBuf};

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Something that `tests/setup.sh` brings.
pub(crate) fn tool(path: PathBuf) -> PathBuf {
    assert!(path.exists(), "{} is missing: run make test", path.display());
    path
}
