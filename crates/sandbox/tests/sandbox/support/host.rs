//! A host with things that must neither be seen nor touched, and which notices when they are.

use std::fs::{self, File, Permissions};
use std::io::Write;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::User;
use super::runner::{SECRET, marked};

const HIDDEN: &str = "what only the host knows";
const LISTENED_TO: &str = "what the host says";
/// Where nothing may appear.
const PLACES: [&str; 8] = ["/", "/usr", "/usr/bin", "/etc", "/tmp", "/var/tmp", "/dev", "/dev/shm"];

/// The host, as one user has it.
pub(crate) struct Host {
    pub(crate) mark: String,
    place: TempDir,
    bystander: Child,
    tcp: TcpListener,
    named: UnixListener,
    nameless: UnixListener,
    datagrams: UnixDatagram,
    /// The state of everything that belongs to the user.
    before: Vec<String>,
}

impl Host {
    pub(crate) fn new(user: User) -> Self {
        let place = tempfile::tempdir_in("/tmp").unwrap();
        let mark = format!("mark-{}", place.path().file_name().unwrap().to_str().unwrap().trim_matches('.'));
        let give = |path: &Path, mode| {
            fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
            if rustix::process::geteuid().is_root() {
                std::os::unix::fs::chown(path, Some(user.id()), Some(user.id())).unwrap();
            }
        };
        give(place.path(), 0o777);
        for (name, mode) in [("secret", 0o644), ("canary", 0o666)] {
            fs::write(place.path().join(name), HIDDEN).unwrap();
            give(&place.path().join(name), mode);
        }
        let named = UnixListener::bind(place.path().join("socket")).unwrap();
        let datagrams = UnixDatagram::bind(place.path().join("datagrams")).unwrap();
        give(&place.path().join("socket"), 0o777);
        give(&place.path().join("datagrams"), 0o777);
        let nameless =
            UnixListener::bind_addr(&SocketAddr::from_abstract_name(mark.as_bytes()).unwrap()).unwrap();
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        named.set_nonblocking(true).unwrap();
        nameless.set_nonblocking(true).unwrap();
        datagrams.set_nonblocking(true).unwrap();
        tcp.set_nonblocking(true).unwrap();
        let mut bystander = Command::new("/bin/sh");
        bystander
            .args(["-c", "while :; do sleep 3600; done", &format!("bystander-{mark}")])
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env(SECRET, HIDDEN)
            .stdin(Stdio::null())
            .process_group(0);
        if rustix::process::geteuid().is_root() {
            bystander.uid(user.id()).gid(user.id());
        }
        let bystander = bystander.spawn().unwrap();
        let mut host = Self { mark, place, bystander, tcp, named, nameless, datagrams, before: Vec::new() };
        host.before = host.state();
        host
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    /// An attempt with what it needs to know of the host put in.
    pub(crate) fn tell(&self, code: &str) -> String {
        let text = |path: PathBuf| path.to_str().unwrap().to_owned();
        [
            ("{port}", self.tcp.local_addr().unwrap().port().to_string()),
            ("{mark}", self.mark.clone()),
            ("{place}", text(self.path(""))),
            ("{secret}", text(self.path("secret"))),
            ("{canary}", text(self.path("canary"))),
            ("{socket}", text(self.path("socket"))),
            ("{datagrams}", text(self.path("datagrams"))),
            ("{bystander}", self.bystander.id().to_string()),
            ("{known}", HIDDEN.to_owned()),
            ("{said}", LISTENED_TO.to_owned()),
            ("{variable}", SECRET.to_owned()),
        ]
        .into_iter()
        .fold(code.to_owned(), |code, (name, value)| code.replace(name, &value))
    }

    /// A descriptor of a file of the host that whatever is started next inherits.
    pub(crate) fn leak(&self) -> File {
        let file = File::open(self.path("secret")).unwrap();
        rustix::io::fcntl_setfd(&file, rustix::io::FdFlags::empty()).unwrap();
        file
    }

    fn state(&self) -> Vec<String> {
        let mut state = Vec::new();
        for name in ["", "secret", "canary", "socket", "datagrams"] {
            let it = fs::symlink_metadata(self.path(name)).map(|it| {
                let times = (it.mtime(), it.mtime_nsec());
                format!("{:o} {} {} {} {} {times:?}", it.mode(), it.uid(), it.gid(), it.nlink(), it.ino())
            });
            state.push(format!("{name}: {it:?}"));
        }
        for name in ["secret", "canary"] {
            state.push(format!("{name}: {:?}", fs::read_to_string(self.path(name))));
        }
        let mut names: Vec<_> =
            fs::read_dir(self.place.path()).unwrap().flatten().map(|it| it.file_name()).collect();
        names.sort();
        state.push(format!("{names:?}"));
        let proc = PathBuf::from(format!("/proc/{}", self.bystander.id()));
        let read = |name| fs::read_to_string(proc.join(name)).unwrap_or_default();
        state.push(read("limits"));
        // Its priority and the processors that it may use.
        let stat = read("stat");
        let fields = stat.rsplit_once(')').map(|(_, fields)| fields.split_whitespace().collect::<Vec<_>>());
        state.push(format!("{:?}", fields.map(|fields| fields[15..17].join(" "))));
        state
            .extend(read("status").lines().find(|line| line.starts_with("Cpus_allowed:")).map(str::to_owned));
        state
    }

    /// Nothing was reached, changed, left or ended.
    pub(crate) fn assert_unharmed(&mut self, by: &str) {
        assert_eq!(self.bystander.try_wait().unwrap(), None, "{by}: the bystander lives");
        let status = fs::read_to_string(format!("/proc/{}/status", self.bystander.id())).unwrap();
        assert!(!status.contains("State:\tT"), "{by}: the bystander is not stopped");
        assert_eq!(self.state(), self.before, "{by}: nothing has changed");
        assert!(self.tcp.accept().is_err(), "{by}: nobody came by TCP");
        assert!(self.named.accept().is_err(), "{by}: nobody came to the socket with a name");
        assert!(self.nameless.accept().is_err(), "{by}: nobody came to the abstract socket");
        assert!(self.datagrams.recv(&mut [0; 8]).is_err(), "{by}: nobody sent a datagram");
        for place in PLACES {
            let path = Path::new(place).join(&self.mark);
            assert!(fs::symlink_metadata(&path).is_err(), "{by}: {} is not there", path.display());
        }
        let bystander = i32::try_from(self.bystander.id()).unwrap();
        let left: Vec<_> = marked(&self.mark).into_iter().filter(|(pid, _)| *pid != bystander).collect();
        assert!(left.is_empty(), "{by}: no process is left: {left:?}");
    }

    /// Speaks to whoever came, as `assert_unharmed` would have noticed: how many they were.
    pub(crate) fn visitors(&self) -> usize {
        let mut count = 0;
        let mut speak = |to: Option<Box<dyn Write>>| {
            if let Some(mut to) = to {
                to.write_all(LISTENED_TO.as_bytes()).unwrap();
                count += 1;
            }
        };
        speak(self.tcp.accept().ok().map(|(to, _)| Box::new(to) as Box<dyn Write>));
        speak(self.named.accept().ok().map(|(to, _)| Box::new(to) as Box<dyn Write>));
        speak(self.nameless.accept().ok().map(|(to, _)| Box::new(to) as Box<dyn Write>));
        if self.datagrams.recv(&mut [0; 8]).is_ok() {
            count += 1;
        }
        count
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.bystander.kill();
        let _ = self.bystander.wait();
        // Whatever its loop had started.
        let _ = rustix::process::kill_process_group(
            rustix::process::Pid::from_raw(i32::try_from(self.bystander.id()).unwrap()).unwrap(),
            rustix::process::Signal::KILL,
        );
    }
}
