//! The proxy does to connections what it is told to.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use fleet_scripted::{Fault, Proxy};

/// A server that reads a line from its one caller, and answers with twenty bytes.
fn server() -> (u16, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("it is bound").port();
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a caller");
        let mut asked = [0; 4];
        stream.read_exact(&mut asked).expect("a request");
        assert_eq!(&asked, b"ask\n");
        stream.write_all(b"01234567890123456789").expect("it is read");
        let _ = stream.shutdown(Shutdown::Write);
        let _ = stream.read_to_end(&mut Vec::new());
    });
    (port, thread)
}

/// What a caller gets behind a proxy with `fault`, and how its reading ends.
fn ask(fault: Fault, patience: Duration) -> (Vec<u8>, Option<ErrorKind>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let (port, thread) = server();
    let proxy = runtime.block_on(Proxy::start(port, fault)).expect("a free port");
    let mut stream = TcpStream::connect(proxy.url().trim_start_matches("http://")).expect("it listens");
    stream.set_read_timeout(Some(patience)).expect("a socket");
    stream.write_all(b"ask\n").expect("it is passed on");
    let (mut got, mut buffer) = (Vec::new(), [0; 64]);
    let ended = loop {
        match stream.read(&mut buffer) {
            Ok(0) => break None,
            Ok(read) => got.extend_from_slice(&buffer[..read]),
            Err(error) => break Some(error.kind()),
        }
    };
    drop(stream);
    drop(proxy);
    thread.join().expect("the server ends when its caller is gone");
    (got, ended)
}

const LONG: Duration = Duration::from_secs(20);

#[test]
fn what_is_not_spoilt_passes() {
    assert_eq!(ask(Fault::None, LONG), (b"01234567890123456789".to_vec(), None));
}

#[test]
fn a_delayed_reply_comes_late() {
    let begun = Instant::now();
    assert_eq!(ask(Fault::Delay { ms: 60 }, LONG).0.len(), 20);
    assert!(begun.elapsed() >= Duration::from_millis(60));
}

#[test]
fn a_cut_is_a_reset_and_a_half_close_an_end() {
    assert_eq!(ask(Fault::Cut { after: 0 }, LONG).1, Some(ErrorKind::ConnectionReset));
    assert_eq!(ask(Fault::Cut { after: 7 }, LONG).1, Some(ErrorKind::ConnectionReset));
    assert_eq!(ask(Fault::HalfClose { after: 7 }, LONG), (b"0123456".to_vec(), None));
}

#[test]
fn a_stalled_reply_neither_goes_on_nor_ends() {
    let (got, ended) = ask(Fault::Stall { after: 7 }, Duration::from_millis(100));
    assert_eq!(got, b"0123456");
    assert!(matches!(ended, Some(ErrorKind::WouldBlock | ErrorKind::TimedOut)), "{ended:?}");
}

#[test]
fn noise_takes_the_place_of_what_follows_and_is_the_same_for_the_same_seed() {
    let noisy = |seed| ask(Fault::Garbage { after: 7, seed, bytes: 30 }, LONG).0;
    let first = noisy(1);
    assert_eq!((first.len(), &first[..7]), (37, &b"0123456"[..]));
    assert_eq!(first, noisy(1));
    assert_ne!(first, noisy(3));
}

#[tokio::test]
async fn a_refusing_proxy_is_like_nobody_and_may_come_back() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("it is bound").port();
    let proxy = Proxy::start(port, Fault::Refuse).await.expect("a free port");
    let address = proxy.url().trim_start_matches("http://").to_owned();
    for n in 0..3 {
        let refused = tokio::net::TcpStream::connect(&address).await.expect_err("nobody listens");
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        proxy.set(Fault::None).await;
        let _caller = tokio::net::TcpStream::connect(&address).await.expect("it listens again");
        while proxy.connections() == n {
            tokio::task::yield_now().await;
        }
        proxy.set(Fault::Refuse).await;
    }
}
