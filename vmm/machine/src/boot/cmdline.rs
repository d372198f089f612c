//! The kernel's command line: words, no duplicates, within the length that the kernel takes.

use thiserror::Error;

/// x86's `COMMAND_LINE_SIZE` less the terminating zero.
pub const MAX_BYTES: usize = 2047;

/// The only key that may stand there more than once.
const REPEATABLE: &str = "virtio_mmio.device";

/// A word that cannot be on the command line.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum CmdlineError {
    /// Longer than the kernel takes.
    #[error("kernel command line of {0} bytes is longer than {MAX_BYTES}")]
    TooLong(usize),
    /// White space, a control character, or not ASCII.
    #[error("kernel command line word {0:?} holds a character that is not printable ASCII")]
    BadWord(String),
    /// The same key twice: which one holds is the kernel's secret.
    #[error("kernel command line has {0} twice")]
    Duplicate(String),
}

/// A command line under construction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cmdline {
    text: String,
}

impl Cmdline {
    /// An empty command line.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Add one word, `key` or `key=value`.
    ///
    /// # Errors
    /// The word is malformed, its key is there already, or the line gets too long.
    pub fn word(&mut self, word: &str) -> Result<(), CmdlineError> {
        if word.is_empty() || !word.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(CmdlineError::BadWord(word.to_owned()));
        }
        let key = key_of(word);
        if key != REPEATABLE && self.text.split(' ').any(|other| key_of(other) == key) {
            return Err(CmdlineError::Duplicate(key.to_owned()));
        }
        let length = self.text.len() + usize::from(!self.text.is_empty()) + word.len();
        if length > MAX_BYTES {
            return Err(CmdlineError::TooLong(length));
        }
        if !self.text.is_empty() {
            self.text.push(' ');
        }
        self.text.push_str(word);
        Ok(())
    }

    /// Add words that are separated by white space.
    ///
    /// # Errors
    /// As for [`Self::word`].
    pub fn words(&mut self, words: &str) -> Result<(), CmdlineError> {
        words
            .split_ascii_whitespace()
            .try_for_each(|word| self.word(word))
    }

    /// Declare a virtio-mmio device of 4 KiB.
    ///
    /// # Errors
    /// As for [`Self::word`].
    pub fn virtio_mmio(&mut self, base: u64, gsi: u32) -> Result<(), CmdlineError> {
        self.word(&format!("{REPEATABLE}=4K@{base:#x}:{gsi}"))
    }

    /// The whole line, without a terminating zero.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// What names a word; the kernel takes `-` and `_` in names as the same.
fn key_of(word: &str) -> String {
    let key = word.split('=').next().unwrap_or(word);
    key.replace('-', "_")
}

#[cfg(test)]
#[path = "tests/cmdline.rs"]
mod tests;
