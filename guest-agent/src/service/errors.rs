//! The one translation table from the agent's errors to ttrpc statuses.

use std::error::Error;

use husk_protocol::{agent::FailureKind, failure};
use ttrpc::Code;

use crate::{
    container::ContainerError,
    guest::DiskError,
    process::{FailureClass, LaunchError},
    resources::ResourceError,
};

/// The status of an error, its text followed by its causes.
pub(super) fn status(error: &ContainerError) -> ttrpc::Error {
    let (code, kind) = classify(error);
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    match kind {
        Some(kind) => failure::with_kind(code, kind, text),
        None => failure::plain(code, text),
    }
}

fn classify(error: &ContainerError) -> (Code, Option<FailureKind>) {
    match error {
        ContainerError::NotFound(_) => (Code::NOT_FOUND, None),
        ContainerError::Exists(_) => (Code::ALREADY_EXISTS, None),
        ContainerError::State { .. } => (Code::FAILED_PRECONDITION, None),
        ContainerError::Invalid(_) => (Code::INVALID_ARGUMENT, None),
        ContainerError::Unsupported(_) => (
            Code::UNIMPLEMENTED,
            Some(FailureKind::FAILURE_KIND_UNSUPPORTED),
        ),
        ContainerError::UnknownUser(_) => (
            Code::INVALID_ARGUMENT,
            Some(FailureKind::FAILURE_KIND_UNKNOWN_USER),
        ),
        ContainerError::Resources(ResourceError::Unsupported(_)) => (
            Code::UNIMPLEMENTED,
            Some(FailureKind::FAILURE_KIND_UNSUPPORTED),
        ),
        ContainerError::Resources(ResourceError::Io { .. }) => (Code::INTERNAL, None),
        ContainerError::Resources(_) => (Code::INVALID_ARGUMENT, None),
        ContainerError::Disk(DiskError::InvalidSerial(_)) => (Code::INVALID_ARGUMENT, None),
        ContainerError::Disk(_) | ContainerError::Mount { .. } => (
            Code::FAILED_PRECONDITION,
            Some(FailureKind::FAILURE_KIND_DISK),
        ),
        ContainerError::Launch(LaunchError::Failed { class, .. }) => of_class(*class),
        ContainerError::Launch(_) | ContainerError::Io { .. } => (Code::INTERNAL, None),
        ContainerError::Unprepared(_) => (Code::UNAVAILABLE, None),
    }
}

fn of_class(class: FailureClass) -> (Code, Option<FailureKind>) {
    match class {
        FailureClass::CommandNotFound => (
            Code::NOT_FOUND,
            Some(FailureKind::FAILURE_KIND_COMMAND_NOT_FOUND),
        ),
        FailureClass::CommandNotExecutable => (
            Code::PERMISSION_DENIED,
            Some(FailureKind::FAILURE_KIND_COMMAND_NOT_EXECUTABLE),
        ),
        FailureClass::Other => (Code::INTERNAL, None),
    }
}

#[cfg(test)]
mod tests;
