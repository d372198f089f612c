//! Answers that no honest agent gives.

use husk_protocol::{
    PROTOCOL_VERSION,
    agent::{FailureKind, HelloResponse, ListProcessesResponse, WaitResponse},
    failure,
};
use ttrpc::Code;

use crate::agent::{AgentError, Refusal, answers, error::clean};

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
    let list = ListProcessesResponse {
        pids: vec![1, 0],
        ..ListProcessesResponse::default()
    };
    assert!(answers::pids(list).is_err());
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
}

#[test]
fn broken_connection_is_a_loss_and_a_refusal_is_none() {
    let broken = AgentError::from_rpc("Wait", &ttrpc::Error::RemoteClosed);
    assert!(broken.is_loss());
    let refused = failure::plain(Code::INTERNAL, "no".to_owned());
    assert!(!AgentError::from_rpc("Wait", &refused).is_loss());
}
