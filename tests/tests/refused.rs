//! What is refused before anything boots: one clear line, the right exit code, nothing left behind. No guest runs here.
#![allow(
    clippy::unwrap_used,
    reason = "a check that fails panics; the lint knows tests only by their attribute"
)]

use std::{fs, process::Output};

use husk_tests::{
    artefacts,
    cli::{Bench, text},
};

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
