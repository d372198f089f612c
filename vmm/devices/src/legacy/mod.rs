//! The legacy room: the I/O ports that a Linux guest without PCI and ACPI pokes. [`PortBus`] answers
//! all of them; behind it are a serial port whose output is kept ([`ConsoleTail`]) and the keyboard
//! controller's reset line. Called by vCPU threads of `vmm/machine`, which hands in the interrupt
//! line and what to do with a line of console text and with a reset.

mod console;
mod ports;
mod state;
#[cfg(test)]
mod tests;

pub use console::{ConsoleTail, LINE_MAX, TAIL_SIZE};
pub use ports::{PortBus, PortEvents};
pub use state::{InvalidSerialState, SerialRegisters};
