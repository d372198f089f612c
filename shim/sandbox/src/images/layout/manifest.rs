//! A manifest and its configuration, as far as a container is made from them.

use oci_spec::image::{Descriptor, ImageConfiguration, ImageManifest};
use serde::de::DeserializeOwned;

use super::super::blob::{Blob, Hash};
use super::super::types::ImageConfig;
use super::super::unpack::{Compression, LayerBlob};
use super::config::{self, OciImage};
use super::docker;
use super::documents::{self, Documents};
use super::error::LayoutError;
use super::select;
use super::source::Source;

const CONFIG_TYPES: [&str; 2] = [
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
];

/// An image as its manifest describes it, before its layers are at hand.
#[derive(Debug)]
pub(in super::super) struct ImageParts {
    /// Digest of the manifest.
    pub(in super::super) digest: String,
    /// What the image says about its container.
    pub(in super::super) config: ImageConfig,
    /// The layers, from the lowest up.
    pub(in super::super) layers: Vec<LayerPart>,
}

/// A layer that is somewhere.
#[derive(Clone, Debug)]
pub(in super::super) struct LayerPart {
    /// Its name and size.
    pub(in super::super) descriptor: Descriptor,
    /// Digest of the archive in it.
    pub(in super::super) diff_id: String,
    compression: Compression,
}

impl LayerPart {
    /// The layer, now that its bytes are here.
    pub(in super::super) fn with(self, blob: Blob) -> LayerBlob {
        LayerBlob {
            blob,
            digest: Some(self.descriptor.digest().to_string()),
            diff_id: self.diff_id,
            compression: self.compression,
        }
    }
}

/// Reads the image for linux/amd64 that the tag names, or the only one.
pub(in super::super) fn read(source: &Source, tag: Option<&str>) -> Result<OciImage, LayoutError> {
    if is_docker_archive(source) {
        return docker::read(source, tag);
    }
    let ImageParts { config, layers, .. } = parts(source, tag)?;
    let layers = layers.into_iter().map(|layer| {
        let blob = source.blob(&layer.descriptor)?;
        Ok(layer.with(blob))
    });
    Ok(OciImage {
        config,
        layers: layers.collect::<Result<_, LayoutError>>()?,
    })
}

/// Newer docker archives are layouts too, and the layout says more: such a one is none.
fn is_docker_archive(source: &Source) -> bool {
    source.is_archive_with(docker::MANIFEST, "index.json")
}

/// What to call it.
pub(in super::super) fn form(source: &Source) -> &'static str {
    match is_docker_archive(source) {
        true => "docker archive",
        false => "OCI layout",
    }
}

/// Reads manifest and configuration of the image for linux/amd64 that the tag names, or of the only one.
pub(in super::super) fn parts(
    source: &dyn Documents,
    tag: Option<&str>,
) -> Result<ImageParts, LayoutError> {
    let descriptor = select::manifest(source, tag)?;
    let manifest: ImageManifest = document(source, &descriptor, "manifest")?;
    let media_type = manifest.config().media_type().to_string();
    if !CONFIG_TYPES.contains(&media_type.as_str()) {
        let what = format!("configuration {}", manifest.config().digest());
        return Err(LayoutError::MediaType { what, media_type });
    }
    let config: ImageConfiguration = document(source, manifest.config(), "configuration")?;
    let layers = manifest.layers();
    let diff_ids = config::diff_ids(&config, layers.len())?;
    let layers = layers.iter().zip(diff_ids);
    let layers = layers.map(|(descriptor, diff_id)| layer(descriptor, diff_id));
    Ok(ImageParts {
        digest: descriptor.digest().to_string(),
        config: config::container(&config),
        layers: layers.collect::<Result<_, _>>()?,
    })
}

fn document<T: DeserializeOwned>(
    source: &dyn Documents,
    descriptor: &Descriptor,
    kind: &str,
) -> Result<T, LayoutError> {
    let content = source.verified(descriptor)?;
    documents::parse(&content, &format!("{kind} {}", descriptor.digest()))
}

fn layer(descriptor: &Descriptor, diff_id: &str) -> Result<LayerPart, LayoutError> {
    let digest = descriptor.digest().to_string();
    let media_type = descriptor.media_type().to_string();
    let compression = match media_type.as_str() {
        "application/vnd.oci.image.layer.v1.tar"
        | "application/vnd.oci.image.layer.nondistributable.v1.tar"
        | "application/vnd.docker.image.rootfs.diff.tar" => Compression::None,
        "application/vnd.oci.image.layer.v1.tar+gzip"
        | "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
        | "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
        | "application/vnd.docker.image.rootfs.diff.tar.gzip" => Compression::Gzip,
        "application/vnd.oci.image.layer.v1.tar+zstd"
        | "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd"
        | "application/vnd.docker.image.rootfs.diff.tar.zstd" => Compression::Zstd,
        _ => {
            return Err(LayoutError::MediaType {
                what: format!("layer {digest}"),
                media_type,
            });
        }
    };
    if Hash::of(diff_id).is_none() {
        return Err(LayoutError::Algorithm(diff_id.to_owned()));
    }
    Ok(LayerPart {
        descriptor: descriptor.clone(),
        diff_id: diff_id.to_owned(),
        compression,
    })
}
