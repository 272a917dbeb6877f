//! Scripts of model servers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fleet_scripted::{Call, Council, Reply, Script, Scripted};

/// How long a held answer takes, in milliseconds: longer than any test.
pub(crate) const HELD: u64 = 3_600_000;

/// The script of a council that takes `latency_ms` for each answer.
pub(crate) fn council(latency_ms: u64) -> Council {
    Council::new("scripted", latency_ms, 600, 4, 0)
}

/// A model server that answers all calls of a council, each after `latency_ms`.
pub(crate) async fn answers(latency_ms: u64) -> Scripted {
    Scripted::start(council(latency_ms)).await.unwrap()
}

/// A model server that refuses every call.
pub(crate) async fn refuses() -> Scripted {
    let refusal = |_: &Call| Reply::error(401, "authentication_error", "Invalid API Key");
    Scripted::start(refusal).await.unwrap()
}

/// What kind of job a call is for; its caller is a job's id.
pub(crate) fn kind_of(caller: &str) -> &str {
    caller.split('/').nth(2).unwrap_or_default()
}

/// A model server that answers all calls but those of one kind of job, which it holds until they are let
/// go.
pub(crate) async fn held(kind: &'static str) -> (Scripted, Arc<AtomicBool>) {
    let let_go = Arc::new(AtomicBool::new(false));
    let (council, open) = (council(0), Arc::clone(&let_go));
    let script = move |call: &Call| {
        let reply = council.reply(call);
        match kind_of(&call.caller) == kind && !open.load(Ordering::SeqCst) {
            true => reply.after_ms(HELD),
            false => reply,
        }
    };
    (Scripted::start(script).await.unwrap(), let_go)
}
