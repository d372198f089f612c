//! The one place where the kind of a failure is put into a ttrpc status, and read out of it again.
//!
//! The status code says what class of error it is (`NOT_FOUND`, `FAILED_PRECONDITION`, ...), the message is one line
//! for people, and where the host must act on more than the code, a [`Failure`] rides in the status' details.

use protobuf::{EnumOrUnknown, Message};
use ttrpc::{Code, Error, Status};

use crate::agent::{Failure, FailureKind};

/// Type URL of the detail.
const TYPE_URL: &str = "husk.agent.v1.Failure";

/// A status without a detail, as the error that a ttrpc handler returns.
#[must_use]
pub fn plain(code: Code, message: String) -> Error {
    Error::RpcStatus(ttrpc::get_status(code, message))
}

/// A status that carries a kind.
#[must_use]
pub fn with_kind(code: Code, kind: FailureKind, message: String) -> Error {
    let mut status = ttrpc::get_status(code, message);
    let failure = Failure {
        kind: EnumOrUnknown::new(kind),
        ..Failure::default()
    };
    let mut detail = ttrpc::proto::Any::new();
    detail.type_url = TYPE_URL.to_owned();
    // A message of one enum field always encodes; an empty value would read as "unspecified".
    detail.value = failure.write_to_bytes().unwrap_or_default();
    status.details.push(detail);
    Error::RpcStatus(status)
}

/// The kind that a status carries, if it carries one that is known.
#[must_use]
pub fn kind_of(status: &Status) -> Option<FailureKind> {
    status
        .details
        .iter()
        .find(|detail| detail.type_url == TYPE_URL)
        .and_then(|detail| Failure::parse_from_bytes(&detail.value).ok())
        .and_then(|failure| failure.kind.enum_value().ok())
        .filter(|kind| *kind != FailureKind::FAILURE_KIND_UNSPECIFIED)
}

#[cfg(test)]
mod tests;
