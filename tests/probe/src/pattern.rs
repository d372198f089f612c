//! A byte stream in which each byte follows from its offset, so that a lost, doubled or moved byte is seen.

use std::io::{self, Read, Write};

const CHUNK: usize = 64 * 1024;

/// The byte at `offset`: differs from its neighbours and has no period that a buffer size would hide.
fn byte_at(offset: u64) -> u8 {
    let mixed = offset.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed.to_le_bytes()[5]
}

fn fill(chunk: &mut [u8], start: u64) {
    for (place, offset) in chunk.iter_mut().zip(start..) {
        *place = byte_at(offset);
    }
}

/// Writes `bytes` bytes of the pattern.
pub(crate) fn write(out: &mut impl Write, bytes: u64) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK];
    let mut done = 0;
    while done < bytes {
        let length = usize::try_from(bytes - done).map_or(CHUNK, |left| left.min(CHUNK));
        let part = &mut chunk[..length];
        fill(part, done);
        out.write_all(part)?;
        done += length as u64;
    }
    out.flush()
}

/// Reads to the end of the stream; the number of bytes, or the offset of the first wrong one as an error.
pub(crate) fn check(input: &mut impl Read) -> io::Result<u64> {
    let mut chunk = vec![0; CHUNK];
    let mut done = 0;
    loop {
        let length = input.read(&mut chunk)?;
        if length == 0 {
            return Ok(done);
        }
        for (byte, offset) in chunk[..length].iter().zip(done..) {
            if *byte != byte_at(offset) {
                return Err(io::Error::other(format!(
                    "byte {offset} is {byte}, not {}",
                    byte_at(offset)
                )));
            }
        }
        done += length as u64;
    }
}
