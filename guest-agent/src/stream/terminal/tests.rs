//! Tests of a terminal's streams, with a real pseudo-terminal and socket pairs for the host's connections.

use std::{
    fs::File,
    io::{Read, Write},
    sync::Arc,
};

use rustix::{
    pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt},
    termios::{OptionalActions, tcgetattr, tcgetwinsize, tcsetattr},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    task::{JoinHandle, spawn_blocking},
};

use super::Terminal;
use crate::stream::{Conn, testing::connection};

/// A terminal, and the end that a process has.
fn terminal() -> (Arc<Terminal>, File) {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let master = openpt(flags).unwrap();
    unlockpt(&master).unwrap();
    let slave = ioctl_tiocgptpeer(&master, flags).unwrap();
    (Arc::new(Terminal::new(master).unwrap()), slave.into())
}

fn raw(slave: &File) {
    let mut modes = tcgetattr(slave).unwrap();
    modes.make_raw();
    tcsetattr(slave, OptionalActions::Now, &modes).unwrap();
}

fn show(terminal: &Arc<Terminal>, conn: Conn) -> JoinHandle<()> {
    let terminal = Arc::clone(terminal);
    tokio::spawn(async move { terminal.serve_output(&conn).await })
}

fn take(terminal: &Arc<Terminal>, conn: Conn) -> JoinHandle<()> {
    let terminal = Arc::clone(terminal);
    tokio::spawn(async move { terminal.serve_input(&conn).await })
}

#[tokio::test]
async fn every_byte_is_shown_as_it_is_and_then_the_end() {
    let (terminal, mut slave) = terminal();
    raw(&slave);
    let sent: Vec<u8> = (0..300_000u32).map(|i| i.to_le_bytes()[0]).collect();
    let copy = sent.clone();
    let writing = spawn_blocking(move || slave.write_all(&copy).unwrap());
    let (conn, mut host) = connection();
    let shown = show(&terminal, conn);
    let mut read = Vec::new();
    host.read_to_end(&mut read).await.unwrap();
    assert!(read == sent, "{} of {} bytes", read.len(), sent.len());
    writing.await.unwrap();
    drop(host);
    shown.await.unwrap();
}

#[tokio::test]
async fn lines_are_edited_as_the_terminal_says() {
    let (terminal, mut slave) = terminal();
    slave.write_all(b"a\n").unwrap();
    drop(slave);
    let (conn, mut host) = connection();
    let shown = show(&terminal, conn);
    let mut read = Vec::new();
    host.read_to_end(&mut read).await.unwrap();
    assert_eq!(read, b"a\r\n");
    drop(host);
    shown.await.unwrap();
}

#[tokio::test]
async fn what_a_lost_host_has_not_taken_stays_for_the_next() {
    let (terminal, mut slave) = terminal();
    raw(&slave);
    let (conn, host) = connection();
    drop(host);
    slave.write_all(b"kept").unwrap();
    show(&terminal, conn).await.unwrap();
    let (conn, mut host) = connection();
    let shown = show(&terminal, conn);
    let mut read = [0; 4];
    host.read_exact(&mut read).await.unwrap();
    assert_eq!(&read, b"kept");
    terminal.retire();
    shown.await.unwrap();
}

#[tokio::test]
async fn every_byte_that_is_typed_arrives() {
    let (terminal, mut slave) = terminal();
    raw(&slave);
    let sent: Vec<u8> = (0..200_000u32).map(|i| i.to_le_bytes()[0]).collect();
    let length = sent.len();
    let reading = spawn_blocking(move || {
        let mut read = vec![0; length];
        slave.read_exact(&mut read).unwrap();
        read
    });
    let (conn, mut host) = connection();
    let taken = take(&terminal, conn);
    host.write_all(&sent).await.unwrap();
    assert!(reading.await.unwrap() == sent);
    drop(host);
    taken.await.unwrap();
}

#[tokio::test]
async fn half_close_ends_the_input_of_a_terminal_that_edits_lines() {
    let (terminal, mut slave) = terminal();
    let (conn, mut host) = connection();
    let taken = take(&terminal, conn);
    host.write_all(b"line\n").await.unwrap();
    host.shutdown().await.unwrap();
    taken.await.unwrap();
    let reading = spawn_blocking(move || {
        let mut read = String::new();
        slave.read_to_string(&mut read).unwrap();
        read
    });
    assert_eq!(reading.await.unwrap(), "line\n");
}

#[tokio::test]
async fn end_of_input_in_raw_mode_is_refused() {
    let (terminal, slave) = terminal();
    raw(&slave);
    let error = terminal.type_end().await.unwrap_err();
    assert!(error.to_string().contains("raw mode"), "{error}");
}

#[tokio::test]
async fn size_is_what_the_process_sees() {
    let (terminal, slave) = terminal();
    terminal.resize(132, 43).unwrap();
    let size = tcgetwinsize(&slave).unwrap();
    assert_eq!((size.ws_col, size.ws_row), (132, 43));
}

#[tokio::test]
async fn connection_to_a_forgotten_process_is_let_go_at_once() {
    let (terminal, _slave) = terminal();
    terminal.retire();
    let (conn, _host) = connection();
    show(&terminal, conn).await.unwrap();
    let (conn, _host) = connection();
    take(&terminal, conn).await.unwrap();
}
