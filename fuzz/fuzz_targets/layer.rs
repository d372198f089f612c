//! Any layers of an image, unpacked for real. The input's first byte says how they are compressed and whether the checksums of
//! headers are put right first, the second how many blocks of 512 bytes the first layer has; the rest is the second one.
//! Beyond "no panic": nothing beside the tree changes, no layer takes more than it may, and a tree that was taken is one that
//! can be walked.
#![no_main]

use std::{fs, os::unix::fs::MetadataExt as _, path::Path};

use libfuzzer_sys::fuzz_target;

#[path = "../../shim/sandbox/src/images"]
#[allow(dead_code, unused_imports, reason = "the sandbox uses the rest of it")]
mod images {
    mod archive;
    mod blob;
    mod types;
    mod unpack;

    use std::{fs::File, io::Write as _, path::Path, sync::Arc};

    use blob::{Blob, Hash};
    pub(crate) use types::Limits;
    use unpack::{Budget, Compression, LayerBlob, Tree, unpack};

    fn digest(bytes: &[u8]) -> String {
        let none = format!("sha256:{}", "0".repeat(64));
        let mut hash = Hash::of(&none).unwrap();
        hash.update(bytes);
        hash.finish()
    }

    fn stored(tar: &[u8], how: u8) -> (Vec<u8>, Compression) {
        match how {
            1 => {
                let fast = flate2::Compression::fast();
                let mut gzip = flate2::write::GzEncoder::new(Vec::new(), fast);
                gzip.write_all(tar).unwrap();
                (gzip.finish().unwrap(), Compression::Gzip)
            }
            2 => (zstd::encode_all(tar, 1).unwrap(), Compression::Zstd),
            _ => (tar.to_vec(), Compression::None),
        }
    }

    /// Unpacks layers into a new tree; whether all were taken.
    pub(crate) fn check(tree: &Path, layers: &[&[u8]], how: u8, limits: Limits) -> bool {
        let mut tree = Tree::create(tree).unwrap();
        let mut budget = Budget::new(limits);
        let taken = layers.iter().all(|tar| {
            let (bytes, compression) = stored(tar, how);
            let memory = rustix::fs::memfd_create("layer", rustix::fs::MemfdFlags::CLOEXEC);
            let mut file = File::from(memory.unwrap());
            file.write_all(&bytes).unwrap();
            let layer = LayerBlob {
                blob: Blob {
                    file: Arc::new(file),
                    offset: 0,
                    size: bytes.len().try_into().unwrap(),
                },
                digest: Some(digest(&bytes)),
                diff_id: digest(tar),
                compression,
            };
            let outcome = unpack(&mut tree, &layer, &mut budget, &mut |_| Ok(()));
            if let Err(error) = &outcome {
                assert!(!error.to_string().is_empty());
            }
            outcome.is_ok()
        });
        tree.finish().unwrap();
        assert!(budget.file_bytes_used() <= limits.max_unpacked_bytes);
        taken
    }
}

#[path = "../tar.rs"]
mod tar_sums;

const CANARIES: [&str; 3] = ["canary", "a", "b"];
const LIMITS: images::Limits = images::Limits {
    max_unpacked_bytes: 1 << 20,
    max_entries: 100,
};

/// What an escape could change of a canary.
fn seen(dir: &Path, name: &str) -> (u64, u32, u64, i64, i64) {
    let about = fs::symlink_metadata(dir.join(name)).unwrap();
    let changed = (about.ctime(), about.ctime_nsec());
    (
        about.nlink(),
        about.mode(),
        about.len(),
        changed.0,
        changed.1,
    )
}

/// Entries below a directory.
fn count(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).unwrap().map(Result::unwrap);
    let below = |entry: fs::DirEntry| match entry.file_type().unwrap().is_dir() {
        true => 1 + count(&entry.path()),
        false => 1,
    };
    entries.map(below).sum()
}

fuzz_target!(|input: &[u8]| {
    let [how, first, tar @ ..] = input else {
        return;
    };
    let mut tar = tar.to_vec();
    if how & 0x80 != 0 {
        tar_sums::put_right(&mut tar);
    }
    let (lower, upper) = tar.split_at(tar.len().min(usize::from(*first) * 512));
    let dir = tempfile::tempdir().unwrap();
    let names = CANARIES.into_iter();
    names.for_each(|name| fs::write(dir.path().join(name), name).unwrap());
    let before = CANARIES.map(|name| seen(dir.path(), name));
    let tree = dir.path().join("tree");
    let taken = images::check(&tree, &[lower, upper], how % 3, LIMITS);
    assert_eq!(before, CANARIES.map(|name| seen(dir.path(), name)));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 4);
    if taken {
        // A file of a layer may make all directories that its name has.
        assert!(count(&tree) <= LIMITS.max_entries * 256);
    }
});
