//! The streams there have to be: made where they are missing, compared where they are there.

use std::fmt::Debug;
use std::time::Duration;

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::GetStreamErrorKind;
use async_nats::jetstream::stream::{Config, DiscardPolicy, Republish, RetentionPolicy, StorageType};
use fleet_orchestrator::port::Source;

use crate::cluster::Settings;
use crate::error::OpenError;
use crate::link::Link;
use crate::names::Names;

/// How long ids of records, answers and jobs are remembered. They are random: what they guard is a second try of
/// one write.
const IDS: Duration = Duration::from_secs(30);
/// How long announcements are kept.
const ANNOUNCEMENTS_AGE: Duration = Duration::from_secs(30 * 24 * 3_600);
/// The most bytes of marks; there are a few, of a few bytes each.
const MARKS_BYTES: u64 = 16 * 1024 * 1024;

/// The subjects that announcements go out on.
const ANNOUNCED: [&str; 2] = ["deliberation.completed", "deliberation.failed"];

/// What every stream of ours must be.
pub(crate) fn wanted(settings: &Settings, names: &Names) -> Vec<Config> {
    let stream = |name: &str, subject: String, bytes: u64| Config {
        name: name.to_owned(),
        subjects: vec![subject],
        storage: StorageType::File,
        retention: RetentionPolicy::Limits,
        num_replicas: settings.replicas,
        max_bytes: i64::try_from(bytes).unwrap_or(i64::MAX),
        allow_direct: true,
        duplicate_window: IDS,
        ..Config::default()
    };
    let told = |filter: String| {
        let destination = names.stored(&filter);
        Some(Republish { source: filter, destination, headers_only: true })
    };
    vec![
        Config {
            discard: DiscardPolicy::New,
            republish: told(names.records()),
            ..stream(names.log, names.records(), settings.log_bytes_max)
        },
        Config {
            discard: DiscardPolicy::New,
            republish: told(names.all_answers()),
            ..stream(names.answers, names.all_answers(), settings.answers_bytes_max)
        },
        Config {
            // Only how a job stands now. Jobs that fall out are put back by the sweep; a stream that took no more
            // could not be told that a job is done.
            max_messages_per_subject: 1,
            discard: DiscardPolicy::Old,
            allow_message_ttl: true,
            republish: told(names.all_jobs()),
            ..stream(names.jobs, names.all_jobs(), settings.jobs_bytes_max)
        },
        Config {
            subjects: ANNOUNCED.map(str::to_owned).to_vec(),
            // Who did not read them in all this time loses the oldest, rather than holding up all others.
            discard: DiscardPolicy::Old,
            max_age: ANNOUNCEMENTS_AGE,
            duplicate_window: Duration::from_millis(settings.announced_ms),
            ..stream(names.announcements, String::new(), settings.announcements_bytes_max)
        },
        Config {
            max_messages_per_subject: 1,
            discard: DiscardPolicy::Old,
            ..stream(names.marks, names.all_marks(), MARKS_BYTES)
        },
    ]
}

/// Makes a stream, or sees that the one of its name will do.
pub(crate) async fn ensure(link: &Link, wanted: &Config) -> Result<(), OpenError> {
    let refused = |source: Source| OpenError::Refused { stream: wanted.name.clone(), source };
    let context = link.context();
    let found = link.within(context.get_stream(&wanted.name)).await.map_err(|lost| refused(lost.into()))?;
    let found = match found {
        Ok(stream) => stream.cached_info().config.clone(),
        Err(error) => match error.kind() {
            GetStreamErrorKind::JetStream(said) if said.error_code() == ErrorCode::STREAM_NOT_FOUND => {
                // Two may find it missing at once: making the same stream twice is no error.
                let made = link.within(context.create_stream(wanted.clone())).await;
                let made = made.map_err(|lost| refused(lost.into()))?;
                made.map_err(|error| refused(error.into()))?.cached_info().config.clone()
            }
            _ => return Err(refused(error.into())),
        },
    };
    compare(&found, wanted)
}

/// The first difference that matters. Bounds in bytes are the operator's business, and so are descriptions,
/// compression and places; more replicas and a longer memory for ids do no harm.
fn compare(found: &Config, wanted: &Config) -> Result<(), OpenError> {
    fn same<T: Debug + PartialEq>(
        stream: &str,
        setting: &'static str,
        found: T,
        wanted: T,
    ) -> Result<(), OpenError> {
        if found == wanted {
            return Ok(());
        }
        let (found, wanted) = (format!("{found:?}"), format!("{wanted:?}"));
        Err(OpenError::Differs { stream: stream.to_owned(), setting, found, wanted })
    }
    /// 0 and -1 both say that there is no bound.
    fn bound(n: i64) -> i64 {
        if n <= 0 { -1 } else { n }
    }
    let name = &wanted.name;
    let sorted = |config: &Config| {
        let mut subjects = config.subjects.clone();
        subjects.sort_unstable();
        subjects
    };
    same(name, "subjects", sorted(found), sorted(wanted))?;
    same(name, "storage", found.storage, wanted.storage)?;
    same(name, "retention", found.retention, wanted.retention)?;
    same(name, "discard", found.discard, wanted.discard)?;
    same(name, "max_msgs", bound(found.max_messages), bound(wanted.max_messages))?;
    let of_subject = |config: &Config| bound(config.max_messages_per_subject);
    same(name, "max_msgs_per_subject", of_subject(found), of_subject(wanted))?;
    same(name, "max_msg_size", bound(found.max_message_size.into()), bound(wanted.max_message_size.into()))?;
    same(name, "max_age", found.max_age, wanted.max_age)?;
    same(name, "no_ack", found.no_ack, wanted.no_ack)?;
    same(name, "sealed", found.sealed, wanted.sealed)?;
    same(name, "deny_purge", found.deny_purge, wanted.deny_purge)?;
    same(name, "allow_direct", found.allow_direct, wanted.allow_direct)?;
    same(name, "allow_msg_ttl", found.allow_message_ttl, wanted.allow_message_ttl)?;
    same(name, "republish", &found.republish, &wanted.republish)?;
    same(name, "mirror", found.mirror.is_some(), wanted.mirror.is_some())?;
    same(name, "sources", found.sources.is_some(), wanted.sources.is_some())?;
    same(name, "subject_transform", &found.subject_transform, &wanted.subject_transform)?;
    if found.num_replicas < wanted.num_replicas {
        same(name, "num_replicas", found.num_replicas, wanted.num_replicas)?;
    }
    if found.duplicate_window < wanted.duplicate_window {
        same(name, "duplicate_window", found.duplicate_window, wanted.duplicate_window)?;
    }
    Ok(())
}
