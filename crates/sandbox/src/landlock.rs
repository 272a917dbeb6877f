//! What Landlock allows: to read and start what was named, to write to the scratch folder, and no more.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, LandlockStatus, PathFd, Ruleset, RulesetAttr, RulesetCreatedAttr,
    RulesetError, RulesetStatus, Scope, path_beneath_rules,
};

/// The newest interface that this was written for.
const ABI_KNOWN: i32 = 9;
/// Before it, files that can be read could be cut short.
const ABI_MIN: ABI = ABI::V3;
/// From it on, signals and abstract sockets do not leave.
const ABI_SCOPED: u32 = 6;

/// Devices that hold nothing.
const DEVICES: [&str; 5] = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];
/// What programs look at to learn how large the machine is.
const MACHINE: [&str; 4] = ["/proc/meminfo", "/proc/cpuinfo", "/proc/stat", "/sys/devices/system/cpu"];

/// What is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InForce {
    pub(crate) abi: u32,
    /// Signals stay inside.
    pub(crate) scoped: bool,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum LandlockError {
    #[error("the kernel has no Landlock, or it is turned off")]
    Missing,
    #[error("the kernel's Landlock (abi {0}) is too old; abi {min} is needed", min = ABI_MIN)]
    Old(u32),
    #[error("Landlock could not be put in force: {0}")]
    Refused(#[from] RulesetError),
    #[error("{} cannot be reached", .0.display())]
    Path(PathBuf),
    #[error("Landlock is only in force in part")]
    Partial,
}

/// Restricts this process, and all that it starts, for good.
pub(crate) fn restrict(
    read_only: &[PathBuf],
    scratch: &Path,
    abi_max: Option<i32>,
) -> Result<InForce, LandlockError> {
    // Asking for the newest and taking what there is: the kernel decides, and says what it was.
    let asked = ABI::from(abi_max.unwrap_or(ABI_KNOWN));
    let reading = AccessFs::from_read(asked);
    let devices = AccessFs::from_all(asked) & (AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::Truncate);
    let mut ruleset = Ruleset::default().handle_access(AccessFs::from_all(asked))?;
    if !AccessNet::from_all(asked).is_empty() {
        ruleset = ruleset.handle_access(AccessNet::from_all(asked))?;
    }
    if !Scope::from_all(asked).is_empty() {
        ruleset = ruleset.scope(Scope::from_all(asked))?;
    }
    for path in read_only {
        PathFd::new(path).map_err(|_| LandlockError::Path(path.clone()))?;
    }
    let status = ruleset
        .create()?
        .add_rules(path_beneath_rules(read_only, reading))?
        .add_rules(path_beneath_rules(MACHINE, AccessFs::ReadFile | AccessFs::ReadDir))?
        .add_rules(path_beneath_rules(DEVICES, devices))?
        .add_rules(path_beneath_rules([scratch], AccessFs::from_all(asked)))?
        .restrict_self()?;
    let LandlockStatus::Available { effective_abi, .. } = status.landlock else {
        return Err(LandlockError::Missing);
    };
    let effective = effective_abi.min(asked);
    let abi = effective as u32;
    if effective < ABI_MIN {
        return Err(LandlockError::Old(abi));
    }
    if status.ruleset == RulesetStatus::NotEnforced || !status.no_new_privs {
        return Err(LandlockError::Partial);
    }
    Ok(InForce { abi, scoped: abi >= ABI_SCOPED })
}
