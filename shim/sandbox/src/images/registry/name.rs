//! Names of images: `[HOST[:PORT]/]PATH[:TAG][@DIGEST]`, as the distribution specification and Docker have them.

use std::fmt::{self, Display, Formatter};

use thiserror::Error;

use super::grammar::{is_digest, is_host, is_host_part, is_path, is_tag};
use super::settings::RegistrySettings;

/// What a name without tag and digest means.
const DEFAULT_TAG: &str = "latest";

/// An image in a registry.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ImageName {
    host: String,
    path: String,
    tag: Option<String>,
    digest: Option<String>,
}

/// Why a text is no name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NameError {
    /// The host.
    #[error("registry host {0:?} is not a host name or address with an optional port")]
    Host(String),
    /// The path.
    #[error(
        "repository name {0:?} is not lower-case letters and digits, parted by one of . _ __ - and /"
    )]
    Path(String),
    /// The tag.
    #[error("tag {0:?} is not 1 to 128 letters, digits, dots, dashes and underscores")]
    Tag(String),
    /// The digest.
    #[error(
        "digest {0:?} is not sha256: with 64 or sha512: with 128 lower-case hexadecimal digits"
    )]
    Digest(String),
    /// There is no host and no default.
    #[error("{0:?} names no registry host, and registry.default_host is not set")]
    NoHost(String),
}

impl ImageName {
    /// Reads a name. A first part without dot, colon or capital that is not `localhost` belongs to the path: the host is then
    /// the settings' default.
    ///
    /// # Errors
    /// The part that is not as it must be.
    pub fn parse(text: &str, settings: &RegistrySettings) -> Result<Self, NameError> {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(checked(digest, is_digest, NameError::Digest)?)),
            None => (text, None),
        };
        let (host, rest) = match rest.split_once('/') {
            Some((first, below)) if is_host_part(first) => (Some(first), below),
            _ => (None, rest),
        };
        let (path, tag) = match rest.rsplit_once(':') {
            Some((path, tag)) => (path, Some(checked(tag, is_tag, NameError::Tag)?)),
            None => (rest, None),
        };
        let mut path = checked(path, is_path, NameError::Path)?;
        let host = match (host, &settings.default_host) {
            (Some(host), _) => checked(host, is_host, NameError::Host)?,
            (None, Some(default)) => {
                if !path.contains('/') && !settings.default_namespace.is_empty() {
                    path = format!("{}/{path}", settings.default_namespace);
                }
                default.clone()
            }
            (None, None) => return Err(NameError::NoHost(text.to_owned())),
        };
        let tag = match (tag, &digest) {
            (None, None) => Some(DEFAULT_TAG.to_owned()),
            (tag, _) => tag,
        };
        Ok(Self {
            host,
            path,
            tag,
            digest,
        })
    }

    /// The registry, as it is named.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The repository.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What a registry is asked for: the digest, else the tag.
    #[must_use]
    pub fn version(&self) -> &str {
        self.digest
            .as_deref()
            .or(self.tag.as_deref())
            .unwrap_or(DEFAULT_TAG)
    }

    /// The digest, when the name has one.
    #[must_use]
    pub fn digest(&self) -> Option<&str> {
        self.digest.as_deref()
    }
}

impl Display for ImageName {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.host, self.path)?;
        if let Some(tag) = &self.tag {
            write!(out, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(out, "@{digest}")?;
        }
        Ok(())
    }
}

fn checked(
    text: &str,
    fits: fn(&str) -> bool,
    wrong: fn(String) -> NameError,
) -> Result<String, NameError> {
    if fits(text) {
        Ok(text.to_owned())
    } else {
        Err(wrong(text.to_owned()))
    }
}
