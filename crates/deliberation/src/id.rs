//! Names of deliberations, agents, roles and jobs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a text cannot be a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The text is empty.
    #[error("is empty")]
    Empty,
    /// The text is longer than a name may be.
    #[error("has {bytes} bytes, more than {} bytes", ID_BYTES_MAX)]
    TooLong {
        /// Length of the text.
        bytes: usize,
    },
    /// The text holds white space or a control character.
    #[error("contains {0:?}; white space and control characters are not allowed")]
    Character(char),
    /// The text is not `{deliberation}/{round}/{kind}/{subject}`.
    #[error("is not a job id")]
    NotAJob,
}

/// The longest name, in bytes.
pub const ID_BYTES_MAX: usize = 200;

fn checked(text: &str) -> Result<std::sync::Arc<str>, IdError> {
    if text.is_empty() {
        return Err(IdError::Empty);
    }
    if text.len() > ID_BYTES_MAX {
        return Err(IdError::TooLong { bytes: text.len() });
    }
    match text.chars().find(|c| c.is_whitespace() || c.is_control()) {
        Some(c) => Err(IdError::Character(c)),
        None => Ok(text.into()),
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            /// Takes `text` as a name: 1 to [`ID_BYTES_MAX`] bytes, no white space, no control characters.
            pub fn new(text: &str) -> Result<Self, IdError> {
                checked(text).map(Self)
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                Self::new(&text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0.as_ref().into()
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::new(text)
            }
        }
    };
}

name! {
    /// The id of a deliberation, which is the id of its task.
    DeliberationId
}
name! {
    /// One member of a council, such as `agent-dev-001`.
    AgentId
}
name! {
    /// What an agent is an expert in, such as `DEV`.
    Role
}

/// What kind of work a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobKind {
    /// An author writes its first proposal.
    Propose,
    /// The check suite runs over one version of an author's proposal.
    Check,
    /// A peer reviews an author's proposal.
    Critique,
    /// An author rewrites its proposal with the feedback it got.
    Revise,
    /// A judge compares two proposals.
    Judge,
    /// An architect chooses among near ties.
    Select,
}

impl JobKind {
    /// The word for this kind inside a job id.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            JobKind::Propose => "propose",
            JobKind::Check => "check",
            JobKind::Critique => "critique",
            JobKind::Revise => "revise",
            JobKind::Judge => "judge",
            JobKind::Select => "select",
        }
    }
}

/// The identity of a job, which says what it is for: `{deliberation}/{round}/{kind}/{subject}`.
///
/// The subject is the author whose proposal the job is about. Round 0 is the first proposal and its
/// check; in round `r` an author's proposal is reviewed, revised, and the revision checked. Of a judgement the
/// round is the number of the comparison, and the subject the judge; of a choice they are 0 and the architect.
/// Asking for the same work twice gives the same id, so delivering it twice is harmless.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct JobId {
    /// The deliberation the job belongs to.
    pub deliberation: DeliberationId,
    /// The round of review the job belongs to; 0 is the first proposal. Of a judgement, the number of its comparison.
    pub round: u32,
    /// What is to be done.
    pub kind: JobKind,
    /// Whose proposal it is about, or who judges or chooses.
    pub subject: AgentId,
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let deliberation = Encoded(self.deliberation.as_str());
        let subject = Encoded(self.subject.as_str());
        write!(f, "{deliberation}/{}/{}/{subject}", self.round, self.kind.as_str())
    }
}

impl FromStr for JobId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let mut parts = text.split('/');
        let mut next = || parts.next().ok_or(IdError::NotAJob);
        let (deliberation, round, kind, subject) = (next()?, next()?, next()?, next()?);
        if parts.next().is_some() {
            return Err(IdError::NotAJob);
        }
        let kind = match kind {
            "propose" => JobKind::Propose,
            "check" => JobKind::Check,
            "critique" => JobKind::Critique,
            "revise" => JobKind::Revise,
            "judge" => JobKind::Judge,
            "select" => JobKind::Select,
            _ => return Err(IdError::NotAJob),
        };
        Ok(JobId {
            deliberation: DeliberationId::new(&decoded(deliberation)?)?,
            round: round.parse().map_err(|_| IdError::NotAJob)?,
            kind,
            subject: AgentId::new(&decoded(subject)?)?,
        })
    }
}

impl TryFrom<String> for JobId {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<JobId> for String {
    fn from(job: JobId) -> String {
        job.to_string()
    }
}

/// Percent-encodes every byte outside RFC 3986's unreserved characters, so that a part of an id can
/// neither hold a separator nor anything a message broker or a shell would take as its own.
struct Encoded<'a>(&'a str);

impl fmt::Display for Encoded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_~".contains(&b);
        let mut rest = self.0;
        while let Some(at) = rest.bytes().position(|b| !plain(b)) {
            f.write_str(&rest[..at])?;
            let odd = rest[at..].chars().next().map_or(1, char::len_utf8);
            for byte in rest[at..at + odd].bytes() {
                write!(f, "%{byte:02X}")?;
            }
            rest = &rest[at + odd..];
        }
        f.write_str(rest)
    }
}

fn decoded(part: &str) -> Result<String, IdError> {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|b| (b as char).to_digit(16)).ok_or(IdError::NotAJob);
        let (high, low) = (digit()?, digit()?);
        bytes.push(u8::try_from(high * 16 + low).map_err(|_| IdError::NotAJob)?);
    }
    String::from_utf8(bytes).map_err(|_| IdError::NotAJob)
}
