//! An interface found, moved and set up. It blocks: the caller gives it a thread of its own.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;
use std::thread;
use std::time::Duration;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use thiserror::Error;

use super::interface::{Interface, Neighbour, Network, Route};
use super::netlink::{Message, Netlink, Patience};

/// How long the kernel may take to make an interface of a slot that the host has filled, in the guest's time.
const APPEARANCE_TIME: Duration = Duration::from_secs(120);

/// The driver of the net slots, and what the interface of an empty one reads as its address.
const DRIVER: &str = "/sys/bus/virtio/drivers/virtio_net";
const NO_ADDRESS: &str = "00:00:00:00:00:00";

const RTM_NEWLINK: u16 = 16;
const RTM_NEWADDR: u16 = 20;
const RTM_NEWROUTE: u16 = 24;
const RTM_NEWNEIGH: u16 = 28;
/// `NLM_F_CREATE | NLM_F_REPLACE`: every call may be repeated.
const PUT: u16 = 0x400 | 0x100;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_NET_NS_FD: u16 = 28;
const IFF_UP: u32 = 1;
/// The loopback is the first interface of every network namespace.
const LOOPBACK: u32 = 1;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
/// Nobody else has the address: it is usable at once.
const IFA_F_NODAD: u8 = 2;
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RT_TABLE_MAIN: u8 = 254;
const RTPROT_STATIC: u8 = 4;
const RTN_UNICAST: u8 = 1;
const RT_SCOPE_LINK: u8 = 253;
const NDA_DST: u16 = 1;
const NDA_LLADDR: u16 = 2;
const NUD_PERMANENT: u16 = 0x80;

/// What was tried with an interface, and the kernel's answer.
#[derive(Debug, Error)]
#[error("{what}: {source}")]
pub(crate) struct NetworkError {
    pub(crate) what: String,
    pub(crate) source: io::Error,
}

impl NetworkError {
    fn at<E: Into<io::Error>>(what: impl Into<String>) -> impl FnOnce(E) -> Self {
        let what = what.into();
        move |error| Self {
            what,
            source: error.into(),
        }
    }
}

/// Give `interface` to a network namespace and set it up there. Repeating it is no error.
pub(crate) fn configure(interface: &Interface, namespace: &OwnedFd) -> Result<(), NetworkError> {
    if inside(namespace, || Netlink::find(interface.mac, Patience::None))?.is_none() {
        adopt(interface, namespace)?;
    }
    inside(namespace, || set_up(interface))
}

/// Bring the loopback of this thread's network namespace up.
pub(crate) fn loopback_up() -> io::Result<()> {
    Netlink::open()?.change(link(LOOPBACK, IFF_UP))
}

/// The same in another network namespace.
pub(crate) fn loopback_up_in(namespace: &OwnedFd) -> io::Result<()> {
    inside(namespace, loopback_up).map_err(|error| error.source)
}

/// Run `work` in a thread that is in the namespace: the agent itself stays where it is.
fn inside<T: Send>(
    namespace: &OwnedFd,
    work: impl FnOnce() -> io::Result<T> + Send,
) -> Result<T, NetworkError> {
    let entered = || {
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
        work()
    };
    let done = thread::scope(|scope| scope.spawn(entered).join());
    done.unwrap_or_else(|_| Err(io::Error::other("thread panicked")))
        .map_err(NetworkError::at("set up interface"))
}

/// Wait for the interface and move it under its new name.
fn adopt(interface: &Interface, namespace: &OwnedFd) -> Result<(), NetworkError> {
    let failed = |what| NetworkError::at(format!("{what} interface {}", interface.name));
    let found = appear(interface.mac).map_err(failed("find"))?;
    let index = found.ok_or_else(|| {
        let what = format!("find interface with address {:02x?}", interface.mac);
        NetworkError::at(what)(io::Error::from(io::ErrorKind::NotFound))
    })?;
    let fd = namespace.as_raw_fd().to_ne_bytes();
    let message = link(index, 0)
        .attribute(IFLA_NET_NS_FD, &fd)
        .attribute(IFLA_IFNAME, &text(&interface.name));
    let moved = Netlink::open().and_then(|netlink| netlink.change(message));
    moved.map_err(failed("move"))
}

/// Index of the interface, in the agent's namespace. A kernel with patch 0015 makes it when the host fills the slot; one
/// without has made one without an address, and reads the slot again when the driver is bound again.
fn appear(mac: [u8; 6]) -> io::Result<Option<u32>> {
    if let Some(index) = Netlink::find(mac, Patience::None)? {
        return Ok(Some(index));
    }
    let driver = Path::new(DRIVER);
    for device in nameless(driver)? {
        fs::write(driver.join("unbind"), &device)?;
        fs::write(driver.join("bind"), &device)?;
        if let Some(index) = Netlink::find(mac, Patience::None)? {
            return Ok(Some(index));
        }
    }
    Netlink::find(mac, Patience::For(APPEARANCE_TIME))
}

/// Devices of the driver whose interface has no address, in order.
fn nameless(driver: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(driver)? {
        let entry = entry?;
        let Ok(interfaces) = fs::read_dir(entry.path().join("net")) else {
            continue;
        };
        let mut addresses = interfaces
            .flatten()
            .filter_map(|interface| fs::read_to_string(interface.path().join("address")).ok());
        if addresses.any(|address| address.trim() == NO_ADDRESS) {
            names.extend(entry.file_name().into_string());
        }
    }
    names.sort_by_key(|name| (name.len(), name.clone()));
    Ok(names)
}

fn set_up(interface: &Interface) -> io::Result<()> {
    let found = Netlink::find(interface.mac, Patience::None)?;
    // An index may be another one in another namespace.
    let index = found.ok_or_else(|| io::Error::other("it is gone"))?;
    let netlink = Netlink::open()?;
    let up = link(index, IFF_UP).attribute(IFLA_MTU, &interface.mtu.to_ne_bytes());
    let name =
        |error: io::Error, what: String| io::Error::new(error.kind(), format!("{what}: {error}"));
    netlink
        .change(up)
        .map_err(|error| name(error, format!("mtu {} and up", interface.mtu)))?;
    for address in &interface.addresses {
        let put = netlink.change(new_address(index, address));
        put.map_err(|error| name(error, format!("address {}", address.address)))?;
    }
    for neighbour in &interface.neighbours {
        let put = netlink.change(new_neighbour(index, neighbour));
        put.map_err(|error| name(error, format!("neighbour {}", neighbour.address)))?;
    }
    for route in &interface.routes {
        let put = netlink.change(new_route(index, route));
        put.map_err(|error| name(error, format!("route to {}", route.destination.address)))?;
    }
    Ok(())
}

/// `struct ifinfomsg`: family, type, index, flags, mask of flags.
fn link(index: u32, flags: u32) -> Message {
    let mut fixed = vec![0; 4];
    fixed.extend(index.to_ne_bytes());
    fixed.extend(flags.to_ne_bytes());
    fixed.extend(flags.to_ne_bytes());
    Message::new(RTM_NEWLINK, 0, &fixed)
}

/// `struct ifaddrmsg`: family, length of the prefix, flags, scope, index.
fn new_address(index: u32, network: &Network) -> Message {
    let flags = if network.address.is_ipv6() {
        IFA_F_NODAD
    } else {
        0
    };
    let mut fixed = vec![family(network.address), network.prefix, flags, 0];
    fixed.extend(index.to_ne_bytes());
    let bytes = octets(network.address);
    Message::new(RTM_NEWADDR, PUT, &fixed)
        .attribute(IFA_LOCAL, &bytes)
        .attribute(IFA_ADDRESS, &bytes)
}

/// `struct ndmsg`: family, index, state, flags and type.
fn new_neighbour(index: u32, neighbour: &Neighbour) -> Message {
    let mut fixed = vec![family(neighbour.address), 0, 0, 0];
    fixed.extend(index.to_ne_bytes());
    fixed.extend(NUD_PERMANENT.to_ne_bytes());
    fixed.extend([0; 2]);
    Message::new(RTM_NEWNEIGH, PUT, &fixed)
        .attribute(NDA_DST, &octets(neighbour.address))
        .attribute(NDA_LLADDR, &neighbour.mac)
}

/// `struct rtmsg`: family, lengths of destination and source, tos, table, protocol, scope, type, flags.
fn new_route(index: u32, route: &Route) -> Message {
    let Network { address, prefix } = route.destination;
    let on_link = route.gateway.is_none() && address.is_ipv4();
    let scope = if on_link { RT_SCOPE_LINK } else { 0 };
    let fixed = [
        family(address),
        prefix,
        0,
        0,
        RT_TABLE_MAIN,
        RTPROT_STATIC,
        scope,
        RTN_UNICAST,
    ];
    let mut message = Message::new(RTM_NEWROUTE, PUT, &[&fixed[..], &[0; 4]].concat())
        .attribute(RTA_OIF, &index.to_ne_bytes());
    if prefix > 0 {
        message = message.attribute(RTA_DST, &octets(address));
    }
    match route.gateway {
        Some(gateway) => message.attribute(RTA_GATEWAY, &octets(gateway)),
        None => message,
    }
}

fn family(address: IpAddr) -> u8 {
    let number = if address.is_ipv4() {
        libc::AF_INET
    } else {
        libc::AF_INET6
    };
    u8::try_from(number).unwrap_or(0)
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(four) => four.octets().to_vec(),
        IpAddr::V6(six) => six.octets().to_vec(),
    }
}

fn text(name: &str) -> Vec<u8> {
    [name.as_bytes(), &[0]].concat()
}
