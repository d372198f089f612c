//! Containers that stand still.

use husk_protocol::agent::{
    DeleteRequest, PauseRequest, ProcessState, ResumeRequest, SignalRequest, StateRequest,
    StreamKind,
};
use tokio::io::AsyncReadExt;

use crate::harness::{Guest, context, create, exec, refusal};

async fn pause(guest: &Guest) {
    let request = PauseRequest {
        container_id: "c".into(),
        ..PauseRequest::default()
    };
    guest.calls.pause(context(), &request).await.unwrap();
}

async fn resume(guest: &Guest) {
    let request = ResumeRequest {
        container_id: "c".into(),
        ..ResumeRequest::default()
    };
    guest.calls.resume(context(), &request).await.unwrap();
}

async fn state(guest: &Guest) -> ProcessState {
    let request = StateRequest {
        container_id: "c".into(),
        ..StateRequest::default()
    };
    let state = guest.calls.state(context(), &request).await.unwrap();
    state.state.enum_value().unwrap()
}

#[tokio::test]
async fn paused_container_stands_still_until_it_is_resumed() {
    let guest = Guest::boot().await;
    let script = "trap 'echo term; exit 3' TERM; while :; do echo on; done";
    guest.run(&create("c", &["sh", "-c", script])).await;
    let mut output = guest.stream("c", "", StreamKind::STREAM_KIND_STDOUT).await;
    output.read_u8().await.unwrap();
    pause(&guest).await;
    pause(&guest).await;
    assert_eq!(state(&guest).await, ProcessState::PROCESS_STATE_PAUSED);
    let refused = refusal(guest.calls.exec(context(), &exec("e", &["true"])).await);
    assert_eq!(refused.message, "container c is paused");
    // It gets the signal, and does with it what it does when it goes on.
    let terminate = SignalRequest {
        container_id: "c".into(),
        signal: 15,
        all: true,
        ..SignalRequest::default()
    };
    guest.calls.signal(context(), &terminate).await.unwrap();
    assert_eq!(state(&guest).await, ProcessState::PROCESS_STATE_PAUSED);
    resume(&guest).await;
    let mut rest = String::new();
    output.read_to_string(&mut rest).await.unwrap();
    assert!(rest.ends_with("term\n"));
    assert_eq!(guest.wait("c", "").await.exit_code, 3);
    let late = PauseRequest {
        container_id: "c".into(),
        ..PauseRequest::default()
    };
    let refused = refusal(guest.calls.pause(context(), &late).await);
    assert_eq!(refused.message, "container c is stopped");
}

#[tokio::test]
async fn paused_container_can_be_deleted() {
    let guest = Guest::boot().await;
    guest.run(&create("c", &["sleep", "1000"])).await;
    pause(&guest).await;
    let request = DeleteRequest {
        container_id: "c".into(),
        ..DeleteRequest::default()
    };
    guest.calls.delete(context(), &request).await.unwrap();
}
