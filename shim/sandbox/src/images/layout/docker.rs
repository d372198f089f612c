//! Docker archives: what `docker save` wrote before it wrote OCI layouts, and other tools still do.
//!
//! `manifest.json` lists images by configuration and layer files; nothing has a digest but the configuration (by its
//! name) and the uncompressed layers (by the configuration's diff ids). Layers that are stored once are linked.

use std::collections::BTreeSet;
use std::io::Read;

use oci_spec::image::ImageConfiguration;
use serde::Deserialize;

use super::super::blob::{Blob, Hash};
use super::super::unpack::{Compression, LayerBlob};
use super::config::{self, OciImage};
use super::documents;
use super::error::LayoutError;
use super::source::Source;

/// The document that makes a tar a docker archive.
pub(super) const MANIFEST: &str = "manifest.json";
const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];
const ZSTD_MAGIC: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// One image of `manifest.json`; keys that other tools add are theirs.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    config: String,
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

/// Reads the image that the tag names, or the only one.
pub(super) fn read(source: &Source, tag: Option<&str>) -> Result<OciImage, LayoutError> {
    let entries: Vec<Entry> =
        documents::parse(&source.document(MANIFEST)?, &format!("{MANIFEST:?}"))?;
    let entry = choose(&entries, tag)?;
    let content = source.document(&entry.config)?;
    verify(&entry.config, &content)?;
    let config: ImageConfiguration = documents::parse(&content, &format!("{:?}", entry.config))?;
    let diff_ids = config::diff_ids(&config, entry.layers.len())?;
    let layers = entry.layers.iter().zip(diff_ids);
    let layers = layers.map(|(name, diff_id)| layer(source, name, diff_id));
    Ok(OciImage {
        config: config::container(&config),
        layers: layers.collect::<Result<_, _>>()?,
    })
}

fn choose<'a>(entries: &'a [Entry], tag: Option<&str>) -> Result<&'a Entry, LayoutError> {
    let tags = |entry: &'a Entry| entry.repo_tags.iter().flatten();
    let choice = |problem: String| {
        let names: BTreeSet<&str> = entries.iter().flat_map(tags).map(String::as_str).collect();
        let names: Vec<&str> = names.into_iter().take(20).collect();
        LayoutError::Choice {
            problem,
            names: if names.is_empty() {
                "no names".to_owned()
            } else {
                names.join(", ")
            },
        }
    };
    let Some(tag) = tag else {
        return match entries {
            [only] => Ok(only),
            [] => Err(choice("it holds no image".to_owned())),
            _ => Err(choice(
                "it holds more than one image (name one as PATH:NAME)".to_owned(),
            )),
        };
    };
    let suffix = format!(":{tag}");
    let fits = |name: &String| name == tag || name.ends_with(&suffix);
    let mut found = entries.iter().filter(|entry| tags(entry).any(fits));
    match (found.next(), found.next()) {
        (Some(entry), None) => Ok(entry),
        (Some(_), Some(_)) => Err(choice(format!(
            "it holds more than one image named {tag:?}"
        ))),
        (None, _) => Err(choice(format!("it holds no image named {tag:?}"))),
    }
}

/// Most tools name the configuration by its SHA-256: then that is checked.
fn verify(name: &str, content: &[u8]) -> Result<(), LayoutError> {
    let last = name.rsplit('/').next().unwrap_or(name);
    let stem = last.strip_suffix(".json").unwrap_or(last);
    let hexadecimal = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if stem.len() != 64 || !stem.bytes().all(hexadecimal) {
        return Ok(());
    }
    documents::verify(&format!("sha256:{stem}"), content)
}

fn layer(source: &Source, name: &str, diff_id: &str) -> Result<LayerBlob, LayoutError> {
    if Hash::of(diff_id).is_none() {
        return Err(LayoutError::Algorithm(diff_id.to_owned()));
    }
    let blob = source.file(name)?;
    Ok(LayerBlob {
        compression: compression(&blob, name)?,
        blob,
        digest: None,
        diff_id: diff_id.to_owned(),
    })
}

/// Nothing says how a layer is stored; docker writes plain archives, others compress.
fn compression(blob: &Blob, name: &str) -> Result<Compression, LayoutError> {
    let mut start = Vec::new();
    let read = blob.reader().take(4).read_to_end(&mut start);
    read.map_err(|source| LayoutError::Io {
        what: format!("{name:?}"),
        source,
    })?;
    Ok(if start.starts_with(GZIP_MAGIC) {
        Compression::Gzip
    } else if start.starts_with(ZSTD_MAGIC) {
        Compression::Zstd
    } else {
        Compression::None
    })
}
