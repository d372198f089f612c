//! One layer as an OCI image layout (image-spec 1.1, image-layout.md) in a tar archive.

use std::io::{self, Read, Seek, Write};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType};

use super::tree::{add, header};

/// Writes the layout around a layer; `reference` is the name that engines give the image when they import it, `config` what
/// the image says of its containers.
pub(crate) fn write(
    out: impl Write,
    reference: &str,
    config: &Value,
    layer: &mut (impl Read + Seek),
) -> Result<()> {
    let mut hash = Sha256::new();
    let layer_size = io::copy(layer, &mut hash).context("cannot read the layer")?;
    layer.rewind().context("cannot read the layer")?;
    let layer_digest = hex::encode(hash.finalize());
    let config = serde_json::to_vec(&json!({
        "architecture": "amd64",
        "os": "linux",
        "config": config,
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{layer_digest}")] },
    }))?;
    let manifest = serde_json::to_vec(&json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": descriptor("application/vnd.oci.image.config.v1+json", &config),
        "layers": [{
            "mediaType": "application/vnd.oci.image.layer.v1.tar",
            "digest": format!("sha256:{layer_digest}"),
            "size": layer_size,
        }],
    }))?;
    let mut entry = descriptor("application/vnd.oci.image.manifest.v1+json", &manifest);
    entry["annotations"] = json!({
        "io.containerd.image.name": reference,
        "org.opencontainers.image.ref.name": "latest",
    });
    let index = serde_json::to_vec(&json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [entry],
    }))?;

    let mut tar = Builder::new(out);
    add(&mut tar, EntryType::Directory, "blobs/", 0o755, &[])?;
    add(&mut tar, EntryType::Directory, "blobs/sha256/", 0o755, &[])?;
    for blob in [&config, &manifest] {
        let name = format!("blobs/sha256/{}", hex::encode(Sha256::digest(blob)));
        add(&mut tar, EntryType::Regular, &name, 0o644, blob)?;
    }
    let mut layer_header = header(EntryType::Regular, 0o644, layer_size);
    tar.append_data(
        &mut layer_header,
        format!("blobs/sha256/{layer_digest}"),
        layer,
    )
    .context("cannot pack the layer")?;
    add(&mut tar, EntryType::Regular, "index.json", 0o644, &index)?;
    let version = br#"{"imageLayoutVersion":"1.0.0"}"#;
    add(&mut tar, EntryType::Regular, "oci-layout", 0o644, version)?;
    tar.into_inner()?.flush().context("cannot write the image")
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
    use std::io::{Cursor, Read};

    use serde_json::{Value, json};
    use sha2::{Digest, Sha256};

    use super::write;

    #[test]
    fn every_descriptor_leads_to_a_blob_of_its_digest_and_size() {
        let mut bytes = Vec::new();
        let asked = json!({ "Cmd": ["/bin/sh"] });
        write(&mut bytes, "a/b:c", &asked, &mut Cursor::new(b"a layer")).unwrap();
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
        assert_eq!(config["config"], asked);
        assert!(files.contains_key("oci-layout"));
    }
}
