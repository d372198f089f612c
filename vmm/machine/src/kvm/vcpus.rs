//! All vCPUs of a running machine, a thread each, and the gate at which they stop.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use kvm_bindings::{KVM_MP_STATE_HALTED, KVM_MP_STATE_INIT_RECEIVED, KVM_MP_STATE_UNINITIALIZED};
use kvm_ioctls::VcpuFd;
use vmm_sys_util::signal::{self, Killable, SIGRTMIN, block_signal, clear_signal, unblock_signal};

use super::bus::Bus;
use super::error::VmError;
use super::vcpu::{Step, Vcpu, VcpuCounters, VcpuEvent};
use super::vm::{KvmVm, VmParts};
use crate::interp::Completer;
use crate::sys::{self, InstructionCounter, SysError};

/// Where a vCPU thread says what ends the machine. Called at most once by each, and must not wait for a vCPU.
pub type EventSink = Arc<dyn Fn(VcpuEvent) + Send + Sync>;

/// RFLAGS.IF.
const INTERRUPTS_ENABLED: u64 = 1 << 9;

/// What is asked of the vCPU threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Run,
    Pause,
    Stop,
}

#[derive(Debug)]
struct GateState {
    target: Target,
    /// Threads that do not run their vCPU now.
    parked: usize,
}

/// Where vCPU threads look what is asked, and wait.
#[derive(Debug)]
struct Gate {
    /// Whether the target is anything but [`Target::Run`]: read before each `KVM_RUN` without the lock.
    closed: AtomicBool,
    state: Mutex<GateState>,
    changed: Condvar,
}

impl Gate {
    fn new() -> Self {
        Self {
            closed: AtomicBool::new(false),
            state: Mutex::new(GateState {
                target: Target::Run,
                parked: 0,
            }),
            changed: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, GateState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, target: Target) {
        let mut state = self.lock();
        if state.target != Target::Stop {
            state.target = target;
        }
        self.closed
            .store(state.target != Target::Run, Ordering::SeqCst);
        self.changed.notify_all();
    }

    /// Wait until `threads` are parked, or nobody wants them to be any more.
    fn wait_until_parked(&self, threads: usize) {
        let state = self.lock();
        let waited = self.changed.wait_while(state, |state| {
            state.target == Target::Pause && state.parked < threads
        });
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    /// Wait while the target is among `while_in`; the new target.
    fn park(&self, while_in: &[Target]) -> Target {
        let mut state = self.lock();
        state.parked += 1;
        self.changed.notify_all();
        let waited = self
            .changed
            .wait_while(state, |state| while_in.contains(&state.target));
        state = waited.unwrap_or_else(PoisonError::into_inner);
        state.parked -= 1;
        state.target
    }
}

/// What other threads see of one vCPU.
#[derive(Debug)]
struct Seen {
    thread: Option<JoinHandle<()>>,
    instructions: InstructionCounter,
    counters: Arc<VcpuCounters>,
    at_pause: Arc<AtPause>,
}

/// How one vCPU stood when it last paused.
#[derive(Debug, Default)]
struct AtPause {
    rip: AtomicU64,
    /// Halted with interrupts off, or not started: only another vCPU could change that.
    halted: AtomicBool,
}

/// The vCPUs of a running machine. Dropping it stops them.
#[derive(Debug)]
pub struct Vcpus {
    gate: Arc<Gate>,
    seen: Vec<Seen>,
    /// Outlives the threads: they are joined in `drop` before the fields go.
    _parts: Arc<VmParts>,
}

impl KvmVm {
    /// Start all vCPUs, each in a thread of its own. What ends the machine is said to `events`.
    ///
    /// # Errors
    /// A thread or a counter cannot be made; then none runs.
    pub fn spawn_vcpus(self, bus: &Arc<Bus>, events: &EventSink) -> Result<Vcpus, VmError> {
        Vcpus::spawn(self.parts, self.vcpus, bus, events)
    }
}

impl Vcpus {
    pub(super) fn spawn(
        parts: Arc<VmParts>,
        vcpus: Vec<(VcpuFd, Option<Completer>)>,
        bus: &Arc<Bus>,
        events: &EventSink,
    ) -> Result<Self, VmError> {
        let mut machine = Self {
            gate: Arc::new(Gate::new()),
            seen: Vec::with_capacity(vcpus.len()),
            _parts: parts,
        };
        // No vCPU runs before all have a thread: if one cannot be made, the guest has seen nothing.
        machine.gate.set(Target::Pause);
        // The threads inherit the mask: a kick before their first `KVM_RUN` must not end the process.
        block_signal(kick_signal()).map_err(|e| signal_mask(&e))?;
        let spawned = (0..).zip(vcpus).try_for_each(|(id, (fd, completer))| {
            machine.spawn_one(id, fd, completer, bus, events)
        });
        unblock_signal(kick_signal()).map_err(|e| signal_mask(&e))?;
        spawned?;
        machine.gate.set(Target::Run);
        Ok(machine)
    }

    fn spawn_one(
        &mut self,
        id: u8,
        fd: VcpuFd,
        completer: Option<Completer>,
        bus: &Arc<Bus>,
        events: &EventSink,
    ) -> Result<(), VmError> {
        sys::unblock_only(&fd, kick_signal())?;
        let instructions = InstructionCounter::new(&fd)?;
        let counters = Arc::new(VcpuCounters::default());
        let at_pause = Arc::new(AtPause::default());
        let vcpu = Vcpu {
            id,
            fd,
            bus: Arc::clone(bus),
            completer,
            counters: Arc::clone(&counters),
        };
        let thread = VcpuThread {
            vcpu,
            gate: Arc::clone(&self.gate),
            at_pause: Arc::clone(&at_pause),
            events: Arc::clone(events),
        };
        let handle = thread::Builder::new()
            .name(format!("vcpu{id}"))
            .spawn(move || thread.run())
            .map_err(SysError::host("start of a vcpu thread"))?;
        self.seen.push(Seen {
            thread: Some(handle),
            instructions,
            counters,
            at_pause,
        });
        Ok(())
    }

    /// Stop all vCPUs after their current exit is complete; returns when none runs. Repeating it is no error.
    pub fn pause(&self) {
        self.gate.set(Target::Pause);
        self.kick();
        self.gate.wait_until_parked(self.seen.len());
    }

    /// Let the vCPUs run again. Repeating it is no error.
    pub fn resume(&self) {
        self.gate.set(Target::Run);
    }

    /// End all vCPU threads. Nothing runs after it.
    pub fn stop(&mut self) {
        self.gate.set(Target::Stop);
        self.kick();
        for seen in &mut self.seen {
            if let Some(thread) = seen.thread.take() {
                // A panic of the thread has been printed; there is nothing to add.
                let _ = thread.join();
            }
        }
    }

    /// Guest-kernel instructions that KVM interpreted, all vCPUs; 0 on hardware, nearly.
    ///
    /// # Errors
    /// The kernel's counters cannot be read.
    pub fn instructions(&self) -> Result<u64, SysError> {
        self.seen.iter().map(|seen| seen.instructions.read()).sum()
    }

    /// `KVM_RUN` exits to this process, all vCPUs.
    #[must_use]
    pub fn exits(&self) -> u64 {
        self.sum(|counters| counters.exits.load(Ordering::Relaxed))
    }

    /// Instructions completed for an interpreting KVM, all vCPUs.
    #[must_use]
    pub fn completed_instructions(&self) -> u64 {
        self.sum(|counters| counters.completed.load(Ordering::Relaxed))
    }

    /// Whether every vCPU was halted with interrupts off at the last [`Self::pause`], or had not been started: nothing
    /// but an NMI would wake them.
    #[must_use]
    pub fn halted_for_good(&self) -> bool {
        self.seen
            .iter()
            .all(|seen| seen.at_pause.halted.load(Ordering::SeqCst))
    }

    /// RIP of each vCPU at the last [`Self::pause`]: where a guest stands that makes no progress.
    #[must_use]
    pub fn stand_at(&self) -> Vec<u64> {
        let rip = |seen: &Seen| seen.at_pause.rip.load(Ordering::SeqCst);
        self.seen.iter().map(rip).collect()
    }

    fn sum(&self, of: impl Fn(&VcpuCounters) -> u64) -> u64 {
        self.seen.iter().map(|seen| of(&seen.counters)).sum()
    }

    /// Bring every vCPU out of `KVM_RUN`, or keep it from entering: the signal stays pending until then.
    fn kick(&self) {
        for thread in self.seen.iter().filter_map(|seen| seen.thread.as_ref()) {
            // Fails only for a thread that has ended.
            let _ = thread.kill(kick_signal());
        }
    }
}

impl Drop for Vcpus {
    fn drop(&mut self) {
        self.stop();
    }
}

/// One vCPU thread.
struct VcpuThread {
    vcpu: Vcpu,
    gate: Arc<Gate>,
    at_pause: Arc<AtPause>,
    events: EventSink,
}

impl VcpuThread {
    fn run(mut self) {
        loop {
            let step = if self.gate.closed.load(Ordering::SeqCst) {
                match self.pause() {
                    Step::Interrupted => continue,
                    Step::Continue => return,
                    end => end,
                }
            } else {
                self.vcpu.step()
            };
            match step {
                Step::Continue => {}
                Step::Interrupted => self.forget_signal(),
                Step::End(event) => return self.end(event),
            }
        }
    }

    /// Settle and wait; [`Step::Continue`] means that this thread is to end.
    fn pause(&mut self) -> Step {
        if let Step::End(event) = self.vcpu.settle() {
            return Step::End(event);
        }
        self.forget_signal();
        self.note_place();
        match self.gate.park(&[Target::Pause]) {
            Target::Stop => Step::Continue,
            Target::Run | Target::Pause => Step::Interrupted,
        }
    }

    /// The machine ends: say so, and wait for the order to stop, so that a pause in between finds this thread parked.
    fn end(self, event: VcpuEvent) {
        (self.events)(event);
        self.gate.park(&[Target::Run, Target::Pause]);
    }

    /// For [`Vcpus::stand_at`] and [`Vcpus::halted_for_good`].
    fn note_place(&self) {
        let fd = &self.vcpu.fd;
        let state = fd.get_mp_state().map(|state| state.mp_state);
        let (rip, deaf) = fd.get_regs().map_or((0, false), |regs| {
            (regs.rip, regs.rflags & INTERRUPTS_ENABLED == 0)
        });
        let still = match state {
            Ok(KVM_MP_STATE_HALTED) => deaf,
            // Another vCPU would have to start it.
            Ok(KVM_MP_STATE_UNINITIALIZED | KVM_MP_STATE_INIT_RECEIVED) => true,
            _ => false,
        };
        self.at_pause.rip.store(rip, Ordering::SeqCst);
        self.at_pause.halted.store(still, Ordering::SeqCst);
    }

    /// A signal that is only unblocked inside of `KVM_RUN` stays pending after it.
    fn forget_signal(&self) {
        // Fails only for a signal number that does not exist.
        let _ = clear_signal(kick_signal());
    }
}

/// The signal that brings a vCPU out of `KVM_RUN`.
fn kick_signal() -> i32 {
    SIGRTMIN()
}

fn signal_mask(error: &signal::Error) -> SysError {
    SysError::host("pthread_sigmask")(io::Error::other(error.to_string()))
}
