//! How a container's process starts and ends.

use serde_json::{Value, json};

fn script(spec: &mut Value, script: &str) {
    spec["process"]["args"] = json!(["/bin/sh", "-c", script]);
}

/// The code comes from standard input.
pub(super) fn exit_code(spec: &mut Value) {
    script(spec, "read code; echo out; echo err >&2; exit $code");
}

/// Ends of children, and the signals that the first process ignores or blocks from the start.
pub(super) fn killed_child(spec: &mut Value) {
    script(
        spec,
        "sh -c 'kill -9 $$'; echo $?; sh -c 'kill -11 $$'; echo $?; kill -9 $$; grep -E '^Sig(Blk|Ign)' /proc/self/status; \
         sh -c 'kill -TERM $$'; exit $?",
    );
}

pub(super) fn caught_signal(spec: &mut Value) {
    script(
        spec,
        "trap 'echo caught; exit 7' TERM; echo ready; while :; do read never; sleep 1; done",
    );
}

/// A process that ends only when it is made to.
pub(super) fn ready(spec: &mut Value) {
    script(spec, "echo ready; while :; do sleep 1000; done");
}

pub(super) fn missing_command(spec: &mut Value) {
    spec["process"]["args"] = json!(["no-such-command"]);
}

pub(super) fn no_program(spec: &mut Value) {
    spec["process"]["args"] = json!(["/etc/plain"]);
}

pub(super) fn cwd_is_a_file(spec: &mut Value) {
    spec["process"]["cwd"] = json!("/etc/passwd");
}
