//! Control messages: what a launcher, or whoever opens the control socket again, says to a running VMM, and what it hears.
//!
//! One request, one reply with the same `id`; events come in between on every control connection.
//! The launch socket is the first control connection; its first message is the [`super::MachineConfig`] and has no reply
//! but the event [`Event::Started`] or [`Event::Exited`].

use husk_devices::net::NetMetrics;
use serde::{Deserialize, Serialize};

use super::config::SlotClass;

/// A request with its number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Chosen by the caller, given back in the reply.
    pub id: u64,
    /// What to do.
    pub command: Command,
}

/// What a VMM can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// Stop every vCPU after its current exit is complete. Repeating it is no error.
    Pause,
    /// Let the vCPUs run again. Repeating it is no error.
    Resume,
    /// Put a backing file (the one descriptor that comes with the message) into an empty slot.
    AttachDrive {
        /// Class of the slot.
        class: SlotClass,
        /// Index within the class.
        slot: u8,
        /// See [`super::config::DriveConfig::serial`].
        serial: String,
    },
    /// Capacity 0, then close the backing file. The guest must have unmounted it.
    DetachDrive {
        /// Class of the slot.
        class: SlotClass,
        /// Index within the class.
        slot: u8,
    },
    /// Plug a tap (the one descriptor that comes with the message) into an empty net slot.
    AttachNic {
        /// Index of the slot.
        slot: u8,
        /// See [`super::config::NicConfig::mac`].
        mac: String,
        /// See [`super::config::NicConfig::mtu`].
        mtu: u16,
    },
    /// Unplug a tap and close it.
    DetachNic {
        /// Index of the slot.
        slot: u8,
    },
    /// Counters of this moment.
    Metrics,
    /// End the process now, without asking the guest.
    Stop,
}

/// What the VMM says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Message {
    /// The answer to the request with this number.
    Reply {
        /// The request's id.
        id: u64,
        /// What came of it.
        result: Reply,
    },
    /// News.
    Event(Event),
}

/// The answer to one command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Reply {
    /// Done.
    Done,
    /// The answer to [`Command::Metrics`].
    Metrics(Box<Metrics>),
    /// Refused; the text names the thing and the value.
    Refused(String),
}

/// News of a running VMM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Event {
    /// The machine is set up and confined, the first guest instruction comes next.
    Started,
    /// The guest passed a stage (see [`super::config::Doorbells`]).
    Stage(StageMark),
    /// The last message of a VMM.
    Exited(Box<ExitReport>),
}

/// Stages of a machine's life, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The VMM's `main` began.
    VmmStart,
    /// The first `KVM_RUN` is about to be called.
    GuestStart,
    /// The agent's `main` began.
    AgentStarted,
    /// The agent listens.
    AgentReady,
}

/// When a stage was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StageMark {
    /// Which stage.
    pub stage: Stage,
    /// `CLOCK_MONOTONIC` of the host, in microseconds.
    pub at_us: u64,
    /// Guest-kernel instructions interpreted so far, all vCPUs (KVM's `insn_emulation`); 0 on hardware.
    pub instructions: u64,
}

/// Counters of a VMM.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metrics {
    /// `CLOCK_MONOTONIC` of the host, in microseconds.
    pub at_us: u64,
    /// Guest-kernel instructions interpreted, all vCPUs (KVM's `insn_emulation`).
    pub instructions: u64,
    /// `KVM_RUN` exits to the VMM, all vCPUs.
    pub vcpu_exits: u64,
    /// Instructions that the VMM completed for an interpreting KVM.
    pub completed_instructions: u64,
    /// CPU time (user + system) of the process before the first guest instruction, in microseconds.
    pub setup_cpu_us: u64,
    /// Bytes of private memory of the process apart from guest memory.
    pub private_bytes: u64,
    /// Bytes of guest memory that the guest has given back so far; a page counts each time.
    pub returned_bytes: u64,
    /// Net slots that have a network.
    pub nics: Vec<NicFigures>,
    /// Stages reached so far.
    pub stages: Vec<StageMark>,
}

/// Counters of a net slot, since the VMM started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NicFigures {
    /// Index of the slot.
    pub slot: u8,
    /// Address of the network that it has now.
    pub mac: String,
    /// What it has done.
    pub counters: NetMetrics,
}

/// How a machine ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExitReport {
    /// Why.
    pub reason: ExitReason,
    /// The last of the serial console, lossily UTF-8, at most 16 KiB.
    pub console_tail: String,
    /// Counters at the end.
    pub metrics: Metrics,
}

/// Why a machine ended; each has its own exit code of the process ([`ExitReason::exit_code`]).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ExitReason {
    /// The guest asked for a reset (the agent's way to power off).
    GuestReset,
    /// The guest halted for good or powered down.
    GuestHalt,
    /// The guest's kernel panicked; the line that says so.
    GuestPanic(String),
    /// A vCPU shut down.
    TripleFault,
    /// [`Command::Stop`].
    Stopped,
    /// The configuration or a boot file was refused; nothing ran.
    Refused(String),
    /// KVM or a device failed; the guest cannot go on.
    Failed(String),
}

impl ExitReason {
    /// Exit code of the VMM process.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::GuestReset | Self::Stopped => 0,
            Self::GuestHalt => 10,
            Self::GuestPanic(_) => 11,
            Self::TripleFault => 12,
            Self::Refused(_) => 20,
            Self::Failed(_) => 21,
        }
    }
}
