//! Tests of the records.

use std::{io::Read, os::fd::AsFd};

use super::{FailureClass, MAX_RECORD_BYTES, Record, next_record, write_record};

fn round_trip(record: &Record) -> (Vec<u8>, Record) {
    let (mut read, write) = std::io::pipe().unwrap();
    write_record(write.as_fd(), record).unwrap();
    drop(write);
    let mut line = Vec::new();
    read.read_to_end(&mut line).unwrap();
    let mut unread = line.clone();
    let parsed = next_record(&mut unread).unwrap().unwrap();
    assert!(unread.is_empty());
    (line, parsed)
}

#[test]
fn each_record_is_read_as_written() {
    for record in [
        Record::Created(7),
        Record::Failed(FailureClass::CommandNotFound, "a\nb".into()),
        Record::Note("why".into()),
    ] {
        assert_eq!(round_trip(&record).1, record);
    }
}

#[test]
fn long_text_of_escapes_still_fits_one_write() {
    let (line, parsed) = round_trip(&Record::Note("\u{1}é".repeat(5000)));
    assert!(line.len() <= MAX_RECORD_BYTES);
    assert!(matches!(parsed, Record::Note(text) if !text.is_empty()));
}

#[test]
fn incomplete_line_is_left_in_buffer() {
    let mut unread = b"{\"created\":".to_vec();
    assert!(next_record(&mut unread).is_none());
    assert_eq!(unread.len(), 11);
}

#[test]
fn malformed_line_is_an_error() {
    let mut unread = b"nonsense\n".to_vec();
    assert!(next_record(&mut unread).unwrap().is_err());
}
