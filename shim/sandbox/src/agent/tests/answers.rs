//! Answers that no honest agent gives.

use husk_protocol::{
    PROTOCOL_VERSION,
    agent::{
        FailureKind, HelloResponse, InterfaceStats, ListProcessesResponse, ListedProcess,
        MemoryStats, StatsResponse, WaitResponse,
    },
    failure,
};
use ttrpc::Code;

use crate::agent::{AgentError, Refusal, answers, error::clean, stats};

fn hello(version: u32, release: &str) -> HelloResponse {
    HelloResponse {
        version,
        kernel_release: release.to_owned(),
        ..HelloResponse::default()
    }
}

#[test]
fn hello_of_the_same_version_is_taken() {
    let info = answers::hello(hello(PROTOCOL_VERSION, "6.12.1-husk")).unwrap();
    assert_eq!(info.kernel_release, "6.12.1-husk");
}

#[test]
fn hello_of_another_version_is_refused_by_number() {
    let error = answers::hello(hello(99, "x")).unwrap_err();
    assert!(error.to_string().contains("99"), "{error}");
}

#[test]
fn kernel_release_for_the_terminal_is_refused() {
    assert!(answers::hello(hello(PROTOCOL_VERSION, "\x1b[2J")).is_err());
    assert!(answers::hello(hello(PROTOCOL_VERSION, &"x".repeat(1000))).is_err());
}

#[test]
fn exit_code_beyond_255_is_refused() {
    let answer = |exit_code| WaitResponse {
        exit_code,
        ..WaitResponse::default()
    };
    assert_eq!(answers::wait(&answer(255)).unwrap().code, 255);
    assert!(answers::wait(&answer(256)).is_err());
}

#[test]
fn pid_zero_and_beyond_the_kernels_are_refused() {
    assert!(answers::created("Exec", 0, &[]).is_err());
    assert!(answers::created("Exec", u32::MAX, &[]).is_err());
    for pids in [[1, 0], [u32::MAX, 1]] {
        assert!(answers::processes(listed(&pids, "")).is_err());
    }
}

fn listed(pids: &[u32], exec_id: &str) -> ListProcessesResponse {
    let process = |&pid: &u32| ListedProcess {
        pid,
        exec_id: exec_id.to_owned(),
        ..ListedProcess::default()
    };
    ListProcessesResponse {
        processes: pids.iter().map(process).collect(),
        ..ListProcessesResponse::default()
    }
}

#[test]
fn exec_ids_are_bounded_and_cleaned() {
    let processes = answers::processes(listed(&[3], "a\x1bb")).unwrap();
    assert_eq!(processes[0].exec.as_deref(), Some("a b"));
    assert_eq!(answers::processes(listed(&[3], "")).unwrap()[0].exec, None);
    assert!(answers::processes(listed(&[3], &"x".repeat(77))).is_err());
}

#[test]
fn news_of_kills_without_a_new_kill_is_refused() {
    assert_eq!(answers::kills(1, 2).unwrap(), 2);
    assert!(answers::kills(2, 2).is_err());
    assert!(answers::kills(2, 1).is_err());
}

fn figures(names: impl IntoIterator<Item = String>) -> StatsResponse {
    let memory = MemoryStats {
        stat: names.into_iter().map(|name| (name, 1)).collect(),
        limit_bytes: Some(7),
        ..MemoryStats::default()
    };
    StatsResponse {
        memory: Some(memory).into(),
        ..StatsResponse::default()
    }
}

#[test]
fn figures_are_taken_and_missing_parts_stay_missing() {
    let stats = stats::stats(figures(["file_mapped".to_owned()])).unwrap();
    assert_eq!(stats.cpu, None);
    let memory = stats.memory.unwrap();
    assert_eq!(memory.stat["file_mapped"], 1);
    assert_eq!((memory.limit_bytes, memory.high_bytes), (Some(7), None));
}

#[test]
fn figures_for_the_terminal_or_without_bound_are_refused() {
    assert!(stats::stats(figures(["\x1b[2J".to_owned()])).is_err());
    assert!(stats::stats(figures(["x".repeat(65)])).is_err());
    assert!(stats::stats(figures((0..513).map(|number| number.to_string()))).is_err());
    let past = StatsResponse {
        read_at_seconds: -1,
        ..StatsResponse::default()
    };
    assert!(stats::stats(past).is_err());
}

#[test]
fn warnings_are_bounded_and_cleaned() {
    let warnings = vec!["a\nb\x1b".to_owned(); 1000];
    let created = answers::created("Exec", 5, &warnings).unwrap();
    assert_eq!(created.warnings.len(), 64);
    assert_eq!(created.warnings[0], "a b ");
}

#[test]
fn words_for_people_are_one_bounded_line() {
    let words = clean(&format!("no\n\x1b[31m{}", "x".repeat(10_000)));
    assert!(words.chars().all(|c| !c.is_control()));
    assert_eq!(words.chars().count(), 2048);
}

#[test]
fn kinds_of_no_are_told_apart() {
    let refusal = |kind| {
        let error = failure::with_kind(Code::NOT_FOUND, kind, "text".to_owned());
        match AgentError::from_rpc("Start", &error) {
            AgentError::Refused { refusal, .. } => refusal,
            other => panic!("{other}"),
        }
    };
    let not_found = FailureKind::FAILURE_KIND_COMMAND_NOT_FOUND;
    let not_executable = FailureKind::FAILURE_KIND_COMMAND_NOT_EXECUTABLE;
    assert_eq!(refusal(not_found), Refusal::CommandNotFound);
    assert_eq!(refusal(not_executable), Refusal::CommandNotExecutable);
    assert_eq!(refusal(FailureKind::FAILURE_KIND_DISK), Refusal::Other);
    let state = failure::plain(Code::FAILED_PRECONDITION, "c is stopped".to_owned());
    assert!(matches!(
        AgentError::from_rpc("Exec", &state),
        AgentError::Refused {
            refusal: Refusal::State,
            ..
        }
    ));
}

#[test]
fn interface_that_a_container_named_is_shown_harmlessly() {
    let named = |name: &str| StatsResponse {
        interfaces: vec![InterfaceStats {
            name: name.to_owned(),
            rx_bytes: 7,
            ..InterfaceStats::default()
        }],
        ..StatsResponse::default()
    };
    let stats = stats::stats(named("e\x1b[\u{fffd}0")).unwrap();
    assert_eq!(stats.interfaces[0].name, "e?[?0");
    assert_eq!(stats.interfaces[0].rx_bytes, 7);
    assert!(stats::stats(named(&"x".repeat(65))).is_err());
    let many = vec![InterfaceStats::default(); 1025];
    assert!(
        stats::stats(StatsResponse {
            interfaces: many,
            ..StatsResponse::default()
        })
        .is_err()
    );
}

#[test]
fn broken_connection_is_a_loss_and_a_refusal_is_none() {
    let broken = AgentError::from_rpc("Wait", &ttrpc::Error::RemoteClosed);
    assert!(broken.is_loss());
    let refused = failure::plain(Code::INTERNAL, "no".to_owned());
    assert!(!AgentError::from_rpc("Wait", &refused).is_loss());
}
