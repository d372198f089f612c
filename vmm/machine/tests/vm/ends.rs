//! Each way in which a machine ends, with its reason and exit code.

use husk_machine::api::control::Stage;
use husk_machine::api::{Command, ExitReason, ExitReport, Reply};

use crate::harness::{Setup, guest, without_kvm};

fn end_of(code: &[u8]) -> (ExitReport, i32) {
    let mut vm = Setup::code(code).launch();
    vm.started();
    vm.end()
}

#[test]
fn reset_line_ends_in_order() {
    if without_kvm() {
        return;
    }
    let (report, code) = end_of(guest::RESET);
    assert_eq!((report.reason, code), (ExitReason::GuestReset, 0));
    let stages: Vec<_> = report
        .metrics
        .stages
        .iter()
        .map(|mark| mark.stage)
        .collect();
    assert_eq!(stages, [Stage::VmmStart, Stage::GuestStart]);
    assert!(report.metrics.setup_cpu_us > 0);
    assert!(report.metrics.vcpu_exits > 0);
    let times: Vec<_> = report
        .metrics
        .stages
        .iter()
        .map(|mark| mark.at_us)
        .collect();
    assert!(times.is_sorted() && report.metrics.at_us >= times[1]);
}

#[test]
fn triple_fault_is_told_from_a_reset() {
    if without_kvm() {
        return;
    }
    let (report, code) = end_of(guest::TRIPLE_FAULT);
    assert_eq!((report.reason, code), (ExitReason::TripleFault, 12));
}

#[test]
fn halt_with_interrupts_off_is_noticed() {
    if without_kvm() {
        return;
    }
    let (report, code) = end_of(guest::HALT);
    assert_eq!((report.reason, code), (ExitReason::GuestHalt, 10));
}

#[test]
fn halt_beside_vcpus_that_were_never_started_is_noticed() {
    if without_kvm() {
        return;
    }
    let mut setup = Setup::code(guest::HALT);
    setup.config.vcpus = 3;
    let (report, code) = setup.launch().end();
    assert_eq!((report.reason, code), (ExitReason::GuestHalt, 10));
}

#[test]
fn halt_on_the_console_is_noticed() {
    if without_kvm() {
        return;
    }
    let code = guest::say("[    9.1] reboot: System halted\r\n", guest::SPIN);
    let (report, code) = end_of(&code);
    assert_eq!((report.reason, code), (ExitReason::GuestHalt, 10));
    assert_eq!(report.console_tail, "[    9.1] reboot: System halted\n");
}

#[test]
fn panic_is_named_whether_the_kernel_resets_or_hangs() {
    if without_kvm() {
        return;
    }
    for rest in [guest::RESET, guest::SPIN, guest::HALT] {
        let text = "hello\n[    1.0] Kernel panic - not syncing: no working init found.\n---[ end";
        let (report, code) = end_of(&guest::say(text, rest));
        let words = "Kernel panic - not syncing: no working init found.".to_owned();
        assert_eq!((report.reason, code), (ExitReason::GuestPanic(words), 11));
        assert_eq!(report.console_tail, text);
    }
}

#[test]
fn console_tail_is_its_last_16_kib() {
    if without_kvm() {
        return;
    }
    let text = format!("{}the end", "0123456789abcde\n".repeat(1200));
    let (report, _) = end_of(&guest::say(&text, guest::RESET));
    assert_eq!(report.console_tail.len(), 16 << 10);
    assert!(text.ends_with(&report.console_tail));
}

#[test]
fn stop_ends_a_guest_that_runs_or_stands_still() {
    if without_kvm() {
        return;
    }
    for before in [None, Some(Command::Pause)] {
        let mut vm = Setup::code(guest::SPIN).launch();
        vm.started();
        if let Some(command) = before {
            assert_eq!(vm.client.ask(command), Reply::Done);
        }
        assert_eq!(vm.client.ask(Command::Stop), Reply::Done);
        let (report, code) = vm.end();
        assert_eq!((report.reason, code), (ExitReason::Stopped, 0));
    }
}

#[test]
fn several_vcpus_end_together() {
    if without_kvm() {
        return;
    }
    let mut setup = Setup::code(guest::RESET);
    setup.config.vcpus = 4;
    let (report, code) = setup.launch().end();
    assert_eq!((report.reason, code), (ExitReason::GuestReset, 0));
}
