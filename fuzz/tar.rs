//! Checksums of a tar, without which no changed header is looked at.

/// Writes the sum of each block where a header has it, except into blocks of zeroes.
pub(crate) fn put_right(tar: &mut [u8]) {
    for block in tar.chunks_exact_mut(512) {
        if block.iter().all(|byte| *byte == 0) || !block[257..].starts_with(b"ustar") {
            continue;
        }
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().copied().map(u32::from).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
}
