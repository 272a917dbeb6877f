//! Using up the machine: memory, processors, processes, disk, output, time.

use fleet_sandbox::{End, Limit, Limits};

use crate::support::{python, shell};

const MIB: u64 = 1024 * 1024;

fn limits() -> Limits {
    Limits {
        wall_ms: 20_000,
        memory_bytes: 100 * MIB,
        file_bytes: 8 * MIB,
        processes: 40,
        ..Limits::default()
    }
}

#[test]
fn a_fork_bomb_is_ended() {
    // It may end by itself when none of its processes can start another.
    shell("bomb() { bomb | bomb & }; bomb; sleep 0.5")
        .limits(limits())
        .ends("it is held", |ended| matches!(ended.end, End::Limit(Limit::Processes) | End::Exit(_)))
        .must_be_held();
}

#[test]
fn a_fork_bomb_that_hides_is_ended() {
    python(
        r#"
say("tried")
while True:
    try:
        if os.fork() == 0:
            os.setsid()
    except OSError:
        pass
"#,
    )
    .limits(limits())
    .ends("it has too many processes", |ended| ended.end == End::Limit(Limit::Processes))
    .must_be_held();
}

#[test]
fn threads_count_as_processes() {
    python(
        r#"
import threading
say("tried")
while True:
    try:
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
    except RuntimeError:
        pass
"#,
    )
    .limits(Limits { memory_bytes: 512 * MIB, ..limits() })
    .ends("it has too many threads", |ended| ended.end == End::Limit(Limit::Processes))
    .must_be_held();
}

#[test]
fn memory_beyond_the_limit_is_refused() {
    python(
        r#"
attempt("at_once", lambda: len(bytearray(1 << 30)))
"#,
    )
    .limits(limits())
    .held("at_once", &["MemoryError"])
    .must_be_held();
}

#[test]
fn memory_taken_bit_by_bit_is_ended() {
    python(
        r#"
say("tried")
kept = []
while True:
    try:
        kept.append(bytearray(b"x" * (1 << 20)))
    except MemoryError:
        pass
"#,
    )
    .limits(limits())
    .ends("it uses too much memory", |ended| ended.end == End::Limit(Limit::Memory))
    .must_be_held();
}

#[test]
fn memory_of_many_processes_is_taken_together() {
    python(
        r#"
say("tried")
for _ in range(10):
    if os.fork() == 0:
        kept = bytearray(os.urandom(1 << 20) * 40)
        time.sleep(30)
        os._exit(0)
time.sleep(30)
"#,
    )
    .limits(limits())
    .ends("it uses too much memory", |ended| ended.end == End::Limit(Limit::Memory))
    .must_be_held();
}

#[test]
fn shared_memory_counts_even_when_it_is_let_go() {
    python(
        r#"
import mmap
say("tried")
kept = []
while True:
    part = mmap.mmap(-1, 8 << 20)
    part.write(b"x" * (8 << 20))
    part.madvise(mmap.MADV_DONTNEED)
    kept.append(part)
"#,
    )
    .limits(limits())
    .ends("it uses too much memory", |ended| ended.end == End::Limit(Limit::Memory))
    .must_be_held();
}

#[test]
fn memory_counts_where_the_first_thread_has_gone() {
    python(
        r#"
import threading
say("tried")
def take():
    time.sleep(0.2)
    kept = []
    while True:
        try:
            kept.append(bytearray(b"x" * (1 << 20)))
        except MemoryError:
            pass
threading.Thread(target=take).start()
call("exit", 0)
"#,
    )
    .limits(limits())
    .ends("it uses too much memory", |ended| ended.end == End::Limit(Limit::Memory))
    .must_be_held();
}

#[test]
fn files_in_memory_are_no_way_around() {
    python(
        r#"
say("tried")
kept = []
while True:
    fd = os.memfd_create("x")
    for _ in range(7):
        os.write(fd, b"x" * (1 << 20))
    kept.append(fd)
"#,
    )
    .limits(limits())
    .ends("it is ended", |ended| matches!(ended.end, End::Limit(Limit::FileBytes | Limit::Memory)))
    .must_be_held();
}

#[test]
fn one_large_file_is_refused() {
    python(
        r#"
def large():
    with open("large", "wb") as file:
        for _ in range(100):
            file.write(b"x" * (1 << 20)); file.flush()
    return "written"
attempt("large", large)
def cut():
    with open("cut", "wb") as file:
        file.truncate(1 << 40)
    return "made"
attempt("cut", cut)
attempt("reserved", lambda: os.posix_fallocate(os.open("reserved", os.O_CREAT | os.O_RDWR), 0, 1 << 30) or "made")
os.unlink("large")
"#,
    )
    .limits(limits())
    .held("large", &["File too large", "No space"])
    .held("cut", &["File too large"])
    .held("reserved", &["File too large", "No space"])
    .must_be_held();
}

#[test]
fn a_disk_is_not_filled() {
    python(
        r#"
say("tried")
number = 0
while True:
    number += 1
    try:
        with open(f"file-{number}", "wb") as file:
            file.write(b"x" * (1 << 20))
    except OSError as error:
        say("held", error)
        sys.exit(3)
"#,
    )
    .limits(limits())
    .ends("there is no more room", |ended| matches!(ended.end, End::Exit(3) | End::Limit(Limit::FileBytes)))
    .must_be_held();
}

#[test]
fn a_disk_is_not_filled_by_files_without_a_name() {
    python(
        r#"
say("tried")
kept = []
while True:
    try:
        file = open("gone", "wb")
        os.unlink("gone")
        file.write(b"x" * (4 << 20)); file.flush()
        kept.append(file)
    except OSError as error:
        say("held", error)
        sys.exit(3)
"#,
    )
    .limits(limits())
    .ends("there is no more room", |ended| matches!(ended.end, End::Exit(3) | End::Limit(Limit::FileBytes)))
    .must_be_held();
}

#[test]
fn files_are_counted() {
    python(
        r#"
say("tried")
number = 0
while True:
    number += 1
    os.close(os.open(f"file-{number}", os.O_CREAT))
"#,
    )
    .limits(Limits { files: 500, ..limits() })
    .ends("it makes too many files", |ended| ended.end == End::Limit(Limit::Files))
    .must_be_held();
}

#[test]
fn folders_in_folders_are_counted_and_removed() {
    python(
        r#"
say("tried")
while True:
    os.mkdir("d" * 100)
    os.chdir("d" * 100)
"#,
    )
    .limits(Limits { files: 3000, ..limits() })
    .ends("it makes too many files", |ended| ended.end == End::Limit(Limit::Files))
    .must_be_held();
}

#[test]
fn other_places_in_memory_are_not_filled() {
    shell(
        r#"
for place in / /dev /dev/shm /etc /run /usr; do
    dd if=/dev/zero of=$place/{mark} bs=1M count=100 2>/dev/null && echo ESCAPED $place
done
exit 0
"#,
    )
    .limits(limits())
    .must_be_held();
}

#[test]
fn a_flood_of_output_is_ended() {
    for code in ["yes", "yes & yes >&2 & wait", "cat /dev/zero >&2"] {
        shell(code)
            .limits(Limits { output_bytes: 4 * MIB, ..limits() })
            .ends("it writes too much, and little of it is kept", |ended| {
                let kept = ended.stdout.head.len() + ended.stdout.tail.len();
                ended.end == End::Limit(Limit::Output) && kept <= Limits::default().kept_bytes
            })
            .must_be_held();
    }
}

#[test]
fn an_endless_loop_is_ended_by_processor_time() {
    python("say('tried')\nwhile True: pass")
        .limits(Limits { cpu_s: 1, ..limits() })
        .ends("it uses too much time", |ended| ended.end == End::Limit(Limit::Cpu))
        .must_be_held();
}

#[test]
fn processor_time_of_many_is_taken_together() {
    python(
        r#"
say("tried")
while True:
    if os.fork() == 0:
        until = time.process_time() + 0.2
        while time.process_time() < until: pass
        os._exit(0)
    if os.fork() == 0:
        until = time.process_time() + 0.2
        while time.process_time() < until: pass
        os._exit(0)
    os.wait(); os.wait()
"#,
    )
    .limits(Limits { cpu_s: 1, ..limits() })
    .ends("they use too much time", |ended| ended.end == End::Limit(Limit::Cpu))
    .must_be_held();
}

#[test]
fn sleeping_for_ever_is_ended_by_time() {
    python("say('tried')\ntime.sleep(3600)")
        .limits(Limits { wall_ms: 500, ..limits() })
        .ends("its time is over", |ended| ended.end == End::Limit(Limit::Time))
        .must_be_held();
}

#[test]
fn stopping_everything_is_ended_by_time() {
    python(
        r#"
say("tried")
for pid in (os.getppid(), os.getpid()):
    try:
        os.kill(pid, signal.SIGSTOP)
    except OSError:
        time.sleep(30)
"#,
    )
    .limits(Limits { wall_ms: 1_000, ..limits() })
    .ends("its time is over", |ended| ended.end == End::Limit(Limit::Time))
    .must_be_held();
}

#[test]
fn descriptors_are_limited() {
    python(
        r#"
def many():
    return [os.open("/dev/null", os.O_RDONLY) for _ in range(1000)]
attempt("many", many)
"#,
    )
    .limits(Limits { descriptors: 64, ..limits() })
    .held("many", &["Too many open files"])
    .must_be_held();
}
