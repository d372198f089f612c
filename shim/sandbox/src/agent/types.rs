//! What is said to the agent: processes, streams, containers.

/// A process of the guest: a container's init, or an exec in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ProcessId {
    /// The container.
    pub container: String,
    /// Empty: the container's init.
    pub exec: String,
}

impl ProcessId {
    /// A container's init.
    #[must_use]
    pub fn init(container: &str) -> Self {
        Self {
            container: container.to_owned(),
            exec: String::new(),
        }
    }
}

/// Which standard streams a process gets; the others are /dev/null.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Streams {
    /// Standard input.
    pub stdin: bool,
    /// Standard output.
    pub stdout: bool,
    /// Standard error.
    pub stderr: bool,
    /// A pseudo-terminal of this size instead of pipes: standard input and output carry it, there is no standard
    /// error.
    pub terminal: Option<TerminalSize>,
}

/// A terminal's size in characters; 0 is "not known".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TerminalSize {
    /// Characters a line.
    pub columns: u16,
    /// Lines.
    pub rows: u16,
}

/// Namespaces that a container shares with the others of its pod that share the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each kind of namespace is shared or not, by itself"
)]
pub struct Shared {
    /// Network.
    pub net: bool,
    /// System V IPC and POSIX message queues.
    pub ipc: bool,
    /// Host name.
    pub uts: bool,
    /// Processes: an init of the agent's is process 1 and reaps orphans.
    pub pid: bool,
}

/// A container to be made.
#[derive(Clone, Debug)]
pub struct NewContainer {
    /// Its id.
    pub id: String,
    /// The OCI runtime specification as JSON.
    pub spec_json: Vec<u8>,
    /// Serials of the read-only disks, lowest first.
    pub layer_serials: Vec<String>,
    /// Serial of the scratch disk; `None`: no writable layer.
    pub scratch_serial: Option<String>,
    /// Its standard streams.
    pub streams: Streams,
    /// `user[:group]` that only the guest can look up; empty: the specification's user stands.
    pub user: String,
    /// Namespaces that are not its own.
    pub shared: Shared,
    /// A small init of the agent's is its first process, and the command that one's child.
    pub init: bool,
}

/// Another process in a running container.
#[derive(Clone, Debug)]
pub struct NewProcess {
    /// The container, and the new process's own id.
    pub id: ProcessId,
    /// The OCI process object as JSON.
    pub process_json: Vec<u8>,
    /// Its standard streams.
    pub streams: Streams,
    /// As in [`NewContainer::user`].
    pub user: String,
}

/// Whom a signal is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// One process.
    One,
    /// Every process of the container.
    All,
}
