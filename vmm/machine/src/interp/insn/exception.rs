//! Exceptions of the guest's own making, as the instruction would raise them on a real CPU.

/// `#NM`, `#UD` ...: what is delivered instead of completing the instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Exception {
    pub(super) vector: u8,
    pub(super) error_code: Option<u32>,
    /// CR2 of a page fault.
    pub(super) address: Option<u64>,
}

impl Exception {
    pub(super) const BREAKPOINT: Self = Self::plain(3);
    pub(super) const INVALID_OPCODE: Self = Self::plain(6);
    pub(super) const DEVICE_NOT_AVAILABLE: Self = Self::plain(7);
    pub(super) const GENERAL_PROTECTION: Self = Self {
        vector: 13,
        error_code: Some(0),
        address: None,
    };
    pub(super) const X87_ERROR: Self = Self::plain(16);

    pub(super) const fn page_fault(address: u64, code: u32) -> Self {
        Self {
            vector: 14,
            error_code: Some(code),
            address: Some(address),
        }
    }

    const fn plain(vector: u8) -> Self {
        Self {
            vector,
            error_code: None,
            address: None,
        }
    }
}
