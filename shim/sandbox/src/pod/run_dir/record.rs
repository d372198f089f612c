//! A pod's record on disk: written before each resource is made, so that whatever dies, the next look finds everything.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{machine::process_start_ticks, pod::PodError};

/// Name of the record in a pod's directory.
pub(crate) const RECORD: &str = "record.json";

/// Beginning of the name of a directory that is no pod yet; its maker's pid and start follow.
pub(super) const UNBORN: &str = ".new-";

/// The same of a directory that is a pod no more: its record may be gone already, and its name is free.
pub(super) const DYING: &str = ".old-";

/// 2: `keep` and `ended`.
pub(crate) const VERSION: u32 = 2;
const MAX_RECORD_BYTES: u64 = 64 << 10;
const MAX_NAME_BYTES: usize = 63;

/// Name of a pod, fit to be a file name, a host name and part of a socket's path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PodName(String);

impl PodName {
    /// Checks a name that somebody chose.
    ///
    /// # Errors
    /// [`PodError::BadName`].
    pub fn new(name: &str) -> Result<Self, PodError> {
        let begins = name
            .as_bytes()
            .first()
            .is_some_and(u8::is_ascii_alphanumeric);
        let in_range = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
        if begins && name.len() <= MAX_NAME_BYTES && name.bytes().all(in_range) {
            return Ok(Self(name.to_owned()));
        }
        Err(PodError::BadName {
            name: name.to_owned(),
        })
    }

    /// A name that nobody has: 12 random hexadecimal digits.
    ///
    /// # Errors
    /// The host gives no random bytes.
    pub fn random() -> Result<Self, PodError> {
        let path = Path::new("/dev/urandom");
        let mut bytes = [0; 6];
        File::open(path)
            .and_then(|mut source| source.read_exact(&mut bytes))
            .map_err(|source| file_error(path, source))?;
        Ok(Self(hex::encode(bytes)))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A process that cannot be mistaken for a later one with the same pid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProcessMark {
    pub(crate) pid: u32,
    /// Clock ticks since the host's boot.
    pub(crate) start_ticks: u64,
}

impl ProcessMark {
    /// Of a process that exists.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        let start_ticks = process_start_ticks(pid)?;
        Some(Self { pid, start_ticks })
    }

    pub(crate) fn is_alive(self) -> bool {
        process_start_ticks(self.pid) == Some(self.start_ticks)
    }
}

/// What stays of a pod when its machine has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keep {
    /// Nothing.
    #[default]
    Nothing,
    /// Its directory with its record and what others put beside it, until somebody removes it.
    Papers,
}

/// What exists, or is about to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    pub(crate) version: u32,
    pub(crate) owner: ProcessMark,
    pub(crate) vmm: Option<ProcessMark>,
    /// Files outside of the pod's directory, which go with the machine.
    pub(crate) files: Vec<PathBuf>,
    /// What stays afterwards.
    pub(crate) keep: Keep,
    /// The machine and its files are no more, and the owner saw to it itself.
    pub(crate) ended: bool,
}

/// Reads the record of a pod's directory.
pub(crate) fn read_record(dir: &Path) -> io::Result<Record> {
    let mut text = Vec::new();
    File::open(dir.join(RECORD))?
        .take(MAX_RECORD_BYTES)
        .read_to_end(&mut text)?;
    let record: Record = serde_json::from_slice(&text)?;
    if record.version != VERSION {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("record version {}, known is {VERSION}", record.version),
        ));
    }
    Ok(record)
}

pub(super) fn write_record(dir: &Path, record: &Record) -> io::Result<()> {
    // A reader sees the old record or the new one, never half of one.
    let next = dir.join("record.next");
    let mut file = File::create(&next)?;
    file.write_all(&serde_json::to_vec(record)?)?;
    fs::rename(&next, dir.join(RECORD))
}

/// Name of a directory that is no pod.
pub(super) fn aside(prefix: &str, maker: ProcessMark, name: &str) -> String {
    format!("{prefix}{}-{}-{name}", maker.pid, maker.start_ticks)
}

/// Who makes or removes a directory that is no pod, not yet or no more.
pub(crate) fn maker_of(file_name: &str) -> Option<ProcessMark> {
    let rest = file_name.strip_prefix(UNBORN);
    let rest = rest.or_else(|| file_name.strip_prefix(DYING))?;
    let mut fields = rest.splitn(3, '-');
    Some(ProcessMark {
        pid: fields.next()?.parse().ok()?,
        start_ticks: fields.next()?.parse().ok()?,
    })
}

pub(crate) fn file_error(path: &Path, source: io::Error) -> PodError {
    PodError::File {
        path: path.to_owned(),
        source,
    }
}
