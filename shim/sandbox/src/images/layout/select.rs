//! From `index.json` to the one manifest that is meant: by name where the reference has one, and by platform.

use std::collections::BTreeSet;

use oci_spec::image::{Arch, Descriptor, ImageIndex, Os};

use super::documents::{self, Ambiguity, Documents};
use super::error::LayoutError;

/// How deep indexes may refer to indexes.
const MAX_INDEX_DEPTH: usize = 4;
/// Most entries of all indexes together.
const MAX_DESCRIPTORS: usize = 10_000;
const REF_NAMES: [&str; 2] = [
    "org.opencontainers.image.ref.name",
    "io.containerd.image.name",
];

/// Media types of an index.
const INDEX_TYPES: [&str; 2] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
];
/// Media types of a manifest.
const MANIFEST_TYPES: [&str; 2] = [
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];

/// The manifest for linux/amd64.
pub(super) fn manifest(
    source: &dyn Documents,
    tag: Option<&str>,
) -> Result<Descriptor, LayoutError> {
    let index: ImageIndex = documents::parse(&source.index()?, "index.json")?;
    let chosen = named(index.manifests(), tag)?;
    let mut search = Search {
        source,
        found: Vec::new(),
        platforms: BTreeSet::new(),
        seen: 0,
    };
    for descriptor in &chosen {
        search.visit(descriptor, 0)?;
    }
    let best = search.found.iter().map(|(rank, _)| *rank).min();
    let Some(best) = best else {
        let platforms: Vec<String> = search.platforms.into_iter().collect();
        let listed = if platforms.is_empty() {
            "nothing".to_owned()
        } else {
            platforms.join(", ")
        };
        return Err(LayoutError::Platform(listed));
    };
    let mut candidates = search.found.into_iter().filter(|(rank, _)| *rank == best);
    let first = candidates.next().map(|(_, descriptor)| descriptor);
    let first = first.ok_or_else(|| LayoutError::Platform("nothing".to_owned()))?;
    let refused = source.ambiguity() == Ambiguity::Refused;
    if refused && candidates.any(|(_, other)| other.digest() != first.digest()) {
        let problem = "it holds more than one image for linux/amd64 (name one as PATH:NAME)";
        return Err(LayoutError::Choice {
            problem: problem.to_owned(),
            names: names(&chosen),
        });
    }
    Ok(first)
}

fn named(manifests: &[Descriptor], tag: Option<&str>) -> Result<Vec<Descriptor>, LayoutError> {
    let Some(tag) = tag else {
        return Ok(manifests.to_vec());
    };
    let suffix = format!(":{tag}");
    let fits = |name: &&str| *name == tag || name.ends_with(&suffix);
    let chosen: Vec<Descriptor> = manifests
        .iter()
        .filter(|descriptor| ref_names(descriptor).any(|name| fits(&name)))
        .cloned()
        .collect();
    if chosen.is_empty() {
        let problem = format!("it holds no image named {tag:?}");
        return Err(LayoutError::Choice {
            problem,
            names: names(manifests),
        });
    }
    Ok(chosen)
}

fn ref_names(descriptor: &Descriptor) -> impl Iterator<Item = &str> {
    let annotations = descriptor.annotations().as_ref();
    REF_NAMES
        .iter()
        .filter_map(move |key| annotations?.get(*key).map(String::as_str))
}

fn names(manifests: &[Descriptor]) -> String {
    let names: BTreeSet<&str> = manifests.iter().flat_map(ref_names).take(20).collect();
    let names: Vec<&str> = names.into_iter().collect();
    if names.is_empty() {
        "no names".to_owned()
    } else {
        names.join(", ")
    }
}

struct Search<'a> {
    source: &'a dyn Documents,
    /// Manifests that fit, with how well (0 is best).
    found: Vec<(usize, Descriptor)>,
    platforms: BTreeSet<String>,
    seen: usize,
}

impl Search<'_> {
    fn visit(&mut self, descriptor: &Descriptor, depth: usize) -> Result<(), LayoutError> {
        self.seen += 1;
        if depth > MAX_INDEX_DEPTH || self.seen > MAX_DESCRIPTORS {
            let problem = "indexes are nested too deep or refer to too many manifests";
            return Err(LayoutError::Excess(problem.to_owned()));
        }
        let media_type = descriptor.media_type().to_string();
        let digest = descriptor.digest().to_string();
        if INDEX_TYPES.contains(&media_type.as_str()) {
            let index: ImageIndex = documents::parse(&self.source.verified(descriptor)?, &digest)?;
            return index
                .manifests()
                .iter()
                .try_for_each(|next| self.visit(next, depth + 1));
        }
        if !MANIFEST_TYPES.contains(&media_type.as_str()) {
            let what = format!("manifest {digest}");
            return Err(LayoutError::MediaType { what, media_type });
        }
        match descriptor.platform() {
            None => self.found.push((0, descriptor.clone())),
            Some(platform) => {
                let fits = *platform.os() == Os::Linux && *platform.architecture() == Arch::Amd64;
                if fits {
                    let rank = variant_rank(platform.variant().as_deref());
                    self.found.push((rank, descriptor.clone()));
                } else {
                    let name = format!("{}/{}", platform.os(), platform.architecture());
                    self.platforms.insert(name);
                }
            }
        }
        Ok(())
    }
}

/// The plain variant runs everywhere; higher ones want newer CPUs.
fn variant_rank(variant: Option<&str>) -> usize {
    match variant {
        None | Some("" | "v1") => 0,
        Some("v2") => 1,
        Some(_) => 2,
    }
}
