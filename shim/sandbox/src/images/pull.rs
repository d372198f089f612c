//! Images by name: from what was pulled before, or from a registry.

use super::blob::Hash;
use super::cache::failed;
use super::error::ImageError;
use super::layout::{self, ImageParts, LayoutError};
use super::names::{Known, Names};
use super::registry::{Blobs, ImageName, PullPolicy, RegistryError, Remote, Session};
use super::store::{Store, chain_key};
use super::types::{CacheUse, Image, ImageSource, Observer, Origin};

impl Store {
    /// The image of a registry's name as the registry has it now. Blocks for as long as that takes.
    ///
    /// # Errors
    /// The name is none, the registry does not give the image, or the image cannot be made.
    pub fn pull(&self, name: &str, observer: &mut dyn Observer) -> Result<Image, ImageError> {
        let parsed = ImageName::parse(name, &self.registries);
        let parsed = parsed.map_err(|error| ImageError::NotFound {
            reference: name.to_owned(),
            reason: error.to_string(),
        })?;
        let pulled = self.fetch(&parsed, observer);
        pulled.map_err(|error| self.explain(error, observer))
    }

    /// The image of a name, from wherever the policy says.
    pub(super) fn named(
        &self,
        reference: &str,
        observer: &mut dyn Observer,
    ) -> Result<Image, ImageError> {
        let not_found = |reason: String| ImageError::NotFound {
            reference: reference.to_owned(),
            reason,
        };
        if reference.starts_with(['/', '.']) || reference.is_empty() {
            return Err(not_found("there is no such file or directory".to_owned()));
        }
        let name = ImageName::parse(reference, &self.registries)
            .map_err(|error| not_found(format!("there is no such path, and as a name: {error}")))?;
        if self.policy != PullPolicy::Always
            && let Some(image) = self.pulled(&name)?
        {
            return Ok(image);
        }
        if self.policy == PullPolicy::Never {
            return Err(not_found("it was never pulled, and may not be".to_owned()));
        }
        self.fetch(&name, observer)
    }

    /// What an earlier pull made.
    fn pulled(&self, name: &ImageName) -> Result<Option<Image>, ImageError> {
        let root = self.cache.root();
        let names = Names::open(root).map_err(failed("make a directory in", root))?;
        let Some(known) = names.find(&name.to_string()) else {
            return Ok(None);
        };
        let found = self.cache.lookup(&known.key);
        Ok(found.map(|(file, info)| Image {
            file,
            size_bytes: info.size_bytes,
            key: known.key,
            cache: CacheUse::Hit,
            source: ImageSource::Oci(Box::new(known.config)),
            accounts: info.accounts,
            origin: Some(Origin {
                name: known.name,
                digest: known.digest,
            }),
        }))
    }

    fn fetch(&self, name: &ImageName, observer: &mut dyn Observer) -> Result<Image, ImageError> {
        let wrong = |source: LayoutError| ImageError::Layout {
            what: format!("image {name}"),
            source: Box::new(source),
        };
        let refused = |error: RegistryError| {
            wrong(LayoutError::Io {
                what: "it".to_owned(),
                source: std::io::Error::other(error),
            })
        };
        let session = Session::open(&self.registries, name).map_err(refused)?;
        let parts = layout::parts(&Remote::new(&session, observer), None).map_err(wrong)?;
        let ImageParts {
            digest,
            config,
            layers,
        } = parts;
        let key = chain_key(layers.iter().map(|layer| layer.diff_id.as_str()));
        let source = ImageSource::Oci(Box::new(config.clone()));
        let root = self.cache.root();
        let mut image = self.cached(&key, source, observer, &mut |staging, observer| {
            let sizes = layers.iter().map(|layer| layer.descriptor.size());
            let total = sizes.fold(0, u64::saturating_add);
            if total > self.limits.max_unpacked_bytes {
                let limit = self.limits.max_unpacked_bytes;
                let problem = format!("its layers have {total} bytes, more than {limit}");
                return Err(wrong(LayoutError::Excess(problem)));
            }
            let unknown = |digest: &String| Hash::of(digest).is_none();
            let digests = layers
                .iter()
                .map(|layer| layer.descriptor.digest().to_string());
            let digests: Vec<String> = digests.collect();
            if let Some(digest) = digests.iter().find(|digest| unknown(digest)) {
                return Err(wrong(LayoutError::Algorithm(digest.clone())));
            }
            self.enough_space(total)?;
            let blobs = Blobs::open(root).map_err(failed("make a directory in", root))?;
            let fetched = session.layers(&layers, &blobs, observer).map_err(refused)?;
            let built = self.build_layers(&fetched, staging, observer);
            if matches!(built, Ok(_) | Err(ImageError::Layer { .. })) {
                // The image holds what is in them; a wrong one is of no use.
                digests.iter().for_each(|digest| blobs.remove(digest));
            }
            built
        })?;
        let known = Known {
            name: name.to_string(),
            digest,
            key,
            config,
        };
        let kept = Names::open(root).and_then(|names| names.keep(&known));
        kept.map_err(failed("write a record in", root))?;
        image.origin = Some(Origin {
            name: known.name,
            digest: known.digest,
        });
        Ok(image)
    }
}
