//! Boot a kernel and an initramfs without any device but a serial console, and say what it cost.
//!
//! `boot KERNEL INITRAMFS [VCPUS [MEMORY_MIB [COMMAND_LINE]]]`; the guest's console goes to standard error,
//! the figures to standard output as one JSON line. A command line that begins with `=` stands alone; otherwise it
//! follows the words that this host's KVM needs.

use std::env;
use std::fs::File;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use husk_devices::legacy::{PortBus, PortEvents};
use husk_machine::arch::layout::SERIAL_GSI;
use husk_machine::boot::{BootImage, Cmdline};
use husk_machine::interp;
use husk_machine::kvm::{Bus, EventSink, KvmVm};
use serde_json::json;
use sha2::{Digest, Sha256};

fn hash(path: &str) -> Result<String> {
    let bytes = std::fs::read(path).with_context(|| path.to_owned())?;
    Ok(Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [kernel, initramfs, rest @ ..] = arguments.as_slice() else {
        bail!("usage: boot KERNEL INITRAMFS [VCPUS [MEMORY_MIB [COMMAND_LINE]]]");
    };
    let vcpus = rest.first().map_or(Ok(1), |text| text.parse())?;
    let memory_mib = rest.get(1).map_or(Ok(256), |text| text.parse())?;
    let open_kvm = || File::options().read(true).write(true).open("/dev/kvm");
    let host = interp::probe(open_kvm()?.into())?;
    let mut cmdline = Cmdline::new();
    match rest
        .get(2)
        .map(|words| words.strip_prefix('=').ok_or(words))
    {
        Some(Ok(words)) => cmdline.words(words)?,
        words => {
            interp::add_boot_words(&host, &mut cmdline)?;
            cmdline.words(words.and_then(Result::err).map_or("", String::as_str))?;
        }
    }
    let hashes = [hash(kernel)?, hash(initramfs)?];

    let begin = Instant::now();
    let vm = KvmVm::new(open_kvm()?.into(), &host, vcpus, memory_mib)?;
    let (kernel_file, initramfs_file) = (File::open(kernel)?, File::open(initramfs)?);
    let image = |file, sha256, name| BootImage { file, sha256, name };
    vm.load(
        image(&kernel_file, hashes[0].as_str(), kernel.as_str()),
        image(&initramfs_file, hashes[1].as_str(), initramfs.as_str()),
        &cmdline,
    )?;
    let mut bus = Bus::new();
    let events = PortEvents {
        on_line: Box::new(|line| eprintln!("{line}")),
        on_reset: Box::new(|| {}),
    };
    let serial_line = Arc::new(vm.irq_line(SERIAL_GSI)?);
    bus.set_ports(Arc::new(PortBus::new(serial_line, events)));
    let (sender, events) = mpsc::channel();
    let setup = begin.elapsed();
    let sink: EventSink = Arc::new(move |event| drop(sender.send(event)));
    let vcpus = vm.spawn_vcpus(&Arc::new(bus), &sink)?;
    let event = events.recv()?;
    let elapsed = begin.elapsed();
    let report = json!({
        "host": host,
        "command_line": cmdline.as_str(),
        "end": format!("{event:?}"),
        "setup_us": setup.as_micros(),
        "elapsed_ms": elapsed.as_millis(),
        "instructions": vcpus.instructions()?,
        "exits": vcpus.exits(),
        "completed": vcpus.completed_instructions(),
    });
    println!("{report}");
    Ok(())
}
