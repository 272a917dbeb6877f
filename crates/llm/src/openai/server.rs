//! One server: where it is, how it is reached, and what may be said of it.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use fleet_deliberation::FailureKind;
use fleet_orchestrator::TraceContext;
use fleet_orchestrator::port::ModelError;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, Request, Response, Url};
use secrecy::{ExposeSecret, SecretString};

use super::{error, fault};

/// How a server is reached.
#[derive(Clone)]
pub struct ServerConfig {
    /// Where it is: `http://host:8000`, with or without `/v1`, or with a path of its own.
    pub url: String,
    /// Its key, if it wants one.
    pub api_key: Option<SecretString>,
    /// How long it may take.
    pub limits: Limits,
}

impl fmt::Debug for ServerConfig {
    /// Without the key, and without what a URL may hold besides the place.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerConfig")
            .field("url", &shown(&self.url))
            .field("has_key", &self.api_key.is_some())
            .field("limits", &self.limits)
            .finish()
    }
}

/// How long a server may take, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// To accept a connection.
    pub connect_ms: u64,
    /// From the call to the first token; waiting in the server's queue counts.
    pub first_token_ms: u64,
    /// From one token to the next.
    pub between_tokens_ms: u64,
    /// For the whole call.
    pub total_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { connect_ms: 5_000, first_token_ms: 45_000, between_tokens_ms: 20_000, total_ms: 60_000 }
    }
}

/// Why a server cannot be called as it was configured.
#[derive(Debug, thiserror::Error)]
pub enum BadServer {
    /// The URL is none of a server.
    #[error("the URL of a model server must look like http://host:8000 or https://host/v1: {0}")]
    Url(String),
    /// The key cannot be sent.
    #[error("the API key holds characters that cannot be sent; it must be visible ASCII")]
    Key,
    /// The client could not be made.
    #[error("the HTTP client could not be set up")]
    Client(#[source] reqwest::Error),
}

/// Servers close connections that were idle for some five seconds (uvicorn, cpp-httplib); ours are
/// given up before, so that no call is sent into one that is being closed.
const IDLE: Duration = Duration::from_secs(4);

/// How long the end of an answer's body is waited for once the answer is complete, so that its
/// connection can be used again.
const DRAIN: Duration = Duration::from_millis(20);

pub(crate) struct Server {
    client: Client,
    base: Url,
    label: String,
    headers: HeaderMap,
    key: Option<SecretString>,
    connect_ms: u64,
}

impl Server {
    pub(crate) fn new(config: ServerConfig) -> Result<Server, BadServer> {
        let base = base(&config.url)?;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream, application/json"));
        let key = config.api_key.filter(|key| !key.expose_secret().is_empty());
        if let Some(key) = &key {
            let mut value = HeaderValue::from_str(&format!("Bearer {}", key.expose_secret()))
                .map_err(|_| BadServer::Key)?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let mut client = Client::builder()
            .connect_timeout(Duration::from_millis(config.limits.connect_ms))
            .pool_idle_timeout(IDLE)
            .retry(reqwest::retry::never())
            .redirect(reqwest::redirect::Policy::none());
        if is_local(&base) {
            client = client.no_proxy();
        }
        if base.scheme() == "http" {
            // No certificate is ever looked at: the system's need not be read.
            client = client.tls_certs_only([]);
        }
        let client = client.build().map_err(BadServer::Client)?;
        let connect_ms = config.limits.connect_ms;
        Ok(Server { client, label: label(&base), base, headers, key, connect_ms })
    }

    /// The server as messages name it: no credentials, no query.
    pub(crate) fn label(&self) -> &str {
        &self.label
    }

    pub(super) fn key(&self) -> Option<&str> {
        self.key.as_ref().map(|key| key.expose_secret())
    }

    pub(crate) fn get(&self, path: &str) -> Request {
        self.request(Method::GET, path)
    }

    /// A request at the root of the server, without its key: what is asked there is for everybody.
    pub(super) fn get_at_root(&self, path: &str) -> Request {
        let mut url = self.base.clone();
        url.set_path(path);
        url.set_query(None);
        Request::new(Method::GET, url)
    }

    /// A request that is part of a trace.
    pub(super) fn post(&self, path: &str, body: Bytes, trace: TraceContext) -> Request {
        const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
        let mut request = self.request(Method::POST, path);
        if let Ok(trace) = HeaderValue::try_from(trace.to_string()) {
            request.headers_mut().insert(TRACEPARENT, trace);
        }
        *request.body_mut() = Some(body.into());
        request
    }

    fn request(&self, method: Method, path: &str) -> Request {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path()));
        let mut request = Request::new(method, url);
        *request.headers_mut() = self.headers.clone();
        request
    }

    pub(crate) fn execute(
        &self,
        request: Request,
    ) -> impl Future<Output = Result<Response, reqwest::Error>> + use<> {
        self.client.execute(request)
    }

    /// The error of a call that got no answer at all.
    pub(super) fn no_answer(&self, cause: &reqwest::Error) -> ModelError {
        let (server, connect_ms) = (&self.label, self.connect_ms);
        if cause.is_connect() && cause.is_timeout() {
            let message = format!(
                "{server} did not accept a connection within {connect_ms} ms; the limit is model.connect_timeout_s"
            );
            return error(FailureKind::Timeout, message);
        }
        let cause_text = fault::cause(cause);
        let message = if cause.is_connect() {
            format!("could not connect to {server}: {cause_text}; is the server running?")
        } else {
            format!("the connection to {server} broke before it answered: {cause_text}")
        };
        error(FailureKind::Connection, message)
    }

    pub(super) async fn drain(&self, response: &mut Response) {
        let rest = async { while let Ok(Some(_)) = response.chunk().await {} };
        let _ = tokio::time::timeout(DRAIN, rest).await;
    }
}

/// Checks that `url` is one of a server; gives it as messages name it, without anything secret.
pub fn check_url(url: &str) -> Result<String, BadServer> {
    base(url).map(|base| label(&base))
}

/// A URL in the form in which equal ones are equal, and as messages name it.
pub(crate) fn canonical(url: &str) -> Result<(String, String), BadServer> {
    base(url).map(|base| (base.to_string(), label(&base)))
}

/// A URL without credentials, also one that is none of a server.
pub(crate) fn shown(url: &str) -> String {
    check_url(url).unwrap_or_else(|_| "(no URL of a server)".into())
}

/// The body of a response, as far as it is no longer than `bytes_max`.
pub(super) async fn body(mut response: Response, bytes_max: usize) -> Result<Vec<u8>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await? {
        body.extend_from_slice(&piece);
        if body.len() > bytes_max {
            body.truncate(bytes_max);
            break;
        }
    }
    Ok(body)
}

/// The URL that paths such as `models` are added to; it ends with a slash.
fn base(url: &str) -> Result<Url, BadServer> {
    let mut base = Url::parse(url.trim()).map_err(|error| BadServer::Url(error.to_string()))?;
    if !matches!(base.scheme(), "http" | "https") || !base.has_host() {
        return Err(BadServer::Url("it is neither http:// nor https://".into()));
    }
    let path = base.path().trim_end_matches('/');
    let path = if path.is_empty() { "/v1/".into() } else { format!("{path}/") };
    base.set_path(&path);
    base.set_fragment(None);
    Ok(base)
}

fn label(base: &Url) -> String {
    let path = base.path().trim_end_matches('/').trim_end_matches("/v1");
    format!("{}{path}", base.origin().ascii_serialization())
}

fn is_local(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_is_taken_with_and_without_its_path() {
        let at = |url: &str| base(url).map(|base| (base.to_string(), label(&base)));
        let v1 = ("http://h:8000/v1/".to_owned(), "http://h:8000".to_owned());
        assert_eq!(at("http://h:8000").unwrap(), v1);
        assert_eq!(at(" http://h:8000/ ").unwrap(), v1);
        assert_eq!(at("http://h:8000/v1/").unwrap(), v1);
        let own = ("https://h/openai/v1/".to_owned(), "https://h/openai".to_owned());
        assert_eq!(at("https://h/openai/v1").unwrap(), own);
        assert_eq!(at("http://me:secret@h/?key=s").unwrap().1, "http://h");
        assert!(at("h:8000").is_err());
        assert!(at("unix:///tmp/x").is_err());
        assert!(at("").is_err());
    }
}
