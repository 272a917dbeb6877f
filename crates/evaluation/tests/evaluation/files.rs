//! Files of tasks: what is read, and what is refused with line and field.

use std::collections::{BTreeMap, BTreeSet};

use fleet_evaluation::{BadTasks, LANGUAGES, Task, read_tasks};
use serde_json::{Value, json};

fn whole() -> Value {
    json!({
        "id": "add-one", "language": "python", "description": "Add one.", "hidden_tests": "assert add(1) == 2",
        "requirements": ["Whole numbers"], "keywords": ["Whole", "sign"], "solution": "a", "wrong": ["b", "c"],
    })
}

fn read(value: &Value) -> Result<Task, BadTasks> {
    read_tasks(&value.to_string()).map(|mut tasks| tasks.remove(0))
}

/// The field and the reason by which a task is refused that has `field` instead.
fn refused(field: &str, value: Value) -> (String, String) {
    let mut task = whole();
    task[field] = value;
    reason(&task)
}

fn reason(task: &Value) -> (String, String) {
    match read(task) {
        Err(BadTasks::Field { line: 1, field, reason }) => (field, reason),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_task_has_what_its_line_says_and_defaults_for_the_rest() {
    let task = read(&whole()).expect("it is whole");
    assert_eq!((task.role.as_str(), task.rubric.as_str(), task.tests.as_deref()), ("DEV", "", None));
    assert_eq!(task.asked().metadata, BTreeMap::new());
    assert_eq!(task.scored().metadata["tests"], "assert add(1) == 2");
    assert_eq!(task.key.map(|key| key.wrong.len()), Some(2));
}

#[test]
fn given_tests_are_shown_and_hidden_ones_are_not() {
    let mut value = whole();
    value["tests"] = json!("assert add(0) == 1");
    let task = read(&value).expect("it is whole");
    assert_eq!(task.asked().metadata["tests"], "assert add(0) == 1");
    assert!(!format!("{:?}", task.asked()).contains("add(1)"));
}

#[test]
fn a_missing_empty_or_mistyped_field_is_named() {
    for field in ["id", "language", "description", "hidden_tests"] {
        let mut task = whole();
        task.as_object_mut().expect("an object").remove(field);
        assert_eq!(reason(&task), (field.into(), "is missing".into()));
        assert_eq!(refused(field, json!(" ")), (field.into(), "is empty".into()));
        assert_eq!(refused(field, json!(3)), (field.into(), "must be a text".into()));
    }
    assert_eq!(refused("requirements", json!("one")).0, "requirements");
    assert_eq!(refused("keywords", json!([1])).0, "keywords");
    assert_eq!(refused("keywords", json!(["a", ""])).0, "keywords[1]");
    assert_eq!(refused("role", json!("two words")).0, "role");
}

#[test]
fn what_is_no_field_is_an_error_and_so_is_one_that_stands_twice() {
    assert_eq!(refused("hint", json!("x")), ("hint".into(), "is not a field of a task".into()));
    let twice = whole().to_string().replacen('{', "{\"id\": \"other\", ", 1);
    assert!(matches!(read_tasks(&twice), Err(BadTasks::Field { field, .. }) if field == "id"));
}

#[test]
fn bounds_are_those_of_a_submission_and_of_what_can_be_run() {
    assert_eq!(refused("language", json!("cobol")).0, "language");
    assert_eq!(refused("id", json!("a b")).0, "id");
    assert_eq!(refused("id", json!("a.b")).0, "id");
    assert_eq!(refused("id", json!("x".repeat(101))).0, "id");
    assert_eq!(refused("hidden_tests", json!("x".repeat(70_000))).0, "hidden_tests");
    assert_eq!(refused("tests", json!("x".repeat(70_000))).0, "tests");
    assert_eq!(refused("description", json!("x".repeat(300_000))).0, "description");
    assert_eq!(refused("rubric", json!("x".repeat(70_000))).0, "rubric");
}

#[test]
fn a_key_has_a_solution_and_two_wrong_codes_that_differ() {
    assert_eq!(refused("wrong", json!(["b"])).0, "wrong");
    assert_eq!(refused("wrong", json!(["b", "a"])).0, "wrong[1]");
    assert_eq!(refused("wrong", json!(["b", " b\n"])).0, "wrong[1]");
    assert_eq!(refused("wrong", json!(["b", ""])).0, "wrong[1]");
    assert_eq!(refused("solution", json!("```")).0, "solution");
    for (left_out, named) in [("wrong", "wrong"), ("solution", "solution")] {
        let mut task = whole();
        task.as_object_mut().expect("an object").remove(left_out);
        assert_eq!(reason(&task).0, named);
    }
}

#[test]
fn lines_are_numbered_as_they_stand_and_ids_come_once() {
    let (one, bad) = (whole().to_string(), "{\"id\": ");
    assert!(matches!(read_tasks(&format!("{one}\n\n{bad}\n")), Err(BadTasks::NotAnObject { line: 3, .. })));
    assert!(matches!(read_tasks("[1]"), Err(BadTasks::NotAnObject { line: 1, .. })));
    let twice = read_tasks(&format!("\n{one}\n{one}\n"));
    assert_eq!(twice, Err(BadTasks::Twice { line: 3, id: "add-one".into(), first: 2 }));
    assert_eq!(read_tasks(" \n"), Err(BadTasks::None));
}

#[test]
fn keywords_are_found_whatever_their_case() {
    let task = read(&whole()).expect("it is whole");
    assert_eq!(task.keywords_in("WHOLE numbers only"), Some(0.5));
    assert_eq!(Task { keywords: Vec::new(), ..task }.keywords_in("x"), None);
}

#[test]
fn forty_tasks_come_along_eight_in_each_of_five_languages_all_with_a_key() {
    let tasks = read_tasks(include_str!("../../tasks/forty.jsonl")).expect("they are well-formed");
    assert_eq!(tasks.len(), 40);
    for language in LANGUAGES.iter().filter(|language| **language != "go") {
        assert_eq!(tasks.iter().filter(|task| task.language == *language).count(), 8, "{language}");
    }
    for task in &tasks {
        let lines = task.key.as_ref().expect("a key").solution.lines().count();
        assert!((5..=40).contains(&lines), "{}: {lines} lines", task.id);
        // What the tests hold on to must not be given away by the task.
        assert!(task.tests.as_ref() != Some(&task.hidden_tests), "{}", task.id);
        assert_eq!(task.keywords_in(&task.requirements.concat()), Some(1.0), "{}", task.id);
    }
    let hidden: BTreeSet<&str> = tasks.iter().map(|task| task.hidden_tests.as_str()).collect();
    assert_eq!(hidden.len(), 40);
}
