//! What is refused before anything boots: one clear line, the right exit code, nothing left behind. No guest runs here.
#![allow(
    clippy::unwrap_used,
    reason = "a check that fails panics; the lint knows tests only by their attribute"
)]

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    process::{Command, Output},
};

use husk_tests::{
    artefacts,
    cli::{Bench, text},
};
use serde_json::{Value, json};

/// A run that must end with 125 and one line that holds every one of `words`, and leaves nothing.
fn assert_refused(bench: &Bench, output: &Output, words: &[&str]) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(125), "{}", text(output));
    assert_eq!(stderr.lines().count(), 1, "not one line: {stderr}");
    for word in words {
        assert!(stderr.contains(word), "no {word:?} in: {stderr}");
    }
    assert!(output.stdout.is_empty(), "{}", text(output));
    assert_eq!(bench.leftovers().unwrap(), Vec::<String>::new());
}

#[test]
fn run_missing_image_names_it() {
    let bench = Bench::new().unwrap();
    let output = bench.run(&["run", "/no/such/image", "true"]).unwrap();
    assert_refused(&bench, &output, &["/no/such/image"]);
}

#[test]
fn run_file_that_is_no_image_names_it() {
    let bench = Bench::new().unwrap();
    let file = bench.path().join("image.tar");
    fs::write(&file, vec![7; 4096]).unwrap();
    let output = bench.run(&["run", file.to_str().unwrap(), "true"]).unwrap();
    assert_refused(&bench, &output, &["image.tar"]);
}

#[test]
fn run_truncated_layout_names_it() {
    let bench = Bench::new().unwrap();
    let whole = fs::read(artefacts::file("busybox.tar").unwrap()).unwrap();
    let file = bench.path().join("short.tar");
    fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    let output = bench.run(&["run", file.to_str().unwrap(), "true"]).unwrap();
    assert_refused(&bench, &output, &["short.tar"]);
}

#[test]
fn settings_with_unknown_key_names_it() {
    let bench = Bench::new().unwrap();
    fs::write(bench.settings(), "colour = \"red\"\n").unwrap();
    let rootfs = bench.rootfs();
    let output = bench
        .run(&["run", rootfs.to_str().unwrap(), "true"])
        .unwrap();
    assert_refused(&bench, &output, &["colour", "config.toml"]);
}

#[test]
fn kernel_that_is_none_is_refused() {
    let bench = Bench::new().unwrap();
    let kernel = bench.path().join("kernel");
    fs::write(&kernel, "MZ this is no kernel").unwrap();
    let rootfs = bench.rootfs();
    let words = [
        "run",
        "--kernel",
        kernel.to_str().unwrap(),
        rootfs.to_str().unwrap(),
        "true",
    ];
    let output = bench.run(&words).unwrap();
    assert_refused(&bench, &output, &["kernel"]);
}

#[test]
fn initramfs_with_wrong_hash_is_refused() {
    let bench = Bench::new().unwrap();
    let copies = bench.path().join("artefacts");
    fs::create_dir(&copies).unwrap();
    for entry in fs::read_dir(artefacts::dir().unwrap()).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), copies.join(entry.file_name())).unwrap();
    }
    let initramfs = copies.join("initramfs.cpio");
    let mut bytes = fs::read(&initramfs).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&initramfs, bytes).unwrap();
    let mut husk = bench.husk().unwrap();
    husk.env("HUSK_ARTEFACTS", &copies);
    let output = husk
        .arg("run")
        .arg(bench.rootfs())
        .arg("true")
        .output()
        .unwrap();
    assert_refused(&bench, &output, &["initramfs", "sha-256"]);
}

#[test]
fn memory_too_small_names_the_value() {
    let bench = Bench::new().unwrap();
    let rootfs = bench.rootfs();
    let output = bench
        .run(&["run", "--memory", "1k", rootfs.to_str().unwrap(), "true"])
        .unwrap();
    assert_refused(&bench, &output, &["memory"]);
}

/// One byte of a layer is another: the digest says so, or the decompressor.
#[test]
fn run_corrupt_layer_names_it() {
    let bench = Bench::new().unwrap();
    let mut image = fs::read(artefacts::file("busybox.tar").unwrap()).unwrap();
    let middle = image.len() / 2;
    image[middle] ^= 1;
    let file = bench.path().join("corrupt.tar");
    fs::write(&file, image).unwrap();
    let output = bench.run(&["run", file.to_str().unwrap(), "true"]).unwrap();
    assert_refused(&bench, &output, &["layer sha256:"]);
}

#[test]
fn run_as_another_user_asks_for_root() {
    let bench = Bench::new().unwrap();
    fs::set_permissions(bench.path(), Permissions::from_mode(0o755)).unwrap();
    let husk = bench.path().join("husk");
    fs::copy(artefacts::file("husk").unwrap(), &husk).unwrap();
    let output = Command::new("setpriv")
        .args(["--reuid", "65534", "--regid", "65534", "--clear-groups"])
        .arg(&husk)
        .args(["run", "image", "true"])
        .env("HUSK_CONFIG", bench.settings())
        .output()
        .unwrap();
    assert_refused(&bench, &output, &["root", "65534"]);
}

/// Each row makes /dev/kvm unusable in a mount namespace of its own.
#[test]
fn kvm_that_cannot_be_used_is_told_with_a_fix() {
    let bench = Bench::new().unwrap();
    let missing = "mount -t tmpfs none /dev; mknod /dev/null c 1 3; mknod /dev/urandom c 1 9";
    let forbidden = "mount -t tmpfs -o nodev none /mnt; mknod /mnt/kvm c 10 232; \
                     mount --bind /mnt/kvm /dev/kvm";
    let file = "mount -t tmpfs none /mnt; touch /mnt/kvm; mount --bind /mnt/kvm /dev/kvm";
    for (before, words) in [
        (missing, ["load the kvm module", "husk check"]),
        (forbidden, ["Permission denied", "husk check"]),
        (file, ["is no device", "husk check"]),
    ] {
        let mut husk = bench.husk_between(before, "").unwrap();
        let output = husk.arg("run").arg(bench.rootfs()).arg("true").output();
        assert_refused(&bench, &output.unwrap(), &["/dev/kvm", words[0], words[1]]);
        // Nothing was converted only to hear that.
        assert!(!bench.path().join("images").exists());
    }
}

#[test]
fn check_names_what_is_missing_and_how_to_mend_it() {
    let bench = Bench::new().unwrap();
    let before = "mount -t tmpfs none /dev; mknod /dev/null c 1 3";
    let mut husk = bench.husk_between(before, "").unwrap();
    let output = husk.arg("check").output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    let report = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = report.lines().collect();
    assert!(report.contains("FAIL  kvm-device"), "{report}");
    for (line, next) in lines.iter().zip(&lines[1..]) {
        assert!(
            !line.starts_with("FAIL") || next.contains("fix: "),
            "{report}"
        );
    }
    // The same for programs, on a host that can run machines.
    let output = bench.run(&["check", "--json"]).unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let checks = report["checks"].as_array().unwrap();
    assert!(checks.iter().any(|check| check["name"] == "kvm-kind"));
    assert_eq!(bench.leftovers().unwrap(), Vec::<String>::new());
}

#[test]
fn words_that_are_no_option_are_named() {
    let bench = Bench::new().unwrap();
    for (words, named) in [
        (&["run", "--nope", "image"][..], "--nope"),
        (&["run", "--memory", "much", "image"], "\"much\""),
        (&["run", "--cpus", "-1", "image"], "-1"),
        (&["run"], "<IMAGE>"),
        (&["fly"], "fly"),
    ] {
        let output = bench.run(words).unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(125), "{}", text(&output));
        assert!(stderr.contains(named), "no {named} in: {stderr}");
    }
    assert_eq!(bench.leftovers().unwrap(), Vec::<String>::new());
}

/// Each row is a file system that has no room for one stage of the conversion.
#[test]
fn disk_that_is_full_while_converting_is_told_and_left_empty() {
    let bench = Bench::new().unwrap();
    let images = bench.path().join("images");
    let left = bench.path().join("left");
    fs::create_dir(&images).unwrap();
    let (dir, list) = (images.display(), left.display());
    for (room, image) in [
        ("size=1m", artefacts::file("busybox.tar").unwrap()),
        ("size=12m", artefacts::file("busybox.tar").unwrap()),
        ("nr_inodes=40", artefacts::file("busybox.tar").unwrap()),
        ("size=4m", bench.rootfs()),
    ] {
        let before = format!("mount -t tmpfs -o {room} none {dir}");
        let after = format!("find {dir} -mindepth 2 > {list}");
        let mut husk = bench.husk_between(&before, &after).unwrap();
        let output = husk.arg("run").arg(image).arg("true").output().unwrap();
        let shown = images.to_string_lossy();
        assert_refused(&bench, &output, &["no space left in", &shown, "free some"]);
        assert_eq!(fs::read_to_string(&left).unwrap(), "", "{room}");
    }
}

#[test]
fn disk_that_is_full_before_the_scratch_disk_is_told_and_left_empty() {
    let bench = Bench::new().unwrap();
    let state = bench.path().join("state");
    let left = bench.path().join("left");
    fs::create_dir(&state).unwrap();
    let (dir, list) = (state.display(), left.display());
    let before = format!("mount -t tmpfs -o size=256k none {dir}");
    let after = format!("find {dir} -type f ! -name host-kvm.json > {list}");
    let mut husk = bench.husk_between(&before, &after).unwrap();
    let output = husk.arg("run").arg(bench.rootfs()).arg("true").output();
    let shown = state.to_string_lossy();
    let words = ["no space left in", &*shown, "free some"];
    assert_refused(&bench, &output.unwrap(), &words);
    assert_eq!(fs::read_to_string(&left).unwrap(), "");
}

#[test]
fn unknown_user_is_named() {
    let bench = Bench::new().unwrap();
    let rootfs = bench.rootfs();
    let words = ["run", "-u", "nobody-here", rootfs.to_str().unwrap(), "true"];
    let output = bench.run(&words).unwrap();
    assert_refused(&bench, &output, &["unknown user", "nobody-here"]);
}

#[test]
fn timeline_that_cannot_be_written_is_told_before_anything_runs() {
    let bench = Bench::new().unwrap();
    let rootfs = bench.rootfs();
    let words = [
        "run",
        "--timeline=/no/dir/timeline.json",
        rootfs.to_str().unwrap(),
        "true",
    ];
    let output = bench.run(&words).unwrap();
    assert_refused(&bench, &output, &["/no/dir/timeline.json"]);
    assert!(!bench.path().join("images").exists());
}

/// What killed processes left: of a pod, of a conversion, of a template.
#[test]
fn gc_removes_what_killed_processes_left() {
    let bench = Bench::new().unwrap();
    let path = |name: &str| bench.path().join(name);
    for dir in [
        "images/staging/build-dead/tree",
        "images/locks",
        "state/templates",
    ] {
        fs::create_dir_all(path(dir)).unwrap();
    }
    // The kernel has no process 0.
    for dir in ["run/.new-0-1-unborn", "run/.old-0-1-dying", "run/pod"] {
        fs::create_dir_all(path(dir)).unwrap();
        fs::write(path(dir).join("vsock.sock"), "").unwrap();
    }
    let record = r#"{"version":2,"owner":{"pid":0,"start_ticks":1},"vmm":null,"files":[],
                     "keep":"nothing","ended":false}"#;
    fs::write(path("run/pod/record.json"), record).unwrap();
    fs::write(path("images/locks/0123"), "").unwrap();
    fs::write(path("state/templates/draft-dead"), "half").unwrap();
    assert_eq!(bench.leftovers().unwrap().len(), 6);
    let output = bench.run(&["gc"]).unwrap();
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(output.stdout, b"pod\n", "{}", text(&output));
    assert_eq!(bench.leftovers().unwrap(), Vec::<String>::new());
}

/// R15, R106: what a bundle asks for and cannot have, named with its value before anything is converted.
#[test]
fn r15_bundle_with_a_bad_field_names_field_and_value() {
    let bench = Bench::new().unwrap();
    let dir = bench.path().join("bundle");
    fs::create_dir_all(dir.join("rootfs")).unwrap();
    let good = json!({
        "ociVersion": "1.0.2",
        "root": {"path": "rootfs"},
        "process": {"user": {"uid": 0, "gid": 0}, "args": ["true"], "cwd": "/"},
        "linux": {"namespaces": [{"type": "pid"}, {"type": "mount"}, {"type": "network"}]},
    });
    let hook = json!([{"path": "/usr/bin/gpu-hook"}]);
    let cases = [
        ("/ociVersion", json!("3.1"), ["ociVersion", "\"3.1\""]),
        ("/root/path", json!("../../etc"), ["root.path", "../../etc"]),
        ("/process/user/uid", json!(-1), ["process.user.uid", "-1"]),
        ("/process/args", json!([]), ["process.args", "empty"]),
        ("/process/args/0", json!(5), ["process.args[0]", "`5`"]),
        ("/process/cwd", json!("tmp"), ["process.cwd", "\"tmp\""]),
        (
            "/process/rlimits",
            json!([{"type": "RLIMIT_ALL", "soft": 1, "hard": 1}]),
            ["process.rlimits[0].type", "RLIMIT_ALL"],
        ),
        (
            "/process/capabilities",
            json!({"bounding": ["CAP_FLY"]}),
            ["process.capabilities.bounding", "CAP_FLY"],
        ),
        (
            "/linux/seccomp",
            json!({"defaultAction": "SCMP_ACT_SHRUG"}),
            ["linux.seccomp.defaultAction", "SCMP_ACT_SHRUG"],
        ),
        (
            "/linux/namespaces/0",
            json!({"type": "pid", "path": "/proc/1/ns/pid"}),
            ["linux.namespaces[0].path", "/proc/1/ns/pid"],
        ),
        (
            "/linux/namespaces/0/type",
            json!("space"),
            ["linux.namespaces[0].type", "space"],
        ),
        (
            "/mounts",
            json!([{"destination": "/x", "type": "bind", "source": "/no/such"}]),
            ["mounts[0]", "/no/such"],
        ),
        (
            "/hooks",
            json!({"createRuntime": hook}),
            ["hooks.createRuntime", "the host"],
        ),
        (
            "/hooks",
            json!({"startContainer": hook}),
            ["hooks.startContainer", "the host"],
        ),
        (
            "/windows",
            json!({"layerFolders": []}),
            ["windows", "other platforms"],
        ),
    ];
    for (pointer, value, words) in cases {
        let mut config = good.clone();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        match config.pointer_mut(parent).unwrap() {
            Value::Array(items) => items[name.parse::<usize>().unwrap()] = value,
            parent => parent[name] = value,
        }
        fs::write(dir.join("config.json"), config.to_string()).unwrap();
        let output = bench.run(&["run", dir.to_str().unwrap()]).unwrap();
        assert_refused(&bench, &output, &["config.json", words[0], words[1]]);
    }
}
