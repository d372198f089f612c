//! A pod's record on disk: written before each resource is made, so that whatever dies, the next look finds everything.
//!
//! The directory of a pod appears under its name only with its record in it (rename of a directory that is made beside);
//! a name is taken by that rename, which fails when another pod has it.

use std::{
    fs::{self, DirBuilder, File},
    io::{self, Read, Write},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    process, str,
};

use rustix::fs::RenameFlags;
use serde::{Deserialize, Serialize};

use crate::{machine::process_start_ticks, pod::PodError};

/// Name of the record in a pod's directory.
pub(crate) const RECORD: &str = "record.json";

/// Beginning of the name of a directory that is no pod yet; its maker's pid and start follow.
const UNBORN: &str = ".new-";

/// The same of a directory that is a pod no more: its record may be gone already, and its name is free.
const DYING: &str = ".old-";

const VERSION: u32 = 1;
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

/// What exists, or is about to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    pub(crate) version: u32,
    pub(crate) owner: ProcessMark,
    pub(crate) vmm: Option<ProcessMark>,
    /// Files outside of the pod's directory.
    pub(crate) files: Vec<PathBuf>,
}

/// The directory of a pod that this process owns.
#[derive(Debug)]
pub(crate) struct PodDir {
    path: PathBuf,
    record: Record,
}

impl PodDir {
    /// Takes the name.
    pub(crate) fn create(run_dir: &Path, name: &PodName) -> Result<Self, PodError> {
        let builder = || {
            let mut builder = DirBuilder::new();
            builder.mode(0o700);
            builder
        };
        builder()
            .recursive(true)
            .create(run_dir)
            .map_err(|source| file_error(run_dir, source))?;
        let owner = ProcessMark::of(process::id()).ok_or_else(|| {
            file_error(
                Path::new("/proc/self/stat"),
                io::ErrorKind::InvalidData.into(),
            )
        })?;
        let unborn = run_dir.join(aside(UNBORN, owner, name.as_str()));
        builder()
            .create(&unborn)
            .map_err(|source| file_error(&unborn, source))?;
        let record = Record {
            version: VERSION,
            owner,
            vmm: None,
            files: Vec::new(),
        };
        let path = run_dir.join(name.as_str());
        let born = write_record(&unborn, &record).and_then(|()| rename_new(&unborn, &path));
        match born {
            Ok(()) => Ok(Self { path, record }),
            Err(error) => {
                fs::remove_dir_all(&unborn).ok();
                Err(if error.kind() == io::ErrorKind::AlreadyExists {
                    PodError::NameInUse {
                        name: name.as_str().to_owned(),
                    }
                } else {
                    file_error(&path, error)
                })
            }
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Notes a file that is about to be made outside of the directory.
    pub(crate) fn note_file(&mut self, file: PathBuf) -> Result<(), PodError> {
        self.record.files.push(file);
        self.write()
    }

    /// Notes the VMM, before it becomes a machine.
    pub(crate) fn note_vmm(&mut self, pid: u32) -> Result<(), PodError> {
        self.record.vmm = ProcessMark::of(pid);
        self.write()
    }

    fn write(&self) -> Result<(), PodError> {
        write_record(&self.path, &self.record)
            .map_err(|source| file_error(&self.path.join(RECORD), source))
    }

    /// Removes the files and the directory; the machine must have ended. Says what could not be removed.
    pub(crate) fn remove(self) -> Vec<String> {
        remove_resources(&self.path, &self.record)
    }
}

/// Removes what a record names, and its directory last: as long as something is left, so is the record.
pub(crate) fn remove_resources(dir: &Path, record: &Record) -> Vec<String> {
    let mut left = Vec::new();
    for file in &record.files {
        match fs::remove_file(file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                left.push(format!("{}: {error}", file.display()));
            }
            _ => {}
        }
    }
    if left.is_empty()
        && let Err(error) = remove_dir(dir)
        && error.kind() != io::ErrorKind::NotFound
    {
        left.push(format!("{}: {error}", dir.display()));
    }
    left
}

/// In one step from a pod to what any sweep may remove: who is killed in the middle leaves no directory without record.
fn remove_dir(dir: &Path) -> io::Result<()> {
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    let dying = ProcessMark::of(process::id())
        .map(|us| dir.with_file_name(aside(DYING, us, &name)))
        .filter(|dying| rename_new(dir, dying).is_ok());
    fs::remove_dir_all(dying.as_deref().unwrap_or(dir))
}

/// Name of a directory that is no pod.
fn aside(prefix: &str, maker: ProcessMark, name: &str) -> String {
    format!("{prefix}{}-{}-{name}", maker.pid, maker.start_ticks)
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

fn write_record(dir: &Path, record: &Record) -> io::Result<()> {
    // A reader sees the old record or the new one, never half of one.
    let next = dir.join("record.next");
    let mut file = File::create(&next)?;
    file.write_all(&serde_json::to_vec(record)?)?;
    fs::rename(&next, dir.join(RECORD))
}

fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    let here = rustix::fs::CWD;
    Ok(rustix::fs::renameat_with(
        here,
        from,
        here,
        to,
        RenameFlags::NOREPLACE,
    )?)
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
