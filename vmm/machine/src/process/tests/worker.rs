//! A worker between a guest that never stops and those who want something else.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::channel;
use std::time::Duration;

use husk_devices::virtio::testing::FakeDriver;
use husk_devices::virtio::{DeviceError, Rings, VirtioDevice};
use vmm_sys_util::eventfd::{EFD_NONBLOCK, EventFd};

use super::Worker;
use crate::api::{Command, Event, ExitReason, ExitReport, Metrics, Request, wire};
use crate::process::control::Server;

/// A device whose driver adds a request for each one that is served.
struct Endless;

impl VirtioDevice for Endless {
    type State = ();

    fn device_type(&self) -> u32 {
        4
    }

    fn features(&self) -> u64 {
        1 << 32
    }

    fn queue_sizes(&self) -> &[u16] {
        &[8]
    }

    fn read_config(&self, _offset: u64, _data: &mut [u8]) {}

    fn process_queue(&mut self, rings: &mut Rings<'_>, _index: u16) -> Result<(), DeviceError> {
        *rings.again = true;
        Ok(())
    }

    fn reset(&mut self) {}

    fn state(&self) {}

    fn restore(&mut self, _state: ()) -> Result<(), String> {
        Ok(())
    }
}

#[test]
fn guest_that_never_stops_to_ask_leaves_the_control_connections_alone() {
    let driver = FakeDriver::started(Endless, 1 << 20, u64::MAX);
    let kick = EventFd::new(EFD_NONBLOCK).unwrap();
    kick.write(1).unwrap();
    let (mut launch, theirs) = UnixStream::pair().unwrap();
    let (sender, orders) = channel();
    let sink = Box::new(move |order| sender.send(order).unwrap());
    let (server, handle) = Server::new(theirs, None, sink).unwrap();
    let mut worker = Worker::new().unwrap();
    worker.add_slot(driver.slot.clone(), vec![kick]).unwrap();
    worker.set_control(server).unwrap();
    let thread = std::thread::spawn(move || worker.run());

    for id in 0..3 {
        let command = Command::Metrics;
        let frame = wire::encode(&Request { id, command }).unwrap();
        launch.write_all(&frame).unwrap();
        let order = orders.recv_timeout(Duration::from_secs(120)).unwrap();
        assert_eq!(order.id, id);
    }
    handle.finish(Event::Exited(Box::new(ExitReport {
        reason: ExitReason::Stopped,
        console_tail: String::new(),
        metrics: Metrics::default(),
    })));
    thread.join().unwrap().unwrap();
}
