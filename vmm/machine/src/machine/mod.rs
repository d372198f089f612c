//! The machine put together and owned: one thread holds everything that starts, stops or changes it, and reads one queue.
//!
//! - [`run`]: the life of the process, from launch to exit report. - `slots`: which device is where, drives and networks that come and go. - `assemble`: devices,
//!   bus, workers. - `owner`: the queue ([`news`]) and what each message does.
//! - `console`: words of a dying guest. - `gauge`: memory and time of this process.
//!
//! Called by `main.rs`; calls `kvm/`, `boot/`, `interp/`, `process/` and the devices.

mod assemble;
mod console;
mod error;
mod gauge;
mod life;
mod news;
mod owner;
mod slots;

pub use life::run;
