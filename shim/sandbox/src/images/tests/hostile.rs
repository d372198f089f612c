//! Layers that want out, or too much: one clear line, nothing left behind, nothing touched outside.

use std::fs;
use std::io::Write;
use std::path::Path;

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use tar::{EntryType, Header};

use super::super::{ImageError, Limits, Observer, Progress, Store};
use super::fixture::{Bench, Layer, Layout, Mounted, Packing, digest, header, line, pack};

#[test]
fn parent_directories_in_names_are_refused() {
    for name in ["../canary", "a/../../canary", "/../canary", "a/.."] {
        let bench = Bench::new();
        let text = bench.refusal(vec![Layer::new().file(name, b"x").bytes()]);
        assert!(text.contains("leaves the image by \"..\""), "{text}");
        assert!(text.contains(name) && text.contains("sha256:"), "{text}");
        assert!(!bench.path("canary").exists());
    }
}

#[test]
fn symlinks_in_the_middle_of_a_path_stay_inside() {
    let bench = Bench::new();
    let outside = bench.path("outside");
    fs::create_dir(&outside).unwrap();
    let target = outside.to_str().unwrap();
    let layer = Layer::new()
        .symlink("absolute", target)
        .file("absolute/canary", b"inside")
        .bytes();
    // The target is not there inside the image, and is not made.
    let text = bench.refusal(vec![layer]);
    assert!(
        text.contains("a component of its path is not a directory"),
        "{text}"
    );
    let layer = Layer::new()
        .symlink("up", "../../../../../../../..")
        .file("up/tmp/canary", b"inside")
        .bytes();
    let mounted = Mounted::new(&bench.image(vec![layer]).unwrap());
    assert_eq!(mounted.text("tmp/canary"), "inside");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    assert!(!Path::new("/tmp/canary").exists());
}

#[test]
fn absolute_names_and_link_targets_mean_the_image() {
    let bench = Bench::new();
    let layer = Layer::new()
        .file("/etc/shadow", b"inside")
        .hard_link("shadow", "/etc/shadow")
        .symlink("passwd", "/etc/passwd")
        .bytes();
    let mounted = Mounted::new(&bench.image(vec![layer]).unwrap());
    assert_eq!(mounted.text("shadow"), "inside");
    assert!(mounted.path("passwd").is_symlink());
}

#[test]
fn hard_links_to_what_the_image_has_not_are_refused() {
    let targets = [
        "/etc/passwd",
        "../../../../etc/passwd",
        "dir",
        "through/passwd",
        ".",
    ];
    for target in targets {
        let bench = Bench::new();
        let layer = Layer::new()
            .dir("dir/")
            .symlink("through", "/etc")
            .hard_link("link", target)
            .bytes();
        let text = bench.refusal(vec![layer]);
        assert!(text.contains("hard link") || text.contains(".."), "{text}");
        assert!(text.contains("\"link\""), "{text}");
    }
}

#[test]
fn sizes_beyond_the_disk_or_the_limit_are_refused() {
    let bench = Bench::new();
    let mut huge = header(EntryType::Regular, "huge", "", 0);
    huge.set_size(1 << 40);
    huge.set_cksum();
    let text = bench.refusal(vec![Layer::new().header(&huge, b"").bytes()]);
    assert!(text.contains("larger than 68719476736 bytes"), "{text}");
    let limits = Limits {
        max_unpacked_bytes: u64::MAX,
        ..Limits::default()
    };
    let bench = Bench::with_limits(limits);
    let text = bench.refusal(vec![Layer::new().header(&huge, b"").bytes()]);
    assert!(
        text.contains("no space left") && text.contains("1099511627776"),
        "{text}"
    );
}

#[test]
fn compression_bombs_end_at_the_limit() {
    let limits = Limits {
        max_unpacked_bytes: 1 << 20,
        ..Limits::default()
    };
    for packing in [Packing::Gzip, Packing::Zstd] {
        let bench = Bench::with_limits(limits);
        let bomb = vec![0; 64 << 20];
        for layer in [Layer::new().file("bomb", &bomb).bytes(), bomb.clone()] {
            let layout = bench.layout(&[(layer, packing)]);
            let error = bench
                .store
                .resolve(layout.reference(), &mut ())
                .unwrap_err();
            assert!(
                line(&error).contains("larger than 1048576 bytes"),
                "{}",
                line(&error)
            );
            bench.assert_clean();
        }
    }
}

#[test]
fn sparse_files_count_with_their_holes() {
    let limits = Limits {
        max_unpacked_bytes: 8 << 20,
        ..Limits::default()
    };
    let bench = Bench::with_limits(limits);
    let text = bench.refusal(vec![sparse(1 << 30)]);
    assert!(text.contains("larger than 8388608 bytes"), "{text}");
    let mounted = Mounted::new(&bench.image(vec![sparse(1 << 20)]).unwrap());
    let content = fs::read(mounted.path("sparse")).unwrap();
    assert_eq!(content.len(), 1 << 20);
    assert_eq!(&content[4096..4100], b"data");
    assert_eq!(content.iter().filter(|byte| **byte != 0).count(), 4);
}

fn sparse(real_size: u64) -> Vec<u8> {
    let mut header = header(EntryType::GNUSparse, "sparse", "", 4);
    let gnu = header.as_gnu_mut().unwrap();
    gnu.set_real_size(real_size);
    gnu.sparse[0].set_offset(4096);
    gnu.sparse[0].set_length(4);
    header.set_cksum();
    Layer::new().header(&header, b"data").bytes()
}

#[test]
fn too_many_entries_are_refused() {
    let bench = Bench::with_limits(Limits {
        max_entries: 10,
        ..Limits::default()
    });
    let layer = (0..11).fold(Layer::new(), |layer, name| {
        layer.file(&name.to_string(), b"")
    });
    let text = bench.refusal(vec![layer.bytes()]);
    assert!(text.contains("more than 10 entries"), "{text}");
}

#[test]
fn deep_paths_and_long_names_are_refused() {
    let bench = Bench::new();
    let plain = header(EntryType::Regular, "x", "", 0);
    for (name, word) in [("d/".repeat(300), "deep"), ("n".repeat(300), "longer")] {
        let records: [(&str, &[u8]); 1] = [("path", name.as_bytes())];
        let text = bench.refusal(vec![Layer::new().pax(&records, &plain, b"").bytes()]);
        assert!(text.contains(word) && text.len() < 1000, "{text}");
    }
    // A tree that is deeper than any path in it, by links to its depths.
    let deep = format!("/{}", "d/".repeat(200));
    let records: [(&str, &[u8]); 1] = [("path", deep.as_bytes())];
    let links: [(&str, &[u8]); 1] = [("linkpath", deep.as_bytes())];
    let more = format!("link/{}", "d/".repeat(45));
    let layer = Layer::new()
        .pax(&records, &header(EntryType::Directory, "x", "", 0), b"")
        .pax(&links, &header(EntryType::Symlink, "link", "", 0), b"");
    let inside = Layer::new().dir(&more).bytes();
    bench.image(vec![layer.bytes(), inside]).unwrap();
    let bench = Bench::new();
    let more = format!("link/{}", "d/".repeat(45));
    let layer = Layer::new()
        .pax(&records, &header(EntryType::Directory, "x", "", 0), b"")
        .pax(&links, &header(EntryType::Symlink, "link", "", 0), b"")
        .dir(&more)
        .symlink("link/link", &format!("/link/{}", "d/".repeat(40)))
        .dir(&format!("link/link/{}", "d/".repeat(20)));
    let text = bench.refusal(vec![layer.bytes()]);
    assert!(text.contains("deep"), "{text}");
}

#[test]
fn extended_headers_have_a_bound() {
    let bench = Bench::new();
    let value = vec![b'x'; 2 << 20];
    let plain = header(EntryType::Regular, "x", "", 0);
    let records: [(&str, &[u8]); 1] = [("comment", &value)];
    let text = bench.refusal(vec![Layer::new().pax(&records, &plain, b"").bytes()]);
    assert!(text.contains("longer than 1048576"), "{text}");
    let mut long = header(EntryType::GNULongName, "././@LongLink", "", 0);
    long.set_size(u64::MAX / 2);
    long.set_cksum();
    let text = bench.refusal(vec![Layer::new().header(&long, b"").bytes()]);
    assert!(text.contains("member name of"), "{text}");
}

#[test]
fn damaged_archives_are_refused() {
    let bench = Bench::new();
    let whole = Layer::new().file("a", &[1; 5000]).file("b", b"b").bytes();
    let text = bench.refusal(vec![whole[..3000].to_vec()]);
    assert!(text.contains("archive ends within"), "{text}");
    let mut garbled = whole.clone();
    garbled[10] ^= 1;
    let text = bench.refusal(vec![garbled]);
    assert!(text.contains("wrong checksum"), "{text}");
    let mut unknown = header(EntryType::Regular, "x", "", 0);
    unknown.set_entry_type(EntryType::new(b'V'));
    unknown.set_cksum();
    let text = bench.refusal(vec![Layer::new().header(&unknown, b"").bytes()]);
    assert!(text.contains("type 'V' is not supported"), "{text}");
    let mut owner = header(EntryType::Regular, "x", "", 0);
    owner.set_uid(u64::from(u32::MAX));
    owner.set_cksum();
    let text = bench.refusal(vec![Layer::new().header(&owner, b"").bytes()]);
    assert!(text.contains("owner 4294967295"), "{text}");
}

#[test]
fn whiteouts_of_nothing_are_refused() {
    for name in [".wh.", ".wh..", ".wh...", "d/.wh.."] {
        let text = Bench::new().refusal(vec![Layer::new().file(name, b"").bytes()]);
        assert!(text.contains("whiteout names no file"), "{text}");
    }
}

#[test]
fn devices_are_content_and_nothing_else() {
    let bench = Bench::new();
    let mut disk = header(EntryType::Block, "dev/disk", "", 0);
    disk.set_device_major(7).unwrap();
    disk.set_device_minor(0).unwrap();
    disk.set_cksum();
    // Writing to the name of a device must not write to the device.
    let layer = Layer::new()
        .header(&disk, b"")
        .file("dev/disk", b"file")
        .bytes();
    let mounted = Mounted::new(&bench.image(vec![layer]).unwrap());
    assert_eq!(mounted.text("dev/disk"), "file");
}

#[test]
fn changed_blobs_are_named_by_their_digest() {
    let bench = Bench::new();
    let bytes = Layer::new().file("a", &[1; 5000]).bytes();
    for packing in [Packing::Plain, Packing::Gzip, Packing::Zstd] {
        let layout = bench.layout(&[(bytes.clone(), packing)]);
        let mut stored = pack(&bytes, packing);
        let blob = layout.path(&digest(&stored));
        let middle = stored.len() / 2;
        stored[middle] ^= 0x10;
        fs::write(&blob, &stored).unwrap();
        let text = line(
            &bench
                .store
                .resolve(layout.reference(), &mut ())
                .unwrap_err(),
        );
        assert!(text.contains("stored digest is sha256:"), "{text}");
        fs::write(&blob, &stored[..middle]).unwrap();
        let text = line(
            &bench
                .store
                .resolve(layout.reference(), &mut ())
                .unwrap_err(),
        );
        assert!(text.contains(&format!("has {middle} bytes")), "{text}");
        fs::remove_file(&blob).unwrap();
        let text = line(
            &bench
                .store
                .resolve(layout.reference(), &mut ())
                .unwrap_err(),
        );
        assert!(text.contains("is missing"), "{text}");
        bench.assert_clean();
    }
}

#[test]
fn full_disk_is_said_and_leaves_nothing() {
    let bench = Bench::new();
    let small = bench.path("small");
    fs::create_dir(&small).unwrap();
    let size = Some(c"size=4m");
    mount("tmpfs", &small, "tmpfs", MountFlags::empty(), size).unwrap();
    let outcomes = [3_000_000, 5_000_000].map(|bytes: usize| {
        let store = Store::open(&small.join("cache"), Limits::default()).unwrap();
        let files = (0..50).fold(Layer::new(), |layer, name| {
            layer.file(&name.to_string(), &vec![1; bytes / 50])
        });
        let layout = Layout::write(&bench.path("layout"), &[(files.bytes(), Packing::Gzip)]);
        let text = line(&store.resolve(layout.reference(), &mut ()).unwrap_err());
        let left = fs::read_dir(small.join("cache/staging")).unwrap().count();
        (text, left)
    });
    unmount(&small, UnmountFlags::DETACH).unwrap();
    for (text, left) in outcomes {
        assert!(text.contains("no space left in"), "{text}");
        assert_eq!(left, 0);
    }
}

#[test]
fn cancelling_ends_the_work() {
    struct Impatient(bool);
    impl Observer for Impatient {
        fn progress(&mut self, _progress: Progress) {
            self.0 = true;
        }
        fn cancelled(&self) -> bool {
            self.0
        }
    }
    let bench = Bench::new();
    let layout = bench.layout(&[(
        Layer::new().file("a", &[1; 500_000]).bytes(),
        Packing::Plain,
    )]);
    let outcome = bench
        .store
        .resolve(layout.reference(), &mut Impatient(false));
    assert!(matches!(outcome, Err(ImageError::Cancelled)));
    bench.assert_clean();
}

#[test]
fn pax_sparse_files_are_refused_by_name() {
    let plain: Header = header(EntryType::Regular, "x", "", 0);
    let records: [(&str, &[u8]); 1] = [("GNU.sparse.major", b"1")];
    let text = Bench::new().refusal(vec![Layer::new().pax(&records, &plain, b"").bytes()]);
    assert!(text.contains("sparse file in pax format"), "{text}");
    // Malformed records are not taken for anything.
    let mut bad = header(EntryType::XHeader, "x", "", 9);
    bad.set_cksum();
    let mut layer = Vec::new();
    layer
        .write_all(
            &Layer::new()
                .header(&bad, b"99 a=b\nxx")
                .file("x", b"")
                .bytes(),
        )
        .unwrap();
    let text = Bench::new().refusal(vec![layer]);
    assert!(text.contains("malformed"), "{text}");
}
