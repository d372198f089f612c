//! Guest-linear addresses: the walk through the guest's page tables, with the faults that a CPU would raise.
//!
//! KVM_TRANSLATE says nothing about write protection, and a store through a copy-on-write page would be seen by
//! another process of the guest; so the tables are read here (Intel SDM volume 3, chapter 5).

use std::sync::atomic::{AtomicU64, Ordering};

use kvm_bindings::kvm_sregs;
use vm_memory::{Bytes, GuestAddress, GuestMemoryBackend, GuestMemoryMmap, VolatileMemory};

use super::exception::Exception;

const PRESENT: u64 = 1;
const WRITABLE: u64 = 1 << 1;
const USER: u64 = 1 << 2;
const ACCESSED: u64 = 1 << 5;
const DIRTY: u64 = 1 << 6;
const LARGE: u64 = 1 << 7;
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

const CODE_PROTECTION: u32 = 1;
const CODE_WRITE: u32 = 1 << 1;
const CODE_USER: u32 = 1 << 2;

const CR0_WP: u64 = 1 << 16;
const CR4_LA57: u64 = 1 << 12;
const CR4_SMAP: u64 = 1 << 21;
const RFLAGS_AC: u64 = 1 << 18;

const PAGE_BYTES: u64 = 4096;
const PAGE_BITS: u32 = 12;
const LEVEL_BITS: u32 = 9;

/// What an instruction does with an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
}

/// Guest memory by linear address, as one instruction of one vCPU sees it.
#[derive(Debug)]
pub(super) struct LinearMemory<'a> {
    memory: &'a GuestMemoryMmap,
    root: u64,
    levels: u32,
    write_protect: bool,
    /// Supervisor accesses to user pages fault.
    prevent_user: bool,
    user: bool,
}

impl<'a> LinearMemory<'a> {
    /// The view of a vCPU in 64-bit mode.
    pub(super) fn new(memory: &'a GuestMemoryMmap, sregs: &kvm_sregs, rflags: u64) -> Self {
        Self {
            memory,
            root: sregs.cr3 & ADDRESS,
            levels: if sregs.cr4 & CR4_LA57 == 0 { 4 } else { 5 },
            write_protect: sregs.cr0 & CR0_WP != 0,
            prevent_user: sregs.cr4 & CR4_SMAP != 0 && rflags & RFLAGS_AC == 0,
            user: sregs.ss.dpl == 3,
        }
    }

    /// Read `bytes.len()` bytes at `address`.
    pub(super) fn read(&self, address: u64, bytes: &mut [u8]) -> Result<(), Exception> {
        let mut rest = bytes;
        let mut at = address;
        while !rest.is_empty() {
            let (piece, after) = rest.split_at_mut(rest.len().min(left_in_page(at)));
            let physical = self.translate(at, Access::Read)?;
            self.memory
                .read_slice(piece, GuestAddress(physical))
                .map_err(|_| Exception::GENERAL_PROTECTION)?;
            at = at.wrapping_add(piece.len() as u64);
            rest = after;
        }
        Ok(())
    }

    /// Write `bytes` at `address`.
    pub(super) fn write(&self, address: u64, bytes: &[u8]) -> Result<(), Exception> {
        let mut rest = bytes;
        let mut at = address;
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(rest.len().min(left_in_page(at)));
            let physical = self.translate(at, Access::Write)?;
            self.memory
                .write_slice(piece, GuestAddress(physical))
                .map_err(|_| Exception::GENERAL_PROTECTION)?;
            at = at.wrapping_add(piece.len() as u64);
            rest = after;
        }
        Ok(())
    }

    /// Check an access of `length` bytes at `address` without doing it.
    pub(super) fn probe(&self, address: u64, length: u64, access: Access) -> Result<(), Exception> {
        let mut done = 0;
        while done < length {
            let at = address.wrapping_add(done);
            self.translate(at, access)?;
            done += left_in_page(at) as u64;
        }
        Ok(())
    }

    /// The guest-physical address behind `address`.
    pub(super) fn translate(&self, address: u64, access: Access) -> Result<u64, Exception> {
        let bits = PAGE_BITS + LEVEL_BITS * self.levels;
        let sign = (address.cast_signed() << (64 - bits)) >> (64 - bits);
        if sign.cast_unsigned() != address {
            return Err(Exception::GENERAL_PROTECTION);
        }
        let fault = |code| Exception::page_fault(address, code | self.code(access));
        let mut table = self.root;
        let (mut writable, mut user) = (true, true);
        let mut level = self.levels;
        loop {
            level -= 1;
            let shift = PAGE_BITS + LEVEL_BITS * level;
            let place = table + ((address >> shift) & 0x1ff) * 8;
            let entry = self.entry(place).ok_or_else(|| fault(0))?;
            if entry & PRESENT == 0 {
                return Err(fault(0));
            }
            writable &= entry & WRITABLE != 0;
            user &= entry & USER != 0;
            let leaf = level == 0 || (level <= 2 && entry & LARGE != 0);
            if !leaf {
                self.mark(place, entry, ACCESSED);
                table = entry & ADDRESS;
                continue;
            }
            if !self.allowed(access, writable, user) {
                return Err(fault(CODE_PROTECTION));
            }
            let used = match access {
                Access::Read => ACCESSED,
                Access::Write => ACCESSED | DIRTY,
            };
            self.mark(place, entry, used);
            let offset = (1_u64 << shift) - 1;
            return Ok((entry & ADDRESS & !offset) | (address & offset));
        }
    }

    fn allowed(&self, access: Access, writable: bool, user: bool) -> bool {
        if self.user {
            return user && (writable || access == Access::Read);
        }
        if user && self.prevent_user {
            return false;
        }
        writable || access == Access::Read || !self.write_protect
    }

    fn code(&self, access: Access) -> u32 {
        let write = if access == Access::Write {
            CODE_WRITE
        } else {
            0
        };
        write | if self.user { CODE_USER } else { 0 }
    }

    fn entry(&self, place: u64) -> Option<u64> {
        self.memory
            .load(GuestAddress(place), Ordering::Acquire)
            .ok()
    }

    /// Set bits of a table entry as the CPU does, without losing what another vCPU writes at the same time.
    fn mark(&self, place: u64, entry: u64, bits: u64) {
        if entry & bits == bits {
            return;
        }
        let Ok(slice) = self.memory.get_slice(GuestAddress(place), 8) else {
            return;
        };
        if let Ok(cell) = slice.get_atomic_ref::<AtomicU64>(0) {
            cell.fetch_or(bits, Ordering::AcqRel);
        }
    }
}

/// Bytes from `address` to the end of its page.
fn left_in_page(address: u64) -> usize {
    // At most 4096.
    usize::try_from(PAGE_BYTES - address % PAGE_BYTES).unwrap_or(1)
}

#[cfg(test)]
#[path = "tests/walk.rs"]
mod tests;
