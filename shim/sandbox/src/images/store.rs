//! The store: a reference in, an image out, made at most once.

use std::error::Error;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::statvfs;
use sha2::{Digest, Sha256};

use super::cache::{BuildLock, Cache, Info, Staging};
use super::error::ImageError;
use super::layout::{self, OciImage, Source, open_regular};
use super::local::{accounts, bundle};
use super::reference::{Kind, kind, locate};
use super::registry::{PullPolicy, RegistrySettings};
use super::scan::{RootFsError, Scan, scan};
use super::tools::erofs;
use super::types::{CacheUse, Image, ImageSource, Limits, Observer, Progress, Stage};
use super::unpack::{Budget, LayerBlob, Tree, needed_space, unpack};

/// What EROFS adds to the files: generously, for the check before the work.
const OVERHEAD_BYTES: u64 = 16 << 20;
/// Name of the tree in a staging directory.
const TREE_NAME: &str = "tree";

/// Images on disk, made from what people name.
#[derive(Debug)]
pub struct Store {
    pub(super) cache: Cache,
    pub(super) limits: Limits,
    pub(super) registries: RegistrySettings,
    pub(super) policy: PullPolicy,
}

impl Store {
    /// Opens the cache in a directory, which is made when missing, and removes what crashed builds left in it.
    ///
    /// # Errors
    /// The directory cannot be made or read.
    pub fn open(dir: &Path, limits: Limits) -> Result<Self, ImageError> {
        Ok(Self {
            cache: Cache::open(dir)?,
            limits,
            registries: RegistrySettings::default(),
            policy: PullPolicy::default(),
        })
    }

    /// Says how registries are reached, and when.
    #[must_use]
    pub fn with_registries(self, registries: RegistrySettings, policy: PullPolicy) -> Self {
        Self {
            registries,
            policy,
            ..self
        }
    }

    /// The image of a reference: the path of an OCI layout (directory or tar, `PATH:NAME` picks one of several images),
    /// of a docker archive (the same), of a rootfs directory, or of an OCI bundle; else the name of an image in a registry.
    /// Blocks for as long as the making takes.
    ///
    /// # Errors
    /// Whatever is wrong with the image, the host's tools or its disk; nothing is left behind then.
    pub fn resolve(
        &self,
        reference: &str,
        observer: &mut dyn Observer,
    ) -> Result<Image, ImageError> {
        let Some((path, tag)) = locate(reference)? else {
            let named = self.named(reference, observer);
            return named.map_err(|error| self.explain(error, observer));
        };
        let kind = kind(&path)?;
        if tag.is_some() && !matches!(kind, Kind::LayoutDir | Kind::LayoutArchive) {
            return Err(ImageError::Kind {
                path,
                reason: "only an OCI layout or docker archive has names in it",
            });
        }
        let made = match kind {
            Kind::LayoutDir => {
                let source = Source::Dir(path.clone());
                self.oci(&path, &source, tag.as_deref(), observer)
            }
            Kind::LayoutArchive => self
                .unfold(&path, observer)
                .and_then(|source| self.oci(&path, &source, tag.as_deref(), observer)),
            Kind::Bundle => bundle::read(&path).and_then(|bundle| {
                let source = ImageSource::Bundle {
                    spec: Box::new(bundle.spec),
                    unknown: bundle.unknown,
                };
                self.rootfs(&bundle.root, source, observer)
            }),
            Kind::RootFs => self.rootfs(&path, ImageSource::RootFs, observer),
        };
        made.map_err(|error| self.explain(error, observer))
    }

    fn unfold(&self, path: &Path, observer: &mut dyn Observer) -> Result<Source, ImageError> {
        let file = open_regular(path).map_err(|source| ImageError::Source {
            path: path.to_owned(),
            source,
        })?;
        // Only the directory's file system is used: the unfolded archive has no name.
        let staging = self.cache.staging()?;
        let limit = self.limits.max_unpacked_bytes;
        let mut news = |done| {
            report(
                observer,
                Progress {
                    stage: Stage::Opening,
                    done,
                    total: 0,
                },
            )
        };
        Source::archive(file, staging.path(), limit, &mut news).map_err(|source| {
            ImageError::Layout {
                // What is in it is not known yet.
                what: format!("image archive {}", path.display()),
                source: Box::new(source),
            }
        })
    }

    fn oci(
        &self,
        path: &Path,
        source: &Source,
        tag: Option<&str>,
        observer: &mut dyn Observer,
    ) -> Result<Image, ImageError> {
        let image = layout::read(source, tag).map_err(|error| ImageError::Layout {
            what: format!("{} {}", layout::form(source), path.display()),
            source: Box::new(error),
        })?;
        let OciImage { config, layers } = image;
        let key = chain_key(layers.iter().map(|layer| layer.diff_id.as_str()));
        let source = ImageSource::Oci(Box::new(config));
        self.cached(&key, source, observer, &mut |staging, observer| {
            self.build_layers(&layers, staging, observer)
        })
    }

    fn rootfs(
        &self,
        path: &Path,
        source: ImageSource,
        observer: &mut dyn Observer,
    ) -> Result<Image, ImageError> {
        let failed = |source| ImageError::RootFs {
            path: path.to_owned(),
            source,
        };
        let path = path.canonicalize().map_err(|source| ImageError::Source {
            path: path.to_owned(),
            source,
        })?;
        let before = scan(&path, self.limits).map_err(failed)?;
        let mut build = |staging: &Staging, observer: &mut dyn Observer| {
            self.build_tree(staging, &path, &before, observer)
        };
        if before.settled {
            return self.cached(&before.key, source, observer, &mut build);
        }
        let staging = self.cache.staging()?;
        let (file, info) = build(&staging, observer)?;
        let made = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |age| age.as_nanos());
        let unique = format!("{} {} {made}", before.key, staging.path().display());
        let key = hex::encode(Sha256::digest(unique));
        Ok(image(file, info, key, CacheUse::Private, source))
    }

    pub(super) fn cached(
        &self,
        key: &str,
        source: ImageSource,
        observer: &mut dyn Observer,
        build: &mut Build<'_>,
    ) -> Result<Image, ImageError> {
        if let Some((file, info)) = self.cache.lookup(key) {
            return Ok(image(file, info, key.to_owned(), CacheUse::Hit, source));
        }
        let lock = self.turn(key, observer)?;
        if let Some((file, info)) = self.cache.lookup(key) {
            return Ok(image(file, info, key.to_owned(), CacheUse::Hit, source));
        }
        let staging = self.cache.staging()?;
        let (file, info) = build(&staging, observer)?;
        self.cache.commit(key, &staging, &info, &lock)?;
        Ok(image(file, info, key.to_owned(), CacheUse::Built, source))
    }

    fn turn(&self, key: &str, observer: &mut dyn Observer) -> Result<BuildLock, ImageError> {
        if let Some(lock) = self.cache.try_lock(key)? {
            return Ok(lock);
        }
        observer.progress(Progress {
            stage: Stage::Waiting,
            done: 0,
            total: 0,
        });
        let lock = self.cache.lock(key, &|| observer.cancelled())?;
        lock.ok_or(ImageError::Cancelled)
    }

    pub(super) fn build_layers(
        &self,
        layers: &[LayerBlob],
        staging: &Staging,
        observer: &mut dyn Observer,
    ) -> Result<(File, Info), ImageError> {
        let mut tree = Tree::create(&staging.path().join(TREE_NAME))
            .map_err(super::cache::failed("make a tree in", staging.path()))?;
        let mut budget = Budget::new(self.limits);
        let total = layers.iter().map(|layer| layer.blob.size).sum();
        let mut done = 0;
        for layer in layers {
            let mut news = |count| {
                done += count;
                report(
                    observer,
                    Progress {
                        stage: Stage::Unpacking,
                        done,
                        total,
                    },
                )
            };
            unpack(&mut tree, layer, &mut budget, &mut news).map_err(|source| {
                ImageError::Layer {
                    digest: layer.name().to_owned(),
                    source: Box::new(source),
                }
            })?;
        }
        tree.finish()
            .map_err(super::cache::failed("finish the tree in", staging.path()))?;
        let accounts = accounts::read(tree.root())?;
        let bytes = budget.file_bytes_used();
        self.enough_space(bytes)?;
        proceed(observer, bytes)?;
        let (file, size_bytes) = erofs::make(staging.path(), Path::new(TREE_NAME), observer)?;
        Ok((
            file,
            Info {
                size_bytes,
                accounts,
            },
        ))
    }

    fn build_tree(
        &self,
        staging: &Staging,
        path: &Path,
        before: &Scan,
        observer: &mut dyn Observer,
    ) -> Result<(File, Info), ImageError> {
        let failed = |source| ImageError::RootFs {
            path: path.to_owned(),
            source,
        };
        self.enough_space(before.bytes)?;
        proceed(observer, before.bytes)?;
        let dir = File::open(path).map_err(|source| ImageError::Source {
            path: path.to_owned(),
            source,
        })?;
        let accounts = accounts::read(&dir)?;
        let (file, size_bytes) = erofs::make(staging.path(), path, observer)?;
        let after = scan(path, self.limits).map_err(failed)?;
        if after.key != before.key {
            return Err(failed(RootFsError::Changed));
        }
        Ok((
            file,
            Info {
                size_bytes,
                accounts,
            },
        ))
    }

    pub(super) fn enough_space(&self, bytes: u64) -> Result<(), ImageError> {
        let free = self.free();
        let needed = bytes.saturating_add(OVERHEAD_BYTES);
        if free.is_some_and(|free| free < needed) {
            return Err(self.disk_full(Some(needed)));
        }
        Ok(())
    }

    fn free(&self) -> Option<u64> {
        let about = statvfs(self.cache.root()).ok()?;
        Some(about.f_bavail.saturating_mul(about.f_frsize))
    }

    fn disk_full(&self, needed: Option<u64>) -> ImageError {
        let needed = needed
            .map(|bytes| format!(", {bytes} are needed"))
            .unwrap_or_default();
        let path: PathBuf = self.cache.root().to_owned();
        ImageError::DiskFull {
            path,
            free: self.free().unwrap_or(0),
            needed,
        }
    }

    /// Says what a failure really was: called off, or a full disk.
    pub(super) fn explain(&self, error: ImageError, observer: &dyn Observer) -> ImageError {
        if observer.cancelled() {
            return ImageError::Cancelled;
        }
        if let ImageError::Layer { source, .. } = &error
            && let Some(needed) = needed_space(source)
        {
            return self.disk_full(Some(needed));
        }
        let no_room = matches!(error, ImageError::Mkfs(_)) && self.free() < Some(1 << 20);
        if no_room || storage_full(&error) {
            self.disk_full(None)
        } else {
            error
        }
    }
}

type Build<'a> = dyn FnMut(&Staging, &mut dyn Observer) -> Result<(File, Info), ImageError> + 'a;

fn image(file: File, info: Info, key: String, cache: CacheUse, source: ImageSource) -> Image {
    Image {
        file,
        size_bytes: info.size_bytes,
        key,
        cache,
        source,
        accounts: info.accounts,
        origin: None,
    }
}

fn report(observer: &mut dyn Observer, progress: Progress) -> io::Result<()> {
    if observer.cancelled() {
        return Err(io::Error::other("cancelled"));
    }
    observer.progress(progress);
    Ok(())
}

fn proceed(observer: &mut dyn Observer, total: u64) -> Result<(), ImageError> {
    let progress = Progress {
        stage: Stage::Building,
        done: 0,
        total,
    };
    report(observer, progress).map_err(|_| ImageError::Cancelled)
}

fn storage_full(error: &ImageError) -> bool {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = next {
        let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
        if matches!(
            kind,
            Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
        ) {
            return true;
        }
        next = error.source();
    }
    false
}

/// The identity of a stack of layers (OCI image specification, `ChainID`), for any number of them and as plain hexadecimal digits.
pub(super) fn chain_key<'a>(diff_ids: impl Iterator<Item = &'a str>) -> String {
    let mut hash = Sha256::new();
    for diff_id in diff_ids {
        hash.update(diff_id.as_bytes());
        hash.update(b"\n");
    }
    hex::encode(hash.finalize())
}
