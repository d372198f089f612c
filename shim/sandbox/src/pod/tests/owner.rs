//! The owner between its peers: what doors are told when things go well, when the agent says no or lies, and when the
//! machine ends.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};

use super::peers::{Played, container, play};
use crate::{
    agent::{ProcessId, Reach, Refusal},
    pod::PodError,
};

async fn running(played: &Played) -> ProcessId {
    played.pod.ready().await.unwrap();
    played.pod.create(container("c")).await.unwrap();
    played.pod.start("c").await.unwrap();
    ProcessId::init("c")
}

fn kill_vmm(played: &Played) {
    let pid = Pid::from_raw(i32::try_from(played.vmm).unwrap()).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
}

#[tokio::test]
async fn container_that_ends_gives_its_code_and_the_pod_leaves_nothing() {
    let played = play().await;
    let info = played.pod.ready().await.unwrap();
    assert_eq!(info.kernel_release, "6.12-played");
    let process = running(&played).await;
    played.finish.notify_one();
    let exit = played.pod.wait(&process).await.unwrap();
    assert_eq!(exit.code, 42);
    let end = played.pod.end().await.unwrap();
    assert!(end.is_asked_for(), "{end}");
    assert_eq!(end.leftovers, Vec::<String>::new());
    assert!(!played.run.path().join("played").exists());
    // And once more: the same end.
    assert_eq!(played.pod.end().await.unwrap().to_string(), end.to_string());
}

#[tokio::test]
async fn signal_reaches_the_agent() {
    let played = play().await;
    let process = running(&played).await;
    let sent = played.pod.signal(&process, 15, Reach::One).await;
    sent.unwrap();
    assert_eq!(played.pod.wait(&process).await.unwrap().code, 42);
    played.pod.end().await.unwrap();
}

#[tokio::test]
async fn killed_machine_is_137_for_who_runs_and_an_error_for_who_asks() {
    let played = play().await;
    let process = running(&played).await;
    kill_vmm(&played);
    let exit = played.pod.wait(&process).await.unwrap();
    assert_eq!(exit.code, 137);
    let machine = exit.machine.unwrap();
    assert!(!machine.is_asked_for());
    assert!(machine.to_string().contains("signal 9"), "{machine}");
    let error = played.pod.create(container("d")).await.unwrap_err();
    assert!(matches!(error, PodError::MachineEnded(_)), "{error}");
    assert_eq!(fs::read_dir(played.run.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn command_that_is_not_there_is_told_apart_and_the_pod_lives_on() {
    let played = play().await;
    played.pod.ready().await.unwrap();
    played.pod.create(container("missing")).await.unwrap();
    let error = played.pod.start("missing").await.unwrap_err();
    assert_eq!(error.refusal(), Some(Refusal::CommandNotFound));
    let missing = ProcessId::init("missing");
    assert_eq!(played.pod.wait(&missing).await.unwrap().code, 127);
    running(&played).await;
    played.pod.end().await.unwrap();
}

#[tokio::test]
async fn agent_that_lies_ends_its_machine() {
    let played = play().await;
    played.pod.ready().await.unwrap();
    let error = played.pod.create(container("liar")).await.unwrap_err();
    match error {
        PodError::MachineEnded(end) => {
            assert!(end.to_string().contains("pid 4294967295"), "{end}");
        }
        other => panic!("{other}"),
    }
    let end = played.pod.end().await.unwrap();
    assert!(!end.is_asked_for());
}

#[tokio::test]
async fn wishes_out_of_turn_are_refused_by_name() {
    let played = play().await;
    played.pod.ready().await.unwrap();
    let error = played.pod.start("c").await.unwrap_err().to_string();
    assert_eq!(error, "container c is absent: cannot start it");
    let process = running(&played).await;
    let error = played.pod.create(container("c")).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "container c is running: cannot create it"
    );
    let error = played.pod.delete(&process).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "container c is running: cannot delete it"
    );
    played.pod.end().await.unwrap();
}
