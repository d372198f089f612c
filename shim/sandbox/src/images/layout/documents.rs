//! Where the documents of an image come from: a layout on disk, or a registry.

use oci_spec::image::Descriptor;
use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;

use super::super::blob::Hash;
use super::error::LayoutError;

/// Largest JSON document.
pub(in super::super) const MAX_DOCUMENT_BYTES: u64 = 4 << 20;

/// What to do with an index that has two images for this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Ambiguity {
    /// Ask the person which is meant.
    Refused,
    /// The first is meant, as with every engine that pulls.
    FirstFits,
}

/// Gives documents.
pub(in super::super) trait Documents {
    /// The content of `index.json`.
    fn index(&self) -> Result<Vec<u8>, LayoutError>;

    /// A document that a descriptor names, verified.
    fn verified(&self, descriptor: &Descriptor) -> Result<Vec<u8>, LayoutError>;

    /// How its indexes are meant.
    fn ambiguity(&self) -> Ambiguity;
}

/// A document; an error names the field that is wrong.
pub(super) fn parse<T: DeserializeOwned>(content: &[u8], what: &str) -> Result<T, LayoutError> {
    let mut json = serde_json::Deserializer::from_slice(content);
    let invalid = |field: Option<String>, source| LayoutError::Json {
        what: match field {
            Some(field) => format!("{field} of {what}"),
            None => what.to_owned(),
        },
        source,
    };
    let parsed = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let known = !matches!(error.path().iter().next(), None | Some(Segment::Unknown));
        let field = known.then(|| error.path().to_string());
        invalid(field, error.into_inner())
    })?;
    json.end().map_err(|source| invalid(None, source))?;
    Ok(parsed)
}

/// Compares content with the digest that names it.
pub(in super::super) fn verify(digest: &str, content: &[u8]) -> Result<(), LayoutError> {
    let algorithm = Hash::of(digest);
    let mut hash = algorithm.ok_or_else(|| LayoutError::Algorithm(digest.to_owned()))?;
    hash.update(content);
    let found = hash.finish();
    if found == digest {
        return Ok(());
    }
    Err(LayoutError::Digest {
        digest: digest.to_owned(),
        found,
    })
}
