//! What callers see: an image, its configuration, and the news while one is made.

use std::collections::BTreeMap;
use std::fs::File;

use oci_spec::runtime::Spec;
use serde::{Deserialize, Serialize};

/// An image that a machine can attach.
#[derive(Debug)]
pub struct Image {
    /// The EROFS file, open read-only; its size is a multiple of 4096.
    pub file: File,
    /// Size of the file.
    pub size_bytes: u64,
    /// 64 lower-case hexadecimal digits; equal keys mean equal content.
    pub key: String,
    /// Where the file came from.
    pub cache: CacheUse,
    /// What the reference was, with what it says about the container.
    pub source: ImageSource,
    /// The image's user data base.
    pub accounts: Accounts,
    /// Which image of which registry it is; `None` for one that came from a path.
    pub origin: Option<Origin>,
}

/// Where a pulled image came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Its name in full.
    pub name: String,
    /// Digest of its manifest.
    pub digest: String,
}

impl Origin {
    /// Name and digest: what names exactly this image.
    #[must_use]
    pub fn reference(&self) -> String {
        if self.name.contains('@') {
            self.name.clone()
        } else {
            format!("{}@{}", self.name, self.digest)
        }
    }
}

impl Image {
    /// How the guest finds the disk (at most 20 characters, see `DriveConfig::serial`).
    #[must_use]
    pub fn serial(&self) -> String {
        let digits: String = self.key.chars().take(19).collect();
        format!("i{digits}")
    }
}

/// What the cache did for an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheUse {
    /// It was there.
    Hit,
    /// It was built and is kept.
    Built,
    /// It was built for this run only: its source changed too recently to be recognized again.
    Private,
}

/// What a reference named.
#[derive(Clone, Debug, PartialEq)]
pub enum ImageSource {
    /// An OCI layout, with the image's configuration.
    Oci(Box<ImageConfig>),
    /// A root file system directory; it says nothing about the container.
    RootFs,
    /// An OCI bundle with its own runtime specification.
    Bundle {
        /// The specification, without what is unknown.
        spec: Box<Spec>,
        /// Paths of the fields in `config.json` that nobody knows.
        unknown: Vec<String>,
    },
}

impl ImageSource {
    /// What of it a container does not get, one line each.
    #[must_use]
    pub fn ignored(&self) -> Vec<String> {
        match self {
            Self::Oci(config) => {
                let entries = config.env.iter().enumerate();
                let without_value = entries.filter(|(_, entry)| !entry.contains('='));
                without_value
                    .map(|(at, entry)| {
                        format!(
                            "the image's config.Env[{at}] {entry:?} is ignored: it has no value"
                        )
                    })
                    .collect()
            }
            Self::RootFs => Vec::new(),
            Self::Bundle { unknown, .. } => unknown
                .iter()
                .map(|path| format!("config.json: {path} is ignored: the field is unknown"))
                .collect(),
        }
    }
}

/// The part of an image's configuration that a container is made from (OCI image specification, `config`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ImageConfig {
    /// `NAME=value` pairs.
    pub env: Vec<String>,
    /// The program and its first arguments.
    pub entrypoint: Vec<String>,
    /// Further arguments, or the program when there is no entry point.
    pub cmd: Vec<String>,
    /// `user[:group]` by name or number; empty: root.
    pub user: String,
    /// Empty: `/`.
    pub working_dir: String,
    /// Name or number of the signal that asks it to stop.
    pub stop_signal: Option<String>,
    /// Directories that hold data: writable whatever the root is.
    pub volumes: Vec<String>,
    /// What the image says about itself.
    pub labels: BTreeMap<String, String>,
}

/// `/etc/passwd` and `/etc/group` of an image, as they were when it was made; empty when the image has none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accounts {
    /// Content of `/etc/passwd`.
    pub passwd: String,
    /// Content of `/etc/group`.
    pub group: String,
}

/// How much an image may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Sum of all layers, uncompressed.
    pub max_unpacked_bytes: u64,
    /// Files, directories and links of all layers.
    pub max_entries: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_unpacked_bytes: 64 << 30,
            max_entries: 2_000_000,
        }
    }
}

/// How far the making of an image is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is done now.
    pub stage: Stage,
    /// Bytes of this stage that are done.
    pub done: u64,
    /// Bytes of this stage, 0 when nobody knows.
    pub total: u64,
}

/// Stages of making an image, in order; a cached image has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Another process makes the same image.
    Waiting,
    /// A registry is asked; `done` and `total` count the bytes of layers.
    Pulling,
    /// A compressed layout archive is unfolded.
    Opening,
    /// Layers are unpacked; `done` and `total` count their compressed bytes.
    Unpacking,
    /// `mkfs.erofs` runs.
    Building,
}

/// Who hears how far an image is, and may call it off.
pub trait Observer {
    /// News; may come often.
    fn progress(&mut self, progress: Progress);

    /// Asked between steps; `true` ends the making with an error and leaves nothing behind.
    fn cancelled(&self) -> bool {
        false
    }
}

/// The observer that does not care.
impl Observer for () {
    fn progress(&mut self, _progress: Progress) {}
}
