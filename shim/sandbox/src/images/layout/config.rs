//! An image's configuration: what it says about its container, and which layers it belongs to.

use oci_spec::image::{Arch, ImageConfiguration, Os};

use super::super::types::ImageConfig;
use super::super::unpack::LayerBlob;
use super::error::LayoutError;

/// More layers than any engine makes (overlayfs ends at 500).
const MAX_LAYERS: usize = 1000;

/// An image: its configuration, and its layers from the lowest up.
#[derive(Debug)]
pub(in super::super) struct OciImage {
    /// What the image says about its container.
    pub(in super::super) config: ImageConfig,
    /// The layers.
    pub(in super::super) layers: Vec<LayerBlob>,
}

/// The diff ids of an image for this kind of machine, one for each of its manifest's layers.
pub(super) fn diff_ids(
    config: &ImageConfiguration,
    layers: usize,
) -> Result<&[String], LayoutError> {
    if *config.os() != Os::Linux || *config.architecture() != Arch::Amd64 {
        let platform = format!("{}/{}", config.os(), config.architecture());
        return Err(LayoutError::Platform(platform));
    }
    let diff_ids = config.rootfs().diff_ids();
    if layers != diff_ids.len() {
        let diff_ids = diff_ids.len();
        return Err(LayoutError::LayerCount { layers, diff_ids });
    }
    if layers > MAX_LAYERS {
        let problem = format!("more than {MAX_LAYERS} layers");
        return Err(LayoutError::Excess(problem));
    }
    Ok(diff_ids)
}

/// The part that a container is made from.
pub(super) fn container(config: &ImageConfiguration) -> ImageConfig {
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
        volumes: list(config.volumes()),
        labels: config
            .labels()
            .clone()
            .unwrap_or_default()
            .into_iter()
            .collect(),
    }
}
