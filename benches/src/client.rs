//! What the measurements ask of the server.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fleet_api::v1::{DeliberateRequest, TaskConstraints};
use tokio::task::JoinSet;

use crate::process::{Client, Server};

const CONNECTIONS: usize = 4;
/// Callers on each connection.
const CALLERS: usize = 16;

/// A task as a user would submit it.
pub(crate) fn task(id: String, wait: bool) -> DeliberateRequest {
    DeliberateRequest {
        task_description: "Write a function that sums every nth value of a list, for a service that \
            reads measurements from many sensors. It must not fail on an empty list, and callers must \
            be able to tell a sum of nothing from a sum of zeros."
            .into(),
        role: "DEV".into(),
        constraints: Some(TaskConstraints {
            rubric: "Correct first, then simple, then fast.".into(),
            requirements: vec!["Python 3.11".into(), "With tests".into(), "No dependencies".into()],
            ..TaskConstraints::default()
        }),
        task_id: id,
        wait: Some(wait),
        ..DeliberateRequest::default()
    }
}

/// Calls for every number below `count`, many at once; gives how many of the calls said yes.
pub(crate) async fn all<F>(
    server: &Server,
    count: usize,
    call: impl Fn(Client, usize) -> F + Clone + Send + 'static,
) -> anyhow::Result<usize>
where
    F: Future<Output = bool> + Send,
{
    let next = Arc::new(AtomicUsize::new(0));
    let mut callers = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let client = server.client().await?;
        for _ in 0..CALLERS {
            let (client, next, call) = (client.clone(), Arc::clone(&next), call.clone());
            callers.spawn(async move {
                let mut yes = 0;
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= count {
                        return yes;
                    }
                    yes += usize::from(call(client.clone(), n).await);
                }
            });
        }
    }
    Ok(callers.join_all().await.into_iter().sum())
}
