//! One specification by name, and what is done to its container.

use serde_json::Value;

use super::base::base;

/// One of the compared containers.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// Its name in the table of explanations.
    pub name: &'static str,
    /// How it differs from the base.
    pub change: fn(&mut Value),
    /// What is done to it.
    pub act: Act,
}

/// What is done to a container while it runs.
#[derive(Clone, Copy, Debug)]
pub enum Act {
    /// Nothing; its standard input is empty.
    Leave,
    /// This is its standard input.
    Feed(&'static str),
    /// When it has written a line, its first process gets this signal.
    Signal(u32),
}

impl Case {
    /// A case that is left alone.
    #[must_use]
    pub(super) const fn new(name: &'static str, change: fn(&mut Value)) -> Self {
        Self {
            name,
            change,
            act: Act::Leave,
        }
    }

    /// The same with something done to it.
    #[must_use]
    pub(super) const fn with(self, act: Act) -> Self {
        Self { act, ..self }
    }

    /// The whole specification.
    #[must_use]
    pub fn spec(&self) -> Value {
        let mut spec = base();
        (self.change)(&mut spec);
        spec
    }

    /// Whether it asks for a terminal.
    #[must_use]
    pub(super) fn has_terminal(&self) -> bool {
        self.spec()["process"]["terminal"] == true
    }
}
