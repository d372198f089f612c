//! The log: what is written is read back, and no container makes it larger than it may be.

use std::fs;

use proptest::prelude::*;

use crate::engine::{Entry, LogReader, LogSource, LogWriter};

fn read(reader: &mut LogReader) -> Vec<Entry> {
    let mut entries = Vec::new();
    while let Some(entry) = reader.next_entry().unwrap() {
        entries.push(entry);
    }
    entries
}

fn bytes_of(entries: &[Entry], source: LogSource) -> Vec<u8> {
    let of_source = entries.iter().filter(|entry| entry.source == source);
    of_source.flat_map(|entry| entry.bytes.clone()).collect()
}

#[test]
fn streams_are_told_apart_and_lines_are_entries() {
    let dir = tempfile::tempdir().unwrap();
    let log = LogWriter::create(dir.path(), 1 << 20).unwrap();
    log.sink(LogSource::Stdout).take(b"one\ntwo\nhal");
    log.sink(LogSource::Stderr).take(b"oops\n");
    log.sink(LogSource::Stdout).take(b"f\n");
    let entries = read(&mut LogReader::open(dir.path()).unwrap());
    let texts: Vec<&[u8]> = entries.iter().map(|entry| entry.bytes.as_slice()).collect();
    assert_eq!(
        texts,
        [b"one\n" as &[u8], b"two\n", b"hal", b"oops\n", b"f\n"]
    );
    assert!(!entries[2].ends_line() && entries[4].ends_line());
    assert_eq!(bytes_of(&entries, LogSource::Stderr), b"oops\n");
    assert!(entries[0].time <= entries[4].time);
}

#[test]
fn log_that_is_filled_stays_bounded_and_keeps_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let limit = 64 << 10;
    let log = LogWriter::create(dir.path(), limit).unwrap();
    let sink = log.sink(LogSource::Stdout);
    for number in 0..20_000 {
        sink.take(format!("line {number}\n").as_bytes());
        if number % 1000 == 0 {
            let sizes = fs::read_dir(dir.path()).unwrap();
            let sum: u64 = sizes
                .map(|file| file.unwrap().metadata().unwrap().len())
                .sum();
            assert!(sum <= limit, "{sum}");
        }
    }
    let entries = read(&mut LogReader::open(dir.path()).unwrap());
    assert_eq!(entries.last().unwrap().bytes, b"line 19999\n");
    // Whole lines in a row, without a gap between the two files.
    let first: usize = 20_000 - entries.len();
    for (entry, number) in entries.iter().zip(first..) {
        assert_eq!(entry.bytes, format!("line {number}\n").as_bytes());
    }
}

#[test]
fn reader_that_follows_goes_on_across_a_turn_of_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let log = LogWriter::create(dir.path(), 4 << 10).unwrap();
    let sink = log.sink(LogSource::Stdout);
    sink.take(b"first\n");
    let mut reader = LogReader::open(dir.path()).unwrap();
    let mut seen = read(&mut reader);
    for number in 0..200 {
        sink.take(format!("line {number}\n").as_bytes());
        seen.extend(read(&mut reader));
    }
    assert!(dir.path().join("log.json.1").exists());
    assert_eq!(seen.len(), 201);
    assert_eq!(seen[200].bytes, b"line 199\n");
}

#[test]
fn half_a_line_and_nonsense_are_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log.json");
    let good = r#"{"time":"2024-02-29T12:34:56.000000000Z","stream":"stdout","log":"x\n"}"#;
    let endless = "y".repeat(300 << 10);
    fs::write(&path, format!("nonsense\n{endless}\n{good}\n{{\"time\":")).unwrap();
    let mut reader = LogReader::open(dir.path()).unwrap();
    let entries = read(&mut reader);
    assert_eq!(entries.len(), 1, "{entries:?}");
    assert_eq!(entries[0].bytes, b"x\n");
}

#[test]
fn no_log_reads_as_empty() {
    let dir = tempfile::tempdir().unwrap();
    assert!(read(&mut LogReader::open(dir.path()).unwrap()).is_empty());
}

#[test]
fn log_that_cannot_be_written_loses_output_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let log = LogWriter::create(dir.path(), 2 << 10).unwrap();
    fs::remove_dir_all(dir.path()).unwrap();
    let sink = log.sink(LogSource::Stdout);
    for _ in 0..100 {
        sink.take(&[b'x'; 1000]);
    }
}

/// T7: what a container writes at once may be all short lines, each of which has a time of its own in the file.
#[test]
fn short_lines_at_once_keep_to_the_bound_and_the_newest_stay() {
    let dir = tempfile::tempdir().unwrap();
    let bound = 8 << 10;
    let log = LogWriter::create(dir.path(), bound).unwrap();
    let sink = log.sink(LogSource::Stdout);
    for _ in 0..3 {
        sink.take(&b"y\n".repeat(32 << 10));
        sink.take(b"last\n");
        let files = fs::read_dir(dir.path()).unwrap();
        let bytes: u64 = files
            .map(|file| file.unwrap().metadata().unwrap().len())
            .sum();
        assert!((bound / 2..=bound).contains(&bytes), "{bytes}");
        let entries = read(&mut LogReader::open(dir.path()).unwrap());
        assert_eq!(entries.last().unwrap().bytes, b"last\n");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn bytes_of_any_kind_come_back_exactly(chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40_000), 0..4)) {
        let dir = tempfile::tempdir().unwrap();
        let log = LogWriter::create(dir.path(), 64 << 20).unwrap();
        let sink = log.sink(LogSource::Stdout);
        for chunk in &chunks {
            sink.take(chunk);
        }
        let entries = read(&mut LogReader::open(dir.path()).unwrap());
        prop_assert_eq!(bytes_of(&entries, LogSource::Stdout), chunks.concat());
    }
}
