//! Blobs and manifests.

use std::collections::HashMap;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// What a registry has.
#[derive(Debug, Default)]
pub(crate) struct Content {
    pub(crate) blobs: HashMap<String, Vec<u8>>,
    /// By repository and version: media type and bytes.
    pub(crate) manifests: HashMap<(String, String), (String, Vec<u8>)>,
}

impl Content {
    pub(crate) fn blob(&mut self, bytes: &[u8], media_type: &str) -> Value {
        let digest = digest(bytes);
        self.blobs.insert(digest.clone(), bytes.to_vec());
        json!({"mediaType": media_type, "digest": digest, "size": bytes.len()})
    }

    pub(crate) fn manifest(
        &mut self,
        repository: &str,
        version: Option<&str>,
        media_type: &str,
        document: &Value,
    ) -> Value {
        let bytes = document.to_string().into_bytes();
        let digest = digest(&bytes);
        let size = bytes.len();
        for version in version.into_iter().chain([digest.as_str()]) {
            let key = (repository.to_owned(), version.to_owned());
            self.manifests
                .insert(key, (media_type.to_owned(), bytes.clone()));
        }
        json!({"mediaType": media_type, "digest": digest, "size": size})
    }

    pub(crate) fn image(
        &mut self,
        repository: &str,
        version: Option<&str>,
        layers: &[Vec<u8>],
        config: &Value,
    ) -> Value {
        let diff_ids: Vec<String> = layers.iter().map(|layer| digest(layer)).collect();
        let stored = image_layers(layers);
        let kind = "application/vnd.oci.image.layer.v1.tar+gzip";
        let described: Vec<Value> = stored.iter().map(|bytes| self.blob(bytes, kind)).collect();
        let config = json!({
            "architecture": "amd64", "os": "linux", "config": config,
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
        });
        let kind = "application/vnd.oci.image.config.v1+json";
        let config = self.blob(config.to_string().as_bytes(), kind);
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": described,
        });
        self.manifest(repository, version, MANIFEST, &manifest)
    }
}

/// Layers as the registry stores them.
#[must_use]
pub fn image_layers(layers: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let packed = layers.iter().map(|layer| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        // Memory takes everything.
        drop(encoder.write_all(layer));
        encoder.finish().unwrap_or_default()
    });
    packed.collect()
}

/// `sha256:` and 64 digits.
pub(crate) fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}
