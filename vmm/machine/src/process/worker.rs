//! A thread that serves slots, and may serve the control connections.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use husk_devices::virtio::{MmioHandler, Progress};
use vmm_sys_util::eventfd::EventFd;

use super::control::Server;
use super::poll::{Poll, Source};

/// What one thread waits for. Built while nothing runs, then run.
pub struct Worker {
    poll: Poll,
    slots: Vec<Slot>,
    control: Option<Server>,
}

struct Slot {
    handler: Arc<dyn MmioHandler>,
    /// Held open: the guest's kicks arrive here.
    _kicks: Vec<EventFd>,
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker")
            .field("slots", &self.slots.len())
            .field("control", &self.control)
            .finish_non_exhaustive()
    }
}

impl Worker {
    /// A worker without work.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            poll: Poll::new()?,
            slots: Vec::new(),
            control: None,
        })
    }

    /// Serve a slot: one eventfd for each of its queues, and its host side.
    ///
    /// # Errors
    /// The kernel cannot watch a descriptor.
    pub fn add_slot(
        &mut self,
        handler: Arc<dyn MmioHandler>,
        kicks: Vec<EventFd>,
    ) -> io::Result<()> {
        let slot = u16::try_from(self.slots.len()).map_err(io::Error::other)?;
        for (queue, kick) in (0..).zip(&kicks) {
            self.poll.add_event(kick, Source::Kick { slot, queue })?;
        }
        self.poll.add_host(&*handler, Source::Host { slot })?;
        self.slots.push(Slot {
            handler,
            _kicks: kicks,
        });
        Ok(())
    }

    /// Serve the control connections; the thread ends when the last news is out.
    ///
    /// # Errors
    /// The kernel cannot watch a descriptor.
    pub fn set_control(&mut self, control: Server) -> io::Result<()> {
        control.register(&self.poll)?;
        self.control = Some(control);
        Ok(())
    }

    /// Work until the control connections are finished; without them for ever.
    ///
    /// # Errors
    /// The kernel refuses to wait, which no guest can bring about.
    pub fn run(mut self) -> io::Result<()> {
        let mut ready = Vec::new();
        // What a device left undone: a guest that never stops to ask must not keep this thread from the others.
        let mut unfinished: Vec<Source> = Vec::new();
        loop {
            let timeout = if unfinished.is_empty() {
                self.control.as_ref().and_then(Server::time_left)
            } else {
                Some(Duration::ZERO)
            };
            self.poll.wait(timeout, &mut ready)?;
            let mut last = std::mem::take(&mut unfinished);
            last.retain(|source| ready.iter().all(|event| event.source != *source));
            for event in &ready {
                match (event.source, &mut self.control) {
                    (Source::Kick { .. } | Source::Host { .. }, _) => {
                        unfinished.extend(self.serve(event.source));
                    }
                    (_, Some(control)) => control.serve(&self.poll, *event),
                    (_, None) => {}
                }
            }
            for source in last {
                unfinished.extend(self.serve(source));
            }
            if let Some(control) = &mut self.control {
                control.end_rest(&self.poll);
            }
            if self.control.as_ref().is_some_and(Server::finished) {
                return Ok(());
            }
        }
    }

    /// One turn of a device; the source itself if that was not enough.
    fn serve(&self, source: Source) -> Option<Source> {
        let progress = match source {
            Source::Kick { slot, queue } => {
                let slot = &self.slots[usize::from(slot)];
                slot.handler.process_queue(queue)
            }
            Source::Host { slot } => self.slots[usize::from(slot)].handler.process_host(),
            Source::Wake | Source::Listener | Source::Connection(_) => Progress::Done,
        };
        (progress == Progress::More).then_some(source)
    }
}

#[cfg(test)]
#[path = "tests/worker.rs"]
mod tests;
