//! Gives device programs to the kernel. The agent keeps them: most containers have the same rules, and loading a
//! program costs ten times what attaching it does.

use std::{
    collections::HashMap,
    fs::File,
    io,
    mem::size_of,
    os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
};

use libc::{SYS_bpf, c_long, syscall};

use super::program::Instruction;

/// Programs that are kept for other containers.
const MAX_KEPT: usize = 16;

// linux/bpf.h
const BPF_PROG_LOAD: c_long = 5;
const BPF_PROG_ATTACH: c_long = 8;
const BPF_PROG_TYPE_CGROUP_DEVICE: u32 = 15;
const BPF_CGROUP_DEVICE: u32 = 6;
/// Containers may have cgroups of their own below, with programs of their own: all of them must agree.
const BPF_F_ALLOW_MULTI: u32 = 2;

/// The part of `union bpf_attr` for `BPF_PROG_LOAD` up to the attach type.
#[derive(Default)]
#[repr(C)]
struct LoadAttributes {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
    kern_version: u32,
    prog_flags: u32,
    prog_name: [u8; 16],
    prog_ifindex: u32,
    expected_attach_type: u32,
}

/// The part of `union bpf_attr` for `BPF_PROG_ATTACH`.
#[derive(Default)]
#[repr(C)]
struct AttachAttributes {
    target_fd: u32,
    attach_bpf_fd: u32,
    attach_type: u32,
    attach_flags: u32,
}

/// Programs that are loaded.
#[derive(Debug, Default)]
pub(crate) struct DevicePrograms {
    kept: HashMap<Vec<Instruction>, OwnedFd>,
}

impl DevicePrograms {
    /// Makes the program decide for the cgroup from now on.
    pub(in crate::resources) fn attach(
        &mut self,
        program: &[Instruction],
        cgroup: &File,
    ) -> io::Result<()> {
        if let Some(loaded) = self.kept.get(program) {
            return attach(loaded, cgroup);
        }
        let loaded = load(program)?;
        attach(&loaded, cgroup)?;
        if self.kept.len() < MAX_KEPT {
            self.kept.insert(program.to_vec(), loaded);
        }
        Ok(())
    }
}

fn load(program: &[Instruction]) -> io::Result<OwnedFd> {
    let attributes = LoadAttributes {
        prog_type: BPF_PROG_TYPE_CGROUP_DEVICE,
        insn_cnt: u32::try_from(program.len()).map_err(io::Error::other)?,
        insns: address(program.as_ptr().addr())?,
        license: address(c"Apache-2.0".as_ptr().addr())?,
        prog_name: *b"husk_devices\0\0\0\0",
        expected_attach_type: BPF_CGROUP_DEVICE,
        ..LoadAttributes::default()
    };
    // SAFETY: bpf(2) reads `size_of` bytes of attributes, which are initialised and live across the call; they point to
    // `insn_cnt` instructions of 8 bytes and a C string, both alive as well. The kernel writes nothing: there is no log.
    let result = unsafe {
        syscall(
            SYS_bpf,
            BPF_PROG_LOAD,
            &raw const attributes,
            size_of::<LoadAttributes>(),
        )
    };
    let descriptor = RawFd::try_from(result).map_err(io::Error::other)?;
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor, with close-on-exec, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

fn attach(program: &OwnedFd, cgroup: &File) -> io::Result<()> {
    let attributes = AttachAttributes {
        target_fd: number(cgroup.as_raw_fd())?,
        attach_bpf_fd: number(program.as_raw_fd())?,
        attach_type: BPF_CGROUP_DEVICE,
        attach_flags: BPF_F_ALLOW_MULTI,
    };
    // SAFETY: bpf(2) reads `size_of` bytes of attributes, which are initialised and live across the call; both
    // descriptors in it are borrowed, so they are open.
    let result = unsafe {
        syscall(
            SYS_bpf,
            BPF_PROG_ATTACH,
            &raw const attributes,
            size_of::<AttachAttributes>(),
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

fn address(address: usize) -> io::Result<u64> {
    u64::try_from(address).map_err(io::Error::other)
}

fn number(descriptor: RawFd) -> io::Result<u32> {
    u32::try_from(descriptor).map_err(io::Error::other)
}
