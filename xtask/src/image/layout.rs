//! One layer as an OCI image layout (image-spec 1.1, image-layout.md) in a tar archive.

use anyhow::Result;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType};

use super::tree::add;

/// The reference that engines give the image when they import it.
const REFERENCE: &str = "localhost/husk-busybox:latest";

/// The layout around this layer.
pub(crate) fn archive(layer: &[u8]) -> Result<Vec<u8>> {
    let layer_digest = hex::encode(Sha256::digest(layer));
    let config = serde_json::to_vec(&json!({
        "architecture": "amd64",
        "os": "linux",
        "config": {
            "Env": ["PATH=/bin"],
            "Cmd": ["/bin/sh"],
            "WorkingDir": "/",
        },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{layer_digest}")] },
    }))?;
    let manifest = serde_json::to_vec(&json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": descriptor("application/vnd.oci.image.config.v1+json", &config),
        "layers": [descriptor("application/vnd.oci.image.layer.v1.tar", layer)],
    }))?;
    let mut entry = descriptor("application/vnd.oci.image.manifest.v1+json", &manifest);
    entry["annotations"] = json!({
        "io.containerd.image.name": REFERENCE,
        "org.opencontainers.image.ref.name": "latest",
    });
    let index = serde_json::to_vec(&json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [entry],
    }))?;

    let mut tar = Builder::new(Vec::new());
    add(&mut tar, EntryType::Directory, "blobs/", 0o755, &[])?;
    add(&mut tar, EntryType::Directory, "blobs/sha256/", 0o755, &[])?;
    for blob in [&config, &manifest, layer] {
        let name = format!("blobs/sha256/{}", hex::encode(Sha256::digest(blob)));
        add(&mut tar, EntryType::Regular, &name, 0o644, blob)?;
    }
    add(&mut tar, EntryType::Regular, "index.json", 0o644, &index)?;
    let version = br#"{"imageLayoutVersion":"1.0.0"}"#;
    add(&mut tar, EntryType::Regular, "oci-layout", 0o644, version)?;
    Ok(tar.into_inner()?)
}

fn descriptor(media_type: &str, blob: &[u8]) -> Value {
    json!({
        "mediaType": media_type,
        "digest": format!("sha256:{}", hex::encode(Sha256::digest(blob))),
        "size": blob.len(),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Read;

    use serde_json::Value;
    use sha2::{Digest, Sha256};

    use super::archive;

    #[test]
    fn every_descriptor_leads_to_a_blob_of_its_digest_and_size() {
        let bytes = archive(b"a layer").unwrap();
        let mut files = BTreeMap::new();
        for entry in tar::Archive::new(&bytes[..]).entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            files.insert(entry.path().unwrap().display().to_string(), content);
        }
        let blob = |descriptor: &Value| {
            let digest = descriptor["digest"].as_str().unwrap().replace(':', "/");
            let blob = &files[&format!("blobs/{digest}")];
            assert_eq!(descriptor["size"], blob.len());
            assert!(digest.ends_with(&hex::encode(Sha256::digest(blob))));
            blob
        };
        let index: Value = serde_json::from_slice(&files["index.json"]).unwrap();
        let manifest: Value = serde_json::from_slice(blob(&index["manifests"][0])).unwrap();
        let config: Value = serde_json::from_slice(blob(&manifest["config"])).unwrap();
        assert_eq!(blob(&manifest["layers"][0]), b"a layer");
        assert_eq!(
            config["rootfs"]["diff_ids"][0],
            manifest["layers"][0]["digest"]
        );
        assert!(files.contains_key("oci-layout"));
    }
}
