//! Ports as a Linux guest uses them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};

use proptest::prelude::{any, prop, proptest};

use super::{LINE_MAX, PortBus, PortEvents, TAIL_SIZE};
use crate::virtio::testing::CountingLine;

struct Guest {
    bus: PortBus,
    line: Arc<CountingLine>,
    lines: Receiver<String>,
    resets: Arc<AtomicUsize>,
}

fn events() -> (PortEvents, Receiver<String>, Arc<AtomicUsize>) {
    let (send, lines) = channel();
    let resets = Arc::new(AtomicUsize::new(0));
    let counted = resets.clone();
    let events = PortEvents {
        on_line: Box::new(move |line| send.send(line.to_owned()).unwrap()),
        on_reset: Box::new(move || {
            counted.fetch_add(1, Ordering::SeqCst);
        }),
    };
    (events, lines, resets)
}

fn guest() -> Guest {
    let (events, lines, resets) = events();
    let line = Arc::new(CountingLine::default());
    let bus = PortBus::new(line.clone(), events);
    Guest {
        bus,
        line,
        lines,
        resets,
    }
}

impl Guest {
    fn print(&self, text: &[u8]) {
        for byte in text {
            self.bus.write(0x3f8, &[*byte]);
        }
    }

    fn inb(&self, port: u16) -> u8 {
        let mut data = [0xaa];
        self.bus.read(port, &mut data);
        data[0]
    }
}

#[test]
fn printed_text_is_kept_and_handed_on_line_by_line() {
    let guest = guest();
    guest.print(b"[    0.1] Kernel panic - not syncing: no\r\nnext\r\n\r\nopen");
    assert_eq!(
        guest.bus.console().text(),
        "[    0.1] Kernel panic - not syncing: no\nnext\n\nopen"
    );
    let lines: Vec<String> = guest.lines.try_iter().collect();
    assert_eq!(lines, ["[    0.1] Kernel panic - not syncing: no", "next"]);
}

#[test]
fn output_past_the_tail_drops_the_oldest() {
    let guest = guest();
    guest.print(&b"0123456789abcde\n".repeat(TAIL_SIZE / 16 + 1));
    guest.print(b"end");
    let text = guest.bus.console().text();
    assert_eq!(text.len(), TAIL_SIZE);
    assert!(text.ends_with("\nend"));
}

#[test]
fn endless_line_is_handed_on_in_pieces() {
    let guest = guest();
    guest.print(&vec![b'x'; LINE_MAX * 3 + 1]);
    let lengths: Vec<usize> = guest.lines.try_iter().map(|line| line.len()).collect();
    assert_eq!(lengths, [LINE_MAX; 3]);
}

#[test]
fn output_that_is_not_utf8_is_kept_as_text() {
    let guest = guest();
    guest.print(b"a\xff\xfeb\n");
    assert_eq!(guest.lines.try_recv().unwrap(), "a\u{fffd}\u{fffd}b");
}

#[test]
fn transmitter_is_always_ready() {
    assert_eq!(guest().inb(0x3fd) & 0x60, 0x60);
}

#[test]
fn transmit_interrupt_comes_once_it_is_enabled() {
    let guest = guest();
    guest.print(b"x");
    assert_eq!(guest.line.pulses(), 0);
    guest.bus.write(0x3f9, &[2]);
    guest.print(b"x");
    assert!(guest.line.pulses() > 0);
}

#[test]
fn reset_command_reaches_the_machine_once_each() {
    let guest = guest();
    assert_eq!(guest.inb(0x64), 0, "the controller is never busy");
    guest.bus.write(0x60, &[0xfe]);
    guest.bus.write(0x64, &[0xd1]);
    assert_eq!(guest.resets.load(Ordering::SeqCst), 0);
    guest.bus.write(0x64, &[0xfe]);
    assert_eq!(guest.resets.load(Ordering::SeqCst), 1);
}

#[test]
fn absent_ports_read_as_all_ones() {
    let guest = guest();
    for port in [0x2f8, 0x3f7, 0x400, 0xcf8, 0xcfc, 0x61, 0x65, 0, u16::MAX] {
        assert_eq!(guest.inb(port), 0xff, "port {port:#x}");
    }
    let mut wide = [0; 4];
    guest.bus.read(0xcfc, &mut wide);
    assert_eq!(wide, [0xff; 4]);
}

#[test]
fn clock_is_never_being_updated() {
    let guest = guest();
    guest.bus.write(0x70, &[0x0a]);
    assert_eq!(guest.inb(0x71) & 0x80, 0);
}

#[test]
fn saved_serial_port_goes_on() {
    let old = guest();
    old.bus.write(0x3fb, &[0x83]);
    old.bus.write(0x3f8, &[1]);
    old.bus.write(0x3fb, &[0x03]);
    old.bus.write(0x3ff, &[0x5a]);
    let text = serde_json::to_string(&old.bus.state()).unwrap();
    let (events, lines, _) = events();
    let line = Arc::new(CountingLine::default());
    let bus = PortBus::restored(serde_json::from_str(&text).unwrap(), line, events).unwrap();
    assert_eq!(bus.state(), old.bus.state());
    bus.write(0x3f8, b"h");
    bus.write(0x3f8, b"\n");
    assert_eq!(lines.try_recv().unwrap(), "h");
}

#[test]
fn saved_serial_port_with_too_many_bytes_is_refused() {
    let mut state = guest().bus.state();
    state.in_buffer = vec![0; 65];
    let (events, _, _) = events();
    let refused = PortBus::restored(state, Arc::new(CountingLine::default()), events);
    assert_eq!(
        refused.unwrap_err().to_string(),
        "serial port: 65 unread bytes do not fit"
    );
}

proptest! {
    #[test]
    fn random_port_accesses_never_panic(
        accesses in prop::collection::vec((any::<bool>(), any::<u16>(), any::<[u8; 4]>(), 0_usize..5), 0..300),
    ) {
        let guest = guest();
        for (write, port, mut data, len) in accesses {
            // Most of 65536 ports are empty: two of three accesses go where something is.
            let port = if port % 3 == 0 { port } else { 0x3f8 + port % 8 };
            if write {
                guest.bus.write(port, &data[..len]);
            } else {
                guest.bus.read(port, &mut data[..len]);
            }
        }
        assert!(guest.bus.console().text().len() <= TAIL_SIZE * 3);
    }
}
