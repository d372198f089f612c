//! Making and unmaking the directory of a pod.
//!
//! It appears under the pod's name only with its record in it (rename of a directory that is made beside); a name is
//! taken by that rename, which fails when another pod has it.

use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    process,
};

use rustix::fs::RenameFlags;

use super::record::{
    DYING, Keep, PodName, ProcessMark, RECORD, Record, UNBORN, VERSION, aside, file_error,
    write_record,
};
use crate::{pod::PodError, text::one_line};

/// Names of the sockets in a pod's directory: they go with the machine.
pub(crate) const VSOCK: &str = "vsock.sock";
pub(crate) const CONTROL: &str = "control.sock";
pub(crate) const DOOR: &str = "husk.sock";

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
            keep: Keep::Nothing,
            ended: false,
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

    /// Notes what stays when the machine has ended.
    pub(crate) fn note_keep(&mut self, keep: Keep) -> Result<(), PodError> {
        self.record.keep = keep;
        self.write()
    }

    /// Removes everything; the machine must have ended. Says what could not be removed.
    pub(crate) fn remove(self) -> Vec<String> {
        remove_all(&self.path, &self.record)
    }

    /// Removes what does not stay; the machine must have ended. Says what could not be removed.
    pub(crate) fn close(mut self) -> Vec<String> {
        if self.record.keep == Keep::Nothing {
            return self.remove();
        }
        let left = remove_resources(&self.path, &mut self.record);
        self.record.ended = left.is_empty();
        or_say(left, self.write())
    }
}

fn or_say(mut left: Vec<String>, written: Result<(), PodError>) -> Vec<String> {
    left.extend(written.err().map(|error| one_line(&error)));
    left
}

/// Removes what a record names, and its directory last: as long as something is left, so is the record.
pub(super) fn remove_all(dir: &Path, record: &Record) -> Vec<String> {
    let mut left = remove_resources(dir, &mut record.clone());
    if left.is_empty()
        && let Err(error) = remove_dir(dir)
        && error.kind() != io::ErrorKind::NotFound
    {
        left.push(format!("{}: {error}", dir.display()));
    }
    left
}

/// Removes what goes with a machine that has ended; what could not be removed stays in the record.
pub(super) fn remove_resources(dir: &Path, record: &mut Record) -> Vec<String> {
    let mut left = Vec::new();
    let mut gone = |file: &Path| match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            left.push(format!("{}: {error}", file.display()));
            false
        }
        _ => true,
    };
    record.files.retain(|file| !gone(file));
    for socket in [VSOCK, CONTROL, DOOR] {
        gone(&dir.join(socket));
    }
    record.vmm = None;
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
