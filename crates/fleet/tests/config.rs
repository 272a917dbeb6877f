//! The rules of the configuration.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::path::PathBuf;

use fleet::config::{
    Config, ConfigError, DEFAULTS, Environment, Flag, Loaded, LogFormat, ModelKind, Origin, Sources,
};
use fleet_deliberation::Role;
use secrecy::ExposeSecret;
use tempfile::TempDir;

/// A directory for the files of one test, and the sources that read them.
struct Place(TempDir);

impl Place {
    fn new() -> Place {
        Place(tempfile::tempdir().expect("a directory"))
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().expect("it has one")).expect("a directory");
        fs::write(&path, text).expect("a file");
        path
    }
}

fn role(name: &str) -> Role {
    Role::new(name).expect("a name")
}

fn environment(variables: &[(&str, &str)]) -> Environment {
    variables.iter().copied().collect()
}

fn from_environment(variables: &[(&str, &str)]) -> Result<Loaded, ConfigError> {
    Loaded::load(&Sources { environment: environment(variables), ..Sources::default() })
}

fn from_file(text: &str) -> Result<Loaded, ConfigError> {
    let place = Place::new();
    let file = Some(place.file("a.toml", text));
    Loaded::load(&Sources { file, ..Sources::default() })
}

fn flag(flag: &str, key: &str, value: &str) -> Flag {
    Flag { flag: flag.into(), key: key.into(), value: value.into() }
}

/// An error with its sources, and without the directory of the test.
fn told(result: Result<Loaded, ConfigError>) -> String {
    let error = result.expect_err("it is refused");
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text += &format!(": {cause}");
        source = cause.source();
    }
    match text.split_once("/a.toml") {
        // The directory has neither blanks nor brackets; what is before it may have slashes.
        Some((before, after)) => {
            let begins = before.rfind(['(', ' ']).map_or(0, |at| at + 1);
            format!("{}a.toml{after}", &before[..begins])
        }
        None => text,
    }
}

#[test]
fn the_file_that_is_built_in_holds_every_key_there_is_and_no_other() {
    // No key has a default but there, and no other key is taken: so this alone shows both.
    let loaded = Loaded::load(&Sources::default()).unwrap();
    let value = serde_json::to_value(&loaded.config).unwrap();
    // What has no default may be left out everywhere.
    let optional = [
        "profile",
        "rounds",
        "parameters",
        "budget_tokens",
        "budget_money",
        "budget_tokens_per_hour",
        "budget_money_per_hour",
    ];
    let mut in_struct = BTreeSet::new();
    for (section, table) in value.as_object().unwrap() {
        for (key, value) in table.as_object().unwrap() {
            match (section.as_str(), value.as_object()) {
                ("councils", Some(council)) => {
                    let said = council.keys().filter(|name| !optional.contains(&name.as_str()));
                    in_struct.extend(said.map(|name| format!("councils.{key}.{name}")));
                }
                _ if section == "model" && key == "parameters" => {}
                _ => _ = in_struct.insert(format!("{section}.{key}")),
            }
        }
    }
    let in_file: BTreeSet<String> = loaded.settings.iter().map(|setting| setting.key.clone()).collect();
    assert_eq!(in_struct, in_file);
    assert!(loaded.settings.iter().all(|setting| setting.origin == Origin::Default));
}

#[test]
fn the_reference_is_a_file_to_start_from() {
    let loaded = from_file(DEFAULTS).unwrap();
    assert_eq!(loaded.config, Loaded::load(&Sources::default()).unwrap().config, "it changes nothing");
}

#[test]
fn every_key_of_the_file_that_is_built_in_is_explained() {
    let lines: Vec<&str> = DEFAULTS.lines().collect();
    for pair in lines.windows(2) {
        let says = |line: &str| !line.starts_with('#') && line.contains(" = ");
        assert!(!says(pair[1]) || pair[0].starts_with('#'), "{} has no comment", pair[1]);
    }
}

#[test]
fn the_defaults_are_the_ones_promised() {
    let Config { state, server, deliberation, councils, model, .. } =
        Loaded::load(&Sources::default()).unwrap().config;
    assert_eq!((state.results_served_s, state.history_days), (3600, 30));
    assert_eq!(server.listen.to_string(), "127.0.0.1:50055");
    assert!(!server.wait_by_default);
    assert_eq!(server.shutdown_grace_s, 30);
    assert_eq!((deliberation.rounds, deliberation.timeout_s, deliberation.quorum), (1, 300, 1));
    assert_eq!((model.temperature, model.tokens_max, model.request_timeout_s), (0.7, 2048, 60));
    assert_eq!(model.kind, ModelKind::Auto);
    let councils: Vec<_> = councils.iter().map(|(role, council)| (role.as_str(), council.agents)).collect();
    assert_eq!(councils, [("ARCHITECT", 3), ("DATA", 3), ("DEV", 3), ("DEVOPS", 3), ("QA", 3)]);
}

#[test]
fn flags_count_over_the_environment_over_the_file_over_the_defaults() {
    let place = Place::new();
    let path =
        place.file("a.toml", "[deliberation]\nrounds = 2\ntimeout_s = 2\nquorum = 2\n[worker]\nslots = 2\n");
    let loaded = Loaded::load(&Sources {
        file: Some(path.clone()),
        environment: environment(&[
            ("FLEET__DELIBERATION__TIMEOUT_S", "3"),
            ("FLEET__DELIBERATION__QUORUM", "3"),
            ("DELIBERATION_TIMEOUT", "9"),
        ]),
        flags: vec![flag("--quorum", "deliberation.quorum", "1"), flag("--slots", "worker.slots", "4")],
    })
    .unwrap();
    let Config { deliberation, worker, .. } = &loaded.config;
    assert_eq!((deliberation.rounds, deliberation.timeout_s, deliberation.quorum), (2, 3, 1));
    assert_eq!((worker.slots, worker.lease_s), (4, 30));
    let origin = |key| loaded.origin(key).unwrap().to_string();
    assert_eq!(origin("deliberation.rounds"), format!("{}:2", path.display()));
    assert_eq!(origin("deliberation.timeout_s"), "environment FLEET__DELIBERATION__TIMEOUT_S");
    assert_eq!(origin("deliberation.quorum"), "flag --quorum");
    assert_eq!(origin("worker.lease_s"), "default");
}

#[test]
fn the_user_s_own_file_is_read_unless_another_is_asked_for() {
    let place = Place::new();
    let own = place.file("config/fleet/fleet.toml", "[worker]\nslots = 7\n");
    let other = place.file("other.toml", "[worker]\nlease_s = 7\n");
    let home = place.0.path().to_str().unwrap();
    let config_home = format!("{home}/config");
    let environment = environment(&[("XDG_CONFIG_HOME", &config_home)]);
    let loaded = Loaded::load(&Sources { environment: environment.clone(), ..Sources::default() }).unwrap();
    assert_eq!((loaded.config.worker.slots, loaded.file.as_ref()), (7, Some(&own)));
    let loaded = Loaded::load(&Sources { file: Some(other), environment, flags: vec![] }).unwrap();
    assert_eq!((loaded.config.worker.slots, loaded.config.worker.lease_s), (256, 7));

    place.file(".config/fleet/fleet.toml", "[worker]\nslots = 8\n");
    assert_eq!(from_environment(&[("HOME", home)]).unwrap().config.worker.slots, 8);
    let elsewhere = [("HOME", home), ("XDG_CONFIG_HOME", "/nowhere")];
    assert_eq!(from_environment(&elsewhere).unwrap().file, None, "no file there is no error");
}

#[test]
fn a_relative_path_in_a_file_starts_at_the_file_and_elsewhere_where_the_command_runs() {
    let place = Place::new();
    place.file("etc/keys/model", "secret");
    let text = "[state]\ndir = 'state'\n[checks]\npolicies = 'rules'\n[model]\napi_key_file = 'keys/model'\n\
                [profiles.other]\nurl = 'http://h:1'\napi_key_file = 'keys/model'\n";
    let file = place.file("etc/fleet.toml", text);
    let etc = place.0.path().join("etc");
    let loaded = Loaded::load(&Sources { file: Some(file.clone()), ..Sources::default() }).expect("it loads");
    assert_eq!(loaded.state_dir().expect("a directory"), etc.join("state"));
    assert_eq!(PathBuf::from(&loaded.config.checks.policies), etc.join("rules"));
    assert!(loaded.api_key("default").is_some() && loaded.api_key("other").is_some());

    let flags = vec![flag("--state", "state.dir", "here")];
    let environment = environment(&[("FLEET__CHECKS__POLICIES", "rules")]);
    let loaded = Loaded::load(&Sources { file: Some(file), environment, flags }).expect("it loads");
    assert_eq!(loaded.state_dir().expect("a directory"), PathBuf::from("here"));
    assert_eq!(loaded.config.checks.policies, "rules");
    let absolute = from_file("[checks]\npolicies = '/srv/rules'").expect("it loads");
    assert_eq!(absolute.config.checks.policies, "/srv/rules");
}

#[test]
fn a_council_that_is_bounded_by_the_hour_must_be_bounded_by_the_deliberation() {
    let hourly = "[councils]\nQA.budget_tokens_per_hour = 9";
    assert!(
        told(from_file(hourly)).contains(
            "councils.QA.budget_tokens_per_hour is 9 (a.toml:2); it must be 0 where budget.tokens is"
        )
    );
    for each in ["[budget]\ntokens = 1", "[councils.QA]\nbudget_tokens = 1"] {
        let text = match each.starts_with("[councils") {
            true => format!("{each}\nbudget_tokens_per_hour = 9"),
            false => format!("{each}\n{hourly}"),
        };
        assert!(from_file(&text).is_ok(), "{text}");
    }
    let unbounded = "[budget]\ntokens = 1\ntokens_per_hour = 9\n[councils]\nQA.budget_tokens = 0";
    assert!(told(from_file(unbounded)).contains("be 0 where councils.QA.budget_tokens is"));
}

#[test]
fn a_file_that_was_asked_for_must_be_there() {
    let sources = Sources { file: Some("/nowhere/at/all.toml".into()), ..Sources::default() };
    assert!(told(Loaded::load(&sources)).starts_with("cannot read /nowhere/at/all.toml: "));
}

#[test]
fn the_state_is_kept_where_it_was_said_or_where_such_files_go() {
    let dir = |variables: &[(&str, &str)]| from_environment(variables).unwrap().state_dir();
    assert_eq!(dir(&[("XDG_STATE_HOME", "/s"), ("HOME", "/h")]).unwrap(), PathBuf::from("/s/fleet"));
    assert_eq!(dir(&[("HOME", "/h")]).unwrap(), PathBuf::from("/h/.local/state/fleet"));
    assert_eq!(
        dir(&[("HOME", "/h"), ("XDG_STATE_HOME", "s")]).unwrap(),
        PathBuf::from("/h/.local/state/fleet")
    );
    assert_eq!(dir(&[("FLEET__STATE__DIR", "/d")]).unwrap(), PathBuf::from("/d"));
    assert!(matches!(dir(&[]), Err(ConfigError::NoHome { key: "state.dir", .. })));
}

#[test]
fn roles_are_added_and_taken_away() {
    let councils = |loaded: Loaded| loaded.config.councils;
    for text in
        ["[councils]\nSECURITY.agents = 2", "[councils.SECURITY]\nagents = 2", "councils.SECURITY.agents = 2"]
    {
        let councils = councils(from_file(text).unwrap());
        assert_eq!((councils[&role("SECURITY")].agents, councils.len()), (2, 6), "{text}");
    }
    let loaded = from_environment(&[
        ("FLEET__COUNCILS__Data_Science__AGENTS", "4"),
        ("FLEET__COUNCILS__QA__AGENTS", "0"),
        ("FLEET__COUNCILS__DEV__AGENTS", "5"),
    ]);
    let councils = councils(loaded.unwrap());
    assert_eq!((councils[&role("Data_Science")].agents, councils[&role("DEV")].agents), (4, 5));
    assert!(!councils.contains_key(&role("QA")));
}

#[test]
fn an_unknown_key_is_named_with_its_place_and_what_there_is() {
    for (text, expected) in [
        (
            "[deliberation]\nrouns = 2",
            "there is no key deliberation.rouns (a.toml:2); [deliberation] has quorum, rounds, timeout_s",
        ),
        (
            "\n[nats]\nurl = \"x\"",
            "there is no key nats.url (a.toml:3); the sections are budget, checks, councils, deliberation, log, model, \
             profiles, selection, server, simulated, state, worker",
        ),
        ("[nats]", "there is no key nats (a.toml:1); the sections are"),
        ("rounds = 1", "there is no key rounds (a.toml:1); the sections are"),
        (
            "[councils]\nDEV = 3",
            "there is no key councils.DEV (a.toml:2); a council has agents, budget_money, budget_money_per_hour, \
             budget_tokens, budget_tokens_per_hour, profile, rounds",
        ),
        ("[councils.DEV]\nmodel = 'x'", "there is no key councils.DEV.model (a.toml:2); a council has"),
        ("[councils.DEV]", "there is no key councils.DEV (a.toml:1); a council has"),
    ] {
        assert!(told(from_file(text)).starts_with(expected), "{text:?}: {}", told(from_file(text)));
    }
    let error = told(from_environment(&[("FLEET__SERVER__LISEN", "x")]));
    assert!(
        error.starts_with("there is no key server.lisen (environment FLEET__SERVER__LISEN); [server] has")
    );
    assert!(from_file("[server]\n[worker]").is_ok(), "a section that says nothing is none");
}

#[test]
fn a_profile_is_as_the_model_is_unless_it_says_so() {
    let text = "
        [model]
        url = 'http://main:8000'
        name = 'main'
        temperature = 0.2
        parameters = { top_p = 0.9, chat_template_kwargs = { enable_thinking = false } }
        [profiles.hot]
        temperature = 1.2
        parameters.seed = 7
        [profiles.far]
        url = ['http://a:8000', 'http://b:8000']
        [councils]
        DEV.profile = 'hot'
        QA.rounds = 0";
    let config = from_file(text).unwrap().config;
    let (hot, far) = (&config.profiles["hot"], &config.profiles["far"]);
    assert_eq!((hot.url.as_slice(), hot.name.as_str()), (["http://main:8000".to_owned()].as_slice(), "main"));
    assert_eq!((hot.temperature, far.temperature), (1.2, 0.2));
    let parameters = serde_json::to_value(&hot.parameters).unwrap();
    let expected = serde_json::json!({
        "top_p": 0.9, "seed": 7, "chat_template_kwargs": {"enable_thinking": false}
    });
    assert_eq!(parameters, expected);
    assert_eq!((far.url.len(), far.name.as_str()), (2, ""), "a model's name belongs to its server");
    assert_eq!(config.councils[&role("DEV")].profile.as_deref(), Some("hot"));
    assert_eq!(config.councils[&role("QA")].rounds, Some(0));
    let from_environment = from_environment(&[
        ("FLEET__PROFILES__FAR__URL", "http://a:1, http://b:2"),
        ("FLEET__PROFILES__FAR__PARAMETERS__TOP_P", "0.5"),
        ("FLEET__COUNCILS__Data_X__AGENTS", "1"),
        ("FLEET__COUNCILS__Data_X__PROFILE", "far"),
    ]);
    let config = from_environment.unwrap().config;
    assert_eq!(config.profiles["far"].url, ["http://a:1", "http://b:2"]);
    assert_eq!(config.profiles["far"].parameters["top_p"], 0.5);
    assert_eq!(config.councils[&role("Data_X")].profile.as_deref(), Some("far"));
}

#[test]
fn a_key_goes_to_the_server_it_was_meant_for() {
    let place = Place::new();
    let file = place.file("key", "secret\n");
    let text = format!(
        "[model]\napi_key_file = {file:?}\n[profiles.same]\nname = 'x'\n\
         [profiles.other]\nurl = 'http://other:8000'"
    );
    let loaded = from_file(&text).unwrap();
    assert!(loaded.api_key("default").is_some() && loaded.api_key("same").is_some());
    assert!(loaded.api_key("other").is_none(), "it was meant for another server");
    let error = told(from_file("[profiles.other]\nurl = 'http://other:8000'\napi_key_env = 'OTHER_KEY'"));
    assert_eq!(
        error,
        "the environment variable OTHER_KEY, which is to hold a server's key (a.toml:3), is not set; \
         set it, or name no variable"
    );
}

#[test]
fn a_value_of_another_kind_is_refused_rather_than_guessed() {
    for (text, expected) in [
        ("[deliberation]\nrounds = 1.5", "deliberation.rounds is 1.5 (a.toml:2); it must be a whole number"),
        (
            "[deliberation]\nrounds = true",
            "deliberation.rounds is true (a.toml:2); it must be a whole number",
        ),
        (
            "[deliberation]\nrounds = \"1\"",
            "deliberation.rounds is \"1\" (a.toml:2); it must be a whole number",
        ),
        ("[deliberation]\nrounds = [1]", "deliberation.rounds is [1] (a.toml:2); it must be a whole number"),
        ("[server]\nwait_by_default = 1", "server.wait_by_default is 1 (a.toml:2); it must be true or false"),
        ("[model]\nname = 1", "model.name is 1 (a.toml:2); it must be a text"),
    ] {
        assert_eq!(told(from_file(text)), expected);
    }
    assert_eq!(
        told(from_environment(&[("FLEET__WORKER__SLOTS", "many")])),
        "worker.slots is \"many\" (environment FLEET__WORKER__SLOTS); it must be a whole number"
    );
    assert_eq!(from_file("[model]\ntemperature = 1").unwrap().config.model.temperature, 1.0);
}

#[test]
fn a_value_out_of_its_bounds_is_named_with_bound_and_place() {
    for (text, expected) in [
        ("[deliberation]\nrounds = 11", "deliberation.rounds is 11 (a.toml:2); it must lie between 0 and 10"),
        ("[deliberation]\nrounds = -1", "deliberation.rounds is -1 (a.toml:2); it must lie between 0 and 10"),
        (
            "[model]\ntemperature = 2.1",
            "model.temperature is 2.1 (a.toml:2); it must lie between 0.0 and 2.0",
        ),
        (
            "[model]\ntemperature = nan",
            "model.temperature is NaN (a.toml:2); it must lie between 0.0 and 2.0",
        ),
        ("[councils]\nDEV.agents = 65", "councils.DEV.agents is 65 (a.toml:2); it must lie between 0 and 64"),
        (
            "[councils]\n'a b'.agents = 1",
            "councils.a b.agents is 1 (a.toml:2); it must name a role; \"a b\" contains ' '",
        ),
        (
            "[deliberation]\nquorum = 4",
            "deliberation.quorum is 4 (a.toml:2); it must be at most councils.ARCHITECT.agents, which is 3",
        ),
        (
            "[deliberation]\nquorum = 3\n[councils]\nDEV.agents = 2",
            "councils.DEV.agents is 2 (a.toml:4); it must be 0 or at least deliberation.quorum, 3",
        ),
        ("[councils]\nDEV.rounds = 11", "councils.DEV.rounds is 11 (a.toml:2); it must lie between 0 and 10"),
        (
            "[councils]\nDEV.profile = 'big'\n[profiles.small]\nname = 'x'",
            "councils.DEV.profile is \"big\" (a.toml:2); it must name a profile; there are default, simulated, small",
        ),
        (
            "[profiles.default]\nname = 'x'",
            "profiles.default.name is \"x\" (a.toml:2); it must be said in [model]",
        ),
        ("[profiles.'a b']\nname = 'x'", "profiles.a b.name is \"x\" (a.toml:2); it must name a profile by"),
        (
            "[profiles.big]\ntemperature = 3.0",
            "profiles.big.temperature is 3.0 (a.toml:2); it must lie between 0.0 and 2.0",
        ),
        (
            "[model]\nparameters.top_p = 2",
            "model.parameters.top_p is 2 (a.toml:2); it must be a number above 0 and up to 1",
        ),
        (
            "[model.parameters]\nstream = false",
            "model.parameters.stream is false (a.toml:2); it must be left out",
        ),
        ("[model]\nurl = ['b', 'c']", "model.url is [\"b\", \"c\"] (a.toml:2); it must begin with http://"),
        (
            "[state]\nhistory_days = 0",
            "state.results_served_s is 3600 (default); it must be at most state.history_days, 0 s",
        ),
        (
            "[server]\nlisten = '50055'",
            "server.listen is \"50055\" (a.toml:2); it must be an IP address and a port",
        ),
        (
            "[model]\nkind = 'gpt'",
            "model.kind is \"gpt\" (a.toml:2); it must be \"auto\", \"openai\" or \"simulated\"",
        ),
        (
            "[model]\nurl = 'localhost:8000'",
            "model.url is \"localhost:8000\" (a.toml:2); it must begin with http://",
        ),
        (
            "[model]\nurl = 'http://me:secret@host'",
            "model.url is \"…\" (a.toml:2); it must begin with http://",
        ),
        (
            "[model]\nurl = 'http://h:99999'",
            "model.url is \"http://h:99999\" (a.toml:2); it must begin with http:// or https:// and a host, with a \
             port from 1 to 65535 or none",
        ),
        ("[model]\nurl = 'http://h:0'", "model.url is \"http://h:0\" (a.toml:2); it must begin with http://"),
        ("[model]\nurl = 'http://h:'", "model.url is \"http://h:\" (a.toml:2); it must begin with http://"),
        (
            "[model]\nurl = 'http://[::1'",
            "model.url is \"http://[::1\" (a.toml:2); it must begin with http://",
        ),
        (
            "[profiles.big]\nurl = ['http://a:1', 'http://b:1x']",
            "profiles.big.url is [\"http://a:1\", \"http://b:1x\"] (a.toml:2); it must begin with http://",
        ),
        ("[log]\nformat = 'xml'", "log.format is \"xml\" (a.toml:2); it must be \"text\" or \"json\""),
        (
            "[log]\nfilter = 'info,fleet_worker=loud,warn'",
            "log.filter is \"info,fleet_worker=loud,warn\" (a.toml:2); it must be a level such as info, or \
             directives such as fleet_worker=debug; \"fleet_worker=loud\" is neither",
        ),
    ] {
        assert!(told(from_file(text)).starts_with(expected), "{text:?}: {}", told(from_file(text)));
    }
}

#[test]
fn what_is_not_toml_is_told_with_its_line() {
    let error = told(from_file("[worker]\nslots = \n"));
    assert!(error.starts_with("a.toml is not a configuration file: ") && error.contains("line 2"), "{error}");
}

#[test]
fn what_is_logged_can_be_said_in_short_and_the_long_name_counts_more() {
    let log = |variables: &[(&str, &str)]| {
        let log = from_environment(variables).unwrap().config.log;
        (log.format, log.filter)
    };
    assert_eq!(log(&[]), (LogFormat::Text, String::new()));
    let short = [("FLEET_LOG_FORMAT", "json"), ("FLEET_LOG", "warn,fleet_worker=debug")];
    assert_eq!(log(&short), (LogFormat::Json, "warn,fleet_worker=debug".into()));
    let both = [("FLEET_LOG", "warn"), ("FLEET__LOG__FILTER", "error")];
    assert_eq!(log(&both), (LogFormat::Text, "error".into()));
    let error = told(from_environment(&[("FLEET_LOG", "fleet_llm=loud")]));
    assert!(error.starts_with("log.filter is \"fleet_llm=loud\" (environment FLEET_LOG)"), "{error}");
}

#[test]
fn the_names_of_earlier_days_are_taken() {
    let config = from_environment(&[
        ("GRPC_PORT", "50099"),
        ("VLLM_URL", "http://vllm-server-service:8000"),
        ("VLLM_MODEL", "Qwen/Qwen3-0.6B"),
        ("AGENT_TYPE", "VLLM"),
        ("DELIBERATION_TIMEOUT", "120"),
        ("DELIBERATION_CLEANUP", "60"),
        ("ENABLE_NATS", "false"),
    ])
    .unwrap();
    assert!(config.warnings.is_empty());
    let Config { server, model, deliberation, state, .. } = config.config;
    assert_eq!(server.listen.to_string(), "127.0.0.1:50099", "the address stays");
    assert_eq!(
        (model.url[0].as_str(), model.name.as_str()),
        ("http://vllm-server-service:8000", "Qwen/Qwen3-0.6B")
    );
    assert_eq!(model.kind, ModelKind::Openai);
    assert_eq!((deliberation.timeout_s, state.results_served_s), (120, 60));
    assert_eq!(from_environment(&[("AGENT_TYPE", "mock")]).unwrap().config.model.kind, ModelKind::Simulated);
    assert!(from_environment(&[("GRPC_PORT", ""), ("AGENT_TYPE", "")]).is_ok(), "empty is unset");
    for (name, value) in
        [("GRPC_PORT", "x"), ("GRPC_PORT", "70000"), ("AGENT_TYPE", "HUMAN"), ("ENABLE_NATS", "perhaps")]
    {
        let error = told(from_environment(&[(name, value)]));
        assert!(error.starts_with(&format!("{name} is \"{value}\" (environment {name})")), "{error}");
    }
    let error = told(from_environment(&[("DELIBERATION_TIMEOUT", "0")]));
    assert!(error.contains("(environment DELIBERATION_TIMEOUT); it must lie between 1 and"), "{error}");
}

#[test]
fn what_does_not_work_yet_is_said() {
    let asked = [("ENABLE_NATS", "true")];
    assert!(matches!(from_environment(&asked), Err(ConfigError::NotBuilt { name: "ENABLE_NATS", .. })));
    let asked = [
        ("NATS_URL", "nats://nats:4222"),
        ("RAY_ADDRESS", "ray://ray-head:10001"),
        ("AGENT_TYPE", "RAY_VLLM"),
    ];
    let warnings = from_environment(&asked).unwrap().warnings;
    assert_eq!(warnings.len(), 3);
    assert!(warnings[0].starts_with("NATS_URL is set, but this version does not use NATS"), "{warnings:?}");
}

#[test]
fn the_key_comes_from_its_file_or_its_variable_and_never_prints() {
    let place = Place::new();
    let file = place.file("key", "sk-from-file\n");
    let key = |variables: &[(&str, &str)]| {
        let loaded = from_environment(variables).unwrap();
        let printed = format!("{loaded:?}");
        assert!(!printed.contains("sk-from"), "{printed}");
        loaded.api_key("default").map(|key| (key.secret.expose_secret().to_owned(), key.origin.to_string()))
    };
    let from_variable = |name: &str| Some(("sk-from-variable".to_owned(), format!("environment {name}")));
    assert_eq!(key(&[]), None);
    assert_eq!(key(&[("FLEET_API_KEY", "sk-from-variable")]), from_variable("FLEET_API_KEY"));
    assert_eq!(key(&[("OPENAI_API_KEY", "sk-from-variable")]), None, "only when it is named");
    let named = [("OPENAI_API_KEY", "sk-from-variable"), ("FLEET__MODEL__API_KEY_ENV", "OPENAI_API_KEY")];
    assert_eq!(key(&named), from_variable("OPENAI_API_KEY"));
    let path = file.to_str().unwrap();
    let both = [("FLEET_API_KEY", "sk-from-variable"), ("FLEET__MODEL__API_KEY_FILE", path)];
    assert_eq!(key(&both), Some(("sk-from-file".to_owned(), path.to_owned())));

    let error = told(from_environment(&[("FLEET__MODEL__API_KEY_FILE", "/nowhere")]));
    assert!(error.starts_with("cannot read /nowhere, which model.api_key_file names: "), "{error}");
}
