//! An atomic exchange of 16 bytes in guest memory.

use std::arch::asm;

use vm_memory::{GuestAddress, GuestMemoryBackend, GuestMemoryMmap};

/// Compare the 16 bytes at guest-physical `address` with `expected` and replace them by `new` if they are equal, in
/// one atomic step; what was there. `None`: not in memory, not aligned, or this CPU lacks the instruction.
pub(crate) fn compare_exchange_16(
    memory: &GuestMemoryMmap,
    address: u64,
    expected: u128,
    new: u128,
) -> Option<u128> {
    if !address.is_multiple_of(16) || !std::is_x86_feature_detected!("cmpxchg16b") {
        return None;
    }
    let slice = memory.get_slice(GuestAddress(address), 16).ok()?;
    let guard = slice.ptr_guard_mut();
    let pointer = guard.as_ptr().cast::<u128>();
    if !pointer.is_aligned() {
        return None;
    }
    let (mut high, mut low) = halves(expected);
    let (new_high, new_low) = halves(new);
    // SAFETY: `slice` is 16 bytes of a live mapping, so `pointer` is valid for reads and writes; it is aligned
    // (checked above), and the CPU has the instruction (checked above). Other vCPUs access it atomically or
    // through volatile copies only. RBX, which the compiler keeps for itself, is put back.
    unsafe {
        asm!(
            "xchg rsi, rbx",
            "lock cmpxchg16b [rdi]",
            "mov rbx, rsi",
            in("rdi") pointer,
            inout("rsi") new_low => _,
            in("rcx") new_high,
            inout("rdx") high,
            inout("rax") low,
            options(nostack),
        );
    }
    Some(pair(high, low))
}

/// Two halves as one number.
pub(crate) fn pair(high: u64, low: u64) -> u128 {
    (u128::from(high) << 64) | u128::from(low)
}

/// The upper and the lower half.
pub(crate) fn halves(value: u128) -> (u64, u64) {
    let low = u64::try_from(value & u128::from(u64::MAX)).unwrap_or(0);
    let high = u64::try_from(value >> 64).unwrap_or(0);
    (high, low)
}
