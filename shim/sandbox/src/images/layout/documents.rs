//! Where the documents of an image come from: a layout on disk, or a registry.

use oci_spec::image::Descriptor;

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
