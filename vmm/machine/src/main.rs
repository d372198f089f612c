//! The VMM process: a machine as its launcher asks for it, or a look at the host's KVM.

use std::env;
use std::fs::File;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use husk_machine::api::ExitReason;
use husk_machine::process::{jail, log};
use husk_machine::{interp, machine};
use serde_json::json;

const USAGE: &str = "\
usage: husk-vmm            be the machine that the launcher on standard input (a UNIX stream socket) asks for
       husk-vmm probe      print what kind of KVM this host has, and how fast it is, as one line of JSON
       husk-vmm --version";

/// Exit code for arguments that are not understood.
const USAGE_CODE: u8 = 2;

fn main() -> ExitCode {
    // SAFETY: the first line of `main`: nothing has been opened, so nobody owns a descriptor above 2.
    let closed = unsafe { jail::close_inherited() };
    log::start(env::var_os("HUSK_VMM_VERBOSE").is_some());
    if let Err(error) = closed {
        eprintln!("husk-vmm: inherited descriptors cannot be closed: {error}");
        return ExitCode::from(ExitReason::Failed(String::new()).exit_code());
    }
    let arguments: Vec<_> = env::args_os().skip(1).collect();
    let words: Vec<_> = arguments
        .iter()
        .map(|word| word.to_string_lossy())
        .collect();
    match words
        .iter()
        .map(AsRef::as_ref)
        .collect::<Vec<&str>>()
        .as_slice()
    {
        [] => be_machine(),
        ["probe"] => match probe() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("husk-vmm: {error:#}");
                ExitCode::FAILURE
            }
        },
        ["--version"] => {
            println!("husk-vmm {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        other => {
            eprintln!("husk-vmm: arguments {other:?} are not understood\n{USAGE}");
            ExitCode::from(USAGE_CODE)
        }
    }
}

fn be_machine() -> ExitCode {
    let reason = machine::run();
    match &reason {
        ExitReason::Refused(text) => eprintln!("husk-vmm: refused: {text}"),
        ExitReason::Failed(text) => eprintln!("husk-vmm: failed: {text}"),
        ExitReason::GuestPanic(text) => eprintln!("husk-vmm: guest: {text}"),
        ExitReason::GuestReset
        | ExitReason::GuestHalt
        | ExitReason::TripleFault
        | ExitReason::Stopped => {}
    }
    ExitCode::from(reason.exit_code())
}

fn probe() -> Result<()> {
    let path = Path::new("/dev/kvm");
    let kvm = File::options().read(true).write(true).open(path);
    let kvm = kvm.with_context(|| path.display().to_string())?;
    let host = interp::probe(kvm.into()).context("/dev/kvm")?;
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let flags = cpuinfo.lines().find(|line| line.starts_with("flags"));
    let has = |flag: &str| flags.is_some_and(|line| line.split(' ').any(|word| word == flag));
    let line = json!({
        "kind": host.kind,
        "ns_per_instruction": host.ns_per_instruction,
        "cpu_virtualization": if has("vmx") { "vmx" } else if has("svm") { "svm" } else { "none" },
        "kvm_pvm": Path::new("/sys/module/kvm_pvm").exists(),
        "version": env!("CARGO_PKG_VERSION"),
    });
    println!("{line}");
    Ok(())
}
