//! The filter of system calls: what no program that is checked needs, and what would lead out.

use std::collections::BTreeMap;

use libc::{c_int, c_long};
use seccompiler::SeccompCmpArgLen::{Dword, Qword};
use seccompiler::SeccompCmpOp::{self, Eq, MaskedEq, Ne};
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCondition, SeccompFilter, SeccompRule, sock_filter,
};

/// The last call whose meaning was known when this was written; later ones are not there.
const LAST_KNOWN: u32 = 462;
const FILE_KIND: u64 = libc::S_IFMT as u64;
const SOCKET_KIND: u64 = 0xf;
/// What `setarch` asks with.
const ASK_PERSONALITY: u64 = 0xffff_ffff;
const TIOCLINUX: u64 = 0x541c;
const FIOSETOWN: u64 = 0x8901;
const SIOCSPGRP: u64 = 0x8902;
const F_SETOWN_EX: c_int = 15;
const F_SETSIG: c_int = 10;
const NEW_NAME_SPACES: [c_int; 7] = [
    libc::CLONE_NEWNS,
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
];

mod calls;
use calls::{ALWAYS, ALWAYS_HERE, MODES, MODES_HERE, NOTES, OWNERSHIP, OWNERSHIP_HERE, SIGNALS, TIMES_HERE};

/// Where the filter is to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Around {
    /// Name spaces keep files, processes and the network apart.
    NameSpaces,
    /// Landlock does, as far as it goes.
    Landlock {
        /// It keeps signals inside.
        scoped: bool,
        /// The user is nobody else's: it owns nothing outside.
        own_user: bool,
    },
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum SeccompError {
    #[error("there is no filter of system calls for this processor: {0}")]
    Unknown(#[from] BackendError),
    #[error("the filter of system calls was refused: {0}")]
    Refused(#[from] seccompiler::Error),
}

/// Puts the filter in force for this process, and all that it starts, for good.
pub(crate) fn restrict(around: Around) -> Result<(), SeccompError> {
    if let Around::Landlock { own_user, .. } = around {
        let passed_over = compiled(passed_over(own_user)?, 0)?;
        seccompiler::apply_filter(&passed_over)?;
        let notes = NOTES.iter().map(|call| (*call, Vec::new())).collect();
        seccompiler::apply_filter(&compiled(notes, libc::EOPNOTSUPP)?)?;
    }
    Ok(seccompiler::apply_filter(&program(around)?)?)
}

/// From here on nothing this process starts can hide what it uses from whoever measures it.
pub(crate) fn stay_visible() -> Result<(), SeccompError> {
    let mut rules = Rules::new();
    refuse_when(&mut rules, libc::SYS_prctl, &[(0, Eq, number(libc::PR_SET_DUMPABLE)), (1, Eq, 0)])?;
    Ok(seccompiler::apply_filter(&compiled(rules, libc::EPERM)?)?)
}

/// The filter as the kernel takes it, for somebody else to put in force.
pub(crate) fn bytes(around: Around) -> Result<Vec<u8>, SeccompError> {
    let bytes = |step: sock_filter| {
        let (code, k) = (step.code.to_ne_bytes(), step.k.to_ne_bytes());
        [code[0], code[1], step.jt, step.jf, k[0], k[1], k[2], k[3]]
    };
    Ok(program(around)?.into_iter().flat_map(bytes).collect())
}

fn program(around: Around) -> Result<BpfProgram, SeccompError> {
    let mut program = unknown();
    program.extend(compiled(refused(around)?, libc::EPERM)?);
    Ok(program)
}

type Rules = BTreeMap<c_long, Vec<SeccompRule>>;
/// Which argument, how much of it, and what it is.
type Condition = (u8, SeccompCmpOp, u64);

fn compiled(rules: Rules, errno: c_int) -> Result<BpfProgram, BackendError> {
    let architecture = std::env::consts::ARCH.try_into()?;
    let answer = SeccompAction::Errno(errno.unsigned_abs());
    SeccompFilter::new(rules, SeccompAction::Allow, answer, architecture)?.try_into()
}

/// Calls that are answered as if this kernel did not have them: later ones, those of other architectures, and
/// `clone3`, whose flags cannot be seen (all use `clone` then).
fn unknown() -> BpfProgram {
    let clone3 = u32::try_from(libc::SYS_clone3).unwrap_or(u32::MAX);
    let none = libc::SECCOMP_RET_ERRNO | libc::ENOSYS.unsigned_abs();
    let code = |parts: u32| u16::try_from(parts).unwrap_or(u16::MAX);
    let load = code(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS);
    let jump_eq = code(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K);
    let jump_gt = code(libc::BPF_JMP | libc::BPF_JGT | libc::BPF_K);
    let answer = code(libc::BPF_RET | libc::BPF_K);
    vec![
        sock_filter { code: load, jt: 0, jf: 0, k: 0 },
        sock_filter { code: jump_eq, jt: 1, jf: 0, k: clone3 },
        sock_filter { code: jump_gt, jt: 0, jf: 1, k: LAST_KNOWN },
        sock_filter { code: answer, jt: 0, jf: 0, k: none },
    ]
}

fn refused(around: Around) -> Result<Rules, BackendError> {
    let mut rules: Rules = ALWAYS.iter().chain(ALWAYS_HERE).map(|call| (*call, Vec::new())).collect();
    let mut when = |call, conditions: &[Condition]| refuse_when(&mut rules, call, conditions);
    for flag in NEW_NAME_SPACES {
        let flag = flag.unsigned_abs().into();
        when(libc::SYS_clone, &[(0, MaskedEq(flag), flag)])?;
    }
    when(libc::SYS_personality, &[(0, Ne, 0), (0, Ne, ASK_PERSONALITY)])?;
    for request in [libc::TIOCSTI, TIOCLINUX] {
        when(libc::SYS_ioctl, &[(1, Eq, request)])?;
    }
    for kind in [libc::S_IFCHR, libc::S_IFBLK] {
        #[cfg(target_arch = "x86_64")]
        when(libc::SYS_mknod, &[(1, MaskedEq(FILE_KIND), kind.into())])?;
        when(libc::SYS_mknodat, &[(2, MaskedEq(FILE_KIND), kind.into())])?;
    }
    // Only itself, never another of the same user.
    for call in [
        libc::SYS_prlimit64,
        libc::SYS_sched_setaffinity,
        libc::SYS_sched_setscheduler,
        libc::SYS_sched_setparam,
        libc::SYS_sched_setattr,
    ] {
        when(call, &[(0, Ne, 0)])?;
    }
    when(libc::SYS_setpriority, &[(0, Ne, 0)])?;
    when(libc::SYS_setpriority, &[(1, Ne, 0)])?;
    // A pair of datagram sockets can be pointed at others.
    when(libc::SYS_socketpair, &[(0, Ne, number(libc::AF_UNIX))])?;
    when(libc::SYS_socketpair, &[(1, MaskedEq(SOCKET_KIND), number(libc::SOCK_DGRAM))])?;
    when(libc::SYS_socketpair, &[(1, MaskedEq(SOCKET_KIND), number(libc::SOCK_RAW))])?;
    match around {
        Around::NameSpaces => {
            let families = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6];
            when(libc::SYS_socket, &families.map(|family| (0, Ne, number(family))))?;
        }
        Around::Landlock { scoped, .. } => {
            let mut calls = vec![libc::SYS_socket, libc::SYS_inotify_add_watch];
            calls.extend(OWNERSHIP.iter().chain(OWNERSHIP_HERE));
            if !scoped {
                calls.extend(SIGNALS);
                // Zero is its own group.
                when(libc::SYS_kill, &[(0, Ne, 0)])?;
                for what in [libc::F_SETOWN, F_SETOWN_EX, F_SETSIG] {
                    when(libc::SYS_fcntl, &[(1, Eq, number(what))])?;
                }
                for request in [FIOSETOWN, SIOCSPGRP] {
                    when(libc::SYS_ioctl, &[(1, Eq, request)])?;
                }
            }
            rules.extend(calls.into_iter().map(|call| (call, Vec::new())));
        }
    }
    Ok(rules)
}

/// Calls that change a file wherever it lies. Programs do not look whether they did anything: what is asked by name
/// is not done, and for a user that owns something else, the same by descriptor. All that is done there is to make a
/// file one that its owner can start.
fn passed_over(own_user: bool) -> Result<Rules, BackendError> {
    let mut rules: Rules = TIMES_HERE.iter().map(|call| (*call, Vec::new())).collect();
    if own_user {
        refuse_when(&mut rules, libc::SYS_utimensat, &[(1, Ne, 0)])?;
    } else {
        rules.insert(libc::SYS_utimensat, Vec::new());
        // In sessions of their own, processes that are counted with all others would each have as much of the
        // processors as the one who is to end them.
        rules.insert(libc::SYS_setsid, Vec::new());
        for (call, argument) in MODES.iter().chain(MODES_HERE) {
            refuse_when(&mut rules, *call, &[(*argument, Ne, libc::S_IRWXU.into())])?;
        }
    }
    Ok(rules)
}

fn refuse_when(rules: &mut Rules, call: c_long, conditions: &[Condition]) -> Result<(), BackendError> {
    let condition = |(argument, is, value): &Condition| {
        let long = [libc::SYS_clone, libc::SYS_utimensat].contains(&call);
        let length = if long { Qword } else { Dword };
        SeccompCondition::new(*argument, length, is.clone(), *value)
    };
    let rule = SeccompRule::new(conditions.iter().map(condition).collect::<Result<_, _>>()?)?;
    rules.entry(call).or_default().push(rule);
    Ok(())
}

fn number(value: c_int) -> u64 {
    value.unsigned_abs().into()
}
