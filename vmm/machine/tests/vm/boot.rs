//! A Linux kernel with every default slot: stages, streams, pause, drives, memory that comes back, the end by a panic. One
//! boot serves all.
//!
//! `HUSK_TEST_KERNEL` names the kernel; `HUSK_TEST_VCPUS` may give another number of vCPUs, `HUSK_TEST_SLOTS` other
//! numbers of slots ("writable,read_only") and `HUSK_TEST_NS_PER_INSTRUCTION` another speed of the host (a slow one has
//! few timer ticks, so the figures depend less on other load): the line of figures on standard error then says what a
//! slot costs.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use husk_machine::api::config::{BlockSlots, SlotClass};
use husk_machine::api::control::Stage;
use husk_machine::api::{Command, ExitReason, Reply};

use crate::harness::{Setup, Vm, disk, linux, without_kvm};

const PORT: u32 = 1024;

/// What has to be given back of 256 MiB, of which the kernel uses 20.
const RETURNED: u64 = 64 << 20;

fn launch() -> Vm {
    let kernel = std::env::var_os("HUSK_TEST_KERNEL");
    let kernel = std::fs::read(kernel.expect("HUSK_TEST_KERNEL names a kernel")).unwrap();
    let init = linux::Program::agent(1, 2, PORT);
    let mut setup = Setup::new(&kernel, &linux::initramfs(&init));
    setup.config.memory_mib = 256;
    if let Ok(vcpus) = std::env::var("HUSK_TEST_VCPUS") {
        setup.config.vcpus = vcpus.parse().unwrap();
    }
    let slots = std::env::var("HUSK_TEST_SLOTS").unwrap_or_else(|_| "5,16".to_owned());
    let (writable, read_only) = slots.split_once(',').unwrap();
    setup.config.slots = BlockSlots {
        writable: writable.parse().unwrap(),
        read_only: read_only.parse().unwrap(),
    };
    if let Ok(speed) = std::env::var("HUSK_TEST_NS_PER_INSTRUCTION") {
        setup.config.host.ns_per_instruction = speed.parse().unwrap();
    }
    setup.launch()
}

/// One byte there and back over the pod's vsock.
fn echo(stream: &mut UnixStream, byte: u8) {
    let mut line = Vec::new();
    while line.last() != Some(&b'\n') {
        let mut next = [0];
        stream.read_exact(&mut next).unwrap();
        line.extend(next);
    }
    assert!(
        line.starts_with(b"OK "),
        "{}",
        String::from_utf8_lossy(&line)
    );
    stream.write_all(&[byte]).unwrap();
    let mut answer = [0];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer, [byte]);
}

fn connect(vm: &Vm, port: u32) -> UnixStream {
    let mut stream = UnixStream::connect(vm.path("vsock")).unwrap();
    writeln!(stream, "CONNECT {port}").unwrap();
    stream
}

#[test]
#[ignore = "needs HUSK_TEST_KERNEL, and half a minute where kernel code is interpreted"]
fn linux_boots_with_every_slot_and_its_panic_is_named() {
    if without_kvm() {
        return;
    }
    let mut vm = launch();
    vm.started();
    // Both wait for the ready bell: one is offered then, the other refused.
    let (mut early, mut nobody) = (connect(&vm, PORT), connect(&vm, PORT + 1));
    let started = vm.client.stage(Stage::AgentStarted);
    let ready = vm.client.stage(Stage::AgentReady);
    assert!(ready.at_us >= started.at_us && ready.instructions >= started.instructions);
    echo(&mut early, b'x');
    assert_eq!(nobody.read(&mut [0]).unwrap(), 0, "nobody listens there");
    let metrics = vm.client.metrics();
    eprintln!(
        "init {} instructions, ready {}, exits {}, completed {}, setup {} us, private {} KiB, wall {} ms",
        started.instructions,
        ready.instructions,
        metrics.vcpu_exits,
        metrics.completed_instructions,
        metrics.setup_cpu_us,
        metrics.private_bytes >> 10,
        (ready.at_us - metrics.stages[0].at_us) / 1000,
    );

    assert_eq!(vm.client.ask(Command::Pause), Reply::Done);
    let mut waiting = connect(&vm, PORT);
    let before = vm.client.metrics();
    assert_eq!(vm.client.metrics().instructions, before.instructions);
    assert_eq!(vm.client.ask(Command::Resume), Reply::Done);
    echo(&mut waiting, b'y');

    let (class, slot, serial) = (SlotClass::ReadOnly, 0, "image".to_owned());
    let attach = Command::AttachDrive {
        class,
        slot,
        serial,
    };
    let file = disk(&vm.path("image"), class, 2048);
    assert_eq!(vm.client.ask_with(attach, &[file]), Reply::Done);
    assert_eq!(
        vm.client.ask(Command::DetachDrive { class, slot }),
        Reply::Done
    );
    echo(&mut connect(&vm, PORT), b'z');

    // Memory that the guest never used comes back by itself: its kernel has the balloon and its reports, of either flavour.
    // It begins 2 s after the device was found; the answers of the guest are the clock.
    let limit = Instant::now() + Duration::from_secs(300);
    while vm.client.metrics().returned_bytes < RETURNED {
        let returned = vm.client.metrics().returned_bytes;
        assert!(Instant::now() < limit, "{returned} bytes were given back");
        echo(&mut connect(&vm, PORT), b'w');
    }

    echo(&mut connect(&vm, PORT), b'p');
    let (report, code) = vm.end();
    assert_eq!(code, 11, "{}", report.console_tail);
    let ExitReason::GuestPanic(words) = report.reason else {
        panic!("{:?}", report.reason);
    };
    assert!(
        words.contains("Attempted to kill init! exitcode=0x00000100"),
        "{words}"
    );
    assert!(
        report.console_tail.contains(&words),
        "{}",
        report.console_tail
    );
}
