//! What is left of a pod when its machine has ended.

use super::{
    PodError,
    run_dir::{Keep, PodDir},
};
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

    /// Notes what stays.
    pub(in crate::pod) fn keep(&mut self, keep: Keep) -> Result<(), PodError> {
        match &mut self.dir {
            Some(dir) => dir.note_keep(keep),
            None => Ok(()),
        }
    }

    /// Removes everything that does not stay; gives the VMM's words and what could not be removed.
    pub(in crate::pod) fn clear(&mut self) -> (String, Vec<String>) {
        let left = self.dir.take().map(PodDir::close).unwrap_or_default();
        (self.log.read(), left)
    }
}
