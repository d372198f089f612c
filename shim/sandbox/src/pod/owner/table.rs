//! Which message is legal in which state, and what state comes of it. Pure: no clock, no socket, no side effect.
//!
//! Two tables: the pod (its machine and the connection to the agent) and each process in it. A message from outside
//! that a state has no place for is refused by name; news that comes too late to matter is dropped.

use std::fmt;

/// Where a pod is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::pod) enum PodState {
    /// The machine was told what to be; the agent has not answered yet.
    Booting,
    /// The agent answers.
    Ready,
    /// The machine is being ended.
    Ending,
    /// The machine is no more.
    Ended,
}

/// What can happen to a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::pod) enum PodMessage {
    /// The agent's first answer.
    AgentReady,
    /// The agent is silent, broke the connection or answered what no honest agent answers.
    AgentLost,
    /// The VMM process has ended.
    MachineEnded,
    /// A door: make or use a process.
    Use,
    /// A door: end the pod.
    End,
}

/// What the table says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::pod) enum Verdict<S> {
    /// Go there (or stay) and act.
    Next(S),
    /// Nothing changes and nothing is done: late news, or a repeated wish that is being fulfilled.
    Drop,
    /// Tell the caller that this cannot be done now.
    Refuse,
}

/// The pod's table.
pub(in crate::pod) fn pod(state: PodState, message: PodMessage) -> Verdict<PodState> {
    use PodMessage as M;
    use PodState as S;
    use Verdict::{Drop, Next, Refuse};
    match (state, message) {
        (S::Booting, M::AgentReady) => Next(S::Ready),
        (S::Booting | S::Ready, M::AgentLost | M::End) => Next(S::Ending),
        (S::Ready, M::Use) => Next(S::Ready),
        (S::Booting | S::Ready | S::Ending, M::MachineEnded) => Next(S::Ended),
        (S::Ready | S::Ending | S::Ended, M::AgentReady)
        | (S::Ending | S::Ended, M::AgentLost | M::End)
        | (S::Ended, M::MachineEnded) => Drop,
        (S::Booting | S::Ending | S::Ended, M::Use) => Refuse,
    }
}

/// Where a process is: a container's init, or an exec in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::pod) enum ProcessState {
    /// Nobody asked for it yet, or it was deleted.
    Absent,
    /// The agent makes it.
    Creating,
    /// It waits before execve.
    Created,
    /// The agent lets it go.
    Starting,
    /// It runs.
    Running,
    /// It ended; its exit status is kept.
    Stopped,
    /// The agent forgets it.
    Deleting,
}

/// What can happen to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::pod) enum ProcessMessage {
    /// A door: make it.
    Create,
    /// The agent made it.
    Created,
    /// The agent could not make it.
    CreateFailed,
    /// A door: let it run.
    Start,
    /// The agent let it run.
    Started,
    /// The agent could not let it run.
    StartFailed,
    /// A door: signal it.
    Signal,
    /// A door: tell when it has ended.
    Wait,
    /// It ended, by itself or with its machine.
    Exited,
    /// A door: forget it.
    Delete,
    /// The agent forgot it.
    Deleted,
    /// The agent could not forget it.
    DeleteFailed,
}

/// A process's table.
pub(in crate::pod) fn process(
    state: ProcessState,
    message: ProcessMessage,
) -> Verdict<ProcessState> {
    use ProcessMessage as M;
    use ProcessState as S;
    use Verdict::{Drop, Next, Refuse};
    match (state, message) {
        (S::Absent, M::Create) => Next(S::Creating),
        (S::Creating, M::Created) => Next(S::Created),
        (S::Creating, M::CreateFailed) => Next(S::Absent),
        (S::Created, M::Start) => Next(S::Starting),
        (S::Starting, M::Started) => Next(S::Running),
        // A short process may have ended before the agent's answer to Start arrives.
        (S::Stopped, M::Started | M::StartFailed) => Drop,
        (S::Starting, M::StartFailed) => Next(S::Stopped),
        (S::Created | S::Starting | S::Running, M::Signal | M::Wait) => Next(state),
        (S::Stopped, M::Wait) => Next(S::Stopped),
        // With its machine a process ends in every state in which there is one.
        (S::Creating | S::Created | S::Starting | S::Running, M::Exited) => Next(S::Stopped),
        (S::Stopped, M::Delete) => Next(S::Deleting),
        (S::Absent, M::Delete) => Drop,
        (S::Deleting, M::Deleted | M::Exited) => Next(S::Absent),
        (S::Deleting, M::DeleteFailed) => Next(S::Stopped),
        // Answers of an agent that answers twice, or after its machine was given up.
        (
            _,
            M::Created
            | M::CreateFailed
            | M::Started
            | M::StartFailed
            | M::Exited
            | M::Deleted
            | M::DeleteFailed,
        ) => Drop,
        (_, M::Create | M::Start | M::Signal | M::Wait | M::Delete) => Refuse,
    }
}

impl fmt::Display for PodState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Booting => "booting",
            Self::Ready => "ready",
            Self::Ending => "ending",
            Self::Ended => "ended",
        })
    }
}

impl fmt::Display for ProcessState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "absent",
            Self::Creating => "creating",
            Self::Created => "created",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Deleting => "deleting",
        })
    }
}
