//! The five capability sets of a process: a pure function from its specification, so that each rule has a test.

use oci_spec::runtime::{Capabilities, Capability, LinuxCapabilities};
use rustix::thread::CapabilitySet;
use serde::{Deserialize, Serialize};

/// The sets as the kernel has them, in bits. The default has no capability at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Privileges {
    pub(crate) bounding: u64,
    pub(crate) effective: u64,
    pub(crate) permitted: u64,
    pub(crate) inheritable: u64,
    pub(crate) ambient: u64,
}

impl Privileges {
    /// What the specification says, as runc takes it: a set that is missing is empty. What the kernel would not take is
    /// an error; an ambient capability that cannot be raised is left out and told.
    pub(crate) fn of(
        capabilities: Option<&LinuxCapabilities>,
        warnings: &mut Vec<String>,
    ) -> Result<Self, String> {
        let Some(given) = capabilities else {
            return Ok(Self::default());
        };
        let bounding = bits(given.bounding().as_ref());
        let effective = bits(given.effective().as_ref());
        let permitted = bits(given.permitted().as_ref());
        let inheritable = bits(given.inheritable().as_ref());
        let mut ambient = bits(given.ambient().as_ref());
        refuse("effective", effective.difference(permitted), "permitted")?;
        refuse("inheritable", inheritable.difference(bounding), "bounding")?;
        let idle = ambient.difference(permitted.intersection(inheritable));
        if !idle.is_empty() {
            ambient = ambient.difference(idle);
            warnings.push(format!(
                "process.capabilities.ambient: {} is left out: not permitted and inheritable",
                names(idle)
            ));
        }
        Ok(Self {
            bounding: bounding.bits(),
            effective: effective.bits(),
            permitted: permitted.bits(),
            inheritable: inheritable.bits(),
            ambient: ambient.bits(),
        })
    }
}

fn refuse(set: &str, more: CapabilitySet, than: &str) -> Result<(), String> {
    if more.is_empty() {
        return Ok(());
    }
    Err(format!(
        "process.capabilities.{set} has {}, which {than} has not",
        names(more)
    ))
}

fn bits(set: Option<&Capabilities>) -> CapabilitySet {
    let bit = |capability: &Capability| CapabilitySet::from_name(&capability.to_string());
    set.into_iter().flatten().filter_map(bit).collect()
}

fn names(set: CapabilitySet) -> String {
    let names: Vec<String> = set
        .iter_names()
        .map(|(name, _)| format!("CAP_{name}"))
        .collect();
    names.join(", ")
}

#[cfg(test)]
mod tests;
