//! What earlier versions kept is read and gone on with by this one.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use crate::support::{Place, answers};

/// A state as the version before kept it: a deliberation that had ended, and one that had not.
const FORMAT_1: &[u8] = include_bytes!("../golden/state-format-1.db");

/// The same as format 2 had it, with a council that was made besides.
const FORMAT_2: &[u8] = include_bytes!("../golden/state-format-2.db");

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
    is_read_and_taken_over(1, FORMAT_1).await;
}

#[tokio::test]
async fn a_state_of_format_2_is_read_and_taken_over() {
    is_read_and_taken_over(2, FORMAT_2).await;
}

async fn is_read_and_taken_over(before: u32, kept: &[u8]) {
    let place = Place::new();
    std::fs::create_dir_all(place.state()).unwrap();
    std::fs::write(place.state().join("fleet.db"), kept).unwrap();
    let run = async |arguments: &[&str]| {
        let fleet = place.fleet(arguments);
        FOR_EVER.iter().fold(fleet, |fleet, (name, value)| fleet.env(name, value)).end().await
    };
    let result = run(&["result", "ended", "--json"]).await;
    assert_eq!(result.code, 0, "{}", result.stderr);
    let kept: serde_json::Value = serde_json::from_str(&result.stdout).unwrap();
    assert_eq!(kept["results"].as_array().unwrap().len(), 2);
    // A verdict of an earlier rule may differ from today's.
    let replayed = run(&["replay", "ended"]).await;
    assert_eq!(replayed.code, 0, "{}{}", replayed.stdout, replayed.stderr);
    let explained = run(&["explain", "ended"]).await;
    assert_eq!(explained.code, 0, "{}", explained.stderr);
    assert!(explained.stdout.contains("won. What tells it from the next"), "{}", explained.stdout);
    let verified = run(&["verify"]).await;
    assert_eq!(verified.code, 0, "{}{}", verified.stdout, verified.stderr);
    assert!(verified.stdout.contains("cannot be told"), "{}", verified.stdout);
    assert_eq!(format(&place.state()), before, "reading changes nothing");

    let model = answers(0).await;
    let server = place.serve_with(&["--url", &model.url()], &FOR_EVER).await;
    assert_eq!(format(&place.state()), 3);
    let again = run(&["result", "ended", "--json"]).await;
    assert_eq!(again.stdout, result.stdout, "the verdict is the same, to the letter");
    // Its deadline may have come since: then it ends for that reason, and is not lost.
    let client = server.client().await;
    let left = client.ended("left").await;
    assert!(left.status > 2, "{left:?}");
    let councils = run(&["councils", "create", "AUDIT"]).await;
    assert_eq!(councils.code, 0, "{}", councils.stderr);
    server.stop().await;
    let verified = run(&["verify", "--json"]).await;
    assert_eq!(verified.code, 0, "{}{}", verified.stdout, verified.stderr);
    let verified: serde_json::Value = serde_json::from_str(&verified.stdout).unwrap();
    assert_eq!(verified["format"], 3);
    assert!(verified["answers_without_digest"].as_u64() > Some(0), "{verified}");
    // From here on a missing end is found, also of what was there before.
    let file = Connection::open(place.state().join("fleet.db")).unwrap();
    let last =
        "DELETE FROM records WHERE history = (SELECT key FROM histories WHERE id = 'deliberation:ended')
                AND ends = 1";
    assert_eq!(file.execute(last, []).unwrap(), 1);
    let cut = run(&["verify"]).await;
    assert_eq!(cut.code, 13, "{}", cut.stdout);
    assert!(cut.stdout.contains("deliberation:ended") && cut.stdout.contains("CUT_OFF"), "{}", cut.stdout);
    drop(file);
    let listed = run(&["list", "--json"]).await;
    let listed: serde_json::Value = serde_json::from_str(&listed.stdout).unwrap();
    let ids: Vec<&str> =
        listed.as_array().unwrap().iter().map(|row| row["task_id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["left", "ended"]);
}
