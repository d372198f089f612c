//! The host's end of a tap: the ioctls that Rust has no safe function for.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use vmm_sys_util::ioctl::{ioctl_with_mut_ref, ioctl_with_ref, ioctl_with_val};
use vmm_sys_util::{ioctl_ior_nr, ioctl_iow_nr};

use super::config::{HEADER_LEN, Offloads};
use super::error::PlugError;
use super::port::Wire;

/// `'T'` of linux/if_tun.h.
const TUN: u32 = 0x54;
ioctl_iow_nr!(TUNSETIFF, TUN, 202, u32);
ioctl_iow_nr!(TUNSETOFFLOAD, TUN, 208, u32);
ioctl_ior_nr!(TUNGETIFF, TUN, 210, u32);
ioctl_iow_nr!(TUNSETVNETHDRSZ, TUN, 216, i32);

/// Kind and framing of an interface; the rest of the flags are the host's business.
const WANTED_FLAGS: i32 = libc::IFF_TAP | libc::IFF_NO_PI | libc::IFF_VNET_HDR;
const FLAGS_THAT_COUNT: i32 = WANTED_FLAGS | libc::IFF_TUN;

/// Longest name of an interface.
const NAME_LEN: usize = 15;

/// `struct ifreq` with the member that the tun driver uses.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct InterfaceRequest {
    name: [u8; NAME_LEN + 1],
    flags: u16,
    rest: [u8; 22],
}

impl InterfaceRequest {
    const EMPTY: Self = Self {
        name: [0; NAME_LEN + 1],
        flags: 0,
        rest: [0; 22],
    };
}

/// A tap with the header of virtio 1.2 in front of each frame.
#[derive(Debug)]
pub struct Tap {
    fd: OwnedFd,
}

impl Tap {
    /// Take over the descriptor of a tap, made with `IFF_TAP`, `IFF_NO_PI` and `IFF_VNET_HDR`.
    ///
    /// # Errors
    /// It is another descriptor, or the host's driver lacks an offload.
    pub fn new(fd: OwnedFd) -> Result<Self, PlugError> {
        let mut request = InterfaceRequest::EMPTY;
        // SAFETY: a tap's driver writes one `struct ifreq`, whose size `InterfaceRequest` has. A descriptor of another
        // kind either does not know the number, or has it with the same size in it.
        let result = unsafe { ioctl_with_mut_ref(&fd, TUNGETIFF(), &mut request) };
        outcome(result).map_err(PlugError::NoTap)?;
        if i32::from(request.flags) & FLAGS_THAT_COUNT != WANTED_FLAGS {
            return Err(PlugError::Flags(request.flags));
        }
        let header_len = i32::try_from(HEADER_LEN).unwrap_or(i32::MAX);
        // SAFETY: a tap's driver, which the call above found, reads one `int`.
        let result = unsafe { ioctl_with_ref(&fd, TUNSETVNETHDRSZ(), &header_len) };
        outcome(result).map_err(PlugError::host("header of the tap"))?;
        let flags = fcntl_getfl(&fd).map_err(|errno| errno.into());
        let flags = flags.map_err(PlugError::host("flags of the tap"))?;
        let set = fcntl_setfl(&fd, flags | OFlags::NONBLOCK).map_err(|errno| errno.into());
        set.map_err(PlugError::host("flags of the tap"))?;
        let mut tap = Self { fd };
        tap.set_offloads(Offloads::ALL)
            .and_then(|()| tap.set_offloads(Offloads::default()))
            .map_err(PlugError::host("offloads of the tap"))?;
        Ok(tap)
    }
}

impl AsFd for Tap {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Wire for Tap {
    fn set_offloads(&mut self, offloads: Offloads) -> io::Result<()> {
        let bits = [
            (offloads.checksum, libc::TUN_F_CSUM),
            (offloads.tso4, libc::TUN_F_TSO4),
            (offloads.tso6, libc::TUN_F_TSO6),
            (offloads.ecn, libc::TUN_F_TSO_ECN),
        ];
        let bits = bits.iter().filter(|(wanted, _)| *wanted);
        let value = bits.fold(0, |value, (_, bit)| value | bit);
        // SAFETY: the argument is a number, and the descriptor a tap's (`Tap::new`).
        outcome(unsafe { ioctl_with_val(&self.fd, TUNSETOFFLOAD(), value.into()) })
    }
}

/// Make a tap in the network namespace of the calling thread, down and without addresses; it goes with the last of its
/// descriptors.
///
/// # Errors
/// The name is no interface's or is taken, or the caller may not make one.
pub fn create_tap(name: &str) -> io::Result<OwnedFd> {
    let mut request = InterfaceRequest::EMPTY;
    let place = request.name.get_mut(..name.len().min(NAME_LEN));
    match place {
        Some(place)
            if !name.is_empty() && place.len() == name.len() && !name.contains(['\0', '%']) =>
        {
            place.copy_from_slice(name.as_bytes());
        }
        _ => return Err(io::Error::from(io::ErrorKind::InvalidInput)),
    }
    request.flags = u16::try_from(WANTED_FLAGS).map_err(io::Error::other)?;
    let tun = File::options()
        .read(true)
        .write(true)
        .open("/dev/net/tun")?;
    // SAFETY: the tun driver reads and writes one `struct ifreq`, whose size `InterfaceRequest` has.
    outcome(unsafe { ioctl_with_mut_ref(&tun, TUNSETIFF(), &mut request) })?;
    Ok(tun.into())
}

fn outcome(result: i32) -> io::Result<()> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
