//! Layers with random headers and random damage: whatever they say, nothing outside the tree changes and nothing
//! panics. The tree is unpacked for real, with a canary beside it.

use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};
use proptest::test_runner::Config;
use tar::EntryType;

use super::super::archive::Archive;
use super::super::blob::Blob;
use super::super::types::Limits;
use super::super::unpack::{Budget, Compression, LayerBlob, Tree, unpack};
use super::fixture::{Layer, digest, header};

/// Names that collide, climb, hide and loop.
fn name() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("a".to_owned()),
        Just("b".to_owned()),
        Just("..".to_owned()),
        Just(".".to_owned()),
        Just(String::new()),
        Just("canary".to_owned()),
        Just(".wh.a".to_owned()),
        Just(".wh..wh..opq".to_owned()),
        "[a-c]{1,3}",
    ];
    vec(part, 1..5).prop_map(|parts| parts.join("/"))
}

fn kind() -> impl Strategy<Value = EntryType> {
    prop_oneof![
        Just(EntryType::Regular),
        Just(EntryType::Directory),
        Just(EntryType::Symlink),
        Just(EntryType::Link),
        Just(EntryType::Fifo),
        Just(EntryType::GNUSparse),
        any::<u8>().prop_map(EntryType::new),
    ]
}

/// Targets that lead out, besides those that lead nowhere.
fn target() -> impl Strategy<Value = String> {
    prop_oneof![
        name(),
        Just("../..".to_owned()),
        Just("/".to_owned()),
        Just("../canary".to_owned()),
        Just("/etc".to_owned()),
        Just("a".to_owned()),
    ]
}

/// Everything about the canaries that an escape could change.
fn fingerprint(dir: &std::path::Path) -> Vec<(String, u64, u32, i64, i64, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let about = entry.metadata().unwrap();
        let name = entry.file_name().into_string().unwrap();
        if name == "tree" {
            continue;
        }
        let content = fs::read(entry.path()).unwrap();
        found.push((
            name,
            about.nlink(),
            about.mode(),
            about.ctime(),
            about.ctime_nsec(),
            content,
        ));
    }
    found.sort();
    found
}

fn attempt(layers: &[Vec<u8>]) {
    let dir = tempfile::tempdir().unwrap();
    for name in ["canary", "a", "b"] {
        fs::write(dir.path().join(name), name).unwrap();
    }
    let before = fingerprint(dir.path());
    let mut tree = Tree::create(&dir.path().join("tree")).unwrap();
    let limits = Limits {
        max_unpacked_bytes: 1 << 20,
        max_entries: 100,
    };
    let mut budget = Budget::new(limits);
    for bytes in layers {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        let size = u64::try_from(bytes.len()).unwrap();
        let layer = LayerBlob {
            blob: Blob {
                file: Arc::new(file),
                offset: 0,
                size,
            },
            digest: Some(digest(bytes)),
            diff_id: digest(bytes),
            compression: Compression::None,
        };
        let _ = unpack(&mut tree, &layer, &mut budget, &mut |_| Ok(()));
    }
    tree.finish().unwrap();
    assert_eq!(
        before,
        fingerprint(dir.path()),
        "something outside the tree changed"
    );
}

proptest! {
    #![proptest_config(Config { cases: 300, failure_persistence: None, ..Config::default() })]

    #[test]
    fn random_entries_never_escape(
        lower in vec((kind(), name(), target()), 1..12),
        upper in vec((kind(), name(), target()), 1..12),
    ) {
        let layer = |entries: Vec<(EntryType, String, String)>| {
            let made = entries.into_iter().fold(Layer::new(), |layer, (kind, name, target)| {
                let data: &[u8] = if kind == EntryType::Regular { b"data" } else { b"" };
                let name: String = name.chars().take(99).collect();
                let header = header(kind, &name, &target, data.len());
                layer.header(&header, data)
            });
            made.bytes()
        };
        attempt(&[layer(lower), layer(upper)]);
    }

    #[test]
    fn damaged_archives_never_escape(
        flips in vec((0_usize..4096, any::<u8>()), 1..8),
        cut in 0_usize..8192,
        fixed in any::<bool>(),
    ) {
        let mut bytes = Layer::new()
            .dir("a/")
            .symlink("a/up", "../..")
            .file("a/b", &[1; 700])
            .hard_link("c", "a/b")
            .bytes();
        for (at, value) in flips {
            let length = bytes.len();
            bytes[at % length] = value;
        }
        if fixed {
            // Damage that a checksum does not show.
            for header in bytes.chunks_exact_mut(512) {
                let sum: u32 = header[..148].iter().chain(&header[156..]).map(|byte| u32::from(*byte)).sum();
                let text = format!("{:06o}\0 ", sum + 8 * 32);
                header[148..156].copy_from_slice(&text.as_bytes()[..8]);
            }
        }
        bytes.truncate(cut);
        attempt(&[bytes]);
    }

    #[test]
    fn random_bytes_are_read_to_an_end(bytes in vec(any::<u8>(), 0..4096)) {
        let mut archive = Archive::new(bytes.as_slice());
        while let Ok(Some(_)) = archive.next() {}
    }
}
