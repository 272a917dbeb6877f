//! Files of the host: reading them, and writing where nothing may be written.

use crate::support::{Attempt, python, shell};

const NO_FILE: &[&str] = &["PermissionError", "FileNotFoundError"];
const NO_CHANGE: &[&str] = &["PermissionError", "FileNotFoundError", "Read-only", "cross-device"];

fn reads() -> Attempt {
    python(
        r#"
inherited = lambda: next(found for found in (read_descriptor(fd) for fd in range(3, 300)) if found)
def read_descriptor(fd):
    try:
        return "{known}" if b"{known}" in os.pread(fd, 100, 0) else None
    except OSError:
        return None
above = "../" * 40
def link():
    os.symlink("{secret}", "link"); return open("link").read()
def link_to_root():
    os.symlink("/", "root"); return open("root" + "{secret}").read()
def hard_link():
    os.link("{secret}", "hard"); return open("hard").read()
def variable():
    return os.environ["{variable}"]
def variable_of_parent():
    return open(f"/proc/{os.getppid()}/environ").read().index("{variable}")
def folder():
    return os.listdir("{place}")
attempt("plain", lambda: open("{secret}").read())
attempt("above", lambda: open(above + "{secret}").read())
attempt("slashes", lambda: open("//.//" + "{secret}").read())
attempt("inherited", inherited)
for what in [link, link_to_root, hard_link, variable, folder]:
    attempt(what.__name__, what)
"#,
    )
    .with_leak()
}

#[test]
fn no_file_of_the_host_is_read() {
    reads()
        .held("plain", NO_FILE)
        .held("above", NO_FILE)
        .held("slashes", NO_FILE)
        .held("inherited", &["StopIteration"])
        .held("link", NO_FILE)
        .held("link_to_root", NO_FILE)
        .held("hard_link", NO_CHANGE)
        .held("variable", &["KeyError"])
        .held("folder", NO_FILE)
        .must_be_held();
}

#[test]
fn outside_a_sandbox_they_are_read() {
    reads().would_succeed(&["plain", "above", "slashes", "inherited", "variable", "folder"]);
}

#[test]
fn nothing_is_read_that_systems_keep() {
    python(
        r#"
paths = dict(shadow="/etc/shadow", passwd="/etc/passwd", hostname="/etc/hostname", keys="/etc/ssl/private",
             machine="/etc/machine-id", crontab="/etc/crontab", bashrc="/root/.bashrc", dpkg="/var/lib/dpkg/status",
             sys="/sys/kernel/uevent_seqnum", kallsyms="/boot")
for name, path in paths.items():
    attempt(name, lambda: os.listdir(path) if os.path.isdir(path) else open(path).read(10))
for name, path in dict(root="/root", home="/home", var="/var", run="/run", srv="/srv", mnt="/mnt").items():
    attempt(name, lambda: os.listdir(path))
"#,
    )
    .held("shadow", NO_FILE)
    .held("passwd", NO_FILE)
    .held("hostname", NO_FILE)
    .held("keys", NO_FILE)
    .held("machine", NO_FILE)
    .held("bashrc", NO_FILE)
    .held("dpkg", NO_FILE)
    .held("sys", NO_FILE)
    .held("kallsyms", NO_FILE)
    .held("root", NO_FILE)
    .held("home", NO_FILE)
    .held("var", NO_FILE)
    .held("run", NO_FILE)
    .held("srv", NO_FILE)
    .held("mnt", NO_FILE)
    .must_be_held();
}

#[test]
fn nothing_is_written_outside() {
    python(
        r#"
for number, place in enumerate(["/", "/usr", "/usr/bin", "/usr/local", "/etc", "/dev", "/var/tmp", "/proc", "/sys", "{place}"]):
    attempt(f"file{number}", lambda: open(f"{place}/{mark}", "w").write("x"))
    attempt(f"folder{number}", lambda: os.mkdir(f"{place}/{mark}") or "made")
    attempt(f"link{number}", lambda: os.symlink("/", f"{place}/{mark}") or "made")
# These two may be folders of its own.
for place in ["/tmp", "/dev/shm"]:
    try:
        open(f"{place}/{mark}", "w").write("x")
    except OSError:
        pass
"#
    )
    .held("file0", NO_CHANGE)
    .held("folder0", NO_CHANGE)
    .held("link0", NO_CHANGE)
    .held("file1", NO_CHANGE)
    .held("file2", NO_CHANGE)
    .held("file3", NO_CHANGE)
    .held("file4", NO_CHANGE)
    .held("file5", NO_CHANGE)
    .held("file6", NO_CHANGE)
    .held("file7", NO_CHANGE)
    .held("file8", NO_CHANGE)
    .held("file9", NO_CHANGE)
    .must_be_held();
}

#[test]
fn nothing_that_is_there_is_changed() {
    python(
        r#"
def write():
    return open("{canary}", "r+").write("x")
def append():
    return open("{canary}", "a").write("x")
def truncated_open():
    return os.open("{canary}", os.O_RDONLY | os.O_TRUNC)
def through_link():
    os.symlink("{canary}", "canary"); return open("canary", "w").write("x")
def truncate():
    os.truncate("{canary}", 0); return "cut"
def remove():
    os.unlink("{canary}"); return "removed"
def move_in():
    os.rename("{canary}", "mine"); return "moved"
def move_over():
    open("mine", "w").write("x"); os.rename("mine", "{canary}"); return "moved"
def exchange():
    open("mine", "w").write("x"); return call("renameat2", -100, b"mine", -100, b"{canary}", 2)
def note():
    os.setxattr("{canary}", "user.mark", b"x"); return "noted"
def own():
    os.chown("{canary}", os.getuid(), os.getgid()); return "owned"
def share():
    os.link("{canary}", "shared"); return open("shared", "w").write("x")
def folder():
    os.rmdir("{place}"); return "removed"
for what in [write, append, truncated_open, through_link, truncate, remove, move_in, move_over, exchange, note, own, share, folder]:
    attempt(what.__name__, what)
# Said to be done, perhaps, and not done.
attempt("mode", lambda: os.chmod("{canary}", 0o777))
attempt("closed", lambda: os.chmod("{canary}", 0))
attempt("secret", lambda: os.chmod("{secret}", 0o600))
attempt("folder_mode", lambda: os.chmod("{place}", 0))
attempt("times", lambda: os.utime("{canary}", (0, 0)))
attempt("times_through_link", lambda: os.utime("canary", (0, 0)))
attempt("modes_by_call", lambda: call("fchmodat2", -100, b"{canary}", 0, 0) or None)
"#,
    )
    .held("write", NO_CHANGE)
    .held("append", NO_CHANGE)
    .held("truncated_open", NO_CHANGE)
    .held("through_link", NO_CHANGE)
    .held("truncate", NO_CHANGE)
    .held("remove", NO_CHANGE)
    .held("move_in", NO_CHANGE)
    .held("move_over", NO_CHANGE)
    .held("exchange", NO_CHANGE)
    .held("note", &["not supported", "FileNotFoundError", "Read-only"])
    .held("own", &["PermissionError", "FileNotFoundError"])
    .held("share", NO_CHANGE)
    .held("folder", NO_CHANGE)
    .must_be_held();
}

#[test]
fn programs_of_the_system_and_the_helper_stay_as_they_are() {
    python(
        r#"
import glob
mine = [f"/proc/{pid}/exe" for pid in ("self", "1", "2", os.getppid())]
programs = [*mine, "/usr/bin/python3", "/bin/sh", "/usr/bin/bwrap", *glob.glob("/tmp/.tmp*/runner")]
for number, program in enumerate(programs):
    attempt(f"write{number}", lambda: open(program, "r+b").write(b"x"))
    attempt(f"replace{number}", lambda: os.rename(program, "mine") or "moved")
    attempt(f"close{number}", lambda: os.chmod(program, 0))
    attempt(f"open{number}", lambda: os.chmod(program, 0o4777))
    attempt(f"age{number}", lambda: os.utime(program, (0, 0)))
for pid in (1, 2, os.getppid()):
    for fd in range(3, 64):
        attempt(f"descriptor{pid}-{fd}", lambda: os.chmod(f"/proc/{pid}/fd/{fd}", 0))
"#,
    )
    .held("write0", &["PermissionError", "Read-only", "busy", "FileNotFoundError"])
    .held("write4", NO_CHANGE)
    .held("write5", NO_CHANGE)
    .must_be_held();
}

#[test]
fn no_device_is_made_or_opened() {
    python(
        r#"
import stat
attempt("block", lambda: os.mknod("disk", stat.S_IFBLK | 0o600, os.makedev(254, 0)) or "made")
attempt("character", lambda: os.mknod("memory", stat.S_IFCHR | 0o600, os.makedev(1, 1)) or "made")
for name in ["vda", "sda", "mem", "kmsg", "kvm", "fuse", "loop-control", "net/tun", "tty1", "tty", "console"]:
    attempt(name, lambda: os.open("/dev/" + name, os.O_RDWR))
"#,
    )
    .held("block", &["PermissionError"])
    .held("character", &["PermissionError"])
    .held("vda", NO_FILE)
    .held("mem", NO_FILE)
    .held("kmsg", NO_FILE)
    .held("fuse", NO_FILE)
    .held("net/tun", NO_FILE)
    .held("tty", &["PermissionError", "FileNotFoundError", "No such device"])
    .must_be_held();
}

#[test]
fn a_shell_gets_no_further() {
    shell(
        r#"
cat {secret} 2>&1; cat /etc/shadow 2>&1; echo x > {canary}; cp /bin/sh /usr/bin/{mark} 2>&1
cat < {secret}; ln {secret} here; cd {place} && ls && touch {mark}; tar -cf - {place} | tr -d '\0' | grep "{known}" && echo ESCAPED
rm -rf {place} /usr/bin/python3 2>&1; mv {canary} . 2>&1
grep -s "{known}" {secret} /proc/*/environ && echo ESCAPED; exit 0
"#,
    )
    .must_be_held();
}

#[test]
fn handles_do_not_open_what_names_may_not() {
    python(
        r#"
handle = ctypes.create_string_buffer(b"\x80\0\0\0" + b"\0" * 132)
mount = ctypes.c_int()
attempt("to_handle", lambda: call("name_to_handle_at", -100, b"/usr", handle, ctypes.byref(mount), 0))
fd = os.open("/usr", os.O_RDONLY)
# The root of most file systems.
root = ctypes.create_string_buffer((8).to_bytes(4, "little") + (1).to_bytes(4, "little") + (2).to_bytes(4, "little") + b"\0" * 4)
attempt("by_handle", lambda: call("open_by_handle_at", fd, root, 0))
"#,
    )
    .held("to_handle", &["PermissionError"])
    .held("by_handle", &["PermissionError"])
    .must_be_held();
}
