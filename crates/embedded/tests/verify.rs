//! What was changed behind the program's back is found and named; what the program did itself is not.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fleet_deliberation::{
    AgentId, Answer, Command, CouncilEvent, Decision, DeliberationId, Digest, Generation, JobKind, Member,
    Outcome, Priority, Profile, Record, Role, Submission, Task, Timestamp,
};
use fleet_embedded::{
    Embedded, Fault, Settings, Step, SystemClock, Verified, VerifyError, Watch, back_up, verify, verify_file,
};
use fleet_orchestrator::port::{Entry, HistoryId, Sequence};
use rusqlite::{Connection, params};

const AT: Timestamp = Timestamp(1_764_000_000_000);

fn patient() -> Watch {
    Arc::new(|_| ControlFlow::Continue(()))
}

fn open(dir: &Path) -> Embedded {
    Embedded::open(dir, Settings::default(), Arc::new(SystemClock)).unwrap()
}

fn id(name: &str) -> DeliberationId {
    DeliberationId::new(name).unwrap()
}

fn submission(name: &str) -> Submission {
    let profile = Profile::new("p", "m", 0.7, 10);
    let member = |agent: &str| Member { agent: AgentId::new(agent).unwrap(), profile: profile.clone() };
    Submission {
        selection: fleet_deliberation::Selection::default(),
        budget: fleet_deliberation::Budget::default(),
        id: id(name),
        task: Task { description: "sort a list".into(), ..Task::default() },
        role: Role::new("DEV").unwrap(),
        members: vec![member("a"), member("b")],
        rounds: 0,
        quorum: 1,
        timeout_ms: 100_000,
        fingerprint: "f".into(),
        submitter: String::new(),
        priority: Priority::Normal,
        trace: String::new(),
    }
}

/// Writes a deliberation to its end: five records, the last of which ends it, and four answers.
async fn deliberate(store: &Embedded, name: &str) {
    let (mut state, mut after, mut previous) = (None, Sequence(0), Digest::default());
    let mut commands = vec![Command::Submit { submission: Box::new(submission(name)), at: AT }];
    while let Some(command) = commands.pop() {
        let mut decision = Decision::on(state);
        decision.take(command).unwrap();
        let record = Record::new(AT, previous, decision.events);
        let ends = record.ends();
        let body = record.encode();
        previous = Digest::of(&body);
        let entry = Entry { body: body.into(), at: AT, ends };
        after = store.events.append(&HistoryId::deliberation(&id(name)), after, entry).await.unwrap();
        state = decision.state;
        let job = state.as_ref().unwrap().outstanding().map(|(job, _)| job).next();
        let Some(job) = job else { continue };
        let outcome = match job.kind {
            JobKind::Check => Outcome::Checks(fleet_deliberation::CheckReport::default()),
            _ => Outcome::Text(Generation { text: "words and more words".into(), ..Generation::default() }),
        };
        let answer = Answer { job: job.clone(), attempt: 1, started_at: AT, ended_at: AT, outcome };
        let taken = answer.taken(AT);
        store.answers.record(answer).await.unwrap();
        commands.push(taken);
    }
}

async fn make_council(store: &Embedded) {
    let record = Record::new(AT, Digest::default(), vec![CouncilEvent::CouncilDeleted { at: AT }]);
    let entry = Entry { body: record.encode().into(), at: AT, ends: false };
    let history = HistoryId::council(&Role::new("SAGE").unwrap());
    store.events.append(&history, Sequence(0), entry).await.unwrap();
}

/// A state with three deliberations and a council.
async fn filled(dir: &Path) {
    let store = open(dir);
    for name in ["one", "two", "three"] {
        deliberate(&store, name).await;
    }
    make_council(&store).await;
    store.close().await;
}

fn change(dir: &Path, sql: &str) {
    let connection = Connection::open(dir.join("fleet.db")).unwrap();
    assert!(connection.execute(sql, []).unwrap() > 0, "{sql} changes something");
}

/// What is found, each as history, record, job and fault.
fn found(verified: &Verified) -> Vec<(&str, Option<u64>, Option<&str>, Fault)> {
    verified
        .findings
        .iter()
        .map(|finding| {
            let history = finding.history.as_deref().unwrap_or("the file");
            (history, finding.sequence, finding.job.as_deref(), finding.fault)
        })
        .collect()
}

fn key(name: &str) -> String {
    format!("(SELECT key FROM histories WHERE id = 'deliberation:{name}')")
}

#[tokio::test]
async fn what_was_written_is_sound_also_while_it_is_open_and_in_a_backup() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path()).await;
    let verified = verify(dir.path(), &patient()).unwrap();
    assert_eq!(verified.findings, []);
    assert_eq!((verified.histories, verified.records, verified.answers), (4, 16, 12));
    assert_eq!((verified.format, verified.answers_without_digest), (3, 0));

    let store = open(dir.path());
    deliberate(&store, "four").await;
    let verified = verify(dir.path(), &patient()).unwrap();
    assert_eq!((verified.findings.len(), verified.histories), (0, 5), "beside the one who writes");
    let file = dir.path().join("backup.db");
    back_up(dir.path(), &file, false, &patient()).unwrap();
    assert_eq!(verify_file(&file, &patient()).unwrap().findings, []);
    store.close().await;
}

#[tokio::test]
async fn each_change_is_found_and_named() {
    let one = || key("one");
    let digest = Digest::of(b"x").to_string();
    type Expected = (&'static str, Option<u64>, Option<&'static str>, Fault);
    const ONE: &str = "deliberation:one";
    const A: &str = "one/0/propose/a";
    let cases: Vec<(String, Vec<Expected>)> = vec![
        (
            format!("UPDATE records SET body = CAST(replace(body, '\"schema\":4', '\"schema\":2') AS BLOB)
                WHERE history = {} AND sequence = 3", one()),
            vec![(ONE, Some(3), None, Fault::Altered)],
        ),
        (
            format!("UPDATE records SET body = CAST(replace(body, '\"schema\":4', '\"schema\":2') AS BLOB)
                WHERE history = {} AND sequence = 5", one()),
            vec![(ONE, Some(5), None, Fault::Altered)],
        ),
        (
            format!("UPDATE records SET body = CAST(substr(body, 1, 20) AS BLOB) WHERE history = {} AND sequence = 2", one()),
            vec![(ONE, Some(2), None, Fault::Unreadable)],
        ),
        (
            format!("DELETE FROM records WHERE history = {} AND sequence = 5", one()),
            vec![(ONE, Some(5), None, Fault::CutOff)],
        ),
        (
            format!("DELETE FROM records WHERE history = {} AND sequence = 2", one()),
            vec![(ONE, Some(2), None, Fault::Missing)],
        ),
        (
            format!("UPDATE records SET at = at + 1 WHERE history = {} AND sequence = 2", one()),
            vec![(ONE, Some(2), None, Fault::Altered)],
        ),
        (
            "UPDATE answers SET body = CAST(replace(body, 'words', 'lords') AS BLOB) WHERE job = 'one/0/propose/a'".into(),
            vec![(ONE, None, Some(A), Fault::Altered)],
        ),
        (
            "UPDATE answers SET body = CAST(substr(body, 1, 30) AS BLOB) WHERE job = 'one/0/propose/a'".into(),
            vec![(ONE, None, Some(A), Fault::Unreadable)],
        ),
        (
            "DELETE FROM answers WHERE job = 'one/0/propose/a'".into(),
            vec![(ONE, Some(2), Some(A), Fault::Missing)],
        ),
        (
            "UPDATE answers SET body = (SELECT body FROM answers AS other WHERE other.job = 'one/0/propose/b'),
                digest = (SELECT digest FROM answers AS other WHERE other.job = 'one/0/propose/b')
                WHERE job = 'one/0/propose/a'".into(),
            vec![(ONE, None, Some(A), Fault::Reordered)],
        ),
        (
            format!("DELETE FROM histories WHERE key = {}", one()),
            vec![(ONE, None, None, Fault::Missing)],
        ),
        (
            format!("UPDATE histories SET head = x'{digest}' WHERE key = {}", one()),
            vec![(ONE, Some(5), None, Fault::Altered)],
        ),
        (
            format!("UPDATE histories SET head = NULL WHERE key = {}", one()),
            vec![(ONE, None, None, Fault::Missing)],
        ),
        (
            format!("UPDATE histories SET ended_at = NULL WHERE key = {}", one()),
            vec![(ONE, None, None, Fault::Altered)],
        ),
    ];
    for (sql, expected) in cases {
        let dir = tempfile::tempdir().unwrap();
        filled(dir.path()).await;
        change(dir.path(), &sql);
        let verified = verify(dir.path(), &patient()).unwrap();
        assert_eq!(found(&verified), expected, "{sql}: {:?}", verified.findings);
    }
}

#[tokio::test]
async fn records_in_each_others_place_are_found_and_named() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path()).await;
    let connection = Connection::open(dir.path().join("fleet.db")).unwrap();
    let of = |sequence: u64| format!("history = {} AND sequence = {sequence}", key("one"));
    let body = |sequence: u64| -> Vec<u8> {
        let read = format!("SELECT body FROM records WHERE {}", of(sequence));
        connection.query_row(&read, [], |row| row.get(0)).unwrap()
    };
    for (sequence, body) in [(2, body(4)), (4, body(2))] {
        let write = format!("UPDATE records SET body = ?1 WHERE {}", of(sequence));
        connection.execute(&write, [body]).unwrap();
    }
    let verified = verify(dir.path(), &patient()).unwrap();
    let moved = |sequence| ("deliberation:one", Some(sequence), None, Fault::Reordered);
    assert_eq!(found(&verified), [moved(2), moved(4)]);

    // Whole rows in each other's place: the log is out of order besides.
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path()).await;
    let turned = format!("history = {} AND sequence IN (2, 4)", key("one"));
    change(dir.path(), &format!("UPDATE records SET sequence = -sequence WHERE {turned}"));
    change(dir.path(), "UPDATE records SET sequence = 6 + sequence WHERE sequence < 0");
    let verified = verify(dir.path(), &patient()).unwrap();
    assert!(found(&verified).contains(&moved(2)) && found(&verified).contains(&moved(4)), "{verified:?}");
}

#[tokio::test]
async fn a_history_that_is_gone_from_every_table_is_missed_and_named_by_what_is_left_of_it() {
    let gone = |dir: &Path, with_answers: bool| {
        let connection = Connection::open(dir.join("fleet.db")).unwrap();
        let key: i64 = connection.query_row(&format!("SELECT {}", key("one")), [], |row| row.get(0)).unwrap();
        for table in ["records WHERE history", "histories WHERE key"] {
            connection.execute(&format!("DELETE FROM {table} = ?1"), params![key]).unwrap();
        }
        if with_answers {
            connection.execute("DELETE FROM answers WHERE job LIKE 'one/%'", []).unwrap();
        }
    };
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path()).await;
    gone(dir.path(), false);
    let verified = verify(dir.path(), &patient()).unwrap();
    let expected =
        [("the file", None, None, Fault::Missing), ("deliberation:one", None, None, Fault::Missing)];
    assert_eq!(found(&verified), expected);

    let dir = tempfile::tempdir().unwrap();
    filled(dir.path()).await;
    gone(dir.path(), true);
    let verified = verify(dir.path(), &patient()).unwrap();
    assert_eq!(found(&verified), [("the file", None, None, Fault::Missing)]);
    assert!(verified.findings[0].detail.starts_with("1 history is missing"), "{:?}", verified.findings);
}

#[tokio::test]
async fn the_program_going_on_does_not_cover_a_change_up() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    make_council(&store).await;
    let history = HistoryId::council(&Role::new("SAGE").unwrap());
    let append = async |store: &Embedded, after: u64, at: Timestamp| {
        let stored = store.events.read(&history, Sequence(0)).await.unwrap();
        let previous = stored.last().map_or(Digest::default(), |stored| Digest::of(&stored.entry.body));
        let record = Record::new(at, previous, vec![CouncilEvent::CouncilDeleted { at }]);
        let entry = Entry { body: record.encode().into(), at, ends: false };
        store.events.append(&history, Sequence(after), entry).await.unwrap();
    };
    append(&store, 1, AT).await;
    append(&store, 2, AT).await;
    store.close().await;
    drop(store);
    change(dir.path(), "DELETE FROM records WHERE sequence = 3");
    let store = open(dir.path());
    for after in 2..5 {
        append(&store, after, AT.plus_ms(1)).await;
    }
    store.close().await;
    let verified = verify(dir.path(), &patient()).unwrap();
    assert!(!verified.is_sound(), "what was cut off and written over is still told");
}

#[tokio::test]
async fn what_retention_removes_is_not_missed_not_even_half_way() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path()).await;
    let store = open(dir.path());
    store.answers.forget(&id("one")).await.unwrap();
    let verified = verify(dir.path(), &patient()).unwrap();
    assert_eq!((verified.findings, verified.leaving), (vec![], 1), "its history goes next");
    store.events.forget(&HistoryId::deliberation(&id("one"))).await.unwrap();
    let verified = verify(dir.path(), &patient()).unwrap();
    assert_eq!((verified.findings, verified.leaving, verified.histories), (vec![], 0, 3));
    // The same id may come again.
    deliberate(&store, "one").await;
    store.close().await;
    assert_eq!(verify(dir.path(), &patient()).unwrap().findings, []);
}

#[tokio::test]
async fn an_answer_that_came_after_its_deliberation_was_forgotten_is_no_finding() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path()).await;
    let store = open(dir.path());
    store.answers.forget(&id("one")).await.unwrap();
    store.events.forget(&HistoryId::deliberation(&id("one"))).await.unwrap();
    let job = "one/0/propose/a".parse().unwrap();
    let outcome = Outcome::Text(Generation { text: "late".into(), ..Generation::default() });
    store.answers.record(Answer { job, attempt: 1, started_at: AT, ended_at: AT, outcome }).await.unwrap();
    store.close().await;
    let verified = verify(dir.path(), &patient()).unwrap();
    assert_eq!((verified.findings, verified.answers_left_over), (vec![], 1));
}

#[tokio::test]
async fn any_flipped_byte_of_a_record_or_an_answer_is_found() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path()).await;
    let connection = Connection::open(dir.path().join("fleet.db")).unwrap();
    for (table, row) in [("records", 4), ("records", 5), ("answers", 2)] {
        let read = format!("SELECT body FROM {table} WHERE position = ?1");
        let write = format!("UPDATE {table} SET body = ?2 WHERE position = ?1");
        let body: Vec<u8> = connection.query_row(&read, [row], |row| row.get(0)).unwrap();
        for at in (0..body.len()).step_by(7) {
            let mut flipped = body.clone();
            flipped[at] ^= 1 << (at % 8);
            connection.execute(&write, params![row, flipped]).unwrap();
            let verified = verify(dir.path(), &patient()).unwrap();
            assert!(!verified.is_sound(), "{table}, byte {at}");
        }
        connection.execute(&write, params![row, body]).unwrap();
    }
    assert_eq!(verify(dir.path(), &patient()).unwrap().findings, []);
}

#[tokio::test]
async fn pages_that_are_broken_on_disk_are_findings_and_no_panic() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path()).await;
    let path = dir.path().join("fleet.db");
    let whole = std::fs::read(&path).unwrap();
    let pages = whole.len() / 4096;
    for page in 1..pages {
        let mut broken = whole.clone();
        broken[page * 4096..page * 4096 + 64].fill(0xff);
        std::fs::write(&path, &broken).unwrap();
        match verify(dir.path(), &patient()) {
            Ok(verified) => assert!(!verified.is_sound(), "page {page}"),
            Err(VerifyError::State(_)) => {}
            Err(error) => panic!("page {page}: {error}"),
        }
    }
}

#[tokio::test]
async fn it_ends_when_told_to_and_says_how_far_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for n in 0..20 {
        deliberate(&store, &n.to_string()).await;
    }
    store.close().await;
    let steps = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&steps);
    let watch: Watch = Arc::new(move |step| {
        if let Step::Verifying { done, whole } = step {
            assert!(done <= whole && whole == 180, "{step:?}");
            seen.fetch_add(1, Ordering::SeqCst);
        }
        ControlFlow::Continue(())
    });
    assert!(verify(dir.path(), &watch).unwrap().is_sound());
    assert!(steps.load(Ordering::SeqCst) > 1);
    let stop: Watch = Arc::new(|_| ControlFlow::Break(()));
    assert!(matches!(verify(dir.path(), &stop), Err(VerifyError::Interrupted)));
}
