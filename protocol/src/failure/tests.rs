//! Tests of the kind in a status.

use ttrpc::{Code, Error, Status};

use super::{TYPE_URL, kind_of, plain, with_kind};
use crate::agent::FailureKind;

fn status(error: Error) -> Status {
    match error {
        Error::RpcStatus(status) => status,
        other => panic!("not a status: {other}"),
    }
}

#[test]
fn kind_put_into_status_is_read_back() {
    let status = status(with_kind(
        Code::NOT_FOUND,
        FailureKind::FAILURE_KIND_COMMAND_NOT_FOUND,
        "no such command".into(),
    ));
    assert_eq!(
        kind_of(&status),
        Some(FailureKind::FAILURE_KIND_COMMAND_NOT_FOUND)
    );
    assert_eq!(status.message, "no such command");
}

#[test]
fn plain_status_has_no_kind() {
    assert_eq!(kind_of(&status(plain(Code::INTERNAL, String::new()))), None);
}

#[test]
fn malformed_detail_has_no_kind() {
    let mut status = status(plain(Code::INTERNAL, String::new()));
    let mut detail = ttrpc::proto::Any::new();
    detail.type_url = TYPE_URL.into();
    detail.value = vec![0xff; 3];
    status.details.push(detail);
    assert_eq!(kind_of(&status), None);
}
