//! Tests of the framing.

use proptest::prelude::*;

use super::{FrameError, LENGTH_BYTES, MAX_BODY_BYTES, body_len, encode, parse};
use crate::agent::{StreamKind, StreamOpen, StreamOpened};

#[test]
fn stream_open_round_trip_keeps_fields() {
    let sent = StreamOpen {
        container_id: "c1".into(),
        exec_id: "e1".into(),
        kind: StreamKind::STREAM_KIND_STDOUT.into(),
        ..StreamOpen::default()
    };
    let frame = encode(&sent).unwrap();
    let (length, body) = frame.split_first_chunk::<LENGTH_BYTES>().unwrap();
    assert_eq!(body_len(*length).unwrap(), body.len());
    assert_eq!(parse::<StreamOpen>(body).unwrap(), sent);
}

#[test]
fn error_longer_than_limit_is_refused_by_encode() {
    let sent = StreamOpened {
        error: "x".repeat(MAX_BODY_BYTES),
        ..StreamOpened::default()
    };
    assert!(matches!(encode(&sent), Err(FrameError::TooLong(_))));
}

proptest! {
    #[test]
    fn any_length_is_bounded_or_refused(length in any::<[u8; LENGTH_BYTES]>()) {
        match body_len(length) {
            Ok(wanted) => prop_assert!(wanted <= MAX_BODY_BYTES),
            Err(FrameError::TooLong(wanted)) => prop_assert!(wanted > MAX_BODY_BYTES),
            Err(other) => prop_assert!(false, "unexpected {other}"),
        }
    }

    #[test]
    fn any_body_parses_or_fails_without_panic(body in prop::collection::vec(any::<u8>(), 0..256)) {
        let _ = parse::<StreamOpen>(&body);
    }
}
