//! Other processes: seeing, stopping and steering them, and outliving the sandbox.

use fleet_sandbox::{Choice, End, Limit, Limits};

use crate::support::{Attempt, python, shell};

const NOBODY_THERE: &[&str] = &["ProcessLookupError", "PermissionError"];
const NO_FILE: &[&str] = &["PermissionError", "FileNotFoundError"];

fn signals() -> Attempt {
    python(
        r#"
for name, number in dict(ask=0, usr1=10, stop=19).items():
    attempt(name, lambda: os.kill({bystander}, number) or "sent")
attempt("group", lambda: os.killpg({bystander}, 0) or "sent")
attempt("pidfd", lambda: signal.pidfd_send_signal(os.pidfd_open({bystander}), 0) or "sent")
attempt("queue", lambda: call("rt_sigqueueinfo", {bystander}, 0, ctypes.create_string_buffer(128)) or "sent")
attempt("thread", lambda: call("tgkill", {bystander}, {bystander}, 0) or "sent")
"#,
    )
}

#[test]
fn no_signal_leaves() {
    signals()
        .held("ask", NOBODY_THERE)
        .held("usr1", NOBODY_THERE)
        .held("stop", NOBODY_THERE)
        .held("group", NOBODY_THERE)
        .held("pidfd", &["ProcessLookupError", "PermissionError", "Invalid argument"])
        .held("queue", NOBODY_THERE)
        .held("thread", NOBODY_THERE)
        .must_be_held();
}

#[test]
fn outside_a_sandbox_signals_arrive() {
    signals().would_succeed(&["ask", "group", "pidfd", "thread"]);
}

#[test]
fn whoever_is_above_is_not_ended() {
    // What is above inside may be ended: that is the end of the command.
    python(
        r#"
for pid in range(os.getppid(), max(1, os.getppid() - 50), -1):
    if pid != os.getpid():
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:
            pass
say("tried")
time.sleep(1)
"#,
    )
    .ends_anyhow()
    .must_be_held();
}

#[test]
fn all_at_once_are_not_ended_either() {
    python(
        r#"
attempt("all", lambda: os.kill(-1, signal.SIGKILL))
attempt("group", lambda: os.killpg(os.getpgrp(), signal.SIGTERM))
time.sleep(1)
"#,
    )
    .ends_anyhow()
    .must_be_held();
}

#[test]
fn nobody_is_traced_or_read() {
    python(
        r#"
buffer = ctypes.create_string_buffer(4096)
class Part(ctypes.Structure):
    _fields_ = [("at", ctypes.c_void_p), ("bytes", ctypes.c_size_t)]
here, there = Part(ctypes.addressof(buffer), 8), Part(ctypes.addressof(buffer), 8)
for name, pid in dict(bystander={bystander}, parent=os.getppid(), init=1).items():
    attempt("attach_" + name, lambda: call("ptrace", 16, pid, 0, 0))
    attempt("seize_" + name, lambda: call("ptrace", 0x4206, pid, 0, 0))
    attempt("read_" + name, lambda: call("process_vm_readv", pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0))
    attempt("write_" + name, lambda: call("process_vm_writev", pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0))
attempt("trace_me", lambda: call("ptrace", 0, 0, 0, 0))
attempt("descriptor", lambda: call("pidfd_getfd", os.pidfd_open(os.getppid()), 0, 0))
attempt("compare", lambda: call("kcmp", os.getpid(), os.getppid(), 1, 0, 0))
attempt("advise", lambda: call("process_madvise", os.pidfd_open(os.getpid()), ctypes.byref(here), 1, 4, 0))
"#,
    )
    .held("attach_bystander", &["PermissionError"])
    .held("attach_parent", &["PermissionError"])
    .held("attach_init", &["PermissionError"])
    .held("seize_bystander", &["PermissionError"])
    .held("read_bystander", &["PermissionError"])
    .held("read_parent", &["PermissionError"])
    .held("write_bystander", &["PermissionError"])
    .held("trace_me", &["PermissionError"])
    .held("descriptor", &["PermissionError"])
    .held("compare", &["PermissionError"])
    .held("advise", &["PermissionError"])
    .must_be_held();
}

fn looks() -> Attempt {
    python(
        r#"
import glob
def any_with(name, what):
    for path in [f"/proc/{pid}/{name}" for pid in range(1, 65536)]:
        try:
            if what in open(path, "rb").read():
                return path
        except OSError:
            pass
    raise LookupError
attempt("environment", lambda: open("/proc/{bystander}/environ").read())
attempt("arguments", lambda: open("/proc/{bystander}/cmdline").read())
attempt("any_environment", lambda: any_with("environ", b"{variable}"))
attempt("any_arguments", lambda: any_with("cmdline", b"bystander-{mark}"))
attempt("listed", lambda: [pid for pid in os.listdir("/proc") if pid == "{bystander}"][0])
attempt("its_folder", lambda: os.listdir("/proc/{bystander}/cwd"))
"#,
    )
}

#[test]
fn no_other_process_is_seen() {
    looks()
        .held("environment", NO_FILE)
        .held("arguments", NO_FILE)
        .held("any_environment", &["LookupError"])
        .held("any_arguments", &["LookupError"])
        .held("listed", &["IndexError", "PermissionError"])
        .held("its_folder", NO_FILE)
        .must_be_held();
}

#[test]
fn outside_a_sandbox_they_are_seen() {
    looks().would_succeed(&[
        "environment",
        "arguments",
        "any_environment",
        "any_arguments",
        "listed",
        "its_folder",
    ]);
}

#[test]
fn procfs_is_no_way_out() {
    python(
        r#"
attempt("own_root", lambda: open("/proc/self/root{secret}").read())
attempt("init_root", lambda: open("/proc/1/root{secret}").read())
attempt("init_shadow", lambda: open("/proc/1/root/etc/shadow").read())
attempt("parent_root", lambda: open(f"/proc/{os.getppid()}/root{secret}").read())
attempt("bystander_root", lambda: open("/proc/{bystander}/root{secret}").read())
attempt("parent_folder", lambda: open(f"/proc/{os.getppid()}/cwd/../..{secret}").read())
attempt("thread_root", lambda: open(f"/proc/thread-self/root{secret}").read())
attempt("sysrq", lambda: open("/proc/sysrq-trigger", "w").write("h"))
attempt("core", lambda: open("/proc/sys/kernel/core_pattern", "w").write("|/bin/sh"))
attempt("modprobe", lambda: open("/proc/sys/kernel/modprobe", "w").write("/bin/sh"))
attempt("hostname", lambda: open("/proc/sys/kernel/hostname", "w").write("x"))
attempt("kernel_memory", lambda: open("/proc/kcore", "rb").read(1))
attempt("kernel_log", lambda: open("/proc/kmsg", "rb").read(1))
attempt("symbols", lambda: "found" if int(open("/proc/kallsyms").read(16), 16) else int("held"))
attempt("uevent", lambda: open("/sys/kernel/uevent_helper", "w").write("/bin/sh"))
attempt("cgroup", lambda: os.mkdir("/sys/fs/cgroup/{mark}") or "made")
attempt("map", lambda: os.write(os.open("/proc/self/uid_map", os.O_WRONLY), b"0 0 1"))
def descriptors(pid):
    for fd in range(3, 256):
        try:
            f = os.open(f"/proc/{pid}/fd/{fd}", os.O_RDONLY | os.O_NONBLOCK)
            if b"{known}" in os.read(f, 100):
                return fd
        except OSError:
            pass
    raise LookupError
attempt("parent_descriptors", lambda: descriptors(os.getppid()))
attempt("init_descriptors", lambda: descriptors(1))
"#,
    )
    .with_leak()
    .held("own_root", NO_FILE)
    .held("init_root", NO_FILE)
    .held("init_shadow", NO_FILE)
    .held("parent_root", NO_FILE)
    .held("bystander_root", NO_FILE)
    .held("parent_folder", NO_FILE)
    .held("thread_root", NO_FILE)
    .held("sysrq", &["PermissionError", "Read-only", "FileNotFoundError"])
    .held("core", &["PermissionError", "Read-only"])
    .held("modprobe", &["PermissionError", "Read-only", "FileNotFoundError"])
    .held("hostname", &["PermissionError", "Read-only"])
    .held("kernel_memory", NO_FILE)
    .held("kernel_log", &["PermissionError"])
    .held("symbols", &["PermissionError", "ValueError"])
    .held("uevent", NO_FILE)
    .held("cgroup", NO_FILE)
    .held("map", &["PermissionError"])
    .held("parent_descriptors", &["LookupError"])
    .held("init_descriptors", &["LookupError"])
    .must_be_held();
}

#[test]
fn what_is_above_inside_is_as_restricted() {
    // Inside name spaces its memory can be had, and leads no further.
    python(
        r#"
def filtered(pid):
    lines = open(f"/proc/{pid}/status").read().splitlines()
    return all(line.split()[1] == want for line in lines for start, want in [("Seccomp:", "2"), ("NoNewPrivs:", "1"), ("CapPrm:", "0" * 16)] if line.startswith(start))
for name, pid in dict(init=1, parent=os.getppid()).items():
    attempt("free_" + name, lambda: None if filtered(pid) else "free")
"#,
    )
    .must_be_held_as(|_, level| level.choice == Choice::Bubblewrap);
}

#[test]
fn nobody_elses_limits_are_changed() {
    python(
        r#"
attempt("limits", lambda: resource.prlimit({bystander}, resource.RLIMIT_NOFILE, (1, 1)))
attempt("priority", lambda: os.setpriority(os.PRIO_PROCESS, {bystander}, 19) or "changed")
attempt("group_priority", lambda: os.setpriority(os.PRIO_PGRP, {bystander}, 19) or "changed")
attempt("user_priority", lambda: os.setpriority(os.PRIO_USER, 0, 19) or "changed")
attempt("processors", lambda: os.sched_setaffinity({bystander}, [0]) or "changed")
attempt("scheduler", lambda: os.sched_setscheduler({bystander}, os.SCHED_IDLE, os.sched_param(0)) or "changed")
attempt("input", lambda: call("ioprio_set", 1, {bystander}, (3 << 13)) or "changed")
"#,
    )
    .held("limits", NOBODY_THERE)
    .held("priority", NOBODY_THERE)
    .held("group_priority", NOBODY_THERE)
    .held("user_priority", NOBODY_THERE)
    .held("processors", NOBODY_THERE)
    .held("scheduler", NOBODY_THERE)
    .held("input", NOBODY_THERE)
    .must_be_held();
}

#[test]
fn own_limits_are_not_raised() {
    python(
        r#"
for name in ["RLIMIT_AS", "RLIMIT_DATA", "RLIMIT_NPROC", "RLIMIT_CPU", "RLIMIT_FSIZE", "RLIMIT_NOFILE", "RLIMIT_CORE"]:
    what = getattr(resource, name)
    hard = resource.getrlimit(what)[1]
    if hard == resource.RLIM_INFINITY:
        continue
    attempt(name, lambda: resource.setrlimit(what, (hard + 1, hard + 1)) or "raised")
attempt("nice", lambda: os.nice(-5))
attempt("real_time", lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)) or "raised")
"#,
    )
    .held("RLIMIT_DATA", &["not allowed to raise"])
    .held("RLIMIT_NPROC", &["not allowed to raise"])
    .held("RLIMIT_CPU", &["not allowed to raise"])
    .held("RLIMIT_FSIZE", &["not allowed to raise"])
    .held("RLIMIT_NOFILE", &["not allowed to raise"])
    .held("RLIMIT_CORE", &["not allowed to raise"])
    .held("nice", &["PermissionError"])
    .held("real_time", &["PermissionError"])
    .must_be_held();
}

#[test]
fn what_leaves_its_session_and_its_parent_does_not_outlive() {
    python(
        r#"
def leave(depth):
    if os.fork() == 0:
        os.setsid()
        if depth:
            leave(depth - 1)
        for number in range(1, 32):
            try:
                signal.signal(number, signal.SIG_IGN)
            except (OSError, ValueError):
                pass
        while True:
            time.sleep(1)
for _ in range(5):
    leave(3)
say("tried")
"#,
    )
    .must_be_held();
}

#[test]
fn what_was_started_in_the_background_does_not_outlive() {
    shell(
        r#"
(setsid sleep 3600 &) ; nohup sleep 3600 >/dev/null 2>&1 & sleep 3600 &
(while :; do sleep 1; done) & (trap '' TERM HUP INT; while :; do sleep 1; done) &
exit 0
"#,
    )
    .must_be_held();
}

#[test]
fn what_always_moves_on_does_not_outlive() {
    // Each child starts the next and goes, so that whoever looks for it comes late.
    python(
        r#"
def fork():
    try:
        return os.fork()
    except OSError:
        return -1
for _ in range(20):
    if fork() == 0:
        os.setsid()
        while True:
            try:
                if os.fork():
                    os._exit(0)
            except OSError:
                pass
say("tried")
time.sleep(0.3)
"#,
    )
    .ends("it ends, or there are too many of it", |ended| {
        ended.success() || ended.end == End::Limit(Limit::Processes)
    })
    .must_be_held();
}

#[test]
fn who_takes_in_orphans_does_not_keep_them() {
    python(
        r#"
call("prctl", 36, 1, 0, 0, 0)  # a subreaper of its own
for _ in range(3):
    if os.fork() == 0:
        if os.fork() == 0:
            os.setsid()
            time.sleep(3600)
        os._exit(0)
    os.wait()
say("tried")
if os.fork() == 0:
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(3600)
time.sleep(5)
"#,
    )
    .ends_anyhow()
    .must_be_held();
}

#[test]
fn pipes_held_open_hold_up_nothing() {
    python(
        r#"
if os.fork() == 0:
    os.setsid()
    time.sleep(3600)
say("tried")
"#,
    )
    .limits(Limits { wall_ms: 60_000, ..Limits::default() })
    .ends("it does not wait for them", |ended| ended.success() && ended.duration.as_secs() < 50)
    .must_be_held();
}

#[test]
fn ignoring_every_signal_does_not_help() {
    python(
        r#"
for number in range(1, 65):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
say("tried")
while True:
    time.sleep(1)
"#,
    )
    .limits(Limits { wall_ms: 700, ..Limits::default() })
    .ends("its time is over", |ended| ended.end == End::Limit(Limit::Time))
    .must_be_held();
}
