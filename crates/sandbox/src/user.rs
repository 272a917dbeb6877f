//! As whom a command runs: root becomes a user that owns nothing, everyone else stays who they are.

use std::{fs, io};

use rustix::process::{Gid, Uid, geteuid, getpid};
use rustix::thread;

/// Users that no system gives out (below 2^31, above what containers are given), one for each process id.
const OWN_USERS: u32 = 0x7000_0000;
const NOBODY: u32 = 65_534;

/// As whom a command is to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) id: u32,
    /// Nobody else is this user.
    pub(crate) own: bool,
}

impl User {
    /// Whom to become, if this is root.
    pub(crate) fn instead_of_root() -> io::Result<Option<Self>> {
        if !geteuid().is_root() {
            return Ok(None);
        }
        let maps = [fs::read_to_string("/proc/self/uid_map")?, fs::read_to_string("/proc/self/gid_map")?];
        let own = OWN_USERS + getpid().as_raw_nonzero().get().unsigned_abs();
        let exists = |id| maps.iter().all(|map| has(map, id));
        match [(own, true), (NOBODY, false)].into_iter().find(|(id, _)| exists(*id)) {
            Some((id, own)) => Ok(Some(Self { id, own })),
            None => Err(io::Error::other("there is no user but root here")),
        }
    }

    /// Becomes that user, for good.
    pub(crate) fn become_it(self) -> io::Result<()> {
        let (uid, gid) = (Uid::from_raw(self.id), Gid::from_raw(self.id));
        thread::set_thread_groups(&[])?;
        thread::set_thread_res_gid(gid, gid, gid)?;
        thread::set_thread_res_uid(uid, uid, uid)?;
        if geteuid() != uid {
            return Err(io::Error::other("still root"));
        }
        Ok(())
    }
}

/// Whether a map of the kernel (first id here, first id outside, how many) has `id`.
fn has(map: &str, id: u32) -> bool {
    map.lines().any(|line| {
        let mut numbers = line.split_whitespace().map(|number| number.parse::<u64>().unwrap_or(0));
        let (first, _, count) = (numbers.next(), numbers.next(), numbers.next());
        let (first, count) = (first.unwrap_or(0), count.unwrap_or(0));
        (first..first + count).contains(&u64::from(id))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_one_that_the_kernel_knows_here() {
        assert!(has("         0          0 4294967295\n", OWN_USERS + 4_000_000));
        assert!(!has("0 100000 65536\n", OWN_USERS));
        assert!(has("0 1000 1\n1 100000 65535\n", NOBODY));
        assert!(!has("0 1000 1\n", NOBODY));
    }
}
