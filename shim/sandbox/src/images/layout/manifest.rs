//! A manifest and its configuration, as far as a container is made from them.

use oci_spec::image::{Arch, Descriptor, ImageConfiguration, ImageManifest, Os};
use serde::de::DeserializeOwned;

use super::super::types::ImageConfig;
use super::super::unpack::{Compression, LayerBlob};
use super::error::LayoutError;
use super::select;
use super::source::Source;

/// More layers than any engine makes (overlayfs ends at 500).
const MAX_LAYERS: usize = 1000;
const CONFIG_TYPES: [&str; 2] = [
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
];

/// An image of a layout: its configuration, and its layers from the lowest up.
#[derive(Debug)]
pub(in super::super) struct OciImage {
    /// What the image says about its container.
    pub(in super::super) config: ImageConfig,
    /// The layers.
    pub(in super::super) layers: Vec<LayerBlob>,
}

/// Reads the image for linux/amd64 that the tag names, or the only one.
pub(in super::super) fn read(source: &Source, tag: Option<&str>) -> Result<OciImage, LayoutError> {
    let descriptor = select::manifest(source, tag)?;
    let manifest: ImageManifest = document(source, &descriptor, "manifest")?;
    let media_type = manifest.config().media_type().to_string();
    if !CONFIG_TYPES.contains(&media_type.as_str()) {
        let what = format!("configuration {}", manifest.config().digest());
        return Err(LayoutError::MediaType { what, media_type });
    }
    let config: ImageConfiguration = document(source, manifest.config(), "configuration")?;
    if *config.os() != Os::Linux || *config.architecture() != Arch::Amd64 {
        return Err(LayoutError::Platform(format!(
            "{}/{}",
            config.os(),
            config.architecture()
        )));
    }
    let diff_ids = config.rootfs().diff_ids();
    let layers = manifest.layers();
    if layers.len() != diff_ids.len() {
        let (layers, diff_ids) = (layers.len(), diff_ids.len());
        return Err(LayoutError::LayerCount { layers, diff_ids });
    }
    if layers.len() > MAX_LAYERS {
        return Err(LayoutError::Excess(format!(
            "more than {MAX_LAYERS} layers"
        )));
    }
    let layers = layers.iter().zip(diff_ids);
    let layers = layers.map(|(descriptor, diff_id)| layer(source, descriptor, diff_id));
    Ok(OciImage {
        config: container_config(&config),
        layers: layers.collect::<Result<_, _>>()?,
    })
}

fn document<T: DeserializeOwned>(
    source: &Source,
    descriptor: &Descriptor,
    kind: &str,
) -> Result<T, LayoutError> {
    let content = source.verified(descriptor)?;
    serde_json::from_slice(&content).map_err(|source| LayoutError::Json {
        what: format!("{kind} {}", descriptor.digest()),
        source,
    })
}

fn layer(
    source: &Source,
    descriptor: &Descriptor,
    diff_id: &str,
) -> Result<LayerBlob, LayoutError> {
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
    Ok(LayerBlob {
        blob: source.blob(descriptor)?,
        digest,
        diff_id: diff_id.to_owned(),
        compression,
    })
}

fn container_config(config: &ImageConfiguration) -> ImageConfig {
    let Some(config) = config.config() else {
        return ImageConfig::default();
    };
    let list = |values: &Option<Vec<String>>| values.clone().unwrap_or_default();
    ImageConfig {
        env: list(config.env()),
        entrypoint: list(config.entrypoint()),
        cmd: list(config.cmd()),
        user: config.user().clone().unwrap_or_default(),
        working_dir: config.working_dir().clone().unwrap_or_default(),
        stop_signal: config.stop_signal().clone(),
    }
}
