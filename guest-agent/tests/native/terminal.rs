//! Terminals of containers and of execs in them.

use husk_protocol::agent::{
    CloseStdinRequest, CreateContainerRequest, ResizeTerminalRequest, Stdio, StreamKind,
    TerminalSize,
};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
};
use ttrpc::Code;

use crate::harness::{Guest, class, context, create, exec, process, refusal, set_spec};

fn terminal(columns: u32, rows: u32) -> Stdio {
    Stdio {
        stdin: true,
        stdout: true,
        terminal: true,
        terminal_size: Some(TerminalSize {
            columns,
            rows,
            ..TerminalSize::default()
        })
        .into(),
        ..Stdio::default()
    }
}

fn with_terminal(script: &str) -> CreateContainerRequest {
    let mut request = create("c", &[]);
    set_spec(&mut request, &["sh", "-c", script], |spec| {
        spec["process"]["terminal"] = json!(true);
    });
    request.stdio = Some(terminal(80, 24)).into();
    request
}

/// Reads until a text has come.
async fn read_until(stream: &mut UnixStream, text: &str) -> String {
    let mut read = Vec::new();
    while !String::from_utf8_lossy(&read).contains(text) {
        let byte = stream.read_u8().await;
        read.push(byte.unwrap_or_else(|_| panic!("{text:?} is not in {read:?}")));
    }
    String::from_utf8(read).unwrap()
}

#[tokio::test]
async fn container_has_a_terminal_of_its_own_devpts_and_a_console() {
    let guest = Guest::boot().await;
    let script = "busybox tty; busybox stty size; ls -1 /dev/pts; echo direct > /dev/console; \
                  echo named > /dev/tty; busybox stat -c %t:%T /dev/console /dev/pts/0";
    guest.run(&with_terminal(script)).await;
    let shown = guest.read("c", "").await;
    let lines: Vec<&str> = shown.split("\r\n").collect();
    assert_eq!(lines[..4], ["/dev/pts/0", "24 80", "0", "ptmx"], "{shown}");
    assert_eq!(lines[4..6], ["direct", "named"]);
    assert_eq!(lines[6], lines[7], "{shown}");
    assert_eq!(guest.wait("c", "").await.exit_code, 0);
}

#[tokio::test]
async fn keys_size_and_end_reach_the_processes_of_a_terminal() {
    let guest = Guest::boot().await;
    // A child that ends by the key says when it is there to get it.
    let script = "trap 'busybox stty size' WINCH; trap 'exit 9' INT; echo up; cat; echo end; \
                  sh -c 'echo ready; exec sleep 1000'";
    guest.run(&with_terminal(script)).await;
    let mut output = guest.stream("c", "", StreamKind::STREAM_KIND_STDOUT).await;
    let mut input = guest.stream("c", "", StreamKind::STREAM_KIND_STDIN).await;
    read_until(&mut output, "up\r\n").await;
    let resize = |size: Option<TerminalSize>| ResizeTerminalRequest {
        container_id: "c".into(),
        size: size.into(),
        ..ResizeTerminalRequest::default()
    };
    let size = TerminalSize {
        columns: 132,
        rows: 50,
        ..TerminalSize::default()
    };
    guest
        .calls
        .resize_terminal(context(), &resize(Some(size.clone())))
        .await
        .unwrap();
    input.write_all(b"typed\n").await.unwrap();
    // Once echoed by the terminal, once by the command.
    read_until(&mut output, "typed\r\ntyped\r\n").await;
    let close = CloseStdinRequest {
        container_id: "c".into(),
        ..CloseStdinRequest::default()
    };
    guest.calls.close_stdin(context(), &close).await.unwrap();
    let shown = read_until(&mut output, "ready\r\n").await;
    assert!(shown.contains("50 132\r\n"), "{shown}");
    input.write_all(b"\x03").await.unwrap();
    read_until(&mut output, "^C").await;
    assert_eq!(guest.wait("c", "").await.exit_code, 9);
    let mut rest = Vec::new();
    output.read_to_end(&mut rest).await.unwrap();
    let wide = TerminalSize {
        columns: 65_536,
        ..size
    };
    let refused = guest
        .calls
        .resize_terminal(context(), &resize(Some(wide)))
        .await;
    assert_eq!(class(&refusal(refused)).0, Code::INVALID_ARGUMENT);
}

#[tokio::test]
async fn keys_reach_the_child_of_the_small_init() {
    let guest = Guest::boot().await;
    let script = "trap 'exit 9' INT; cat /proc/1/comm; sh -c 'echo ready; exec sleep 1000'";
    let mut request = with_terminal(script);
    request.init = true;
    guest.run(&request).await;
    let mut output = guest.stream("c", "", StreamKind::STREAM_KIND_STDOUT).await;
    let mut input = guest.stream("c", "", StreamKind::STREAM_KIND_STDIN).await;
    let shown = read_until(&mut output, "ready\r\n").await;
    assert!(shown.starts_with("husk-init\r\n"), "{shown}");
    input.write_all(b"\x03").await.unwrap();
    assert_eq!(guest.wait("c", "").await.exit_code, 9);
}

#[tokio::test]
async fn everything_that_was_shown_arrives_before_the_end() {
    let guest = Guest::boot().await;
    let script = "busybox stty raw; busybox seq 1 20000";
    guest.run(&with_terminal(script)).await;
    let expected: String = (1..=20_000).map(|number| format!("{number}\n")).collect();
    assert!(guest.read("c", "").await == expected);
    assert_eq!(guest.wait("c", "").await.exit_code, 0);
}

#[tokio::test]
async fn exec_has_a_terminal_of_the_container_and_hangs_up_with_it() {
    let guest = Guest::boot().await;
    guest.run(&create("c", &["sleep", "1000"])).await;
    let mut request = exec("e", &[]);
    let mut object = process(&[
        "sh",
        "-c",
        "busybox tty; id -u; echo x > /dev/tty; sleep 1000 & exit 5",
    ]);
    object["terminal"] = json!(true);
    object["user"] = json!({"uid": 33, "gid": 34});
    request.process_json = serde_json::to_vec(&object).unwrap();
    request.stdio = Some(terminal(100, 30)).into();
    guest.calls.exec(context(), &request).await.unwrap();
    // The sleeping child has the terminal too: it is hung up when its session's leader ends.
    assert_eq!(guest.read("c", "e").await, "/dev/pts/0\r\n33\r\nx\r\n");
    assert_eq!(guest.wait("c", "e").await.exit_code, 5);
    let resize = ResizeTerminalRequest {
        container_id: "c".into(),
        size: Some(TerminalSize::default()).into(),
        ..ResizeTerminalRequest::default()
    };
    let refused = refusal(guest.calls.resize_terminal(context(), &resize).await);
    assert_eq!(refused.message, "container c has no terminal");
}

#[tokio::test]
async fn terminal_that_request_and_process_disagree_about_is_refused() {
    let guest = Guest::boot().await;
    let mut request = create("c", &["true"]);
    request.stdio = Some(terminal(80, 24)).into();
    let refused = refusal(guest.calls.create_container(context(), &request).await);
    let text = "process.terminal is false, but stdio.terminal is true";
    assert_eq!(refused.message, text);
    let mut request = with_terminal("true");
    let mut stdio = terminal(80, 24);
    stdio.stderr = true;
    request.stdio = Some(stdio).into();
    let refused = refusal(guest.calls.create_container(context(), &request).await);
    assert_eq!(class(&refused).0, Code::INVALID_ARGUMENT);
}
