//! What an operator says of registries.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::grammar::{is_host, is_path};

/// The `[registry]` section of the settings.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RegistrySettings {
    /// The registry of names without a host; without it such names are refused.
    pub default_host: Option<String>,
    /// Where names of one part are in the default registry; empty: at its top.
    pub default_namespace: String,
    /// Registries that are reached under another host than the one they are named by.
    pub servers: BTreeMap<String, String>,
    /// Hosts that are spoken to without TLS.
    pub insecure: Vec<String>,
    /// Certificates (PEM) of authorities that are trusted besides the system's.
    pub ca_file: Option<PathBuf>,
    /// Credentials, in the form of Docker's `config.json`; the default is where Docker keeps them.
    pub auth_file: Option<PathBuf>,
    /// How long a registry may be silent, or nearly so, in seconds.
    pub timeout_s: u16,
}

impl Default for RegistrySettings {
    fn default() -> Self {
        Self {
            default_host: None,
            default_namespace: "library".to_owned(),
            servers: BTreeMap::new(),
            insecure: Vec::new(),
            ca_file: None,
            auth_file: None,
            timeout_s: 60,
        }
    }
}

impl RegistrySettings {
    /// What is wrong with them, by key and value.
    pub(crate) fn check(&self) -> Result<(), String> {
        let hosts = self.default_host.iter().map(|host| ("default_host", host));
        let hosts = hosts.chain(self.insecure.iter().map(|host| ("insecure", host)));
        let servers = self
            .servers
            .iter()
            .flat_map(|(name, server)| [name, server]);
        let mut hosts = hosts.chain(servers.map(|host| ("servers", host)));
        if let Some((key, host)) = hosts.find(|(_, host)| !is_host(host)) {
            return Err(format!(
                "registry.{key} {host:?} is not a host name or address with an optional port"
            ));
        }
        let namespace = &self.default_namespace;
        if !namespace.is_empty() && !is_path(namespace) {
            return Err(format!(
                "registry.default_namespace {namespace:?} is not the beginning of a repository name"
            ));
        }
        if !(1..=3600).contains(&self.timeout_s) {
            return Err(format!(
                "registry.timeout_s {} is not between 1 and 3600",
                self.timeout_s
            ));
        }
        let files = [("ca_file", &self.ca_file), ("auth_file", &self.auth_file)];
        let relative = |path: &Path| !path.is_absolute();
        for (key, path) in files {
            if let Some(path) = path.as_deref().filter(|path| relative(path)) {
                return Err(format!("registry.{key} {} is not absolute", path.display()));
            }
        }
        Ok(())
    }

    pub(super) fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_s.into())
    }

    /// The host that is asked for a registry of this name.
    pub(super) fn server<'a>(&'a self, host: &'a str) -> &'a str {
        self.servers.get(host).map_or(host, String::as_str)
    }

    /// Whether a host may be spoken to without TLS.
    pub(super) fn is_insecure(&self, host: &str) -> bool {
        self.insecure.iter().any(|named| named == host)
    }
}

/// When a registry is asked for an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PullPolicy {
    /// When it is not here.
    #[default]
    Missing,
    /// Whether it is here or not.
    Always,
    /// Not at all.
    Never,
}
