//! The kernel: rights, name spaces, mounts, keys, and calls that lead out.

use fleet_sandbox::{End, Limits};

use crate::support::{python, shell};

const REFUSED: &[&str] = &["PermissionError", "not implemented"];

#[test]
fn programs_with_the_rights_of_root_do_not_give_them() {
    shell(
        r#"
for program in su mount umount passwd chsh newgrp pkexec sudo; do
    command -v $program >/dev/null || continue
    timeout 5 $program -c id root </dev/null 2>&1 | grep "uid=0" && echo ESCAPED $program
done
cp /usr/bin/id mine; chmod 4755 mine 2>&1; chmod 6711 mine 2>&1; ./mine | grep "euid=" && echo ESCAPED
exit 0
"#,
    )
    .must_be_held();
}

#[test]
fn nobody_becomes_somebody_else() {
    python(
        r#"
attempt("uid", lambda: os.setuid(0) or "root")
attempt("euid", lambda: os.seteuid(0) or "root")
attempt("reuid", lambda: os.setresuid(0, 0, 0) or "root")
attempt("gid", lambda: os.setgid(0) or "root")
attempt("groups", lambda: os.setgroups([0]) or "root")
attempt("other", lambda: os.setuid(12345) or "other")
header = ctypes.create_string_buffer((0x20080522).to_bytes(4, "little") + b"\0" * 4)
attempt("capabilities", lambda: call("capset", header, ctypes.create_string_buffer(b"\xff" * 24)))
attempt("ambient", lambda: call("prctl", 47, 2, 21, 0, 0))
attempt("privileges", lambda: call("prctl", 38, 0, 0, 0, 0))
attempt("secure", lambda: call("prctl", 28, 0x2f, 0, 0, 0))
attempt("root", lambda: "root" if os.geteuid() == 0 else None)
"#,
    )
    .held("uid", &["PermissionError", "Invalid argument"])
    .held("euid", &["PermissionError", "Invalid argument"])
    .held("reuid", &["PermissionError", "Invalid argument"])
    .held("gid", &["PermissionError", "Invalid argument"])
    .held("groups", &["PermissionError"])
    .held("other", &["PermissionError", "Invalid argument"])
    .held("capabilities", &["PermissionError"])
    .held("ambient", &["PermissionError"])
    .held("privileges", &["Invalid argument"])
    .held("secure", &["PermissionError"])
    .must_be_held();
}

#[test]
fn nothing_is_mounted() {
    python(
        r#"
os.mkdir("m")
attempt("memory", lambda: call("mount", b"tmpfs", b"m", b"tmpfs", 0, None))
attempt("bind", lambda: call("mount", b"/", b"m", None, 4096, None))
attempt("writable", lambda: call("mount", None, b"/usr", None, 32 | 4096, None))
attempt("proc", lambda: call("mount", b"proc", b"m", b"proc", 0, None))
attempt("unmount", lambda: call("umount2", b"/proc", 2))
attempt("pivot", lambda: call("pivot_root", b"m", b"m"))
attempt("chroot", lambda: os.chroot("m") or "in")
attempt("tree", lambda: call("open_tree", -100, b"/", 1))
attempt("move", lambda: call("move_mount", -100, b"/usr", -100, b"m", 0))
attempt("open", lambda: call("fsopen", b"tmpfs", 0))
attempt("pick", lambda: call("fspick", -100, b"/", 0))
attempt("attributes", lambda: call("mount_setattr", -100, b"/usr", 0, ctypes.create_string_buffer(32), 32))
attempt("list", lambda: call("listmount", ctypes.create_string_buffer(64), ctypes.create_string_buffer(64), 8, 0))
"#,
    )
    .held("memory", REFUSED)
    .held("bind", REFUSED)
    .held("writable", REFUSED)
    .held("proc", REFUSED)
    .held("unmount", REFUSED)
    .held("pivot", REFUSED)
    .held("chroot", REFUSED)
    .held("tree", REFUSED)
    .held("move", REFUSED)
    .held("open", REFUSED)
    .held("pick", REFUSED)
    .held("attributes", REFUSED)
    .held("list", REFUSED)
    .must_be_held();
}

#[test]
fn no_name_space_is_made_or_entered() {
    python(
        r#"
kinds = dict(mount=0x20000, cgroup=0x2000000, uts=0x4000000, ipc=0x8000000, user=0x10000000, pid=0x20000000, net=0x40000000, time=0x80)
for name, flag in kinds.items():
    attempt("unshare_" + name, lambda: call("unshare", flag))
    if name != "time":
        attempt("clone_" + name, lambda: call("clone", flag | 17, 0, 0, 0, 0) or os._exit(0))
attempt("user_and_mount", lambda: call("clone", 0x10020000 | 17, 0, 0, 0, 0) or os._exit(0))
arguments = ctypes.create_string_buffer((0x10000000).to_bytes(8, "little") + b"\0" * 80)
attempt("clone3", lambda: call("clone3", arguments, 88) or os._exit(0))
attempt("enter", lambda: call("setns", os.open("/dev/null", os.O_RDONLY), 0))
attempt("enter_process", lambda: call("setns", os.pidfd_open(os.getpid()), 0x10000000))
"#,
    )
    .held("unshare_user", REFUSED)
    .held("unshare_mount", REFUSED)
    .held("unshare_net", REFUSED)
    .held("unshare_pid", REFUSED)
    .held("clone_user", REFUSED)
    .held("clone_mount", REFUSED)
    .held("clone_net", REFUSED)
    .held("user_and_mount", REFUSED)
    .held("clone3", &["not implemented"])
    .held("enter", REFUSED)
    .held("enter_process", REFUSED)
    .must_be_held();
}

#[test]
fn keys_are_out_of_reach() {
    python(
        r#"
attempt("add", lambda: call("add_key", b"user", b"{mark}", b"x", 1, -3))
attempt("request", lambda: call("request_key", b"user", b"{mark}", None, 0))
attempt("session", lambda: call("keyctl", 0, -3, 0))
attempt("user", lambda: call("keyctl", 0, -4, 0))
"#,
    )
    .held("add", REFUSED)
    .held("request", REFUSED)
    .held("session", REFUSED)
    .held("user", REFUSED)
    .must_be_held();
}

#[test]
fn the_machine_is_not_steered() {
    python(
        r#"
buffer = ctypes.create_string_buffer(4096)
calls = dict(bpf=("bpf", 0, buffer, 128), perf=("perf_event_open", buffer, 0, -1, -1, 0), fault=("userfaultfd", 0), kexec=("kexec_load", 0, 0, None, 0),
    kexec_file=("kexec_file_load", 0, 0, 0, b"", 0), module=("init_module", buffer, 16, b""), module_file=("finit_module", 0, b"", 0), unload=("delete_module", b"x", 0),
    reboot=("reboot", 0, 0, 0, None), swap=("swapon", b"x", 0), time=("settimeofday", buffer, None), clock=("clock_settime", 0, buffer), adjust=("adjtimex", buffer),
    hostname=("sethostname", b"x", 1), domain=("setdomainname", b"x", 1), ports=("iopl", 3), port=("ioperm", 0, 1, 1), account=("acct", None), log=("syslog", 3, buffer, 10),
    quota=("quotactl", 0, b"x", 0, None), hang_up=("vhangup",), ldt=("modify_ldt", 0, buffer, 16), notify=("fanotify_init", 0, 0), personality=("personality", 0x0400000),
    pages=("move_pages", 1, 0, None, None, None, 0), secret=("memfd_secret", 0), later=(467, 0), future=(600, 0), other=(0x40000000 | 39,))
for name, arguments in calls.items():
    attempt(name, lambda: call(*arguments))
"#,
    )
    .held("bpf", REFUSED)
    .held("perf", REFUSED)
    .held("fault", REFUSED)
    .held("kexec", REFUSED)
    .held("kexec_file", REFUSED)
    .held("module", REFUSED)
    .held("module_file", REFUSED)
    .held("reboot", REFUSED)
    .held("swap", REFUSED)
    .held("time", REFUSED)
    .held("clock", REFUSED)
    .held("hostname", REFUSED)
    .held("ports", REFUSED)
    .held("account", REFUSED)
    .held("log", REFUSED)
    .held("notify", REFUSED)
    .held("personality", REFUSED)
    .held("secret", REFUSED)
    .held("future", &["not implemented"])
    .held("other", &["not implemented"])
    .must_be_held();
}

#[test]
fn nothing_that_outlives_processes_is_made() {
    python(
        r#"
attempt("memory", lambda: call("shmget", 0x5a5a, 4096, 0o1666))
attempt("semaphores", lambda: call("semget", 0x5a5a, 1, 0o1666))
attempt("messages", lambda: call("msgget", 0x5a5a, 0o1666))
attempt("queue", lambda: call("mq_open", b"{mark}", 0o102, 0o600, None))
"#,
    )
    .held("memory", REFUSED)
    .held("semaphores", REFUSED)
    .held("messages", REFUSED)
    .held("queue", REFUSED)
    .must_be_held();
}

#[test]
fn keystrokes_are_not_put_in_a_terminal() {
    python(
        r#"
import fcntl
for fd in (0, 1, 2):
    attempt(f"type{fd}", lambda: fcntl.ioctl(fd, 0x5412, b"x"))
    attempt(f"paste{fd}", lambda: fcntl.ioctl(fd, 0x541c, b"\x03"))
attempt("terminal", lambda: os.open("/dev/tty", os.O_RDWR))
"#,
    )
    .held("type0", &["PermissionError"])
    .held("paste0", &["PermissionError"])
    .held("terminal", &["PermissionError", "FileNotFoundError", "No such device"])
    .must_be_held();
}

/// The calls of 32-bit programs have other numbers, which no filter for 64 bits knows.
#[cfg(target_arch = "x86_64")]
#[test]
fn the_other_door_to_the_kernel_is_shut() {
    python(
        r#"
import mmap
# getpid by `int 0x80`
code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
code.write(bytes.fromhex("b814000000cd80c3"))
door = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))
say("tried")
say("ESCAPED" if door() == os.getpid() else "held")
"#,
    )
    .limits(Limits { wall_ms: 20_000, ..Limits::default() })
    .ends("the kernel ends it", |ended| matches!(ended.end, End::Signal(31 | 11)))
    .must_be_held();
}
