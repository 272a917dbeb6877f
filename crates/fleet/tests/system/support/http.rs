//! Pages over plain HTTP, and what a page of metrics says.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::PATIENCE;

/// What a server answered.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) headers: String,
    pub(crate) body: String,
}

/// Asks `address` for `path` over HTTP/1.1.
pub(crate) async fn get(address: &str, path: &str, headers: &str) -> Page {
    ask(address, &format!("GET {path}"), headers, "").await
}

/// Asks in any way over HTTP/1.1, and reads until the connection ends.
pub(crate) async fn ask(address: &str, what: &str, headers: &str, body: &str) -> Page {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let length = body.len();
    let request = format!(
        "{what} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("the answer ends").unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Page { status: status.unwrap_or_default(), headers: head.to_lowercase(), body: body.to_owned() }
}

/// The sum of a metric's values over the series that have all these labels.
pub(crate) fn series(page: &str, name: &str, labels: &[&str]) -> f64 {
    let of = |line: &&str| {
        let series = line.rsplit_once(' ').map_or("", |(series, _)| series);
        series.split('{').next() == Some(name) && labels.iter().all(|label| series.contains(label))
    };
    let value = |line: &str| line.rsplit_once(' ').and_then(|(_, value)| value.parse::<f64>().ok());
    page.lines().filter(|line| !line.starts_with('#')).filter(of).filter_map(value).sum()
}
