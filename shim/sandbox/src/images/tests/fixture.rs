//! Layers, layouts and mounted images for tests.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::Command;

use flate2::Compression as Level;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

use super::super::{Image, ImageError, Limits, Store};

/// How a test compresses a layer.
#[derive(Clone, Copy, Debug)]
pub(super) enum Packing {
    Plain,
    Gzip,
    Zstd,
}

/// A layer's archive, written entry by entry.
pub(super) struct Layer {
    builder: Builder<Vec<u8>>,
}

impl Layer {
    pub(super) fn new() -> Self {
        Self {
            builder: Builder::new(Vec::new()),
        }
    }

    /// One entry; the name goes into the header as it is, whatever it says.
    pub(super) fn entry(mut self, kind: EntryType, name: &str, link: &str, data: &[u8]) -> Self {
        let header = header(kind, name, link, data.len());
        self.builder.append(&header, data).unwrap();
        self
    }

    pub(super) fn file(self, name: &str, data: &[u8]) -> Self {
        self.entry(EntryType::Regular, name, "", data)
    }

    pub(super) fn dir(self, name: &str) -> Self {
        self.entry(EntryType::Directory, name, "", b"")
    }

    pub(super) fn symlink(self, name: &str, target: &str) -> Self {
        self.entry(EntryType::Symlink, name, target, b"")
    }

    pub(super) fn hard_link(self, name: &str, target: &str) -> Self {
        self.entry(EntryType::Link, name, target, b"")
    }

    /// An entry after an extended header with these records.
    pub(super) fn pax(mut self, records: &[(&str, &[u8])], header: &Header, data: &[u8]) -> Self {
        let records = records.iter().copied();
        self.builder.append_pax_extensions(records).unwrap();
        self.builder.append(header, data).unwrap();
        self
    }

    pub(super) fn header(mut self, header: &Header, data: &[u8]) -> Self {
        self.builder.append(header, data).unwrap();
        self
    }

    pub(super) fn bytes(self) -> Vec<u8> {
        self.builder.into_inner().unwrap()
    }
}

pub(super) fn header(kind: EntryType, name: &str, link: &str, size: usize) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(if kind == EntryType::Directory {
        0o755
    } else {
        0o644
    });
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(1_000_000);
    header.set_size(u64::try_from(size).unwrap());
    let fields = header.as_old_mut();
    fields.name[..name.len()].copy_from_slice(name.as_bytes());
    fields.linkname[..link.len()].copy_from_slice(link.as_bytes());
    header.set_cksum();
    header
}

pub(super) fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

pub(super) fn pack(bytes: &[u8], packing: Packing) -> Vec<u8> {
    match packing {
        Packing::Plain => bytes.to_vec(),
        Packing::Gzip => {
            let mut encoder = GzEncoder::new(Vec::new(), Level::fast());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
        Packing::Zstd => zstd::encode_all(bytes, 1).unwrap(),
    }
}

/// An OCI layout directory of one image.
pub(super) struct Layout {
    pub(super) dir: PathBuf,
}

impl Layout {
    /// Writes blobs, manifest and index for these layers.
    pub(super) fn write(dir: &Path, layers: &[(Vec<u8>, Packing)]) -> Self {
        Self::with_config(dir, layers, &serde_json::json!({"Cmd": ["/bin/true"]}))
    }

    pub(super) fn with_config(
        dir: &Path,
        layers: &[(Vec<u8>, Packing)],
        config: &serde_json::Value,
    ) -> Self {
        let layout = Self {
            dir: dir.to_owned(),
        };
        fs::create_dir_all(dir.join("blobs/sha256")).unwrap();
        fs::write(dir.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
        let diff_ids: Vec<String> = layers.iter().map(|(bytes, _)| digest(bytes)).collect();
        let described: Vec<serde_json::Value> = layers
            .iter()
            .map(|(bytes, packing)| {
                let suffix = match packing {
                    Packing::Plain => "",
                    Packing::Gzip => "+gzip",
                    Packing::Zstd => "+zstd",
                };
                let media_type = format!("application/vnd.oci.image.layer.v1.tar{suffix}");
                layout.blob(&pack(bytes, *packing), &media_type)
            })
            .collect();
        let config = serde_json::json!({
            "architecture": "amd64", "os": "linux", "config": config,
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
        });
        let config_type = "application/vnd.oci.image.config.v1+json";
        let config = layout.blob(config.to_string().as_bytes(), config_type);
        let manifest = serde_json::json!({
            "schemaVersion": 2, "config": config, "layers": described,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
        });
        let manifest_type = "application/vnd.oci.image.manifest.v1+json";
        let manifest = layout.blob(manifest.to_string().as_bytes(), manifest_type);
        layout.index(&[manifest]);
        layout
    }

    /// Writes one blob and gives its descriptor.
    pub(super) fn blob(&self, bytes: &[u8], media_type: &str) -> serde_json::Value {
        let digest = digest(bytes);
        fs::write(self.path(&digest), bytes).unwrap();
        serde_json::json!({"mediaType": media_type, "digest": digest, "size": bytes.len()})
    }

    pub(super) fn index(&self, manifests: &[serde_json::Value]) {
        let index = serde_json::json!({"schemaVersion": 2, "manifests": manifests});
        fs::write(self.dir.join("index.json"), index.to_string()).unwrap();
    }

    pub(super) fn path(&self, digest: &str) -> PathBuf {
        self.dir.join("blobs").join(digest.replace(':', "/"))
    }

    pub(super) fn manifests(&self) -> Vec<serde_json::Value> {
        let text = fs::read(self.dir.join("index.json")).unwrap();
        let index: serde_json::Value = serde_json::from_slice(&text).unwrap();
        index["manifests"].as_array().unwrap().clone()
    }

    pub(super) fn reference(&self) -> &str {
        self.dir.to_str().unwrap()
    }
}

/// A directory with a store and a layout, and a canary beside them.
pub(super) struct Bench {
    pub(super) dir: tempfile::TempDir,
    pub(super) store: Store,
}

impl Bench {
    pub(super) fn new() -> Self {
        Self::with_limits(Limits::default())
    }

    pub(super) fn with_limits(limits: Limits) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("cache"), limits).unwrap();
        Self { dir, store }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(super) fn layout(&self, layers: &[(Vec<u8>, Packing)]) -> Layout {
        Layout::write(&self.path("layout"), layers)
    }

    /// The image of one or more plain layers.
    pub(super) fn image(&self, layers: Vec<Vec<u8>>) -> Result<Image, ImageError> {
        let layers: Vec<_> = layers
            .into_iter()
            .map(|bytes| (bytes, Packing::Plain))
            .collect();
        let layout = self.layout(&layers);
        self.store.resolve(layout.reference(), &mut ())
    }

    /// What a failed attempt says, and that it left nothing in the cache.
    pub(super) fn refusal(&self, layers: Vec<Vec<u8>>) -> String {
        let text = line(&self.image(layers).unwrap_err());
        self.assert_clean();
        text
    }

    pub(super) fn assert_clean(&self) {
        for name in ["staging", "v1", "locks"] {
            let dir = self.path("cache").join(name);
            let left: Vec<_> = fs::read_dir(&dir)
                .unwrap()
                .map(|found| found.unwrap())
                .collect();
            assert!(left.is_empty(), "{dir:?} holds {left:?}");
        }
    }
}

/// An error with its causes, in one line as a person sees it.
pub(super) fn line(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    assert!(!text.contains('\n'), "{text:?} is not one line");
    text
}

/// An image mounted read-only.
pub(super) struct Mounted {
    dir: tempfile::TempDir,
}

impl Mounted {
    pub(super) fn new(image: &Image) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let copy = dir.path().join("image");
        let mut content = Vec::new();
        File::open(format!("/proc/self/fd/{}", image.file.as_raw_fd()))
            .unwrap()
            .read_to_end(&mut content)
            .unwrap();
        fs::write(&copy, content).unwrap();
        let mount = dir.path().join("mount");
        fs::create_dir(&mount).unwrap();
        let status = Command::new("mount")
            .args(["-t", "erofs", "-o", "loop,ro"])
            .args([&copy, &mount])
            .status();
        assert!(
            status.unwrap().success(),
            "these tests need root and loop devices"
        );
        Self { dir }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("mount").join(name)
    }

    pub(super) fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.path(name).symlink_metadata().is_ok()
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.path("")).status();
    }
}
