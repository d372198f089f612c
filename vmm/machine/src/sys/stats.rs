//! KVM's binary statistics of a vCPU: how many guest instructions it interpreted.
//!
//! Format: Documentation/virt/kvm/api.rst, KVM_GET_STATS_FD.

use std::fs::File;
use std::os::unix::fs::FileExt;

use kvm_ioctls::VcpuFd;

use super::error::SysError;
use super::ioctl;

/// Name of the statistic.
const INSTRUCTIONS: &[u8] = b"insn_emulation";
const HEADER_BYTES: usize = 24;
/// A descriptor before its name.
const DESCRIPTOR_BYTES: usize = 16;
/// More than any kernel has.
const MAX_DESCRIPTORS: usize = 1024;
const MAX_NAME_BYTES: usize = 256;

/// The counter of one vCPU; readable from any thread while the vCPU runs.
#[derive(Debug)]
pub(crate) struct InstructionCounter {
    file: File,
    offset: u64,
}

impl InstructionCounter {
    /// Find the counter of `vcpu`.
    pub(crate) fn new(vcpu: &VcpuFd) -> Result<Self, SysError> {
        let file = ioctl::stats_file(vcpu)?;
        let mut header = [0; HEADER_BYTES];
        read(&file, &mut header, 0)?;
        let layout = Layout::parse(&header)?;
        let mut block = vec![0; layout.count * layout.stride];
        read(&file, &mut block, layout.descriptors)?;
        let offset = find(&block, layout.stride, INSTRUCTIONS)
            .ok_or(SysError::Stats("no counter named insn_emulation"))?;
        Ok(Self {
            file,
            offset: layout.data + u64::from(offset),
        })
    }

    /// Guest instructions interpreted since the vCPU was made.
    pub(crate) fn read(&self) -> Result<u64, SysError> {
        let mut value = [0; 8];
        read(&self.file, &mut value, self.offset)?;
        Ok(u64::from_ne_bytes(value))
    }
}

/// The header: what lies where in the file.
#[derive(Debug, PartialEq, Eq)]
struct Layout {
    count: usize,
    stride: usize,
    descriptors: u64,
    data: u64,
}

impl Layout {
    fn parse(header: &[u8; HEADER_BYTES]) -> Result<Self, SysError> {
        let word = |at: usize| word(header, at).ok_or(SysError::Stats("header is cut off"));
        let size = |at: usize| {
            let value = word(at)?;
            usize::try_from(value).map_err(|_| SysError::Stats("header is absurd"))
        };
        let (name_size, count) = (size(4)?, size(8)?);
        if name_size > MAX_NAME_BYTES || count > MAX_DESCRIPTORS {
            return Err(SysError::Stats("header is absurd"));
        }
        Ok(Self {
            count,
            stride: DESCRIPTOR_BYTES + name_size,
            descriptors: u64::from(word(16)?),
            data: u64::from(word(20)?),
        })
    }
}

/// Offset in the data block of the statistic called `name`.
fn find(block: &[u8], stride: usize, name: &[u8]) -> Option<u32> {
    block
        .chunks_exact(stride)
        .find(|descriptor| {
            let field = &descriptor[DESCRIPTOR_BYTES..];
            let end = field
                .iter()
                .position(|byte| *byte == 0)
                .unwrap_or(field.len());
            &field[..end] == name
        })
        .and_then(|descriptor| word(descriptor, 8))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at + 4)?;
    Some(u32::from_ne_bytes(bytes.try_into().ok()?))
}

fn read(file: &File, buffer: &mut [u8], offset: u64) -> Result<(), SysError> {
    file.read_exact_at(buffer, offset)
        .map_err(SysError::host("read of kvm statistics"))
}

#[cfg(test)]
#[path = "tests/stats.rs"]
mod tests;
