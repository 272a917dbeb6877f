//! The server: takes connections, asks the script, and sends what it says.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use fleet_llm::wire::{ChatRequest, ErrorBody, ModelEntry, ModelList, Text};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode, service::service_fn};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::body::ReplyBody;
use crate::ledger::{Entry, Ledger, Turn};
use crate::reply::{End, Reply};

const REQUEST_BYTES_MAX: usize = 64 << 20;

/// One call of a model, as a script sees it.
#[derive(Debug, Clone)]
pub struct Call {
    /// Which call it is; the first is 1.
    pub number: u64,
    /// The model that is asked for.
    pub model: String,
    /// Whom it is made for: the `user` of the request.
    pub caller: String,
    /// Whether a stream is asked for.
    pub stream: bool,
    /// Whether figures are asked for with the stream.
    pub include_usage: bool,
    /// What the answer must look like: the `type` of `response_format`.
    pub format: Option<String>,
    /// The headers it came with.
    pub headers: HeaderMap,
    /// The request as it came.
    pub body: Bytes,
}

impl Call {
    /// A header that is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The whole request.
    pub fn request(&self) -> Result<ChatRequest<'_>, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }
}

/// Says what is answered to each call.
pub trait Script: Send + Sync + 'static {
    /// The reply to a call.
    fn reply(&self, call: &Call) -> Reply;
}

impl<F: Fn(&Call) -> Reply + Send + Sync + 'static> Script for F {
    fn reply(&self, call: &Call) -> Reply {
        self(call)
    }
}

/// What a server does besides following its script.
#[derive(Debug)]
pub struct Settings {
    /// The models it lists.
    pub models: Vec<String>,
    /// The key it wants, if any.
    pub api_key: Option<String>,
    /// Where it writes down which calls were made.
    pub ledger: Ledger,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { models: vec!["scripted".into()], api_key: None, ledger: Ledger::in_memory() }
    }
}

/// A server that runs until it is dropped.
pub struct Scripted {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl Scripted {
    /// Starts a server on a free port of this machine, with a ledger in memory.
    pub async fn start(script: impl Script) -> io::Result<Scripted> {
        Scripted::with(Settings::default(), script).await
    }

    /// Starts a server on a free port of this machine.
    pub async fn with(settings: Settings, script: impl Script) -> io::Result<Scripted> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::new(settings, script));
        Ok(Scripted { address, task: tokio::spawn(accept(listener, shared.clone())), shared })
    }

    /// Where the server is, such as `http://127.0.0.1:40000`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The port it listens on.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.address.port()
    }

    /// Answers `/health` so from now on; to begin with it says that all is well.
    pub fn set_health(&self, reply: Reply) {
        *lock(&self.shared.health) = reply;
    }

    /// Lists these models from now on.
    pub fn set_models(&self, models: &[&str]) {
        *lock(&self.shared.models) = list(models.iter().map(|&id| id.into()));
    }

    /// Answers `/v1/models` so from now on.
    pub fn answer_models(&self, reply: Reply) {
        *lock(&self.shared.models) = reply;
    }

    /// The calls so far, if the ledger is kept in memory.
    #[must_use]
    pub fn calls(&self) -> Vec<Entry> {
        self.shared.ledger.entries()
    }

    /// How many connections were made so far.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::Relaxed)
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves on `listener` until the future is dropped.
pub async fn serve(listener: TcpListener, settings: Settings, script: impl Script) {
    accept(listener, Arc::new(Shared::new(settings, script))).await;
}

struct Shared {
    script: Box<dyn Script>,
    health: Mutex<Reply>,
    models: Mutex<Reply>,
    authorization: Option<HeaderValue>,
    ledger: Arc<Ledger>,
    calls: AtomicU64,
    connections: AtomicU64,
}

impl Shared {
    fn new(settings: Settings, script: impl Script) -> Shared {
        Shared {
            script: Box::new(script),
            health: Mutex::new(Reply::raw(200, "application/json", "{\"status\":\"ok\"}")),
            models: Mutex::new(list(settings.models)),
            authorization: settings
                .api_key
                .and_then(|key| HeaderValue::from_str(&format!("Bearer {key}")).ok()),
            ledger: Arc::new(settings.ledger),
            calls: AtomicU64::new(0),
            connections: AtomicU64::new(0),
        }
    }
}

fn list(models: impl IntoIterator<Item = String>) -> Reply {
    let data = models.into_iter().map(|id| ModelEntry { id }).collect();
    Reply::json(200, &ModelList { data })
}

fn lock(reply: &Mutex<Reply>) -> MutexGuard<'_, Reply> {
    reply.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    // The connections end with this set, and it ends with the server.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    shared.connections.fetch_add(1, Ordering::Relaxed);
                    connections.spawn(connection(stream, shared.clone()));
                }
                // Out of file descriptors, most likely: some are given back soon.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(stream: TcpStream, shared: Arc<Shared>) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let shared = shared.clone();
        async move { answer(request, &shared).await }
    });
    // Fails when the script cuts the connection or the caller goes away: both are in the ledger.
    let _ = hyper::server::conn::http1::Builder::new()
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// Nothing is answered: the connection is closed.
#[derive(Debug)]
struct HangUp;

impl std::fmt::Display for HangUp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the script hangs up")
    }
}

impl std::error::Error for HangUp {}

async fn answer(request: Request<Incoming>, shared: &Shared) -> Result<Response<ReplyBody>, HangUp> {
    if (request.method(), request.uri().path()) == (&Method::GET, "/health") {
        // Open to everybody, as vLLM and llama.cpp have it.
        let health = lock(&shared.health).clone();
        return plain(health).await;
    }
    if shared.authorization.as_ref().is_some_and(|key| request.headers().get(AUTHORIZATION) != Some(key)) {
        return Ok(refuse(401, "authentication_error", "Invalid API Key"));
    }
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/v1/models") => {
            let models = lock(&shared.models).clone();
            plain(models).await
        }
        (&Method::POST, "/v1/chat/completions") => chat(request, shared).await,
        _ => Ok(send(Reply::raw(404, "application/json", "{\"detail\":\"Not Found\"}"))),
    }
}

/// What is looked at in each request; the rest is read only if the script wants it.
#[derive(Deserialize)]
struct Glance<'a> {
    #[serde(borrow)]
    model: Text<'a>,
    #[serde(borrow, default)]
    user: Option<Text<'a>>,
    #[serde(default)]
    stream: bool,
    #[serde(default)]
    stream_options: Option<fleet_llm::wire::StreamOptions>,
    #[serde(borrow, default)]
    response_format: Option<FormatGlance<'a>>,
}

#[derive(Deserialize)]
struct FormatGlance<'a> {
    #[serde(borrow)]
    r#type: Text<'a>,
}

async fn chat(request: Request<Incoming>, shared: &Shared) -> Result<Response<ReplyBody>, HangUp> {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, REQUEST_BYTES_MAX).collect().await else {
        return Ok(refuse(413, "invalid_request_error", "the request is too large"));
    };
    let body = body.to_bytes();
    let glance: Glance<'_> = match serde_json::from_slice(&body) {
        Ok(glance) => glance,
        Err(error) => return Ok(refuse(400, "invalid_request_error", &error.to_string())),
    };
    let call = Call {
        number: shared.calls.fetch_add(1, Ordering::Relaxed) + 1,
        model: glance.model.0.into_owned(),
        caller: glance.user.map(|user| user.0.into_owned()).unwrap_or_default(),
        stream: glance.stream,
        include_usage: glance.stream_options.is_some_and(|options| options.include_usage),
        format: glance.response_format.map(|format| format.r#type.0.into_owned()),
        headers: head.headers,
        body: body.clone(),
    };
    let turn = shared.ledger.begin(call.number, &call.model, &call.caller);
    let reply = shared.script.reply(&call);
    if let Some(gate) = &reply.gate {
        gate.passed().await;
    }
    give(reply, turn).await
}

/// A reply to something that is no call of a model, and not in the ledger.
async fn plain(reply: Reply) -> Result<Response<ReplyBody>, HangUp> {
    give(reply, Turn::default()).await
}

async fn give(reply: Reply, turn: Turn) -> Result<Response<ReplyBody>, HangUp> {
    if reply.wait_ms > 0 {
        tokio::time::sleep(Duration::from_millis(reply.wait_ms)).await;
    }
    if reply.without_status {
        return nothing(reply.end, turn).await.map(|never| match never {});
    }
    Ok(respond(reply, turn))
}

async fn nothing(end: End, mut turn: Turn) -> Result<Infallible, HangUp> {
    if end == End::Silence {
        std::future::pending::<()>().await;
    }
    turn.end(crate::Outcome::Cut);
    Err(HangUp)
}

fn refuse(status: u16, kind: &str, message: &str) -> Response<ReplyBody> {
    send(Reply::json(status, &ErrorBody::new(status, kind, message)))
}

fn send(reply: Reply) -> Response<ReplyBody> {
    respond(reply, Turn::default())
}

fn respond(mut reply: Reply, turn: Turn) -> Response<ReplyBody> {
    let headers = std::mem::take(&mut reply.headers);
    let (status, content_type) = (reply.status, reply.content_type);
    let mut response = Response::new(ReplyBody::new(reply, turn));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().append(name, value);
        }
    }
    response
}
