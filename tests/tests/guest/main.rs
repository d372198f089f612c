//! Checks that share one guest: the machine boots once, every check runs containers in it, and at the end nothing may be left.
#![allow(
    clippy::unwrap_used,
    reason = "a check that fails panics; the lint knows tests only by their attribute"
)]

mod confinement;
mod container;
mod memory;
mod network;
mod oci;
mod options;
mod pods;
mod privileges;
mod running;
mod streams;

use std::{process::ExitCode, sync::Arc};

use husk_sandbox::spec::Shape;
use husk_tests::guest::Guest;
use libtest_mimic::{Arguments, Trial};

/// A check: it panics when it does not hold.
type Check = fn(&Guest);

const CHECKS: &[(&str, Check)] = &[
    (
        "options_and_image_configuration_become_the_container",
        options::become_the_container,
    ),
    ("r24_exit_codes_come_back_exactly", container::exit_codes),
    (
        "r106_command_missing_or_not_executable_is_told_apart",
        container::bad_commands,
    ),
    (
        "r106_environment_directory_and_user_are_the_specs",
        container::process_fields,
    ),
    (
        "r44_entrypoint_is_pid_1_and_sees_nobody_else",
        container::pid_namespace,
    ),
    ("r131_exec_has_its_own_code_and_output", container::exec),
    ("r25_kill_reaches_the_process", container::kill),
    ("r92_scratch_disk_is_limited", container::scratch_limit),
    ("r127_streams_are_apart_and_exact", streams::apart),
    ("r127_sixteen_mib_out_without_loss", streams::bulk_out),
    ("sixteen_mib_in_without_loss", streams::bulk_in),
    ("lost_stream_is_taken_up_again", streams::taken_up_again),
    ("r11_vmm_is_confined", confinement::vmm_process),
    (
        "control_socket_opens_again_and_pauses",
        confinement::control_socket,
    ),
    ("t8_container_reaches_nobody_by_vsock", confinement::vsock),
    (
        "r72_r18_filter_and_capability_sets_are_the_specs",
        privileges::status,
    ),
    (
        "r49_user_namespace_has_its_ids_files_and_network",
        privileges::namespace,
    ),
    ("network_carries_tcp_both_ways", network::both_ways),
    (
        "r66_memory_kill_is_told_of_children_and_of_the_first_process",
        running::children_and_the_first_process,
    ),
    (
        "r52_r61_containers_of_a_pod_share_what_they_ask_for",
        pods::share,
    ),
    (
        "r50_r57_r58_r61_limits_change_figures_are_whole_and_all_stands_still",
        running::limits_figures_and_standstill,
    ),
    ("unused_memory_goes_back_to_the_host", memory::given_back),
    (
        "r50_r51_r70_strongest_container_has_the_guest_and_no_more",
        confinement::strongest,
    ),
    ("r60_r80_only_the_devices_of_the_rules_open", oci::devices),
    ("r12_r15_r18_every_field_is_seen_from_inside", oci::fields),
    ("r69_mounts_have_their_options_and_propagation", oci::mounts),
    ("r66_r67_t7_greed_stays_in_its_container", running::greed),
];

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    if std::env::var_os("HUSK_SKIP_KVM").is_some_and(|value| value == "1") {
        eprintln!("left out: HUSK_SKIP_KVM=1");
        return ExitCode::SUCCESS;
    }
    if arguments.list {
        return libtest_mimic::run(&arguments, Vec::new()).exit_code();
    }
    // The figures of one check would hold those of its neighbours.
    arguments.test_threads = Some(1);
    let guest = match Guest::boot(Shape {
        vcpus: 1,
        memory_mib: 512,
    }) {
        Ok(guest) => Arc::new(guest),
        Err(error) => {
            eprintln!("the shared guest does not boot: {error:#}");
            return ExitCode::FAILURE;
        }
    };
    let trial = |(name, check): &(&'static str, Check)| {
        let (guest, check) = (Arc::clone(&guest), *check);
        Trial::test(*name, move || {
            let before = confinement::metrics(&guest).instructions;
            check(&guest);
            let spent = confinement::metrics(&guest).instructions - before;
            eprintln!("{spent} guest-kernel instructions");
            Ok(())
        })
    };
    let conclusion = libtest_mimic::run(&arguments, CHECKS.iter().map(trial).collect());
    let code = conclusion.exit_code();
    match Arc::try_unwrap(guest).map(Guest::end) {
        Ok(Ok((_, left))) if left.is_empty() => code,
        Ok(Ok((_, left))) => {
            eprintln!("left behind: {left:?}");
            ExitCode::FAILURE
        }
        Ok(Err(error)) => {
            eprintln!("the shared guest does not end: {error:#}");
            ExitCode::FAILURE
        }
        Err(_) => {
            eprintln!("a check still holds the shared guest");
            ExitCode::FAILURE
        }
    }
}
