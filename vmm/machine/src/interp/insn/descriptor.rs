//! Segment descriptors, for LSL (a kernel reads its CPU number from a segment's limit when an NMI interrupts it) and
//! VERW (by which a kernel with mitigations clears CPU buffers on its way to user code)
//! (Intel SDM volume 2, "LSL", "VERR/VERW"; volume 3, 3.4.5).

use kvm_bindings::kvm_sregs;

use super::exception::Exception;
use super::walk::LinearMemory;

/// Index part of a selector.
const INDEX: u16 = !7;
/// The selector names the local table.
const LOCAL: u16 = 1 << 2;
const DESCRIPTOR_BYTES: u64 = 8;

/// Types of system segments that have a limit in 64-bit mode: local table, free and busy task.
const SYSTEM_WITH_LIMIT: [u64; 3] = [2, 9, 11];
/// Type bits of a code segment that any privilege may call.
const CONFORMING_CODE: u64 = 0b1100;

/// Type bit of a code segment, and of a data segment that may be written.
const CODE: u64 = 1 << 3;
const WRITABLE_DATA: u64 = 1 << 1;

/// The limit in bytes of the segment that `selector` names; `None` if the CPU would not tell it.
pub(super) fn limit(
    memory: &LinearMemory<'_>,
    sregs: &kvm_sregs,
    selector: u16,
) -> Result<Option<u32>, Exception> {
    let found = find(memory, sregs, selector)?;
    let visible = found.filter(|(descriptor, privilege)| readable(*descriptor, *privilege));
    Ok(visible.map(|(descriptor, _)| limit_of(descriptor)))
}

/// Whether data could be written to the segment that `selector` names.
pub(super) fn is_writable(
    memory: &LinearMemory<'_>,
    sregs: &kvm_sregs,
    selector: u16,
) -> Result<bool, Exception> {
    let found = find(memory, sregs, selector)?;
    Ok(found.is_some_and(|(descriptor, privilege)| writable(descriptor, privilege)))
}

/// The descriptor that `selector` names, and the privilege that asks; `None` if its table has none.
fn find(
    memory: &LinearMemory<'_>,
    sregs: &kvm_sregs,
    selector: u16,
) -> Result<Option<(u64, u64)>, Exception> {
    if selector & !3 == 0 {
        return Ok(None);
    }
    let (base, table_limit) = if selector & LOCAL == 0 {
        (sregs.gdt.base, u64::from(sregs.gdt.limit))
    } else {
        (sregs.ldt.base, u64::from(sregs.ldt.limit))
    };
    let offset = u64::from(selector & INDEX);
    if offset + DESCRIPTOR_BYTES - 1 > table_limit {
        return Ok(None);
    }
    let mut bytes = [0; 8];
    memory.read(base.wrapping_add(offset), &mut bytes)?;
    let descriptor = u64::from_le_bytes(bytes);
    let (cpl, rpl) = (u64::from(sregs.ss.dpl), u64::from(selector & 3));
    Ok(Some((descriptor, cpl.max(rpl))))
}

/// Whether LSL tells the limit to somebody of `privilege` (0 to 3, 0 the highest).
fn readable(descriptor: u64, privilege: u64) -> bool {
    let kind = (descriptor >> 40) & 0xf;
    let is_system = descriptor & (1 << 44) == 0;
    let dpl = (descriptor >> 45) & 3;
    let is_present = descriptor & (1 << 47) != 0;
    if !is_present || (is_system && !SYSTEM_WITH_LIMIT.contains(&kind)) {
        return false;
    }
    let is_conforming = !is_system && kind & CONFORMING_CODE == CONFORMING_CODE;
    is_conforming || privilege <= dpl
}

fn writable(descriptor: u64, privilege: u64) -> bool {
    let kind = (descriptor >> 40) & 0xf;
    let is_segment = descriptor & (1 << 44) != 0;
    let dpl = (descriptor >> 45) & 3;
    let is_present = descriptor & (1 << 47) != 0;
    is_present && is_segment && kind & (CODE | WRITABLE_DATA) == WRITABLE_DATA && privilege <= dpl
}

fn limit_of(descriptor: u64) -> u32 {
    let raw = (descriptor & 0xffff) | ((descriptor >> 32) & 0xf_0000);
    let in_pages = descriptor & (1 << 55) != 0;
    let limit = if in_pages { (raw << 12) | 0xfff } else { raw };
    // 20 bits, or 32 with the shift.
    u32::try_from(limit).unwrap_or(u32::MAX)
}

#[cfg(test)]
#[path = "tests/descriptor.rs"]
mod tests;
