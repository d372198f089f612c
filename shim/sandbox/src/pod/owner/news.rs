//! What the owner hears from machine and agent.

use husk_machine::api::{Event, control::Stage};

use super::{
    guest::Guest,
    messages::News,
    processes::{Owed, ProcessExit},
    state::Owner,
    table::{self, PodMessage, ProcessMessage, Verdict},
};
use crate::{
    agent::{AgentClient, Created, GuestInfo, ProcessId},
    machine::MachineNews,
    pod::error::PodError,
    text::one_line,
};

impl Owner {
    pub(super) fn hear(&mut self, news: News) {
        match news {
            News::AgentReady(agent, info) => self.agent_ready(agent, info),
            News::AgentLost(text) => self.agent_lost(text),
            News::Created(id, result) => {
                let good = ProcessMessage::Created;
                self.answered(&id, result, good, ProcessMessage::CreateFailed);
            }
            News::Started(id, result) => self.started(&id, result),
            News::Executed(id, result) => self.executed(&id, result),
            News::Exited(id, exit) => {
                if self.processes.hear(&id, ProcessMessage::Exited) {
                    self.processes.ended(&id, exit.into());
                }
            }
            News::Deleted(id, result) => {
                let good = ProcessMessage::Deleted;
                self.answered(&id, result, good, ProcessMessage::DeleteFailed);
            }
            News::Machine(MachineNews::Event(event)) => self.event(event),
            News::Machine(MachineNews::Closed(end)) => {
                self.closed = true;
                if let Err(error) = end {
                    self.agent_lost(one_line(&error));
                }
                self.maybe_ended();
            }
            News::Reaped(end) => {
                // One that cannot be watched is as good as gone.
                self.reaped = Some(end.ok());
                self.maybe_ended();
            }
        }
    }

    fn agent_ready(&mut self, agent: AgentClient, info: GuestInfo) {
        let Verdict::Next(next) = table::pod(self.state, PodMessage::AgentReady) else {
            return;
        };
        self.state = next;
        for reply in self.ready.drain(..) {
            reply.send(Ok(info.clone())).ok();
        }
        let guest = Guest {
            agent,
            meter: self.owned.meter.clone(),
            queue: self.owned.queue.clone(),
        };
        guest.keep_asking();
        self.guest = Some((guest, info));
    }

    /// The agent's answer to a step. One that is no answer leaves the reply owed until the machine has ended.
    fn answered<T: Settle>(
        &mut self,
        id: &ProcessId,
        result: Result<T, PodError>,
        good: ProcessMessage,
        bad: ProcessMessage,
    ) -> bool {
        if let Err(error) = &result
            && error.refusal().is_none()
        {
            self.agent_lost(one_line(&error));
            return false;
        }
        // Taken first: the entry goes when the process does.
        let owed = self.processes.take_owed(id);
        let message = if result.is_ok() { good } else { bad };
        let heard = self.processes.hear(id, message);
        let is_good = result.is_ok();
        if let Some(owed) = owed {
            T::settle(result, owed);
        }
        heard && is_good
    }

    fn started(&mut self, id: &ProcessId, result: Result<(), PodError>) {
        let refusal = result.as_ref().err().and_then(PodError::refusal);
        let good = ProcessMessage::Started;
        let runs = self.answered(id, result, good, ProcessMessage::StartFailed);
        match (&self.guest, runs, refusal) {
            (Some((guest, _)), true, _) => guest.spawn_wait(id.clone()),
            (_, _, Some(refusal)) => {
                self.processes.ended(id, ProcessExit::never_ran(refusal));
            }
            _ => {}
        }
    }

    fn executed(&mut self, id: &ProcessId, result: Result<Created, PodError>) {
        let good = ProcessMessage::Created;
        if self.answered(id, result, good, ProcessMessage::CreateFailed) {
            self.processes.hear(id, ProcessMessage::Start);
            self.processes.hear(id, ProcessMessage::Started);
            if let Some((guest, _)) = &self.guest {
                guest.spawn_wait(id.clone());
            }
        }
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Started => {}
            Event::Stage(mark) => {
                let name = stage_name(mark.stage);
                let timeline = &mut self.owned.timeline;
                timeline.mark_at(name, mark.at_us, mark.instructions);
            }
            Event::Exited(report) => self.report = Some(*report),
        }
    }
}

/// Gives a result to the door that it is owed to.
trait Settle: Sized {
    fn settle(result: Result<Self, PodError>, owed: Owed);
}

impl Settle for Created {
    fn settle(result: Result<Self, PodError>, owed: Owed) {
        if let Owed::Created(reply) = owed {
            reply.send(result).ok();
        }
    }
}

impl Settle for () {
    fn settle(result: Result<Self, PodError>, owed: Owed) {
        if let Owed::Done(reply) = owed {
            reply.send(result).ok();
        }
    }
}

fn stage_name(stage: Stage) -> &'static str {
    match stage {
        Stage::VmmStart => "vmm started",
        Stage::GuestStart => "kernel started",
        Stage::AgentStarted => "agent started",
        Stage::AgentReady => "agent ready",
    }
}
