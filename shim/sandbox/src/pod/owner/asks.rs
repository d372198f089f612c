//! What doors ask of the owner.

use super::{
    guest::Guest,
    messages::{Ask, News, Query},
    processes::Owed,
    reply::Reply,
    state::Owner,
    table::{self, PodMessage, ProcessMessage, Verdict},
};
use crate::{
    agent::{GuestInfo, Interface, ProcessId},
    pod::error::{MachineEnd, PodError},
};

impl Owner {
    pub(super) fn ask(&mut self, ask: Ask) {
        match ask {
            Ask::Ready(reply) => self.ask_ready(reply),
            Ask::Create(container, reply) => {
                let id = ProcessId::init(&container.id);
                let step = Step::new(&id, ProcessMessage::Create, "create it");
                self.step(step, Owed::Created(reply), |guest, id| {
                    guest.spawn(
                        "creation of the container",
                        |agent| async move { agent.create(container).await },
                        |result| News::Created(id, result),
                    );
                });
            }
            Ask::Start(id, reply) => {
                let step = Step::new(&id, ProcessMessage::Start, "start it");
                self.step(step, Owed::Done(reply), |guest, id| {
                    let container = id.container.clone();
                    guest.spawn(
                        "start of the container",
                        |agent| async move { agent.start(&container).await },
                        |result| News::Started(id, result),
                    );
                });
            }
            Ask::Exec(process, reply) => {
                let id = process.id.clone();
                let step = Step::new(&id, ProcessMessage::Create, "execute it");
                self.step(step, Owed::Created(reply), |guest, id| {
                    guest.spawn(
                        "start of the process",
                        |agent| async move { agent.exec(process).await },
                        |result| News::Executed(id, result),
                    );
                });
            }
            Ask::Delete(id, reply) => self.ask_delete(&id, reply),
            Ask::Query(query) => self.query(query),
            Ask::Wait(id, reply) => {
                match self.processes.ask(&id, ProcessMessage::Wait, "wait for it") {
                    Ok(_) => self.processes.wait(&id, reply),
                    Err(error) => drop(reply.send(Err(error))),
                }
            }
            Ask::Mark(stage, at_us, instructions) => {
                self.owned.timeline.mark_at(stage, at_us, instructions);
            }
            Ask::Timeline(reply) => drop(reply.send(Ok(self.owned.timeline.clone()))),
            Ask::Keep(keep, reply) => {
                reply.send(self.owned.remains.keep(keep)).ok();
            }
            Ask::End(reply) => self.ask_end(reply),
        }
    }

    fn ask_ready(&mut self, reply: Reply<GuestInfo>) {
        match (&self.end, &self.guest) {
            (Some(end), _) => drop(reply.send(Err(PodError::MachineEnded(Box::new(end.clone()))))),
            (None, Some((_, info))) => drop(reply.send(Ok(info.clone()))),
            (None, None) => self.ready.push(reply),
        }
    }

    fn ask_delete(&mut self, id: &ProcessId, reply: Reply<()>) {
        if self.end.is_some() {
            // With the machine went everything that could be deleted.
            self.processes.hear(id, ProcessMessage::Delete);
            self.processes.hear(id, ProcessMessage::Deleted);
            reply.send(Ok(())).ok();
            return;
        }
        let step = Step::new(id, ProcessMessage::Delete, "delete it");
        self.step(step, Owed::Done(reply), |guest, id| {
            let deleted = id.clone();
            guest.spawn(
                "deletion",
                |agent| async move { agent.delete(&deleted).await },
                |result| News::Deleted(id, result),
            );
        });
    }

    fn ask_end(&mut self, reply: Reply<MachineEnd>) {
        match &self.end {
            Some(end) => drop(reply.send(Ok(end.clone()))),
            None => self.ends.push(reply),
        }
        if let Verdict::Next(next) = table::pod(self.state, PodMessage::End) {
            self.state = next;
            self.end_machine();
        }
    }

    /// One step of a process: the tables are asked, then the agent; the answer is owed.
    fn step(&mut self, step: Step<'_>, owed: Owed, act: impl FnOnce(&Guest, ProcessId)) {
        let guest = match self.allowed(step.wish) {
            Ok(guest) => guest,
            Err(error) => return owed.fail(error),
        };
        match self.processes.ask(step.id, step.message, step.wish) {
            Ok(true) => {
                self.processes.owe(step.id, owed);
                act(&guest, step.id.clone());
            }
            // Only a deletion of what is not there comes here: repeating it is no error.
            Ok(false) => owed.done(),
            Err(error) => owed.fail(error),
        }
    }

    /// The guest, if the pod can be used now.
    fn allowed(&self, wish: &'static str) -> Result<Guest, PodError> {
        if let Some(end) = &self.end {
            return Err(PodError::MachineEnded(Box::new(end.clone())));
        }
        match (table::pod(self.state, PodMessage::Use), &self.guest) {
            (Verdict::Next(_), Some((guest, _))) => Ok(guest.clone()),
            _ => Err(PodError::Refused {
                what: "pod".to_owned(),
                state: self.state.to_string(),
                wish,
            }),
        }
    }

    fn query(&mut self, query: Query) {
        match query {
            Query::Signal(id, signal, reach, reply) => {
                if let Some((guest, reply)) = self.running(&id, "signal it", reply) {
                    guest.spawn_reply(reply, "signal", |agent| async move {
                        agent.signal(&id, signal, reach).await
                    });
                }
            }
            Query::Resize(id, size, reply) => {
                if let Some((guest, reply)) = self.running(&id, "resize its terminal", reply) {
                    guest.spawn_reply(reply, "change of a terminal's size", |agent| async move {
                        agent.resize(&id, size).await
                    });
                }
            }
            Query::CloseStdin(id, reply) => {
                if let Some((guest, reply)) = self.running(&id, "end its input", reply) {
                    guest.spawn_reply(reply, "end of the input", |agent| async move {
                        agent.close_stdin(&id).await
                    });
                }
            }
            Query::Pause(id, reply) => {
                if let Some((guest, reply)) = self.running(&id, "pause it", reply) {
                    guest.spawn_reply(reply, "pause", |agent| async move {
                        agent.pause(&id.container).await
                    });
                }
            }
            Query::Resume(id, reply) => {
                if let Some((guest, reply)) = self.running(&id, "resume it", reply) {
                    guest.spawn_reply(reply, "resumption", |agent| async move {
                        agent.resume(&id.container).await
                    });
                }
            }
            Query::ConfigureShared(interface, reply) => self.configure_shared(interface, reply),
            Query::ConfigureInterface(id, interface, reply) => {
                if let Some((guest, reply)) = self.running(&id, "give it an interface", reply) {
                    guest.spawn_reply(reply, "set-up of an interface", |agent| async move {
                        agent.configure_interface(&id.container, interface).await
                    });
                }
            }
            Query::Update(id, resources, reply) => {
                if let Some((guest, reply)) = self.running(&id, "change its limits", reply) {
                    guest.spawn_reply(reply, "change of limits", |agent| async move {
                        agent.update(&id.container, resources).await
                    });
                }
            }
            Query::Stats(id, reply) => {
                if let Some((guest, reply)) = self.kept(&id, "measure it", reply) {
                    guest.spawn_reply(reply, "reading of figures", |agent| async move {
                        agent.stats(&id.container).await
                    });
                }
            }
            Query::Processes(id, reply) => {
                if let Some((guest, reply)) = self.kept(&id, "list its processes", reply) {
                    guest.spawn_reply(reply, "list of processes", |agent| async move {
                        agent.processes(&id.container).await
                    });
                }
            }
            Query::Oom(id, seen, reply) => {
                if let Some((guest, reply)) = self.kept(&id, "watch its memory", reply) {
                    guest.spawn_unlimited(reply, |agent| async move {
                        agent.wait_oom(&id.container, seen).await
                    });
                }
            }
        }
    }

    fn configure_shared(&self, interface: Interface, reply: Reply<()>) {
        match self.allowed("give it an interface") {
            Ok(guest) => guest.spawn_reply(reply, "set-up of an interface", |agent| async move {
                agent.configure_interface("", interface).await
            }),
            Err(error) => drop(reply.send(Err(error))),
        }
    }

    /// The guest, if the process has been made and has not ended; else the door is told.
    fn running<T>(
        &mut self,
        id: &ProcessId,
        wish: &'static str,
        reply: Reply<T>,
    ) -> Option<(Guest, Reply<T>)> {
        self.with(id, ProcessMessage::Signal, wish, reply)
    }

    /// The guest, if the process is known to it: ended ones are until they are deleted.
    fn kept<T>(
        &mut self,
        id: &ProcessId,
        wish: &'static str,
        reply: Reply<T>,
    ) -> Option<(Guest, Reply<T>)> {
        self.with(id, ProcessMessage::Wait, wish, reply)
    }

    fn with<T>(
        &mut self,
        id: &ProcessId,
        message: ProcessMessage,
        wish: &'static str,
        reply: Reply<T>,
    ) -> Option<(Guest, Reply<T>)> {
        let allowed: Result<Guest, PodError> = self
            .allowed(wish)
            .and_then(|guest| self.processes.ask(id, message, wish).map(|_| guest));
        match allowed {
            Ok(guest) => Some((guest, reply)),
            Err(error) => {
                reply.send(Err(error)).ok();
                None
            }
        }
    }
}

/// A wish for one process.
#[derive(Clone, Copy)]
struct Step<'a> {
    id: &'a ProcessId,
    message: ProcessMessage,
    wish: &'static str,
}

impl<'a> Step<'a> {
    fn new(id: &'a ProcessId, message: ProcessMessage, wish: &'static str) -> Self {
        Self { id, message, wish }
    }
}
