//! The bus of I/O ports. PIC, PIT and the speaker port are the kernel's; what is left is here, and
//! nothing on it makes a guest wait.

use std::convert::Infallible;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use vm_superio::serial::NoEvents;
use vm_superio::{I8042Device, Serial, Trigger};

use super::console::{ConsoleTail, ConsoleWriter};
use super::state::{InvalidSerialState, SerialRegisters};
use crate::virtio::InterruptLine;

/// First port of COM1; it has eight.
const COM1: u16 = 0x3f8;
/// Data port of the keyboard controller; status and command are at 0x64.
const I8042: u16 = 0x60;
/// Index and data of the real-time clock.
const CMOS_INDEX: u16 = 0x70;
const CMOS_DATA: u16 = 0x71;

/// What the ports tell the machine. Called on vCPU threads, with no lock of the bus held but the
/// console's own for `on_line`.
pub struct PortEvents {
    /// The guest ended a line on its console.
    pub on_line: Box<dyn FnMut(&str) + Send>,
    /// The guest pulled the reset line.
    pub on_reset: Box<dyn Fn() + Send>,
}

impl fmt::Debug for PortEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PortEvents").finish_non_exhaustive()
    }
}

/// Every I/O port of the machine.
pub struct PortBus {
    tail: ConsoleTail,
    serial: Mutex<Serial<SerialLine, NoEvents, ConsoleWriter>>,
    keyboard: Mutex<I8042Device<ResetLine>>,
}

/// Interrupt of the serial port.
struct SerialLine(Arc<dyn InterruptLine>);

impl Trigger for SerialLine {
    type E = Infallible;

    fn trigger(&self) -> Result<(), Infallible> {
        self.0.pulse();
        Ok(())
    }
}

struct ResetLine(Box<dyn Fn() + Send>);

impl Trigger for ResetLine {
    type E = Infallible;

    fn trigger(&self) -> Result<(), Infallible> {
        (self.0)();
        Ok(())
    }
}

impl fmt::Debug for PortBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PortBus").finish_non_exhaustive()
    }
}

impl PortBus {
    /// The ports after power-on; `serial_line` is interrupt 4 of a PC.
    pub fn new(serial_line: Arc<dyn InterruptLine>, events: PortEvents) -> Self {
        let tail = ConsoleTail::default();
        let writer = ConsoleWriter::new(tail.clone(), events.on_line);
        Self {
            tail,
            serial: Mutex::new(Serial::new(SerialLine(serial_line), writer)),
            keyboard: Mutex::new(I8042Device::new(ResetLine(events.on_reset))),
        }
    }

    /// What the guest wrote to its console last.
    pub fn console(&self) -> ConsoleTail {
        self.tail.clone()
    }

    /// The guest reads `data.len()` bytes from `port`.
    pub fn read(&self, port: u16, data: &mut [u8]) {
        // Nothing there: the bus floats high, as on a PC.
        data.fill(0xff);
        // Every register here is a byte wide; of a wider access only the first byte is answered.
        let Some(first) = data.first_mut() else {
            return;
        };
        if let Some(offset) = com1_register(port) {
            *first = lock(&self.serial).read(offset);
        } else if let Some(offset) = keyboard_register(port) {
            *first = lock(&self.keyboard).read(offset);
        } else if port == CMOS_INDEX || port == CMOS_DATA {
            // No clock, but none that is for ever "being updated" either: nobody waits for it.
            *first = 0;
        }
    }

    /// The guest writes `data` to `port`.
    pub fn write(&self, port: u16, data: &[u8]) {
        let Some(first) = data.first() else {
            return;
        };
        if let Some(offset) = com1_register(port) {
            // The console's writer cannot fail, and neither can its interrupt.
            let _ = lock(&self.serial).write(offset, *first);
        } else if let Some(offset) = keyboard_register(port) {
            let Ok(()) = lock(&self.keyboard).write(offset, *first);
        }
    }

    /// The serial port's state to save.
    pub fn state(&self) -> SerialRegisters {
        lock(&self.serial).state().into()
    }

    /// Ports with a serial port that was saved.
    ///
    /// # Errors
    /// The state holds more than a port does.
    pub fn restored(
        saved: SerialRegisters,
        serial_line: Arc<dyn InterruptLine>,
        events: PortEvents,
    ) -> Result<Self, InvalidSerialState> {
        let unread = saved.in_buffer.len();
        let tail = ConsoleTail::default();
        let writer = ConsoleWriter::new(tail.clone(), events.on_line);
        let line = SerialLine(serial_line);
        let serial = Serial::from_state(&saved.into(), line, NoEvents, writer)
            .map_err(|_| InvalidSerialState(unread))?;
        Ok(Self {
            tail,
            serial: Mutex::new(serial),
            keyboard: Mutex::new(I8042Device::new(ResetLine(events.on_reset))),
        })
    }
}

fn com1_register(port: u16) -> Option<u8> {
    let offset = u8::try_from(port.checked_sub(COM1)?).ok()?;
    (offset < 8).then_some(offset)
}

fn keyboard_register(port: u16) -> Option<u8> {
    let offset = u8::try_from(port.checked_sub(I8042)?).ok()?;
    (offset == 0 || offset == 4).then_some(offset)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
