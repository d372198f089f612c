//! What a guest kernel is told about its host.

use super::{add_boot_words, tick_stretch};
use crate::api::config::{HostKvm, KvmKind};
use crate::boot::{Cmdline, CmdlineError};

fn words(kind: KvmKind, ns_per_instruction: u32) -> String {
    let mut line = Cmdline::new();
    let host = HostKvm {
        kind,
        ns_per_instruction,
    };
    add_boot_words(&host, &mut line).unwrap();
    line.as_str().to_owned()
}

#[test]
fn hardware_needs_no_words() {
    assert_eq!(words(KvmKind::Hardware, 0), "");
}

#[test]
fn interpreting_host_gets_syscalls_and_hidden_features() {
    let line = words(KvmKind::Interpreting, 100);
    assert!(line.starts_with("cpl3_syscall clearcpuid=cx16,"), "{line}");
    // XCR0 would stay active in user code, its registers unsaved.
    assert!(!line.contains("noxsave"));
    assert!(!line.contains("tick_stretch"));
}

#[test]
fn ticks_are_rarer_on_slower_hosts_within_limits() {
    let stretches: Vec<_> = [1, 100, 230, 800, 3_000, u32::MAX].map(tick_stretch).into();
    assert!(stretches.is_sorted(), "{stretches:?}");
    assert_eq!(stretches.first(), Some(&1));
    assert_eq!(stretches.last(), Some(&12));
    assert!(words(KvmKind::Interpreting, 3_000).ends_with("tick_stretch=12"));
}

#[test]
fn word_that_is_there_already_is_refused() {
    let mut line = Cmdline::new();
    line.word("clearcpuid=sse").unwrap();
    let host = HostKvm {
        kind: KvmKind::Interpreting,
        ns_per_instruction: 800,
    };
    let refused = add_boot_words(&host, &mut line);
    assert_eq!(
        refused,
        Err(CmdlineError::Duplicate("clearcpuid".to_owned()))
    );
}
