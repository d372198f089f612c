//! What is left of a pod when its machine has ended.

use super::run_dir::PodDir;
use crate::machine::VmmLog;

/// Its directory, and what its VMM wrote.
#[derive(Debug)]
pub(in crate::pod) struct Remains {
    dir: Option<PodDir>,
    log: VmmLog,
}

impl Remains {
    pub(in crate::pod) fn new(dir: PodDir, log: VmmLog) -> Self {
        Self {
            dir: Some(dir),
            log,
        }
    }

    /// Removes everything; gives the VMM's words and what could not be removed.
    pub(in crate::pod) fn clear(&mut self) -> (String, Vec<String>) {
        let left = self.dir.take().map(PodDir::remove).unwrap_or_default();
        (self.log.read(), left)
    }
}
