//! What is written to the files of a cgroup, and when.

/// A value for one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Setting {
    /// File in the cgroup's directory.
    pub(super) file: String,
    pub(super) value: String,
    /// Field below `linux.resources` that asks for it.
    pub(super) field: String,
}

impl Setting {
    pub(super) fn new(
        file: impl Into<String>,
        value: impl Into<String>,
        field: impl Into<String>,
    ) -> Self {
        Self {
            file: file.into(),
            value: value.into(),
            field: field.into(),
        }
    }
}

/// Everything that a cgroup is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Set before a process is in it.
    pub(super) early: Vec<Setting>,
    /// Set when the container's process waits for its start: they would slow down its making.
    pub(super) late: Vec<Setting>,
    /// What has no meaning in the guest.
    pub(crate) warnings: Vec<String>,
}

impl Limits {
    pub(super) fn early(&mut self, file: &str, value: impl Into<String>, field: &str) {
        self.early.push(Setting::new(file, value, field));
    }

    pub(super) fn late(&mut self, file: &str, value: impl Into<String>, field: &str) {
        self.late.push(Setting::new(file, value, field));
    }

    pub(super) fn ignore(&mut self, field: &str, why: &str) {
        self.warnings
            .push(format!("linux.resources.{field} is ignored: {why}"));
    }
}
