//! What is in the layers is in the image: content, types, owners, modes, times, links, attributes.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};

use tar::EntryType;

use super::super::{CacheUse, ImageSource};
use super::fixture::{Bench, Layer, Layout, Mounted, Packing, header};

#[test]
fn file_types_and_attributes_survive_the_conversion() {
    let bench = Bench::new();
    let mut suid = header(EntryType::Regular, "bin/su", "", 4);
    suid.set_mode(0o4751);
    suid.set_uid(1000);
    suid.set_gid(70_000);
    suid.set_mtime(981_173_106);
    suid.set_cksum();
    let mut device = header(EntryType::Char, "dev/null", "", 0);
    device.set_device_major(1).unwrap();
    device.set_device_minor(3).unwrap();
    device.set_cksum();
    let layer = Layer::new()
        .dir("bin/")
        .header(&suid, b"suid")
        .symlink("bin/sh", "/bin/su")
        .hard_link("bin/su2", "bin/su")
        .dir("dev/")
        .header(&device, b"")
        .entry(EntryType::Fifo, "run/pipe", "", b"")
        .bytes();
    let image = bench.image(vec![layer]).unwrap();
    assert_eq!(image.size_bytes % 4096, 0);
    let mounted = Mounted::new(&image);
    let su = mounted.path("bin/su").metadata().unwrap();
    assert_eq!((su.mode(), su.uid(), su.gid()), (0o10_4751, 1000, 70_000));
    assert_eq!((su.mtime(), su.nlink()), (981_173_106, 2));
    assert_eq!(su.ino(), mounted.path("bin/su2").metadata().unwrap().ino());
    assert_eq!(mounted.text("bin/su"), "suid");
    assert_eq!(
        fs::read_link(mounted.path("bin/sh")).unwrap().to_str(),
        Some("/bin/su")
    );
    let null = mounted.path("dev/null").metadata().unwrap();
    assert!(null.file_type().is_char_device());
    assert_eq!(null.rdev(), rustix::fs::makedev(1, 3));
    assert!(
        mounted
            .path("run/pipe")
            .metadata()
            .unwrap()
            .file_type()
            .is_fifo()
    );
    // The directory's own time, not that of the last entry put into it.
    assert_eq!(mounted.path("bin").metadata().unwrap().mtime(), 1_000_000);
    // "run" has no entry of its own.
    let run = mounted.path("run").metadata().unwrap();
    assert_eq!((run.mode() & 0o7777, run.mtime()), (0o755, 0));
}

#[test]
fn pax_records_give_long_names_times_and_attributes() {
    let bench = Bench::new();
    let long = format!("{}/{}", "d".repeat(200), "n".repeat(254));
    let mut plain = header(EntryType::Regular, "short", "", 1);
    plain.set_cksum();
    // A capability whose bytes contain a line feed (cap_dac_override and cap_fowner).
    let capability =
        b"\x01\x00\x00\x02\x0a\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00";
    let records: [(&str, &[u8]); 4] = [
        ("path", long.as_bytes()),
        ("mtime", b"12345.678"),
        ("SCHILY.xattr.user.colour", b"green"),
        ("SCHILY.xattr.security.capability", capability),
    ];
    let image = bench
        .image(vec![Layer::new().pax(&records, &plain, b"x").bytes()])
        .unwrap();
    let mounted = Mounted::new(&image);
    let file = mounted.path(&long);
    let about = file.metadata().unwrap();
    assert_eq!((about.mtime(), about.mtime_nsec()), (12345, 678_000_000));
    let mut value = [0; 64];
    let length = rustix::fs::getxattr(&file, "user.colour", &mut value[..]).unwrap();
    assert_eq!(&value[..length], b"green");
    let length = rustix::fs::getxattr(&file, "security.capability", &mut value[..]).unwrap();
    assert_eq!(&value[..length], capability);
}

#[test]
fn compressed_layers_give_the_image_of_plain_ones() {
    let layers = || {
        vec![
            Layer::new()
                .dir("a/")
                .file("a/x", &vec![7; 100_000])
                .bytes(),
            Layer::new().file("a/y", b"y").bytes(),
        ]
    };
    let mut keys = Vec::new();
    let mut contents = Vec::new();
    for packing in [Packing::Plain, Packing::Gzip, Packing::Zstd] {
        let bench = Bench::new();
        let layers: Vec<_> = layers().into_iter().map(|bytes| (bytes, packing)).collect();
        let layout = Layout::write(&bench.path("layout"), &layers);
        let image = bench.store.resolve(layout.reference(), &mut ()).unwrap();
        assert_eq!(image.cache, CacheUse::Built);
        keys.push(image.key.clone());
        let entry = bench.path("cache/v1").join(&image.key).join("image.erofs");
        contents.push(fs::read(entry).unwrap());
    }
    assert!(keys.iter().all(|key| *key == keys[0]));
    assert!(
        contents.iter().all(|content| *content == contents[0]),
        "images differ"
    );
}

#[test]
fn whiteouts_hide_lower_layers_only() {
    let bench = Bench::new();
    let base = Layer::new()
        .file("gone", b"")
        .file("kept", b"1")
        .file("dir/old", b"")
        .file("dir/sub/old", b"")
        .file("opaque/old", b"")
        .file("replaced/old", b"")
        .file("again", b"1")
        .bytes();
    let upper = Layer::new()
        .file("opaque/new", b"")
        .file("opaque/.wh..wh..opq", b"")
        .file("replaced/new", b"")
        .file(".wh.replaced", b"")
        .file(".wh.gone", b"")
        .file(".wh.dir", b"")
        .file(".wh.absent", b"")
        .file("nowhere/.wh.x", b"")
        .file("again", b"2")
        .file(".wh.again", b"")
        .file(".wh..wh.plnk", b"")
        .bytes();
    let mounted = Mounted::new(&bench.image(vec![base, upper]).unwrap());
    for name in [
        "gone",
        "dir",
        "opaque/old",
        "replaced/old",
        "nowhere",
        ".wh..wh.plnk",
    ] {
        assert!(!mounted.has(name), "{name} is there");
    }
    for name in ["kept", "opaque/new", "replaced/new"] {
        assert!(mounted.has(name), "{name} is missing");
    }
    assert!(!mounted.has(".wh.gone") && !mounted.has("opaque/.wh..wh..opq"));
    assert_eq!(mounted.text("again"), "2");
}

#[test]
fn entries_replace_what_lower_layers_have() {
    let bench = Bench::new();
    let base = Layer::new()
        .file("file", b"1")
        .file("dir/below/file", b"")
        .symlink("link", "file")
        .file("usr/lib/a", b"")
        .symlink("lib", "usr/lib")
        .bytes();
    let upper = Layer::new()
        .dir("file/")
        .file("dir", b"now a file")
        .file("link", b"not through the link")
        .file("lib/b", b"through the link")
        .bytes();
    let mounted = Mounted::new(&bench.image(vec![base, upper]).unwrap());
    assert!(mounted.path("file").is_dir());
    assert_eq!(mounted.text("dir"), "now a file");
    assert!(mounted.path("link").symlink_metadata().unwrap().is_file());
    assert_eq!(mounted.text("usr/lib/b"), "through the link");
    assert!(mounted.path("lib").is_symlink());
}

#[test]
fn image_configuration_and_accounts_come_along() {
    let bench = Bench::new();
    let passwd = "root:x:0:0:root:/root:/bin/sh\n";
    let layer = Layer::new()
        .file("etc/passwd", passwd.as_bytes())
        .symlink("etc/group", "/usr/share/group")
        .file("usr/share/group", b"wheel:x:10:root\n")
        .bytes();
    let config = serde_json::json!({
        "Env": ["A=b"], "Entrypoint": ["/init"], "Cmd": null, "User": "daemon:wheel",
        "WorkingDir": "/srv", "StopSignal": "SIGINT", "ExposedPorts": {"80/tcp": {}},
    });
    let dir = bench.path("layout");
    let layout = Layout::with_config(&dir, &[(layer, Packing::Gzip)], &config);
    let first = bench.store.resolve(layout.reference(), &mut ()).unwrap();
    let image = bench.store.resolve(layout.reference(), &mut ()).unwrap();
    assert_eq!((first.cache, image.cache), (CacheUse::Built, CacheUse::Hit));
    assert_eq!(first.accounts, image.accounts);
    assert_eq!(image.accounts.passwd, passwd);
    assert_eq!(image.accounts.group, "wheel:x:10:root\n");
    let ImageSource::Oci(config) = image.source else {
        panic!("not an OCI image")
    };
    assert_eq!(config.env, ["A=b"]);
    assert_eq!(config.entrypoint, ["/init"]);
    assert!(config.cmd.is_empty());
    assert_eq!(
        (config.user.as_str(), config.working_dir.as_str()),
        ("daemon:wheel", "/srv")
    );
    assert_eq!(config.stop_signal.as_deref(), Some("SIGINT"));
}

#[test]
fn image_without_layers_is_an_empty_root() {
    let bench = Bench::new();
    let image = bench.image(Vec::new()).unwrap();
    let mounted = Mounted::new(&image);
    assert_eq!(fs::read_dir(mounted.path("")).unwrap().count(), 0);
}

#[test]
fn order_of_entries_does_not_show_in_the_image() {
    let names: Vec<String> = (0..100).map(|number| format!("d/{number:03}")).collect();
    let layer = |names: &mut dyn Iterator<Item = &String>| {
        names
            .fold(Layer::new().dir("d/"), |layer, name| {
                layer.file(name, name.as_bytes())
            })
            .bytes()
    };
    let contents = [layer(&mut names.iter()), layer(&mut names.iter().rev())].map(|layer| {
        let bench = Bench::new();
        let image = bench.image(vec![layer]).unwrap();
        fs::read(bench.path("cache/v1").join(&image.key).join("image.erofs")).unwrap()
    });
    assert!(contents[0] == contents[1], "images differ");
}
