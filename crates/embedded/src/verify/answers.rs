//! The answers of every deliberation, and those that belong to none.

use std::collections::BTreeSet;

use fleet_deliberation::{Answer, DeliberationId, Digest, JobId};
use fleet_orchestrator::port::HistoryId;

use super::histories::Read;
use super::{Fault, Finding, Looking, Stop};
use crate::jobs_of::jobs_of;
use crate::number::unsigned;

impl Looking<'_> {
    /// The answers of a deliberation: each as it was written, and every one there that its records rest on.
    pub(super) fn answers_of(
        &mut self,
        history: &str,
        deliberation: &DeliberationId,
        read: &Read,
    ) -> Result<(), Stop> {
        let jobs = jobs_of(deliberation);
        let sql = match self.has_heads() {
            true => "SELECT job, body, digest FROM answers WHERE job >= ?1 AND job < ?2",
            false => "SELECT job, body, NULL FROM answers WHERE job >= ?1 AND job < ?2",
        };
        let connection = self.connection;
        let mut answers = connection.prepare_cached(sql)?;
        let mut rows = answers.query([jobs.from, jobs.to])?;
        let mut there: BTreeSet<String> = BTreeSet::new();
        while let Some(row) = rows.next()? {
            let (job, digest): (String, Option<[u8; 32]>) = (row.get(0)?, row.get(2)?);
            let body = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
            self.one_more()?;
            self.verified.answers += 1;
            self.verified.answers_without_digest += u64::from(digest.is_none());
            let same = digest.is_none_or(|digest| *Digest::of(body).as_bytes() == digest);
            let fault = match serde_json::from_slice::<Answer>(body) {
                Err(error) => Some((Fault::Unreadable, error.to_string())),
                Ok(answer) if answer.job.to_string() != job => {
                    Some((Fault::Reordered, format!("it is the answer to {}", answer.job)))
                }
                Ok(_) if !same => {
                    Some((Fault::Altered, "its hash is not the one it was recorded with".into()))
                }
                Ok(_) => None,
            };
            if let Some((fault, detail)) = fault {
                let job = Some(job.clone());
                self.verified.found(Finding { job, ..Finding::of_history(history, fault, detail) });
            }
            there.insert(job);
        }
        for (sequence, job) in read.named.iter().filter(|_| !read.leaving) {
            let job = job.to_string();
            if !there.contains(&job) {
                let detail = "the record rests on it".to_owned();
                let (sequence, job) = (Some(*sequence), Some(job));
                let finding = Finding::of_history(history, Fault::Missing, detail);
                self.verified.found(Finding { sequence, job, ..finding });
            }
        }
        Ok(())
    }

    /// Answers without a history; where histories are missing they say which. `gone` are named already.
    pub(super) fn answers_left_over(&mut self, missing: u64, gone: &[String]) -> Result<(), Stop> {
        let connection = self.connection;
        let all = connection.query_row("SELECT count(*) FROM answers", [], |row| unsigned(row, 0))?;
        let mut without: BTreeSet<DeliberationId> = BTreeSet::new();
        let left_over = all.saturating_sub(self.verified.answers);
        if left_over > 0 {
            let mut jobs = connection.prepare("SELECT job FROM answers ORDER BY job")?;
            let mut known = connection.prepare("SELECT EXISTS (SELECT 1 FROM histories WHERE id = ?1)")?;
            let mut rows = jobs.query([])?;
            let mut last = None;
            while let Some(row) = rows.next()? {
                let text: String = row.get(0)?;
                let Ok(job) = text.parse::<JobId>() else {
                    let finding = Finding::of_file(Fault::Altered, "its job is no job's name");
                    self.verified.found(Finding { job: Some(text), ..finding });
                    continue;
                };
                if last.as_ref() == Some(&job.deliberation) {
                    continue;
                }
                let history = HistoryId::deliberation(&job.deliberation);
                if !known.query_row([history.as_str()], |row| row.get::<_, bool>(0))? {
                    without.insert(job.deliberation.clone());
                }
                last = Some(job.deliberation);
            }
        }
        without.retain(|id| !gone.iter().any(|gone| gone == HistoryId::deliberation(id).as_str()));
        if missing == 0 {
            if gone.is_empty() {
                self.verified.answers_left_over = left_over;
            }
            return Ok(());
        }
        let are = if missing == 1 { "history is" } else { "histories are" };
        let mut detail = format!("{missing} {are} missing: more were written than are there");
        if !without.is_empty() {
            detail += ", and answers are there of ";
            detail += &without.iter().map(DeliberationId::as_str).collect::<Vec<_>>().join(", ");
        }
        self.verified.found(Finding::of_file(Fault::Missing, detail));
        for id in &without {
            let history = HistoryId::deliberation(id);
            let detail = "its answers are there, and histories are missing";
            self.verified.found(Finding::of_history(history.as_str(), Fault::Missing, detail));
        }
        Ok(())
    }
}
