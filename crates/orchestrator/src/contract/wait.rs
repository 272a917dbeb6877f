//! Waiting in rules: for what must come, and to see that something does not come by itself.

use std::future::Future;
use std::time::Duration;

use futures_util::poll;

/// What a promise may take at most before it counts as broken. Nothing waits as long as this when it is
/// kept.
const PATIENCE: Duration = Duration::from_secs(60);

/// Looks at a future this often before it is believed to wait.
const LOOKS: usize = 50;

/// What `future` gives, in good time.
pub(super) async fn soon<T>(future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(result) => result,
        Err(_) => panic!("nothing came within {PATIENCE:?}"),
    }
}

/// Sees that `future` waits.
pub(super) async fn waits<T>(future: &mut (impl Future<Output = T> + Unpin)) {
    for _ in 0..LOOKS {
        assert!(poll!(&mut *future).is_pending(), "it should wait");
        tokio::task::yield_now().await;
    }
}
