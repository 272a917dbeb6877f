//! The network, and sockets of the host.

use crate::support::{Attempt, python, shell};

const NO_WAY: &[&str] = &["PermissionError", "ConnectionRefusedError", "unreachable"];
const NO_SOCKET: &[&str] = &["PermissionError", "FileNotFoundError"];

fn connections() -> Attempt {
    python(
        r#"
def tcp():
    return socket.create_connection(("127.0.0.1", {port}), 5).recv(100)
def named():
    s = socket.socket(socket.AF_UNIX); s.connect("{socket}"); return s.recv(100)
def abstract():
    s = socket.socket(socket.AF_UNIX); s.connect("\0{mark}"); return s.recv(100)
def datagram():
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); return s.sendto(b"x", "{datagrams}")
def pair():
    a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM); return a.sendto(b"x", "{datagrams}")
def pair_connects():
    a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM); a.connect("{datagrams}"); return a.send(b"x")
for what in [tcp, named, abstract, datagram, pair, pair_connects]:
    attempt(what.__name__, what)
"#,
    )
}

#[test]
fn no_service_of_the_host_is_reached() {
    connections()
        .held("tcp", NO_WAY)
        .held("named", NO_SOCKET)
        .held("abstract", NO_WAY)
        .held("datagram", NO_SOCKET)
        .held("pair", &["PermissionError"])
        .held("pair_connects", &["PermissionError"])
        .must_be_held();
}

#[test]
fn outside_a_sandbox_they_are_reached() {
    connections().would_succeed(&["tcp", "named", "abstract", "datagram", "pair", "pair_connects"]);
}

#[test]
fn no_address_is_reached() {
    python(
        r#"
def tcp4():
    return socket.create_connection(("192.0.2.1", 80), 5)
def tcp6():
    return socket.create_connection(("2001:db8::1", 80), 5)
def udp4():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); return s.sendto(b"x", ("192.0.2.1", 53))
def udp6():
    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); return s.sendto(b"x", ("2001:db8::1", 53))
def broadcast():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    return s.sendto(b"x", ("255.255.255.255", 9))
for what in [tcp4, tcp6, udp4, udp6, broadcast]:
    attempt(what.__name__, what)
"#,
    )
    .held("tcp4", NO_WAY)
    .held("tcp6", &["PermissionError", "unreachable", "Cannot assign", "not supported"])
    .held("udp4", NO_WAY)
    .held("udp6", &["PermissionError", "unreachable", "Cannot assign", "not supported"])
    .held("broadcast", NO_WAY)
    .must_be_held();
}

#[test]
fn no_name_is_looked_up() {
    python(
        r#"
attempt("dns", lambda: socket.getaddrinfo("example.com", 80))
attempt("hosts", lambda: open("/etc/hosts").read())
attempt("resolver", lambda: open("/etc/resolv.conf").read())
"#,
    )
    .held("dns", &["gaierror"])
    .held("hosts", NO_SOCKET)
    .held("resolver", NO_SOCKET)
    .must_be_held();
}

#[test]
fn a_shell_reaches_nothing_either() {
    shell("bash -c 'echo x > /dev/tcp/127.0.0.1/{port}' 2>&1 && echo ESCAPED; exit 0").must_be_held();
}

#[test]
fn no_other_kind_of_socket_is_made() {
    python(
        r#"
kinds = dict(netlink=(16, 3, 0), packet=(17, 3, 768), vsock=(40, 1, 0), alg=(38, 5, 0), key=(15, 3, 2),
             raw=(2, 3, 1), icmp=(2, 2, 1), bluetooth=(31, 5, 0), can=(29, 3, 1), xdp=(44, 3, 0), tipc=(30, 1, 0))
for name, kind in kinds.items():
    attempt(name, lambda: socket.socket(*kind))
"#,
    )
    .held("netlink", &["PermissionError"])
    .held("packet", &["PermissionError"])
    .held("vsock", &["PermissionError"])
    .held("alg", &["PermissionError"])
    .held("key", &["PermissionError"])
    .held("raw", &["PermissionError"])
    .held("icmp", &["PermissionError"])
    .held("bluetooth", &["PermissionError"])
    .held("can", &["PermissionError"])
    .held("xdp", &["PermissionError"])
    .held("tipc", &["PermissionError"])
    .must_be_held();
}

#[test]
fn no_ring_does_what_calls_may_not() {
    python(
        r#"
buffer = ctypes.create_string_buffer(256)
attempt("setup", lambda: call("io_uring_setup", 8, buffer))
attempt("enter", lambda: call("io_uring_enter", 0, 1, 0, 0, None, 0))
attempt("register", lambda: call("io_uring_register", 0, 0, buffer, 1))
"#,
    )
    .held("setup", &["PermissionError"])
    .held("enter", &["PermissionError"])
    .held("register", &["PermissionError"])
    .must_be_held();
}
