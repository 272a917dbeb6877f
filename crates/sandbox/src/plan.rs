//! What the processes of a sandbox tell each other: a length, JSON, then bytes whose lengths the JSON says.

use std::io::{self, Read, Write};
use std::path::PathBuf;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::ended::End;
use crate::limits::Limits;

const FRAME_BYTES_MAX: usize = 1024 * 1024;
const LENGTH_BYTES: usize = 4;

/// Said to the supervisor after the plan: the command wrote too much.
pub(crate) const TOO_MUCH_OUTPUT: u8 = b'o';

/// What the supervisor is to do.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) how: How,
    /// Where the scratch folder is to be, if it is one of the host's.
    pub(crate) scratch: PathBuf,
    /// What can be read, system folders included.
    pub(crate) read_only: Vec<PathBuf>,
    pub(crate) inner: Inner,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum How {
    Bubblewrap { program: PathBuf },
    Landlock { abi_max: Option<i32> },
}

/// What is to be done inside.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Inner {
    /// Nothing: only try whether all that leads there works.
    pub(crate) program: Option<String>,
    pub(crate) args: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) limits: Limits,
    /// Paths and lengths; the bytes follow the frame.
    pub(crate) files: Vec<(String, usize)>,
    /// Its length; the bytes follow those of the files.
    pub(crate) stdin: usize,
    /// The folder that it works in. These four are filled in by the supervisor.
    pub(crate) scratch: PathBuf,
    pub(crate) tasks_max: u64,
    /// The user it runs as is nobody else's.
    pub(crate) own_user: bool,
    pub(crate) landlock: Option<Landlock>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Landlock {
    pub(crate) read_only: Vec<PathBuf>,
    pub(crate) abi_max: Option<i32>,
}

/// What comes from inside.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Inside {
    /// The scratch folder is filled and all is shut; nothing is started yet.
    Ready {
        abi: Option<u32>,
    },
    Started,
    Ended(End),
    /// The program cannot be started.
    Program {
        reason: String,
    },
    Failed {
        reason: String,
    },
}

/// What the supervisor says in the end.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Report {
    /// It was only to be tried.
    Works {
        abi: Option<u32>,
    },
    Ended {
        end: End,
        duration_us: u64,
    },
    Program {
        reason: String,
    },
    Failed {
        reason: String,
    },
}

/// A frame's bytes.
pub(crate) fn frame<T: Serialize>(value: &T) -> io::Result<Vec<u8>> {
    let json = serde_json::to_vec(value)?;
    let length = u32::try_from(json.len()).map_err(io::Error::other)?;
    Ok([length.to_be_bytes().as_slice(), &json].concat())
}

pub(crate) fn write<T: Serialize>(mut to: impl Write, value: &T) -> io::Result<()> {
    to.write_all(&frame(value)?)
}

pub(crate) fn read<T: DeserializeOwned>(mut from: impl Read) -> io::Result<T> {
    let mut length = [0; LENGTH_BYTES];
    from.read_exact(&mut length)?;
    let mut json = vec![0; length_of(length)?];
    from.read_exact(&mut json)?;
    Ok(serde_json::from_slice(&json)?)
}

/// The length that a frame says it has.
pub(crate) fn length_of(length: [u8; LENGTH_BYTES]) -> io::Result<usize> {
    let length = u32::from_be_bytes(length) as usize;
    if length > FRAME_BYTES_MAX {
        return Err(io::Error::other(format!("a frame of {length} bytes")));
    }
    Ok(length)
}
