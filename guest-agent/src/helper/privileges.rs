//! Takes the five capability sets, as the last thing but the filter and `execve`.

use std::io;

use rustix::{
    io::Errno,
    thread::{
        CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set,
        configure_capability_in_ambient_set, remove_capability_from_bounding_set, set_capabilities,
    },
};

use crate::process::Privileges;

/// No kernel has a capability above it.
const LAST_CAPABILITY: u32 = 63;

/// Gives this process exactly these sets. It has all capabilities before, or it fails as runc would.
pub(crate) fn take(privileges: &Privileges) -> io::Result<()> {
    let bounding = CapabilitySet::from_bits_retain(privileges.bounding);
    for number in 0..=LAST_CAPABILITY {
        let one = CapabilitySet::from_bits_retain(1 << number);
        if bounding.contains(one) {
            continue;
        }
        match remove_capability_from_bounding_set(one) {
            // Beyond the last that the kernel has.
            Err(Errno::INVAL) => break,
            removed => removed?,
        }
    }
    set_capabilities(
        None,
        CapabilitySets {
            effective: CapabilitySet::from_bits_retain(privileges.effective),
            permitted: CapabilitySet::from_bits_retain(privileges.permitted),
            inheritable: CapabilitySet::from_bits_retain(privileges.inheritable),
        },
    )?;
    clear_ambient_capability_set()?;
    for one in CapabilitySet::from_bits_retain(privileges.ambient).iter() {
        configure_capability_in_ambient_set(one, true)?;
    }
    Ok(())
}

/// Looks at something with the process's future effective capabilities: whether a file can be executed depends on them.
pub(crate) fn with_effective<T>(
    privileges: &Privileges,
    look: impl FnOnce() -> T,
) -> io::Result<T> {
    let all = capabilities(None)?;
    let effective = CapabilitySet::from_bits_retain(privileges.effective);
    set_capabilities(None, CapabilitySets { effective, ..all })?;
    let seen = look();
    set_capabilities(None, all)?;
    Ok(seen)
}
