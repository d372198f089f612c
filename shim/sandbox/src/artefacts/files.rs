//! Where the files of a machine are found, and their recorded digests.

use std::{
    env,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};
use thiserror::Error;

use super::{Flavour, sums};
use crate::{host::Artefact, machine::BootArtefact};

/// Names the directory with the files, before every other place.
pub const ARTEFACTS_VARIABLE: &str = "HUSK_ARTEFACTS";

const VMM: &str = "husk-vmm";
const INITRAMFS: &str = "initramfs.cpio";
const SUMS: &str = "SHA256SUMS";
const SYSTEM_DIR: &str = "/usr/lib/husk";
const MAX_SUMS_BYTES: u64 = 64 << 10;

/// A file of the machine that is not as it should be.
#[derive(Debug, Error)]
pub enum ArtefactError {
    /// No directory with the files.
    #[error(
        "{SUMS} not found in {tried}: build the files with make, or name their directory in {ARTEFACTS_VARIABLE}"
    )]
    NoDirectory {
        /// Where it was looked for.
        tried: String,
    },
    /// The digests cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The digests cannot be understood.
    #[error("{}: line {line} is not a SHA-256 and a name", path.display())]
    Sums {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// A file without a recorded digest.
    #[error("{}: no SHA-256 recorded for {name}{fix}", path.display())]
    NoSum {
        /// The file of digests.
        path: PathBuf,
        /// The missing name.
        name: String,
        /// What to do.
        fix: String,
    },
}

/// The files of a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artefacts {
    dir: PathBuf,
    sums: std::collections::HashMap<String, String>,
}

impl Artefacts {
    /// Finds the files: the directory in the environment, the configured one, the one beside the executable, the system's.
    ///
    /// # Errors
    /// There is none, or its digests cannot be read.
    pub fn find(configured: Option<&Path>) -> Result<Self, ArtefactError> {
        let named = env::var_os(ARTEFACTS_VARIABLE).map(PathBuf::from);
        if let Some(dir) = named.or_else(|| configured.map(Path::to_owned)) {
            return Self::open(&dir);
        }
        let beside = env::current_exe().ok().and_then(|executable| {
            let prefix = executable.parent()?.parent()?;
            Some(prefix.join("lib/husk"))
        });
        let places: Vec<PathBuf> = beside.into_iter().chain([SYSTEM_DIR.into()]).collect();
        match places.iter().find(|dir| dir.join(SUMS).exists()) {
            Some(dir) => Self::open(dir),
            None => Err(no_directory(&places)),
        }
    }

    /// The files in one directory.
    ///
    /// # Errors
    /// Its digests cannot be read.
    pub fn open(dir: &Path) -> Result<Self, ArtefactError> {
        let path = dir.join(SUMS);
        let unreadable = |source| ArtefactError::Unreadable {
            path: path.clone(),
            source,
        };
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(no_directory(&[dir.to_owned()]));
            }
            Err(error) => return Err(unreadable(error)),
        };
        let mut text = String::new();
        file.take(MAX_SUMS_BYTES)
            .read_to_string(&mut text)
            .map_err(unreadable)?;
        let dir = fs::canonicalize(dir).map_err(unreadable)?;
        match sums::parse(&text) {
            Ok(sums) => Ok(Self { dir, sums }),
            Err(line) => Err(ArtefactError::Sums { path, line }),
        }
    }

    /// The VMM's binary.
    #[must_use]
    pub fn vmm(&self) -> PathBuf {
        self.dir.join(VMM)
    }

    /// The kernel of a flavour.
    ///
    /// # Errors
    /// It has no recorded digest: it was not built.
    pub fn kernel(&self, flavour: Flavour) -> Result<BootArtefact, ArtefactError> {
        self.recorded(flavour.file_name(), || {
            format!(": build it with cargo xtask kernel {flavour}, or choose the other flavour")
        })
    }

    /// A kernel that somebody names by its path: its digest is what the file has now.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn kernel_file(path: &Path) -> Result<BootArtefact, ArtefactError> {
        let unreadable = |source| ArtefactError::Unreadable {
            path: path.to_owned(),
            source,
        };
        let mut file = File::open(path).map_err(unreadable)?;
        if !file.metadata().map_err(unreadable)?.is_file() {
            return Err(unreadable(io::Error::other("not a regular file")));
        }
        let mut hash = Sha256::new();
        let mut bytes = vec![0; 1 << 20];
        loop {
            let count = file.read(&mut bytes).map_err(unreadable)?;
            if count == 0 {
                break;
            }
            hash.update(bytes.get(..count).unwrap_or_default());
        }
        Ok(BootArtefact {
            path: path.to_owned(),
            sha256: hex::encode(hash.finalize()),
        })
    }

    /// The initramfs.
    ///
    /// # Errors
    /// It has no recorded digest.
    pub fn initramfs(&self) -> Result<BootArtefact, ArtefactError> {
        self.recorded(INITRAMFS, || {
            ": build it with cargo xtask rootfs".to_owned()
        })
    }

    /// What `husk check` looks at, for a host that takes this flavour.
    #[must_use]
    pub fn for_check(&self, flavour: Flavour) -> Vec<Artefact> {
        let entry = |what: String, name: &str| Artefact {
            name: what,
            path: self.dir.join(name),
            sha256: self.sums.get(name).cloned(),
        };
        vec![
            entry(format!("{flavour} kernel"), flavour.file_name()),
            entry("initramfs".to_owned(), INITRAMFS),
        ]
    }

    fn recorded(
        &self,
        name: &str,
        fix: impl FnOnce() -> String,
    ) -> Result<BootArtefact, ArtefactError> {
        match self.sums.get(name) {
            Some(sha256) => Ok(BootArtefact {
                path: self.dir.join(name),
                sha256: sha256.clone(),
            }),
            None => Err(ArtefactError::NoSum {
                path: self.dir.join(SUMS),
                name: name.to_owned(),
                fix: fix(),
            }),
        }
    }
}

fn no_directory(tried: &[PathBuf]) -> ArtefactError {
    let tried: Vec<String> = tried.iter().map(|dir| dir.display().to_string()).collect();
    ArtefactError::NoDirectory {
        tried: tried.join(", "),
    }
}
