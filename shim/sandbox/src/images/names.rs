//! What was pulled: names of images, each with what it stood for then.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::types::ImageConfig;

/// Largest record: a configuration and some.
const MAX_RECORD_BYTES: u64 = 8 << 20;

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Known {
    /// The name, in full.
    pub(super) name: String,
    /// Digest of its manifest.
    pub(super) digest: String,
    /// Key of the image in the cache.
    pub(super) key: String,
    /// What the image says about its container.
    pub(super) config: ImageConfig,
}

/// A directory of records.
#[derive(Debug)]
pub(super) struct Names {
    dir: PathBuf,
}

impl Names {
    /// Makes the directory when it is missing.
    pub(super) fn open(root: &Path) -> io::Result<Self> {
        let dir = root.join("names");
        DirBuilder::new().recursive(true).mode(0o700).create(&dir)?;
        Ok(Self { dir })
    }

    /// What is known of a name; a record that cannot be read is as good as none.
    pub(super) fn find(&self, name: &str) -> Option<Known> {
        let mut text = Vec::new();
        let file = File::open(self.path(name)).ok()?;
        file.take(MAX_RECORD_BYTES).read_to_end(&mut text).ok()?;
        let known: Known = serde_json::from_slice(&text).ok()?;
        (known.name == name).then_some(known)
    }

    /// Keeps what a name stands for now.
    pub(super) fn keep(&self, known: &Known) -> io::Result<()> {
        let text = serde_json::to_vec(known)?;
        let mut file = tempfile::NamedTempFile::new_in(&self.dir)?;
        io::Write::write_all(&mut file, &text)?;
        file.persist(self.path(&known.name))?;
        fs::File::open(&self.dir)?.sync_all()
    }

    fn path(&self, name: &str) -> PathBuf {
        // Names are longer than file names may be, and hold slashes.
        self.dir.join(hex::encode(Sha256::digest(name)))
    }
}
