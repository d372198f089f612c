//! Reads the little of an ELF file that tells a static program from any other.

use anyhow::{Result, bail};

const ET_EXEC: u16 = 2;
const PT_DYNAMIC: u32 = 2;
const PT_INTERP: u32 = 3;

/// Refuses what needs a loader or relocation: an initramfs has neither.
pub(crate) fn require_static(file: &[u8]) -> Result<()> {
    if file.get(..6) != Some(&b"\x7fELF\x02\x01"[..]) {
        bail!("no 64-bit little-endian elf file");
    }
    let kind = u16_at(file, 16);
    if kind != Some(ET_EXEC) {
        bail!("elf type {kind:?}: the program is position-independent or no program");
    }
    let (Some(table), Some(size), Some(count)) =
        (u64_at(file, 32), u16_at(file, 54), u16_at(file, 56))
    else {
        bail!("elf header is cut off");
    };
    for index in 0..u64::from(count) {
        let at = table
            .checked_add(index * u64::from(size))
            .and_then(|at| usize::try_from(at).ok());
        match at.and_then(|at| u32_at(file, at)) {
            Some(PT_DYNAMIC | PT_INTERP) => bail!("the program is linked dynamically"),
            Some(_) => {}
            None => bail!("elf program header {index} is cut off"),
        }
    }
    Ok(())
}

fn bytes_at<const N: usize>(file: &[u8], at: usize) -> Option<[u8; N]> {
    file.get(at..at.checked_add(N)?)?.try_into().ok()
}

fn u16_at(file: &[u8], at: usize) -> Option<u16> {
    bytes_at(file, at).map(u16::from_le_bytes)
}

fn u32_at(file: &[u8], at: usize) -> Option<u32> {
    bytes_at(file, at).map(u32::from_le_bytes)
}

fn u64_at(file: &[u8], at: usize) -> Option<u64> {
    bytes_at(file, at).map(u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::require_static;

    fn elf(kind: u16, segment: u32) -> Vec<u8> {
        let mut file = b"\x7fELF\x02\x01\x01".to_vec();
        file.resize(64 + 56, 0);
        file[16..18].copy_from_slice(&kind.to_le_bytes());
        file[32..40].copy_from_slice(&64_u64.to_le_bytes());
        file[54..56].copy_from_slice(&56_u16.to_le_bytes());
        file[56..58].copy_from_slice(&1_u16.to_le_bytes());
        file[64..68].copy_from_slice(&segment.to_le_bytes());
        file
    }

    #[test]
    fn static_program_is_accepted() {
        require_static(&elf(2, 1)).unwrap();
    }

    #[test]
    fn position_independent_program_is_refused() {
        assert!(require_static(&elf(3, 1)).is_err());
    }

    #[test]
    fn dynamic_program_is_refused() {
        assert!(require_static(&elf(2, 3)).is_err());
        assert!(require_static(&elf(2, 2)).is_err());
    }

    #[test]
    fn truncated_file_is_refused() {
        let file = elf(2, 1);
        for length in 0..67 {
            assert!(require_static(&file[..length]).is_err(), "{length}");
        }
    }
}
