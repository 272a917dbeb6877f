//! What announcements promise, as far as their port can see. That one is not seen twice is for each
//! adapter to show where its consumers look.

use std::sync::Arc;

use bytes::Bytes;
use tokio::task::JoinSet;

use super::wait::soon;
use crate::port::{Announcement, Announcements, Position};

/// Calls a macro with the name of each rule.
#[macro_export]
macro_rules! each_rule_of_announcements {
    ($rule:ident) => {
        $rule!(the_highest_position_published_for_is_known);
        $rule!(publishing_again_changes_nothing);
        $rule!(many_may_publish_at_once);
    };
}

/// An announcement with an id of its own.
pub fn sample(id: &str) -> Announcement {
    let body = Bytes::from(format!(r#"{{"task_id":"{id}"}}"#));
    Announcement { id: id.into(), subject: "deliberation.completed", body }
}

async fn published_to(announcements: &dyn Announcements) -> Position {
    soon(announcements.published_to()).await.expect("knows")
}

/// It is 0 before the first and does not fall when something is published late.
pub async fn the_highest_position_published_for_is_known(announcements: Arc<dyn Announcements>) {
    assert_eq!(published_to(&*announcements).await, Position(0));
    for (id, position, highest) in [("a", 3, 3), ("b", 9, 9), ("c", 5, 9)] {
        soon(announcements.publish(&[(sample(id), Position(position))])).await.expect("publishes");
        assert_eq!(published_to(&*announcements).await, Position(highest));
    }
}

/// Publishing the same again is no error, so that whoever is unsure may do it.
pub async fn publishing_again_changes_nothing(announcements: Arc<dyn Announcements>) {
    for _ in 0..3 {
        soon(announcements.publish(&[(sample("a"), Position(3))])).await.expect("publishes");
    }
    assert_eq!(published_to(&*announcements).await, Position(3));
}

/// Replicas may publish the same and different things at once.
pub async fn many_may_publish_at_once(announcements: Arc<dyn Announcements>) {
    let mut publishers = JoinSet::new();
    for n in 0..64 {
        let announcements = Arc::clone(&announcements);
        publishers.spawn(async move {
            let position = n % 16 + 1;
            announcements.publish(&[(sample(&position.to_string()), Position(position))]).await
        });
    }
    for result in soon(publishers.join_all()).await {
        result.expect("publishes");
    }
    assert_eq!(published_to(&*announcements).await, Position(16));
}
