//! Tests of each rule.

use husk_protocol::agent::{Stdio, TerminalSize};
use oci_spec::runtime::{Process, Spec};
use serde_json::json;

use super::{Size, owner, size_of, terminal_of};

fn process(terminal: bool, console_size: Option<(u64, u64)>) -> Process {
    let mut process = json!({
        "user": {"uid": 1, "gid": 2}, "args": ["sh"], "cwd": "/", "terminal": terminal,
    });
    if let Some((width, height)) = console_size {
        process["consoleSize"] = json!({"width": width, "height": height});
    }
    serde_json::from_value(process).unwrap()
}

fn stdio(terminal: bool) -> Stdio {
    Stdio {
        terminal,
        ..Stdio::default()
    }
}

#[test]
fn size_of_the_request_goes_before_that_of_the_specification() {
    let mut stdio = stdio(true);
    let of_spec = Size {
        columns: 100,
        rows: 40,
    };
    let process = process(true, Some((100, 40)));
    assert_eq!(terminal_of(&process, &stdio).unwrap(), Some(of_spec));
    let asked = TerminalSize {
        columns: 80,
        rows: 24,
        ..TerminalSize::default()
    };
    stdio.terminal_size = Some(asked).into();
    let of_request = Size {
        columns: 80,
        rows: 24,
    };
    assert_eq!(terminal_of(&process, &stdio).unwrap(), Some(of_request));
}

#[test]
fn terminal_must_be_meant_by_both() {
    assert_eq!(
        terminal_of(&process(false, None), &stdio(false)).unwrap(),
        None
    );
    for (of_process, of_request) in [(true, false), (false, true)] {
        assert!(terminal_of(&process(of_process, None), &stdio(of_request)).is_err());
    }
}

#[test]
fn sizes_beyond_the_kernels_are_refused() {
    let error = terminal_of(&process(true, Some((65_536, 1))), &stdio(true)).unwrap_err();
    assert_eq!(error.to_string(), "process.consoleSize.width 65536");
    let size = TerminalSize {
        rows: 65_536,
        ..TerminalSize::default()
    };
    assert!(
        size_of(&size)
            .unwrap_err()
            .to_string()
            .contains("65536 rows")
    );
}

#[test]
fn owner_is_what_the_user_is_outside() {
    let spec = |mappings: serde_json::Value| -> Spec {
        let spec = json!({"ociVersion": "1.0.2", "linux": {"uidMappings": mappings}});
        serde_json::from_value(spec).unwrap()
    };
    let plain = spec(json!([]));
    assert_eq!(owner(&plain, 5).unwrap().as_raw(), 5);
    let mapped = spec(json!([
        {"containerID": 0, "hostID": 1000, "size": 1},
        {"containerID": 1, "hostID": 2000, "size": 10},
    ]));
    let mapped_to = |uid| owner(&mapped, uid).map(|uid| uid.as_raw());
    assert_eq!(mapped_to(0), Some(1000));
    assert_eq!(mapped_to(10), Some(2009));
    assert_eq!(mapped_to(11), None);
}
