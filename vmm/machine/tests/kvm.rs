//! Small guests of a few instructions on a real KVM: how each way to end is told apart, and what pausing means.
//!
//! They need /dev/kvm and so are ignored by default: `cargo test -p husk-machine --test kvm -- --ignored`.
#![allow(
    clippy::unwrap_used,
    reason = "a test's helper that fails fails the test"
)]

use std::fs::File;
use std::os::fd::{OwnedFd, RawFd};
use std::os::unix::fs::FileExt;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use husk_devices::virtio::{MmioHandler, Progress};
use husk_machine::api::config::{HostKvm, KvmKind};
use husk_machine::arch::layout::{MMIO_SLOT_BYTES, MMIO_START};
use husk_machine::boot::{BootImage, Cmdline};
use husk_machine::interp;
use husk_machine::kvm::{Bus, EventSink, KvmVm, VcpuEvent, Vcpus};
use sha2::{Digest, Sha256};

const CODE: u64 = 0x10_0000;
const MEMORY_MIB: u32 = 64;
/// A guest of a dozen instructions that is not done by then never will be.
const LIMIT: Duration = Duration::from_secs(120);

/// mov al, 0xfe; out 0x64, al
const RESET: [u8; 4] = [0xb0, 0xfe, 0xe6, 0x64];

/// Passes on every store; loads give 0x1122334455667788.
struct Mailbox(Mutex<Sender<(u64, Vec<u8>)>>);

impl MmioHandler for Mailbox {
    fn read(&self, _offset: u64, data: &mut [u8]) {
        let value = 0x1122_3344_5566_7788_u64.to_le_bytes();
        data.copy_from_slice(&value[..data.len()]);
    }

    fn write(&self, offset: u64, data: &[u8]) {
        let sender = self.0.lock().unwrap();
        // The test may be over.
        let _ = sender.send((offset, data.to_vec()));
    }

    fn queue_count(&self) -> u16 {
        1
    }

    fn process_queue(&self, _index: u16) -> Progress {
        Progress::Done
    }

    fn host_fd(&self) -> Option<RawFd> {
        None
    }

    fn process_host(&self) -> Progress {
        Progress::Done
    }

    fn resume(&self) {}
}

struct Running {
    vcpus: Vcpus,
    events: Receiver<VcpuEvent>,
    stores: Receiver<(u64, Vec<u8>)>,
}

impl Running {
    fn end(&self) -> VcpuEvent {
        self.events.recv_timeout(LIMIT).unwrap()
    }

    fn store(&self) -> (u64, Vec<u8>) {
        self.stores.recv_timeout(LIMIT).unwrap()
    }
}

fn kvm() -> OwnedFd {
    let file = File::options().read(true).write(true).open("/dev/kvm");
    file.unwrap().into()
}

fn host() -> HostKvm {
    interp::probe(kvm()).unwrap()
}

/// An ELF file with `code` at [`CODE`], which is its entry too.
fn elf(code: &[u8]) -> Vec<u8> {
    let mut file = b"\x7fELF\x02\x01\x01".to_vec();
    file.resize(16, 0);
    file.extend([2, 0, 62, 0, 1, 0, 0, 0]);
    file.extend(CODE.to_le_bytes());
    file.extend(64_u64.to_le_bytes());
    file.extend([0; 12]);
    file.extend([64, 0, 56, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    file.extend([1, 0, 0, 0, 7, 0, 0, 0]);
    let length = code.len() as u64;
    for value in [0x1000, CODE, CODE, length, length, 0x1000] {
        file.extend(value.to_le_bytes());
    }
    file.resize(0x1000, 0);
    file.extend(code);
    file
}

fn loaded(host: &HostKvm, vcpus: u8, code: &[u8]) -> KvmVm {
    let vm = KvmVm::new(kvm(), host, vcpus, MEMORY_MIB).unwrap();
    let content = elf(code);
    let sha256 = |bytes: &[u8]| -> String {
        let digest = Sha256::digest(bytes);
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    };
    let file = tempfile::tempfile().unwrap();
    file.write_all_at(&content, 0).unwrap();
    let empty = tempfile::tempfile().unwrap();
    let image = |file, sha256, name| BootImage { file, sha256, name };
    let hashes = [sha256(&content), sha256(b"")];
    vm.load(
        image(&file, &hashes[0], "kernel"),
        image(&empty, &hashes[1], "initramfs"),
        &Cmdline::new(),
    )
    .unwrap();
    vm
}

fn run(vm: KvmVm) -> Running {
    let (store_sender, stores) = mpsc::channel();
    let mut bus = Bus::new();
    let mailbox = Arc::new(Mailbox(Mutex::new(store_sender)));
    bus.add_mmio(MMIO_START, MMIO_SLOT_BYTES, mailbox).unwrap();
    let (sender, events) = mpsc::channel();
    let sink: EventSink = Arc::new(move |event| {
        // The test may be over.
        let _ = sender.send(event);
    });
    let vcpus = vm.spawn_vcpus(&Arc::new(bus), &sink).unwrap();
    Running {
        vcpus,
        events,
        stores,
    }
}

fn start(code: &[u8]) -> Running {
    run(loaded(&host(), 1, code))
}

/// mov rdi, MMIO_START
fn point_at_mailbox() -> Vec<u8> {
    let mut code = vec![0x48, 0xbf];
    code.extend(MMIO_START.to_le_bytes());
    code
}

#[test]
#[ignore = "needs /dev/kvm"]
fn reset_line_ends_the_machine() {
    let guest = start(&RESET);
    assert_eq!(guest.end(), VcpuEvent::Reset);
    assert!(guest.vcpus.exits() > 0);
}

#[test]
#[ignore = "needs /dev/kvm"]
fn exception_without_handlers_is_a_triple_fault() {
    // mov rax, [-8]: not mapped, and there is no table of handlers.
    let guest = start(&[0x48, 0x8b, 0x04, 0x25, 0xf8, 0xff, 0xff, 0xff]);
    assert_eq!(guest.end(), VcpuEvent::TripleFault { vcpu: 0 });
}

#[test]
#[ignore = "needs /dev/kvm"]
fn loads_and_stores_reach_the_device_with_their_size() {
    let mut code = point_at_mailbox();
    // mov eax, [rdi+8]; mov [rdi+0x10], eax; mov [rdi+0x20], ax
    code.extend([0x8b, 0x47, 0x08, 0x89, 0x47, 0x10, 0x66, 0x89, 0x47, 0x20]);
    code.extend(RESET);
    let guest = start(&code);
    assert_eq!(guest.store(), (0x10, vec![0x88, 0x77, 0x66, 0x55]));
    assert_eq!(guest.store(), (0x20, vec![0x88, 0x77]));
    assert_eq!(guest.end(), VcpuEvent::Reset);
}

#[test]
#[ignore = "needs /dev/kvm"]
fn kick_of_a_queue_is_an_event_and_no_store() {
    let mut code = point_at_mailbox();
    // mov dword [rdi+0x50], 0; mov dword [rdi+0x50], 1
    code.extend([0xc7, 0x47, 0x50, 0, 0, 0, 0, 0xc7, 0x47, 0x50, 1, 0, 0, 0]);
    code.extend(RESET);
    let vm = loaded(&host(), 1, &code);
    let kick = vm.kick(MMIO_START, 0).unwrap();
    let guest = run(vm);
    assert_eq!(guest.end(), VcpuEvent::Reset);
    assert_eq!(kick.read().unwrap(), 1);
    // Queue 1 has no event: its kick is a store like any other.
    assert_eq!(guest.store(), (0x50, vec![1, 0, 0, 0]));
    assert!(guest.stores.try_recv().is_err());
}

#[test]
#[ignore = "needs /dev/kvm"]
fn paused_guest_does_nothing_until_it_is_resumed() {
    let mut code = point_at_mailbox();
    // again: inc eax; mov [rdi], eax; jmp again
    code.extend([0xff, 0xc0, 0x89, 0x07, 0xeb, 0xfa]);
    let guest = start(&code);
    guest.store();
    for _ in 0..20 {
        guest.vcpus.pause();
        guest.vcpus.pause();
        let still = guest.vcpus.instructions().unwrap();
        while guest.stores.try_recv().is_ok() {}
        assert_eq!(guest.vcpus.instructions().unwrap(), still);
        assert!(guest.stores.try_recv().is_err());
        let stands = guest.vcpus.stand_at()[0];
        assert!((CODE..CODE + 0x100).contains(&stands), "{stands:#x}");
        guest.vcpus.resume();
        guest.store();
    }
    assert!(!guest.vcpus.halted_for_good());
}

#[test]
#[ignore = "needs /dev/kvm"]
fn load_from_a_device_is_complete_when_paused() {
    let mut code = point_at_mailbox();
    // again: xor eax, eax; mov eax, [rdi]; mov [rdi+4], eax; jmp again
    code.extend([0x31, 0xc0, 0x8b, 0x07, 0x89, 0x47, 0x04, 0xeb, 0xf7]);
    let guest = start(&code);
    for _ in 0..50 {
        guest.vcpus.pause();
        guest.vcpus.resume();
        assert_eq!(guest.store(), (4, vec![0x88, 0x77, 0x66, 0x55]));
    }
}

#[test]
#[ignore = "needs /dev/kvm"]
fn machine_halted_with_interrupts_off_is_halted_for_good() {
    let mut code = point_at_mailbox();
    // mov [rdi], eax; cli; hlt
    code.extend([0x89, 0x07, 0xfa, 0xf4]);
    let guest = start(&code);
    guest.store();
    loop {
        guest.vcpus.pause();
        if guest.vcpus.halted_for_good() {
            break;
        }
        guest.vcpus.resume();
    }
    assert!(guest.events.try_recv().is_err());
}

#[test]
#[ignore = "needs /dev/kvm"]
fn second_vcpu_waits_and_is_no_obstacle_to_pause_and_stop() {
    let mut code = point_at_mailbox();
    // again: mov [rdi], eax; jmp again
    code.extend([0x89, 0x07, 0xeb, 0xfc]);
    let mut guest = run(loaded(&host(), 2, &code));
    guest.store();
    guest.vcpus.pause();
    assert_eq!(guest.vcpus.stand_at().len(), 2);
    guest.vcpus.resume();
    guest.vcpus.stop();
    guest.vcpus.stop();
    // Nothing is left that could stand still or go on, and nothing waits for it.
    guest.vcpus.pause();
    guest.vcpus.resume();
    while guest.stores.try_recv().is_ok() {}
    assert!(guest.stores.try_recv().is_err());
}

#[test]
#[ignore = "needs /dev/kvm"]
fn completed_instructions_give_what_a_cpu_gives() {
    let mut code = point_at_mailbox();
    // mov ecx, 0xf0f0; popcnt eax, ecx; mov [rdi], eax
    code.extend([0xb9, 0xf0, 0xf0, 0, 0, 0xf3, 0x0f, 0xb8, 0xc1, 0x89, 0x07]);
    // mov esi, 0x200000; mov ebx, 7; xor eax, eax; cdq; xor ecx, ecx; lock cmpxchg16b [rsi]; mov eax, [rsi]; mov [rdi], eax
    code.extend([
        0xbe, 0, 0, 0x20, 0, 0xbb, 7, 0, 0, 0, 0x31, 0xc0, 0x99, 0x31, 0xc9,
    ]);
    code.extend([0xf0, 0x48, 0x0f, 0xc7, 0x0e, 0x8b, 0x06, 0x89, 0x07]);
    code.extend(RESET);
    let guest = start(&code);
    assert_eq!(guest.store(), (0, vec![8, 0, 0, 0]));
    assert_eq!(guest.store(), (0, vec![7, 0, 0, 0]));
    assert_eq!(guest.end(), VcpuEvent::Reset);
}

#[test]
#[ignore = "needs /dev/kvm"]
fn extended_state_survives_save_and_restore() {
    let mut code = point_at_mailbox();
    // mov rax, cr4; or eax, 0x40600 (OSXSAVE, OSFXSR, OSXMMEXCPT); mov cr4, rax
    code.extend([
        0x0f, 0x20, 0xe0, 0x0d, 0x00, 0x06, 0x04, 0x00, 0x0f, 0x22, 0xe0,
    ]);
    // mov eax, 3; xor edx, edx; xor ecx, ecx; xsetbv
    code.extend([0xb8, 3, 0, 0, 0, 0x31, 0xd2, 0x31, 0xc9, 0x0f, 0x01, 0xd1]);
    // mov dword [0x200018], 0x1fa0 (MXCSR); mov dword [0x2000a0], 0x12345678 (XMM0); mov dword [0x200200], 2 (in use)
    code.extend([0xc7, 0x04, 0x25, 0x18, 0, 0x20, 0, 0xa0, 0x1f, 0, 0]);
    code.extend([0xc7, 0x04, 0x25, 0xa0, 0, 0x20, 0, 0x78, 0x56, 0x34, 0x12]);
    code.extend([0xc7, 0x04, 0x25, 0x00, 0x02, 0x20, 0, 2, 0, 0, 0]);
    // mov eax, 3; xrstor [0x200000]; xsave [0x201000]
    code.extend([
        0xb8, 3, 0, 0, 0, 0x48, 0x0f, 0xae, 0x2c, 0x25, 0, 0, 0x20, 0,
    ]);
    code.extend([0x48, 0x0f, 0xae, 0x24, 0x25, 0, 0x10, 0x20, 0]);
    // mov eax, [0x201018]; mov [rdi], eax; mov eax, [0x2010a0]; mov [rdi], eax
    code.extend([0x8b, 0x04, 0x25, 0x18, 0x10, 0x20, 0, 0x89, 0x07]);
    code.extend([0x8b, 0x04, 0x25, 0xa0, 0x10, 0x20, 0, 0x89, 0x07]);
    code.extend(RESET);
    let guest = start(&code);
    assert_eq!(guest.store(), (0, vec![0xa0, 0x1f, 0, 0]));
    assert_eq!(guest.store(), (0, vec![0x78, 0x56, 0x34, 0x12]));
    assert_eq!(guest.end(), VcpuEvent::Reset);
}

#[test]
#[ignore = "needs /dev/kvm"]
fn instruction_that_nobody_can_emulate_is_named() {
    if host().kind == KvmKind::Hardware {
        return;
    }
    // vpxor ymm0, ymm0, ymm0
    let guest = start(&[0xc5, 0xfd, 0xef, 0xc0]);
    let VcpuEvent::Failed(text) = guest.end() else {
        panic!("another end");
    };
    assert!(
        text.contains("rip 0x100000, bytes [c5, fd, ef, c0, "),
        "{text}"
    );
}

#[test]
#[ignore = "needs /dev/kvm"]
fn sizes_out_of_range_are_refused() {
    let host = host();
    let refusal = |vcpus, memory_mib| {
        let error = KvmVm::new(kvm(), &host, vcpus, memory_mib).unwrap_err();
        error.to_string()
    };
    let line = loaded(&host, 1, &RESET).irq_line(24).unwrap_err();
    assert_eq!(line.to_string(), "io-apic has no input 24");
    assert!(refusal(0, 64).starts_with("0 vcpus are not between 1 and "));
    assert!(refusal(33, 64).starts_with("33 vcpus are not between 1 and "));
    assert!(refusal(1, 63).starts_with("guest memory of 63 MiB is not between 64 and "));
}

#[test]
#[ignore = "needs /dev/kvm"]
fn descriptor_that_is_no_kvm_is_refused() {
    let null = File::open("/dev/null").unwrap();
    let error = KvmVm::new(null.into(), &host(), 1, MEMORY_MIB).unwrap_err();
    assert_eq!(error.to_string(), "kvm api version is -1, not 12");
}
