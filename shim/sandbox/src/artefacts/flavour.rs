//! Two kernels of one series: which of them fits this host.

use std::{fmt, str::FromStr};

use husk_machine::api::config::KvmKind;
use serde::{Deserialize, Deserializer, de::Error};

/// A build of the guest kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// Few instructions: for hosts that interpret guest kernel code.
    Lean,
    /// With the mitigations that cost next to nothing on hardware.
    Hardened,
}

impl Flavour {
    /// The one that fits a kind of KVM.
    #[must_use]
    pub fn for_host(kind: KvmKind) -> Self {
        match kind {
            KvmKind::Hardware => Self::Hardened,
            KvmKind::Interpreting => Self::Lean,
        }
    }

    /// Name of the kernel's file.
    #[must_use]
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Lean => "vmlinux-lean",
            Self::Hardened => "vmlinux-hardened",
        }
    }
}

impl fmt::Display for Flavour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lean => "lean",
            Self::Hardened => "hardened",
        })
    }
}

/// What the operator says about the kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FlavourChoice {
    /// What fits the host.
    #[default]
    Auto,
    /// This one, whatever the host.
    Always(Flavour),
}

impl FlavourChoice {
    /// The choice for a host.
    #[must_use]
    pub fn resolve(self, kind: KvmKind) -> Flavour {
        match self {
            Self::Auto => Flavour::for_host(kind),
            Self::Always(flavour) => flavour,
        }
    }
}

impl FromStr for FlavourChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "lean" => Ok(Self::Always(Flavour::Lean)),
            "hardened" => Ok(Self::Always(Flavour::Hardened)),
            other => Err(format!(
                "kernel flavour {other:?} is not one of auto, lean, hardened"
            )),
        }
    }
}

impl<'de> Deserialize<'de> for FlavourChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}
