//! An interface as the host asks for it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use husk_protocol::agent::ConfigureInterfaceRequest;

/// Longest name of an interface (`IFNAMSIZ` without its end).
const MAX_NAME_BYTES: usize = 15;

/// The most addresses, routes or neighbours of one interface: one message each.
const MAX_ENTRIES: usize = 256;

/// A part of an address space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    pub(super) address: IpAddr,
    pub(super) prefix: u8,
}

/// A way to a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub(super) destination: Network,
    /// `None`: it is on the link.
    pub(super) gateway: Option<IpAddr>,
}

/// Somebody on the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Neighbour {
    pub(super) address: IpAddr,
    pub(super) mac: [u8; 6],
}

/// An interface with everything that it gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Interface {
    pub(super) mac: [u8; 6],
    pub(super) name: String,
    pub(super) mtu: u32,
    pub(super) addresses: Vec<Network>,
    pub(super) routes: Vec<Route>,
    pub(super) neighbours: Vec<Neighbour>,
}

impl Interface {
    /// The interface of a request; otherwise the field that cannot be, with its value.
    pub(crate) fn of(request: &ConfigureInterfaceRequest) -> Result<Self, String> {
        let name = &request.name;
        let bad = |byte: u8| byte == b'/' || byte.is_ascii_whitespace() || !byte.is_ascii_graphic();
        if name.is_empty() || name.len() > MAX_NAME_BYTES || name.bytes().any(bad) || is_dots(name)
        {
            return Err(format!(
                "interface name {name:?} is not 1 to 15 printable bytes"
            ));
        }
        if !(68..=65_535).contains(&request.mtu) {
            return Err(format!("mtu {} is not 68 to 65535", request.mtu));
        }
        for (field, count) in [
            ("addresses", request.addresses.len()),
            ("routes", request.routes.len()),
            ("neighbours", request.neighbours.len()),
        ] {
            if count > MAX_ENTRIES {
                return Err(format!("{field}: {count} are more than {MAX_ENTRIES}"));
            }
        }
        let addresses = request.addresses.iter();
        let addresses = addresses.map(|one| network("addresses", &one.address, one.prefix));
        let routes = request.routes.iter().map(|one| {
            let destination = network("routes", &one.destination, one.prefix)?;
            let gateway = (!one.gateway.is_empty()).then(|| ip("routes", &one.gateway));
            let gateway = gateway.transpose()?;
            match gateway {
                Some(gateway) if gateway.is_ipv4() != destination.address.is_ipv4() => {
                    Err(format!("routes: gateway {gateway} is of another family"))
                }
                _ => Ok(Route {
                    destination,
                    gateway,
                }),
            }
        });
        let neighbours = request.neighbours.iter().map(|one| {
            Ok::<_, String>(Neighbour {
                address: ip("neighbours", &one.address)?,
                mac: mac("neighbours", &one.mac)?,
            })
        });
        Ok(Self {
            mac: mac("mac", &request.mac)?,
            name: name.clone(),
            mtu: request.mtu,
            addresses: addresses.collect::<Result<_, _>>()?,
            routes: routes.collect::<Result<_, _>>()?,
            neighbours: neighbours.collect::<Result<_, _>>()?,
        })
    }
}

fn is_dots(name: &str) -> bool {
    name == "." || name == ".."
}

fn mac(field: &str, bytes: &[u8]) -> Result<[u8; 6], String> {
    bytes
        .try_into()
        .map_err(|_| format!("{field}: {bytes:02x?} is no link address of 6 bytes"))
}

fn ip(field: &str, bytes: &[u8]) -> Result<IpAddr, String> {
    let four = <[u8; 4]>::try_from(bytes).map(|bytes| IpAddr::from(Ipv4Addr::from(bytes)));
    let sixteen = || <[u8; 16]>::try_from(bytes).map(|bytes| IpAddr::from(Ipv6Addr::from(bytes)));
    four.or_else(|_| sixteen())
        .map_err(|_| format!("{field}: {bytes:02x?} is no address of 4 or 16 bytes"))
}

fn network(field: &str, bytes: &[u8], prefix: u32) -> Result<Network, String> {
    let address = ip(field, bytes)?;
    let longest = if address.is_ipv4() { 32 } else { 128 };
    let prefix = u8::try_from(prefix)
        .ok()
        .filter(|prefix| *prefix <= longest);
    let prefix =
        prefix.ok_or_else(|| format!("{field}: prefix of {address} is above {longest}"))?;
    Ok(Network { address, prefix })
}
