//! What earlier versions kept is read and gone on with by this one.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use crate::support::{Place, answers};

/// A state as the version before kept it: a deliberation that had ended, and one that had not.
const FORMAT_1: &[u8] = include_bytes!("../golden/state-format-1.db");

/// Nothing that was kept is too old to be served.
const FOR_EVER: [(&str, &str); 2] =
    [("FLEET__STATE__RESULTS_SERVED_S", "3153600000"), ("FLEET__STATE__HISTORY_DAYS", "36500")];

fn format(state: &Path) -> u32 {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let file = Connection::open_with_flags(state.join("fleet.db"), flags).unwrap();
    file.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn a_state_of_format_1_is_read_and_taken_over() {
    let place = Place::new();
    std::fs::create_dir_all(place.state()).unwrap();
    std::fs::write(place.state().join("fleet.db"), FORMAT_1).unwrap();
    let run = async |arguments: &[&str]| {
        let fleet = place.fleet(arguments);
        FOR_EVER.iter().fold(fleet, |fleet, (name, value)| fleet.env(name, value)).end().await
    };
    let result = run(&["result", "ended", "--json"]).await;
    assert_eq!(result.code, 0, "{}", result.stderr);
    let kept: serde_json::Value = serde_json::from_str(&result.stdout).unwrap();
    assert_eq!(kept["results"].as_array().unwrap().len(), 2);
    assert_eq!(format(&place.state()), 1, "reading changes nothing");

    let model = answers(0).await;
    let server = place.serve_with(&["--url", &model.url()], &FOR_EVER).await;
    assert_eq!(format(&place.state()), 2);
    let again = run(&["result", "ended", "--json"]).await;
    assert_eq!(again.stdout, result.stdout, "the verdict is the same, to the letter");
    // Its deadline may have come since: then it ends for that reason, and is not lost.
    let client = server.client().await;
    let left = client.ended("left").await;
    assert!(left.status > 2, "{left:?}");
    let councils = run(&["councils", "create", "SECURITY"]).await;
    assert_eq!(councils.code, 0, "{}", councils.stderr);
    server.stop().await;
    let listed = run(&["list", "--json"]).await;
    let listed: serde_json::Value = serde_json::from_str(&listed.stdout).unwrap();
    let ids: Vec<&str> =
        listed.as_array().unwrap().iter().map(|row| row["task_id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["left", "ended"]);
}
