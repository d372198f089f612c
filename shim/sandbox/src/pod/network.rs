//! Networks of a pod: a tap in some network namespace of the host, a net slot of the machine, an interface of a container.

use std::{
    fs::File,
    io,
    os::fd::{AsFd, OwnedFd},
    thread,
};

use husk_machine::tap;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::{error::PodError, handle::Pod, owner::Query};
use crate::agent::{Interface, ProcessId};

/// Makes a tap in a network namespace (a file like /run/netns/NAME, open), down and without addresses. It goes with
/// the last of its descriptors.
///
/// # Errors
/// The name is no interface's or is taken, or this process may not do it.
pub fn create_tap(namespace: &File, name: &str) -> io::Result<OwnedFd> {
    let make = || {
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
        tap::create_tap(name)
    };
    // In a thread of its own: no other one changes its namespace.
    let made = thread::scope(|scope| scope.spawn(make).join());
    made.unwrap_or_else(|_| Err(io::Error::other("thread panicked")))
}

impl Pod {
    /// Plugs a tap into an empty net slot; the guest finds the interface by its address.
    ///
    /// # Errors
    /// The slot is taken, the descriptor is no tap, or the machine ended.
    pub async fn attach_network(
        &self,
        slot: u8,
        mac: [u8; 6],
        mtu: u16,
        tap: OwnedFd,
    ) -> Result<(), PodError> {
        let [a, b, c, d, e, f] = mac;
        let mac = format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}");
        Ok(self.meter.control.attach_nic(slot, mac, mtu, tap).await?)
    }

    /// Unplugs a net slot's tap; the guest's interface goes.
    ///
    /// # Errors
    /// The slot is empty, or the machine ended.
    pub async fn detach_network(&self, slot: u8) -> Result<(), PodError> {
        Ok(self.meter.control.detach_nic(slot).await?)
    }

    /// Gives the interface of an attached network to all containers of the pod that share theirs, those to come included,
    /// and sets it up there.
    ///
    /// # Errors
    /// There is no such interface, a value is refused, or the machine ended.
    pub async fn configure_shared_interface(&self, interface: Interface) -> Result<(), PodError> {
        self.query(|reply| Query::ConfigureShared(interface, reply))
            .await
    }

    /// Gives the interface of an attached network to a container that has not ended, and sets it up there.
    ///
    /// # Errors
    /// There is no such container or interface, a value is refused, or the machine ended.
    pub async fn configure_interface(
        &self,
        container: &str,
        interface: Interface,
    ) -> Result<(), PodError> {
        let id = ProcessId::init(container);
        self.query(|reply| Query::ConfigureInterface(id, interface, reply))
            .await
    }
}
