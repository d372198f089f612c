//! Standard streams: byte-exact, apart, bounded.

use husk_machine::api::Metrics;
use husk_sandbox::agent::{ProcessId, Reach, StreamKind};
use husk_tests::guest::{Guest, default_spec};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
};

use crate::confinement::metrics;

const BULK: usize = 16 << 20;

/// The probe's pattern, so that both sides say the same.
pub(crate) fn pattern(bytes: usize) -> Vec<u8> {
    let byte_at = |offset: u64| offset.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes()[5];
    (0..bytes as u64).map(byte_at).collect()
}

pub(super) fn apart(guest: &Guest) {
    let input = b"no newline at the end\0\xff\r\n\x1b";
    let outcome = guest
        .run(&["/bin/sh", "-c", "cat; echo apart >&2"], input, |_| ())
        .unwrap();
    assert_eq!(outcome.stdout, input);
    assert_eq!(outcome.stderr, b"apart\n");
}

pub(super) fn bulk_out(guest: &Guest) {
    let before = metrics(guest);
    let outcome = guest
        .run(&["/bin/probe", "pattern", &BULK.to_string()], b"", |_| ())
        .unwrap();
    let after = metrics(guest);
    assert_eq!(
        outcome.stdout.len(),
        BULK,
        "{:?} {:?}",
        outcome.exit,
        outcome.stderr
    );
    assert!(outcome.stdout == pattern(BULK), "bytes changed on the way");
    assert_growth(&before, &after);
    println!(
        "stdout: {} instructions for 16 MiB and one container",
        after.instructions - before.instructions
    );
}

pub(super) fn bulk_in(guest: &Guest) {
    let before = metrics(guest);
    let outcome = guest
        .run(&["/bin/probe", "check-pattern"], &pattern(BULK), |_| ())
        .unwrap();
    assert_eq!(outcome.text(), format!("{BULK}\n"), "{:?}", outcome.stderr);
    assert_growth(&before, &metrics(guest));
}

fn assert_growth(before: &Metrics, after: &Metrics) {
    let grown = after.private_bytes.saturating_sub(before.private_bytes);
    assert!(grown < 32 << 20, "the VMM grew by {grown} bytes");
}

async fn open_both(guest: &Guest, process: &ProcessId) -> (UnixStream, UnixStream) {
    let stdin = guest.pod().stream(process, StreamKind::Stdin).await;
    let stdout = guest.pod().stream(process, StreamKind::Stdout).await;
    (stdin.unwrap(), stdout.unwrap())
}

/// The host drops its stream in the middle: what was not sent yet is there for the next one.
pub(super) fn taken_up_again(guest: &Guest) {
    guest.wait(async {
        let id = guest.fresh_id();
        let script = "read one; echo first $one; read two; echo second $two";
        let process = guest
            .create(&id, &default_spec(&["/bin/sh", "-c", script]))
            .await
            .unwrap();
        let (mut stdin, mut stdout) = open_both(guest, &process).await;
        guest.pod().start(&id).await.unwrap();
        stdin.write_all(b"a\n").await.unwrap();
        let mut line = [0; 8];
        stdout.read_exact(&mut line).await.unwrap();
        assert_eq!(&line, b"first a\n");
        drop(stdout);
        drop(stdin);
        let (mut stdin, mut stdout) = open_both(guest, &process).await;
        stdin.write_all(b"b\n").await.unwrap();
        let mut rest = String::new();
        stdout.read_to_string(&mut rest).await.unwrap();
        assert_eq!(rest, "second b\n");
        assert_eq!(guest.pod().wait(&process).await.unwrap().code, 0);
        assert!(guest.pod().signal(&process, 15, Reach::One).await.is_err());
        guest.pod().delete(&process).await.unwrap();
    });
}
