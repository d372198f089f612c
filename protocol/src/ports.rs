//! The vsock ports. Every stream is opened by the host; a guest's connect is answered with RST.

/// The agent's ttrpc server.
pub const AGENT_PORT: u32 = 1024;

/// Connections that carry one standard stream each, opened with a `StreamOpen` message.
pub const STREAM_PORT: u32 = 1025;

/// Doorbells: a connect of the guest to one of these ports on the host (CID 2) is refused like any other,
/// but until [`DOORBELL_READY`] was rung the VMM takes it as news. No container exists before that.
/// This one says: the agent's `main` has begun.
pub const DOORBELL_STARTED: u32 = 1;

/// The agent's listeners are bound: connections that the host opened earlier are offered to the guest now.
pub const DOORBELL_READY: u32 = 2;
