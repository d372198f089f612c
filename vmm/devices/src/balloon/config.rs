//! Shape of the device, its state and the resource behind it.

use std::io;

use serde::{Deserialize, Serialize};
use vm_memory::GuestAddress;

/// Free page reporting (5.5.3).
pub(super) const F_REPORTING: u32 = 5;

/// Inflate, deflate, reporting (5.5.2: without the features in between, reporting is the third). Linux wants a reporting
/// queue of at least 32, and has one request under way in each.
pub(super) const QUEUE_SIZES: [u16; 3] = [8, 8, 32];

/// Index of the queue of pages that the guest puts into its balloon.
pub(super) const INFLATE: u16 = 0;
/// Index of the queue of reported ranges.
pub(super) const REPORTING: u16 = 2;

/// The balloon's unit (5.5.6), whatever the guest's pages are.
pub(super) const PAGE_BYTES: u64 = 4096;

/// Page numbers taken from one inflate request; Linux sends 256.
pub(super) const MAX_PAGE_NUMBERS: usize = 1024;

/// Where unused pages of guest memory go.
pub trait ReturnPages: Send {
    /// Whole pages of guest memory, at least one, that nobody in the guest uses: what they hold may be forgotten.
    ///
    /// # Errors
    /// The host does not take them; they stay as they are, which the guest need not know.
    fn return_pages(&mut self, start: GuestAddress, bytes: u64) -> io::Result<()>;
}

/// The saved form of the device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BalloonState {
    /// Pages in the balloon, as the driver says.
    pub actual_pages: u32,
}

/// The configuration space (5.5.4): no pages are asked for.
pub(super) fn space(actual_pages: u32) -> [u8; 8] {
    let [a, b, c, d] = actual_pages.to_le_bytes();
    [0, 0, 0, 0, a, b, c, d]
}

/// `actual` after a write of the driver; anything else is not writable.
pub(super) fn written(offset: u64, data: &[u8]) -> Option<u32> {
    let bytes = data.try_into().ok()?;
    (offset == 4).then(|| u32::from_le_bytes(bytes))
}
