//! `fleet verify`: whether what is stored is as it was written.

use std::fmt::Write as _;

use fleet_embedded::{Finding, OpenError, Verified, VerifyError, verify, verify_file};
use serde::Serialize;

use crate::cli::Verify;
use crate::config::Loaded;
use crate::show::{complain, copying, many, print};
use crate::{Exit, Problem};

#[derive(Serialize)]
struct Report {
    file: String,
    format: u32,
    sound: bool,
    histories: u64,
    records: u64,
    answers: u64,
    answers_without_digest: u64,
    answers_left_over: u64,
    leaving: u64,
    findings: Vec<Found>,
    findings_left_out: u64,
}

#[derive(Serialize)]
struct Found {
    history: Option<String>,
    sequence: Option<u64>,
    job_id: Option<String>,
    fault: &'static str,
    means: &'static str,
    detail: String,
}

pub(super) async fn run(loaded: &Loaded, asked: Verify) -> anyhow::Result<Exit> {
    let (file, dir) = (asked.file.clone(), loaded.state_dir()?);
    let name = asked.file.as_ref().unwrap_or(&dir).display().to_string();
    let verified = copying::watched(move |watch| match &file {
        Some(file) => verify_file(file, watch),
        None => verify(&dir, watch),
    });
    let verified = verified.await?.map_err(|error| problem(error, asked.file.is_some()))?;
    let sound = verified.is_sound();
    let found = verified.findings.len() as u64 + verified.findings_left_out;
    let text = match asked.json {
        true => serde_json::to_string(&report(name.clone(), verified))? + "\n",
        false => text(&name, &verified),
    };
    print(&text)?;
    if sound {
        return Ok(Exit::Done);
    }
    complain(format_args!(
        "{} in {name}: keep a copy of it; `fleet restore FILE --force` puts a backup in its place, and deletes \
         nothing",
        many(found, "finding")
    ));
    Ok(Exit::Tampered)
}

fn report(file: String, verified: Verified) -> Report {
    let found = |finding: Finding| Found {
        history: finding.history,
        sequence: finding.sequence,
        job_id: finding.job,
        fault: finding.fault.as_str(),
        means: finding.fault.means(),
        detail: finding.detail,
    };
    Report {
        file,
        format: verified.format,
        sound: verified.findings.is_empty(),
        histories: verified.histories,
        records: verified.records,
        answers: verified.answers,
        answers_without_digest: verified.answers_without_digest,
        answers_left_over: verified.answers_left_over,
        leaving: verified.leaving,
        findings: verified.findings.into_iter().map(found).collect(),
        findings_left_out: verified.findings_left_out,
    }
}

fn text(name: &str, verified: &Verified) -> String {
    let mut text = format!(
        "{name}: {}, {}, {}\n",
        match verified.histories {
            1 => "1 history".to_owned(),
            n => format!("{n} histories"),
        },
        many(verified.records, "record"),
        many(verified.answers, "answer")
    );
    if verified.format < 3 {
        text += "An earlier version wrote it: whether the end of a history, a whole history or what an answer says \
                 was changed cannot be told.\n";
    } else if verified.answers_without_digest > 0 {
        let _ = writeln!(
            text,
            "{} from an earlier version: whether what they say was changed cannot be told.",
            many(verified.answers_without_digest, "answer")
        );
    }
    if verified.answers_left_over > 0 {
        let _ = writeln!(
            text,
            "{} came after their deliberations were forgotten.",
            many(verified.answers_left_over, "answer")
        );
    }
    for Finding { history, sequence, job, fault, detail } in &verified.findings {
        let mut place = history.clone().unwrap_or_else(|| "the file".into());
        if let Some(sequence) = sequence {
            let _ = write!(place, ", record {sequence}");
        }
        if let Some(job) = job {
            let _ = write!(place, ", answer to {job}");
        }
        let _ = writeln!(text, "{place}: {}: {} ({detail})", fault.as_str().to_uppercase(), fault.means());
    }
    if verified.findings_left_out > 0 {
        let _ = writeln!(text, "and {} more", verified.findings_left_out);
    }
    if verified.findings.is_empty() {
        text += "sound: all of it is as it was written\n";
    }
    text
}

fn problem(error: VerifyError, of_file: bool) -> anyhow::Error {
    let message = fleet_orchestrator::chain(&error);
    match error {
        VerifyError::State(OpenError::Damaged(..)) => Problem::new(Exit::Tampered, message).into(),
        VerifyError::State(OpenError::Missing(_)) if of_file => Problem::new(Exit::NotFound, message).into(),
        VerifyError::State(error) => error.into(),
        VerifyError::NotReadable(..) => {
            Problem::new(Exit::Unavailable, format!("{message}; mend its disk")).into()
        }
        VerifyError::Interrupted => Problem::new(Exit::Left, message).into(),
    }
}
