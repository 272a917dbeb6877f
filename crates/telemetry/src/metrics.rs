//! Counts for Prometheus what happens. Labels hold what is configured, never ids.

mod facts;
mod labels;
mod process;
mod text;

use std::sync::Arc;

use fleet_deliberation::{Deliberation, Usage};
use fleet_orchestrator::Stats;
use fleet_orchestrator::port::{Attempted, Called, Observer};
use fleet_orchestrator::stats::{End, ROLES_MAX};
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use self::facts::Facts;
pub use self::facts::{Figures, StoreFigures};
use self::labels::{CallLabels, DeliberationLabels, JobLabels, ModelLabels, TokenLabels};
use crate::address;
use crate::known::Known;
use crate::span::{GIVEN_UP, PROVIDER};

/// The servers that are told apart; agents may bring their own.
const SERVERS_MAX: usize = 64;
/// The models that are told apart; servers may answer with any name.
const MODELS_MAX: usize = 128;

/// Seconds that deliberations take.
const DELIBERATION_S: &[f64] =
    &[0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0, 600.0, 1_800.0];
/// Seconds that attempts at jobs take.
const JOB_S: &[f64] = &[0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0];
/// Tokens of a call of a model, as the conventions say.
const TOKENS: &[f64] = &[
    1.0,
    4.0,
    16.0,
    64.0,
    256.0,
    1_024.0,
    4_096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];
/// Seconds that calls of a model take, as the conventions say.
const CALL_S: &[f64] =
    &[0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];

/// Counts what it is told, and writes it down when asked.
#[derive(Debug)]
pub struct Metrics {
    stats: Arc<Stats>,
    registry: Registry,
    deliberations: Family<DeliberationLabels, Histogram, Buckets>,
    jobs: Family<JobLabels, Histogram, Buckets>,
    calls: Family<CallLabels, Counter>,
    durations: Family<ModelLabels, Histogram, Buckets>,
    tokens: Family<TokenLabels, Histogram, Buckets>,
    roles: Known,
    servers: Known,
    models: Known,
}

#[derive(Debug, Clone, Copy)]
struct Buckets(&'static [f64]);

impl MetricConstructor<Histogram> for Buckets {
    fn new_metric(&self) -> Histogram {
        Histogram::new(self.0.iter().copied())
    }
}

impl Metrics {
    /// The metrics of this process. Totals are those of `stats`, which is told the same as this.
    #[must_use]
    pub fn new(stats: Arc<Stats>) -> Metrics {
        // Now, and not when somebody first asks.
        process::started_s();
        let deliberations = Family::new_with_constructor(Buckets(DELIBERATION_S));
        let jobs = Family::new_with_constructor(Buckets(JOB_S));
        let calls = Family::<CallLabels, Counter>::default();
        let durations = Family::new_with_constructor(Buckets(CALL_S));
        let tokens = Family::new_with_constructor(Buckets(TOKENS));
        let mut registry = Registry::default();
        registry.register_with_unit(
            "fleet_deliberation_duration",
            "How long deliberations took from submission to end",
            Unit::Seconds,
            deliberations.clone(),
        );
        let help = "How long attempts at jobs took, by the kind of job";
        registry.register_with_unit("fleet_job_duration", help, Unit::Seconds, jobs.clone());
        let help = "Calls of models, by server and what came of them";
        registry.register("fleet_model_calls", help, calls.clone());
        let help = "How long calls of models took";
        let name = "gen_ai_client_operation_duration";
        registry.register_with_unit(name, help, Unit::Seconds, durations.clone());
        let help = "Tokens that calls of models read and wrote";
        registry.register("gen_ai_client_token_usage", help, tokens.clone());
        Metrics {
            stats,
            registry,
            deliberations,
            jobs,
            calls,
            durations,
            tokens,
            roles: Known::up_to(ROLES_MAX),
            servers: Known::up_to(SERVERS_MAX),
            models: Known::up_to(MODELS_MAX),
        }
    }

    /// All metrics in the text format of OpenMetrics, version 1.0.0.
    #[must_use]
    pub fn open_metrics(&self, figures: Figures) -> String {
        let mut facts = Registry::default();
        facts.register_collector(Box::new(Facts { totals: self.stats.totals(), figures }));
        let mut text = String::new();
        let written = encode_registry(&mut text, &facts)
            .and_then(|()| encode_registry(&mut text, &self.registry))
            .and_then(|()| encode_eof(&mut text));
        // Nothing can fail that writes into a text.
        if let Err(error) = written {
            tracing::error!(%error, "metrics could not be written");
        }
        text
    }

    /// All metrics in the text format of Prometheus, version 0.0.4.
    #[must_use]
    pub fn prometheus(&self, figures: Figures) -> String {
        text::prometheus(&self.open_metrics(figures))
    }

    fn count_tokens(&self, labels: &ModelLabels, usage: Usage) {
        for (kind, tokens) in [("input", usage.prompt_tokens), ("output", usage.completion_tokens)] {
            let labels = TokenLabels { gen_ai_token_type: kind, call: labels.clone() };
            self.tokens.get_or_create(&labels).observe(tokens as f64);
        }
    }
}

impl Observer for Metrics {
    fn ended(&self, state: &Deliberation) {
        let Some(ended) = &state.ended else { return };
        let role = self.roles.value(state.submission().role.as_str());
        let labels = DeliberationLabels { role, ending: End::of(&ended.ending).as_str() };
        self.deliberations.get_or_create(&labels).observe(seconds(ended.at.ms_since(state.opened.at)));
    }

    fn attempted(&self, attempted: &Attempted<'_>) {
        let labels = JobLabels { kind: attempted.job.kind.as_str() };
        let took = seconds(attempted.ended_at.ms_since(attempted.started_at));
        self.jobs.get_or_create(&labels).observe(took);
    }

    fn called(&self, called: &Called<'_>) {
        let error_type = match called.came_of_it {
            Some(Ok(_)) => None,
            Some(Err(error)) => Some(error.kind.as_str()),
            None => Some(GIVEN_UP),
        };
        let server = self.servers.value(called.server);
        let outcome = error_type.unwrap_or("answered");
        let labels = CallLabels { server: Arc::clone(&server), outcome, hedge: called.hedge };
        self.calls.get_or_create(&labels).inc();

        let generation = called.came_of_it.and_then(Result::ok);
        let answered_by = generation.map(|generation| generation.model.as_str()).filter(|m| !m.is_empty());
        let (server_address, server_port) = match address::of(&server) {
            Some((host, port)) => (host.into(), Some(port)),
            None => (Arc::clone(&server), None),
        };
        let labels = ModelLabels {
            gen_ai_operation_name: "chat",
            gen_ai_provider_name: PROVIDER,
            gen_ai_request_model: self.models.value(&called.request.model),
            gen_ai_response_model: answered_by.map(|model| self.models.value(model)),
            server_address,
            server_port,
            error_type,
        };
        let took = seconds(called.ended_at.ms_since(called.started_at));
        self.durations.get_or_create(&labels).observe(took);
        if let Some(generation) = generation {
            self.count_tokens(&labels, generation.usage);
        }
    }
}

fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::time::Duration;

    use fleet_deliberation::{AgentId, Ending, FailureKind, Outcome};
    use fleet_orchestrator::port::Observers;

    use super::*;
    use crate::queue::Spans;
    use crate::sample::{self, ANSWER, PROMPT};

    /// Metrics and what they share with whoever counts besides, told of one of everything.
    fn told() -> Metrics {
        let stats = Arc::new(Stats::default());
        let metrics = Arc::new(Metrics::new(Arc::clone(&stats)));
        let all = Observers(vec![stats, Arc::clone(&metrics) as _]);
        all.accepted(&sample::submission(""));
        all.refused("busy");
        all.ended(&sample::completed("", 1_500));
        all.ended(&sample::ended("", 400, Ending::TimedOut));
        let (state, agent) = (sample::open(""), AgentId::new("a").unwrap());
        let text = Outcome::Text(sample::generation());
        let job = sample::job("task-1/0/propose/a");
        all.attempted(&sample::attempted(&state, &job, &agent, Ok(&text)));
        let fault = sample::fault(FailureKind::Server);
        all.attempted(&sample::attempted(&state, &job, &agent, Err(&fault)));
        let request = sample::request("task-1/0/propose/a", 1, "");
        all.called(&sample::called(&request, 1, Some(Err(&fault))));
        all.called(&sample::called(&request, 2, Some(Ok(&sample::generation()))));
        all.called(&sample::called(&request, 3, None));
        drop(all);
        Arc::try_unwrap(metrics).unwrap()
    }

    fn figures() -> Figures {
        Figures {
            in_flight: 3,
            in_flight_max: 10,
            store: Some(StoreFigures {
                commits: 7,
                writes: 21,
                batch_max: 5,
                commit_p50: Duration::from_micros(1_500),
                commit_p99: Duration::from_millis(9),
                checkpoints: 1,
                log_pages_max: 100,
            }),
            spans: Some(Spans { sent: 4, failed: 2, dropped: 1 }),
        }
    }

    /// A page of metrics as a reader of the format takes it.
    #[derive(Default)]
    struct Page {
        types: BTreeMap<String, String>,
        samples: BTreeMap<String, f64>,
    }

    impl Page {
        /// Reads a page of OpenMetrics, and holds it against the rules of the format.
        fn read(text: &str) -> Page {
            let mut page = Page::default();
            let (mut helped, mut units) = (BTreeSet::new(), BTreeMap::new());
            let body = text.strip_suffix("# EOF\n").expect("the end is marked");
            for line in body.lines() {
                if let Some(about) = line.strip_prefix("# ") {
                    let (keyword, rest) = about.split_once(' ').unwrap();
                    let (name, rest) = rest.split_once(' ').unwrap();
                    match keyword {
                        "HELP" => assert!(helped.insert(name) && rest.ends_with('.'), "{line}"),
                        "TYPE" => assert!(page.types.insert(name.into(), rest.into()).is_none(), "{line}"),
                        "UNIT" => assert!(units.insert(name, rest).is_none(), "{line}"),
                        _ => panic!("{line}"),
                    }
                    continue;
                }
                let (series, value) = line.rsplit_once(' ').unwrap();
                let sample = series.split('{').next().unwrap();
                let family = page.family(sample).unwrap_or_else(|| panic!("{line} has no type"));
                assert!(helped.contains(family.as_str()), "{line} has no help");
                let value: f64 = value.parse().unwrap();
                assert!(page.samples.insert(series.into(), value).is_none(), "{line} is there twice");
            }
            for (name, unit) in units {
                assert!(name.ends_with(&format!("_{unit}")), "{name} does not end in its unit, {unit}");
                assert!(["seconds", "bytes"].contains(&unit), "{unit} is no base unit");
            }
            page
        }

        /// The family of a sample, by the suffixes its type allows.
        fn family(&self, sample: &str) -> Option<String> {
            let suffixes: [(&str, &[&str]); 3] =
                [("counter", &["_total"]), ("gauge", &[""]), ("histogram", &["_bucket", "_sum", "_count"])];
            suffixes
                .iter()
                .flat_map(|(kind, suffixes)| suffixes.iter().map(move |suffix| (kind, suffix)))
                .filter_map(|(kind, suffix)| Some((kind, sample.strip_suffix(suffix)?)))
                .find(|(kind, name)| self.types.get(*name).map(String::as_str) == Some(kind))
                .map(|(_, name)| name.to_owned())
        }

        /// The value of the one series of `sample` that has all these labels.
        fn value(&self, sample: &str, labels: &[&str]) -> f64 {
            let named = |series: &str| series.split('{').next() == Some(sample);
            let all: Vec<_> = self
                .samples
                .iter()
                .filter(|(series, _)| named(series) && labels.iter().all(|label| series.contains(label)))
                .collect();
            assert_eq!(all.len(), 1, "{sample} {labels:?}: {all:?}");
            *all[0].1
        }

        fn buckets(&self, sample: &str, labels: &[&str]) -> Vec<f64> {
            let of = |series: &&String| {
                series.starts_with(&format!("{sample}_bucket{{"))
                    && labels.iter().all(|label| series.contains(label))
            };
            let le = |series: &String| series.split("le=\"").nth(1)?.split('"').next()?.parse().ok();
            let mut bounds: Vec<f64> = self.samples.keys().filter(of).filter_map(le).collect();
            bounds.sort_unstable_by(f64::total_cmp);
            bounds
        }
    }

    #[test]
    fn the_page_is_one_that_a_reader_of_the_format_takes() {
        let metrics = told();
        let page = Page::read(&metrics.open_metrics(figures()));
        let value = |sample: &str, labels: &[&str]| page.value(sample, labels);
        assert_eq!(value("fleet_deliberations_accepted_total", &["role=\"DEV\""]), 1.0);
        assert_eq!(value("fleet_deliberations_refused_total", &["reason=\"busy\""]), 1.0);
        assert_eq!(value("fleet_deliberations_ended_total", &["ending=\"completed\""]), 1.0);
        assert_eq!(value("fleet_deliberations_ended_total", &["ending=\"timeout\""]), 1.0);
        assert_eq!(value("fleet_deliberations_in_flight", &[]), 3.0);
        assert_eq!(value("fleet_deliberation_duration_seconds_sum", &["ending=\"completed\""]), 1.5);
        let within = |le| value("fleet_deliberation_duration_seconds_bucket", &["ending=\"completed\"", le]);
        assert_eq!([within("le=\"1.0\""), within("le=\"2.5\""), within("le=\"+Inf\"")], [0.0, 1.0, 1.0]);
        assert_eq!(value("fleet_jobs_attempted_total", &["kind=\"propose\"", "outcome=\"done\""]), 1.0);
        assert_eq!(value("fleet_jobs_attempted_total", &["kind=\"propose\"", "outcome=\"retried\""]), 1.0);
        assert_eq!(value("fleet_job_duration_seconds_count", &["kind=\"propose\""]), 2.0);
        let server = "server=\"http://gpu:8000\"";
        for (outcome, hedge) in [("answered", "true"), ("server", "false"), ("given_up", "true")] {
            let labels = [server, &format!("outcome=\"{outcome}\""), &format!("hedge=\"{hedge}\"")];
            assert_eq!(value("fleet_model_calls_total", &labels), 1.0);
        }
        assert_eq!(value("fleet_store_commits_total", &[]), 7.0);
        assert_eq!(value("fleet_store_commit_p50_seconds", &[]), 0.0015);
        assert_eq!(value("fleet_spans_total", &["outcome=\"dropped\""]), 1.0);
        if cfg!(target_os = "linux") {
            assert!(value("process_resident_memory_bytes", &[]) > 1e6);
            assert!(value("process_open_fds", &[]) >= 3.0);
            assert!(value("process_max_fds", &[]) >= value("process_open_fds", &[]));
        }
        assert!(value("process_start_time_seconds", &[]) > 1.7e9);
    }

    #[test]
    fn calls_of_models_are_measured_as_the_conventions_say() {
        let page = Page::read(&told().open_metrics(figures()));
        let common = [
            "gen_ai_operation_name=\"chat\"",
            "gen_ai_provider_name=\"openai\"",
            "gen_ai_request_model=\"some-model\"",
            "server_address=\"gpu\"",
            "server_port=\"8000\"",
        ];
        let with = |label: &'static str| [&common[..], &[label]].concat();
        for (kind, tokens) in [("gen_ai_token_type=\"input\"", 20.0), ("gen_ai_token_type=\"output\"", 5.0)] {
            let labels = [&with(kind)[..], &["gen_ai_response_model=\"some-model-0613\""]].concat();
            assert_eq!(page.value("gen_ai_client_token_usage_sum", &labels), tokens);
        }
        let answered = "gen_ai_response_model=\"some-model-0613\"";
        for call in [answered, "error_type=\"server\"", "error_type=\"given_up\""] {
            let sum = page.value("gen_ai_client_operation_duration_seconds_sum", &with(call));
            assert_eq!(sum, 0.98, "{call}");
        }
        let series = |series: &&String| series.starts_with("gen_ai_");
        for series in page.samples.keys().filter(series) {
            assert!(!series.contains("=\"\""), "what is not known is left out: {series}");
            let failed = series.contains("error_type=");
            assert_ne!(failed, series.contains(answered), "only what failed says so: {series}");
        }
        let tokens = page.buckets("gen_ai_client_token_usage", &["gen_ai_token_type=\"input\""]);
        let powers_of_four: Vec<f64> = (0..14).map(|n| 4_f64.powi(n)).chain([f64::INFINITY]).collect();
        assert_eq!(tokens, powers_of_four);
        let durations = page.buckets("gen_ai_client_operation_duration_seconds", &["error_type=\"server\""]);
        let doubling: Vec<f64> = (0..14).map(|n| 2_f64.powi(n) / 100.0).chain([f64::INFINITY]).collect();
        assert_eq!(durations, doubling);
    }

    #[test]
    fn no_label_holds_an_id_or_what_was_said() {
        let text = told().open_metrics(figures());
        for secret in ["task-1", PROMPT, ANSWER, "agent=", "it is down"] {
            assert!(!text.contains(secret), "{secret} is in {text}");
        }
    }

    #[test]
    fn models_and_servers_that_come_after_the_bound_share_a_name() {
        let metrics = Metrics::new(Arc::default());
        let answer = sample::generation();
        for n in 0..2 * MODELS_MAX {
            let mut request = sample::request("task-1/0/propose/a", 1, "");
            request.model = format!("model-{n}").into();
            let server = format!("http://gpu-{n}:8000");
            metrics.called(&Called { server: &server, ..sample::called(&request, 1, Some(Ok(&answer))) });
        }
        let page = Page::read(&metrics.open_metrics(Figures::default()));
        let series = |sample: &str| page.samples.keys().filter(|series| series.starts_with(sample)).count();
        assert_eq!(series("fleet_model_calls_total"), SERVERS_MAX + 1);
        assert!(series("gen_ai_client_operation_duration_seconds_count") <= MODELS_MAX + 1);
        let rest = (2 * MODELS_MAX - SERVERS_MAX) as f64;
        assert_eq!(page.value("fleet_model_calls_total", &["server=\"other\""]), rest);
    }
}
