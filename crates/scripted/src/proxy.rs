//! A TCP proxy that spoils what comes back: late, cut, half-closed, stalled, replaced by noise, or refused.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, JoinSet};

/// What happens to a connection. Bytes are those of the reply, its head included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: it is passed on.
    None,
    /// Every piece of the reply comes so many milliseconds late.
    Delay {
        /// How late.
        ms: u64,
    },
    /// It is reset after so many bytes.
    Cut {
        /// How many bytes pass.
        after: usize,
    },
    /// The server's half is closed after so many bytes, as if that were all; the caller's half stays open.
    HalfClose {
        /// How many bytes pass.
        after: usize,
    },
    /// Nothing more comes after so many bytes, and it stays open.
    Stall {
        /// How many bytes pass.
        after: usize,
    },
    /// Noise comes after so many bytes, then the end.
    Garbage {
        /// How many bytes pass.
        after: usize,
        /// Says which noise.
        seed: u64,
        /// How much of it.
        bytes: usize,
    },
    /// No connection is accepted, as if nobody listened.
    Refuse,
}

/// A proxy that runs until it is dropped.
pub struct Proxy {
    address: SocketAddr,
    orders: mpsc::Sender<(Fault, oneshot::Sender<()>)>,
    connections: Arc<AtomicU64>,
    task: JoinHandle<()>,
    /// Keeps the port while nobody listens on it.
    _port: TcpSocket,
}

impl Proxy {
    /// Starts a proxy on a free port of this machine, before the server that listens on `port`.
    pub async fn start(port: u16, fault: Fault) -> io::Result<Proxy> {
        let kept = socket(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let address = kept.local_addr()?;
        let (orders, taken) = mpsc::channel(1);
        let connections = Arc::new(AtomicU64::new(0));
        let target = SocketAddr::from(([127, 0, 0, 1], port));
        let task = tokio::spawn(run(address, target, taken, connections.clone()));
        let proxy = Proxy { address, orders, connections, task, _port: kept };
        proxy.set(fault).await;
        Ok(proxy)
    }

    /// Treats connections so from now on; those that are open are closed. Returns when it holds.
    pub async fn set(&self, fault: Fault) {
        let (done, told) = oneshot::channel();
        let _ = self.orders.send((fault, done)).await;
        let _ = told.await;
    }

    /// Where the proxy is, such as `http://127.0.0.1:40000`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many connections were accepted so far.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A socket on `address` that others may share.
fn socket(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    Ok(socket)
}

async fn run(
    address: SocketAddr,
    target: SocketAddr,
    mut orders: mpsc::Receiver<(Fault, oneshot::Sender<()>)>,
    connections: Arc<AtomicU64>,
) {
    let mut order = orders.recv().await;
    while let Some((fault, done)) = order {
        let listener = match fault {
            Fault::Refuse => None,
            _ => socket(address).and_then(|socket| socket.listen(1024)).ok(),
        };
        let _ = done.send(());
        // The connections end with this set.
        let mut open = JoinSet::new();
        order = tokio::select! {
            biased;
            order = orders.recv() => order,
            () = accept(listener, target, fault, &connections, &mut open) => None,
        };
    }
}

async fn accept(
    listener: Option<TcpListener>,
    target: SocketAddr,
    fault: Fault,
    connections: &AtomicU64,
    open: &mut JoinSet<()>,
) {
    let Some(listener) = listener else { return std::future::pending().await };
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Ok((caller, _)) = accepted {
                connections.fetch_add(1, Ordering::Relaxed);
                open.spawn(async move {
                    // Either side may go away at any time: that is what this is for.
                    let _ = pass(caller, target, fault).await;
                });
            },
            Some(_) = open.join_next() => {}
        }
    }
}

async fn pass(mut caller: TcpStream, target: SocketAddr, fault: Fault) -> io::Result<()> {
    let mut server = TcpStream::connect(target).await?;
    caller.set_nodelay(true)?;
    server.set_nodelay(true)?;
    spoil_both(&mut caller, &mut server, fault).await?;
    match fault {
        Fault::Cut { .. } => caller.set_zero_linger(),
        _ => Ok(()),
    }
}

/// Passes both ways on until the reply is at its end; where only that ends, until the caller ends, too.
async fn spoil_both(caller: &mut TcpStream, server: &mut TcpStream, fault: Fault) -> io::Result<()> {
    let (mut from_caller, mut to_caller) = caller.split();
    let (mut from_server, mut to_server) = server.split();
    let mut requests = pin!(async {
        let _ = tokio::io::copy(&mut from_caller, &mut to_server).await;
        let _ = to_server.shutdown().await;
    });
    let mut replies = pin!(spoil(&mut from_server, &mut to_caller, fault));
    let mut asking = true;
    loop {
        tokio::select! {
            biased;
            () = &mut requests, if asking => asking = false,
            spoilt = &mut replies => {
                spoilt?;
                break;
            }
        }
    }
    if asking && matches!(fault, Fault::HalfClose { .. } | Fault::Stall { .. }) {
        requests.await;
    }
    Ok(())
}

/// Passes a reply on as the fault says. Where it ends, the caller's half is shut, unless it stalls.
async fn spoil(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    fault: Fault,
) -> io::Result<()> {
    let mut left = match fault {
        Fault::Cut { after } | Fault::HalfClose { after } | Fault::Stall { after } => after,
        Fault::Garbage { after, .. } => after,
        Fault::None | Fault::Delay { .. } | Fault::Refuse => usize::MAX,
    };
    let mut buffer = vec![0; 16 << 10];
    if left == 0 {
        // The request has come through by the time there is a reply that could be spoilt.
        let _ = from.read(&mut buffer).await?;
    }
    while left > 0 {
        let room = buffer.len().min(left);
        let read = from.read(&mut buffer[..room]).await?;
        if read == 0 {
            return to.shutdown().await;
        }
        if let Fault::Delay { ms } = fault {
            tokio::time::sleep(Duration::from_millis(ms)).await;
        }
        to.write_all(&buffer[..read]).await?;
        left -= read;
    }
    match fault {
        Fault::HalfClose { .. } => to.shutdown().await,
        Fault::Garbage { seed, bytes, .. } => {
            to.write_all(&noise(seed, bytes)).await?;
            to.shutdown().await
        }
        Fault::Cut { .. } | Fault::Stall { .. } | Fault::None | Fault::Delay { .. } | Fault::Refuse => Ok(()),
    }
}

/// Bytes without sense, the same ones for the same seed (xorshift).
fn noise(seed: u64, bytes: usize) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..bytes).map(|_| next()).collect()
}
