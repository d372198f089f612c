//! The settings, their defaults and their file.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use thiserror::Error;

use crate::artefacts::FlavourChoice;
use crate::images::RegistrySettings;

/// Where the settings are read from when nobody says otherwise.
pub const DEFAULT_PATH: &str = "/etc/husk/config.toml";

/// What an operator sets; every key has a default.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Guest kernel: `auto`, `lean` or `hardened`.
    pub kernel: FlavourChoice,
    /// Directory with VMM, kernels and initramfs; the default is beside the executable, then /usr/lib/husk.
    pub artefacts: Option<PathBuf>,
    /// Files of pods that are too large for memory.
    pub state_dir: PathBuf,
    /// Converted images.
    pub image_dir: PathBuf,
    /// Records and sockets of running pods.
    pub run_dir: PathBuf,
    /// A VMM runs with this user id plus its pid; nobody else may use ids from here to 4194304 above.
    pub uid_base: u32,
    /// Size of a container's writable layer in MiB.
    pub scratch_mib: u32,
    /// Read-only block slots of a machine, one for each image of its pod; each costs time at boot.
    pub read_only_slots: u8,
    /// Registries of images.
    pub registry: RegistrySettings,
    /// What is kept of a detached container's output, in KiB: the newest, in memory where `run_dir` is.
    pub log_kib: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            kernel: FlavourChoice::Auto,
            artefacts: None,
            state_dir: "/var/lib/husk".into(),
            image_dir: "/var/lib/husk/images".into(),
            run_dir: "/run/husk".into(),
            uid_base: 0x7000_0000,
            scratch_mib: 10 << 10,
            read_only_slots: 16,
            registry: RegistrySettings::default(),
            log_kib: 10 << 10,
        }
    }
}

/// Settings that cannot be used.
#[derive(Debug, Error)]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The file is not valid.
    #[error("{}: {text}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        text: String,
    },
}

impl Settings {
    /// Reads the settings. `named`: a file that must exist; without one the default file is read if it is there.
    ///
    /// # Errors
    /// The file cannot be read or is not valid.
    pub fn load(named: Option<&Path>) -> Result<Self, SettingsError> {
        let path = named.unwrap_or_else(|| Path::new(DEFAULT_PATH));
        match fs::read_to_string(path) {
            Ok(text) => Self::parse(&text).map_err(|text| SettingsError::Invalid {
                path: path.to_owned(),
                text,
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound && named.is_none() => {
                Ok(Self::default())
            }
            Err(source) => Err(SettingsError::Unreadable {
                path: path.to_owned(),
                source,
            }),
        }
    }

    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let settings: Self = toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| {
                text.get(..span.start).unwrap_or(text).matches('\n').count() + 1
            });
            format!("line {line}: {}", error.message().replace('\n', " "))
        })?;
        settings.check()?;
        Ok(settings)
    }

    fn check(&self) -> Result<(), String> {
        // Host pids go up to 2^22; 65534 and below belong to people and packages.
        let highest = self.uid_base.checked_add(1 << 22);
        if self.uid_base < 65_536 || highest.is_none_or(|id| id > u32::MAX - 2) {
            return Err(format!(
                "uid_base {} is not between 65536 and {}",
                self.uid_base,
                u32::MAX - 2 - (1 << 22)
            ));
        }
        if self.scratch_mib < 16 {
            return Err(format!("scratch_mib {} is less than 16", self.scratch_mib));
        }
        if !(64..=4 << 20).contains(&self.log_kib) {
            let (given, max) = (self.log_kib, 4 << 20);
            return Err(format!("log_kib {given} is not between 64 and {max}"));
        }
        if !(1..=16).contains(&self.read_only_slots) {
            return Err(format!(
                "read_only_slots {} is not between 1 and 16",
                self.read_only_slots
            ));
        }
        self.registry.check()?;
        let dirs = [
            ("state_dir", &self.state_dir),
            ("image_dir", &self.image_dir),
            ("run_dir", &self.run_dir),
        ];
        match dirs.iter().find(|(_, dir)| !dir.is_absolute()) {
            Some((key, dir)) => Err(format!("{key} {} is not absolute", dir.display())),
            None => Ok(()),
        }
    }
}
