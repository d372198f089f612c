//! The guest half of a stream, by headers alone.

use crate::vsock::packet::{HOST_CID, Header, SHUT_BOTH, SHUT_RECEIVE, SHUT_SEND, TYPE_STREAM, op};
use crate::vsock::stream::{Connection, Next, Verdict};

const BUFFER: u32 = 64 * 1024;

fn packet(op: u16, len: u32, flags: u32) -> Header {
    Header {
        src_cid: 3,
        dst_cid: HOST_CID,
        src_port: 1024,
        dst_port: 99,
        len,
        kind: TYPE_STREAM,
        op,
        flags,
        buf_alloc: 1000,
        fwd_cnt: 0,
    }
}

fn said(connection: &mut Connection, has_data: bool) -> Option<(u16, u32)> {
    match connection.next(has_data) {
        Next::Control(header) => Some((header.op, header.flags)),
        Next::Idle => None,
        Next::Data(limit) => panic!("{limit} bytes of data"),
    }
}

fn asked() -> Connection {
    let mut connection = Connection::new(3, 1024, 99, BUFFER);
    assert_eq!(said(&mut connection, true), Some((op::REQUEST, 0)));
    connection
}

fn open() -> Connection {
    let mut connection = asked();
    assert_eq!(
        connection.on_packet(&packet(op::RESPONSE, 0, 0)),
        Verdict::Accepted
    );
    connection
}

#[test]
fn request_unanswered_says_nothing_more() {
    let mut connection = asked();
    assert_eq!(said(&mut connection, true), None);
    assert!(!connection.has_next(true));
}

#[test]
fn unasked_stream_is_unknown_to_the_guest() {
    let mut connection = Connection::new(3, 1024, 99, BUFFER);
    assert_eq!(
        connection.on_packet(&packet(op::RESPONSE, 0, 0)),
        Verdict::Unknown
    );
    connection.shut(SHUT_BOTH);
    assert!(connection.is_over());
}

#[test]
fn asked_guest_may_refuse_or_answer_nonsense() {
    let mut connection = asked();
    assert_eq!(
        connection.on_packet(&packet(op::RST, 0, 0)),
        Verdict::Refused
    );
    assert!(connection.is_over());
    for op in [op::REQUEST, op::RW, op::SHUTDOWN, op::CREDIT_UPDATE, 0, 77] {
        let mut connection = asked();
        assert_eq!(connection.on_packet(&packet(op, 0, 0)), Verdict::Broken);
        assert_eq!(said(&mut connection, true), Some((op::RST, 0)));
        assert!(connection.is_over());
    }
}

#[test]
fn client_gone_before_the_answer_takes_the_request_back() {
    let mut connection = asked();
    connection.shut(SHUT_BOTH);
    assert_eq!(said(&mut connection, false), Some((op::RST, 0)));
    assert!(connection.is_over());
}

#[test]
fn data_stays_within_the_guests_credit() {
    let mut connection = open();
    assert_eq!(connection.next(true), Next::Data(1000));
    connection.data(600);
    assert_eq!(connection.next(true), Next::Data(400));
    connection.data(400);
    assert_eq!(said(&mut connection, true), Some((op::CREDIT_REQUEST, 0)));
    assert_eq!(said(&mut connection, true), None);
    let mut update = packet(op::CREDIT_UPDATE, 0, 0);
    update.fwd_cnt = 300;
    assert_eq!(connection.on_packet(&update), Verdict::Settled);
    assert_eq!(connection.next(true), Next::Data(300));
}

#[test]
fn guest_that_volunteers_credit_is_not_asked_for_it() {
    let mut connection = open();
    connection.on_packet(&packet(op::CREDIT_UPDATE, 0, 0));
    connection.data(1000);
    assert_eq!(said(&mut connection, true), None);
}

#[test]
fn credit_that_runs_backwards_or_ahead_is_not_believed() {
    let mut connection = open();
    connection.data(500);
    let mut update = packet(op::CREDIT_UPDATE, 0, 0);
    update.fwd_cnt = 200;
    connection.on_packet(&update);
    assert_eq!(connection.next(true), Next::Data(700));
    for lie in [100, 501, u32::MAX, 1 << 31] {
        update.fwd_cnt = lie;
        connection.on_packet(&update);
        assert_eq!(connection.next(true), Next::Data(700), "fwd_cnt {lie}");
    }
    // A window that shrinks below what is on its way leaves nothing.
    update.fwd_cnt = 200;
    update.buf_alloc = 100;
    connection.on_packet(&update);
    assert_ne!(connection.next(true), Next::Data(0));
    assert!(!matches!(connection.next(true), Next::Data(_)));
}

#[test]
fn data_beyond_our_promise_breaks_the_stream() {
    let mut connection = open();
    assert_eq!(
        connection.on_packet(&packet(op::RW, BUFFER, 0)),
        Verdict::Deliver
    );
    assert_eq!(connection.on_packet(&packet(op::RW, 1, 0)), Verdict::Broken);
    assert_eq!(said(&mut connection, true), Some((op::RST, 0)));
}

#[test]
fn credit_is_told_when_little_is_left_and_much_came_free() {
    let mut connection = open();
    connection.on_packet(&packet(op::RW, BUFFER / 2, 0));
    connection.forwarded(usize::try_from(BUFFER / 2).unwrap());
    assert_eq!(said(&mut connection, false), None);
    connection.on_packet(&packet(op::RW, BUFFER / 4, 0));
    assert_eq!(said(&mut connection, false), Some((op::CREDIT_UPDATE, 0)));
    assert_eq!(said(&mut connection, false), None);
}

#[test]
fn credit_request_is_always_answered() {
    let mut connection = open();
    connection.on_packet(&packet(op::CREDIT_REQUEST, 0, 0));
    let Next::Control(header) = connection.next(false) else {
        panic!("no answer");
    };
    assert_eq!((header.op, header.buf_alloc), (op::CREDIT_UPDATE, BUFFER));
    assert_eq!(said(&mut connection, false), None);
}

#[test]
fn host_half_close_is_told_once_and_then_the_other_half() {
    let mut connection = open();
    connection.shut(SHUT_SEND);
    assert_eq!(
        said(&mut connection, false),
        Some((op::SHUTDOWN, SHUT_SEND))
    );
    assert_eq!(said(&mut connection, false), None);
    assert_eq!(
        connection.on_packet(&packet(op::RW, 5, 0)),
        Verdict::Deliver
    );
    connection.shut(SHUT_RECEIVE);
    assert_eq!(
        said(&mut connection, false),
        Some((op::SHUTDOWN, SHUT_BOTH))
    );
    assert!(connection.is_closing());
    // What was under way is let pass; the reset ends it.
    assert_eq!(
        connection.on_packet(&packet(op::RW, 5, 0)),
        Verdict::Settled
    );
    assert_eq!(
        connection.on_packet(&packet(op::RST, 0, 0)),
        Verdict::Finished
    );
    assert!(connection.is_over());
}

#[test]
fn guest_full_shutdown_in_one_or_two_packets_is_answered_by_reset() {
    for steps in [vec![SHUT_BOTH], vec![SHUT_SEND, SHUT_RECEIVE]] {
        let mut connection = open();
        let (last, first) = steps.split_last().unwrap();
        for flags in first {
            assert_eq!(
                connection.on_packet(&packet(op::SHUTDOWN, 0, *flags)),
                Verdict::Shut(*flags)
            );
        }
        assert_eq!(
            connection.on_packet(&packet(op::SHUTDOWN, 0, *last)),
            Verdict::Finished
        );
        assert_eq!(said(&mut connection, true), Some((op::RST, 0)));
        assert!(connection.is_over());
    }
}

#[test]
fn both_sides_shutting_down_at_once_end_with_one_reset() {
    let mut connection = open();
    connection.shut(SHUT_BOTH);
    said(&mut connection, false);
    assert_eq!(
        connection.on_packet(&packet(op::SHUTDOWN, 0, SHUT_BOTH)),
        Verdict::Finished
    );
    assert_eq!(said(&mut connection, false), Some((op::RST, 0)));
}

#[test]
fn guest_that_sends_after_its_own_end_breaks_the_stream() {
    let mut connection = open();
    connection.on_packet(&packet(op::SHUTDOWN, 0, SHUT_SEND));
    assert_eq!(connection.on_packet(&packet(op::RW, 1, 0)), Verdict::Broken);
}

#[test]
fn guest_that_receives_no_more_is_sent_nothing() {
    let mut connection = open();
    connection.on_packet(&packet(op::SHUTDOWN, 0, SHUT_RECEIVE));
    assert_eq!(said(&mut connection, true), None);
}

#[test]
fn unknown_shutdown_flags_and_empty_data_mean_nothing() {
    let mut connection = open();
    assert_eq!(
        connection.on_packet(&packet(op::SHUTDOWN, 0, 0xffff_fffc)),
        Verdict::Settled
    );
    assert_eq!(
        connection.on_packet(&packet(op::RW, 0, 0)),
        Verdict::Settled
    );
}

#[test]
fn header_survives_its_own_bytes() {
    let mut header = packet(op::RW, 0x0102_0304, 7);
    header.src_cid = 0x1122_3344_5566_7788;
    header.fwd_cnt = u32::MAX - 1;
    let bytes = header.encode();
    assert_eq!(Header::parse(&bytes), header);
    // Places of virtio 1.2, 5.10.6: len at 24, op at 30.
    assert_eq!((bytes[24], bytes[30]), (4, 5));
}
