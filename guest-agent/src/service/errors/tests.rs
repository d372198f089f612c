//! Tests of the table.

use std::io;

use husk_protocol::{agent::FailureKind, failure::kind_of};
use ttrpc::{Code, Error, Status};

use super::status;
use crate::{
    container::ContainerError,
    process::{FailureClass, LaunchError},
};

fn status_of(error: &ContainerError) -> Status {
    match status(error) {
        Error::RpcStatus(status) => status,
        other => panic!("not a status: {other}"),
    }
}

fn failed(class: FailureClass) -> Status {
    status_of(&ContainerError::Launch(LaunchError::Failed {
        class,
        text: "exec: \"x\": no".into(),
    }))
}

#[test]
fn missing_command_is_told_apart_from_missing_container() {
    let command = failed(FailureClass::CommandNotFound);
    assert_eq!(
        kind_of(&command),
        Some(FailureKind::FAILURE_KIND_COMMAND_NOT_FOUND)
    );
    assert_eq!(command.message, "exec: \"x\": no");
    let container = status_of(&ContainerError::NotFound("container a".into()));
    assert_eq!(container.code.enum_value(), Ok(Code::NOT_FOUND));
    assert_eq!(kind_of(&container), None);
}

#[test]
fn command_that_cannot_run_has_its_own_kind() {
    assert_eq!(
        kind_of(&failed(FailureClass::CommandNotExecutable)),
        Some(FailureKind::FAILURE_KIND_COMMAND_NOT_EXECUTABLE)
    );
}

#[test]
fn causes_are_part_of_the_message_once() {
    let error = ContainerError::Mount {
        what: "disk img1 as erofs".into(),
        source: io::Error::from_raw_os_error(libc::EINVAL),
    };
    let message = status_of(&error).message;
    assert_eq!(
        message,
        "mount disk img1 as erofs: Invalid argument (os error 22)"
    );
}
