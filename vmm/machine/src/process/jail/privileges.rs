//! User, groups, capabilities: everything goes, and nothing can come back.

use rustix::io::{Errno, Result};
use rustix::process::{DumpableBehavior, Gid, Uid, set_dumpable_behavior};
use rustix::thread::{
    CapabilitiesSecureBits, CapabilitySet, CapabilitySets, clear_ambient_capability_set,
    remove_capability_from_bounding_set, set_capabilities, set_capabilities_secure_bits,
    set_no_new_privs, set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};

use super::JailError;
use crate::api::config::JailConfig;

/// Become the unprivileged user. The order matters: what needs a capability comes before the user id.
pub(super) fn drop_all(jail: &JailConfig) -> std::result::Result<(), JailError> {
    clear_ambient_capability_set().map_err(JailError::at("ambient capabilities"))?;
    clear_bounding_set().map_err(JailError::at("bounding set"))?;
    set_capabilities_secure_bits(locked_bits()).map_err(JailError::at("secure bits"))?;
    set_thread_groups(&[]).map_err(JailError::at("supplementary groups"))?;
    let gid = Gid::from_raw(jail.gid);
    set_thread_res_gid(gid, gid, gid).map_err(JailError::at("group id"))?;
    let uid = Uid::from_raw(jail.uid);
    set_thread_res_uid(uid, uid, uid).map_err(JailError::at("user id"))?;
    set_capabilities(None, no_capabilities()).map_err(JailError::at("capabilities"))?;
    set_no_new_privs(true).map_err(JailError::at("no_new_privs"))?;
    // After the user id, whose change sets it anew.
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(JailError::at("dumpable"))
}

/// Also those capabilities that this program's libraries have no names for: the kernel says which is the last.
fn clear_bounding_set() -> Result<()> {
    for bit in 0..u64::BITS {
        let capability = CapabilitySet::from_bits_retain(1 << bit);
        match remove_capability_from_bounding_set(capability) {
            Ok(()) => {}
            Err(Errno::INVAL) if bit > 0 => break,
            Err(other) => return Err(other),
        }
    }
    Ok(())
}

/// No user id gives capabilities, none can be kept or raised; locked.
fn locked_bits() -> CapabilitiesSecureBits {
    CapabilitiesSecureBits::NO_ROOT
        | CapabilitiesSecureBits::NO_ROOT_LOCKED
        | CapabilitiesSecureBits::NO_SETUID_FIXUP_LOCKED
        | CapabilitiesSecureBits::KEEP_CAPS_LOCKED
        | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE
        | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE_LOCKED
}

fn no_capabilities() -> CapabilitySets {
    CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    }
}
