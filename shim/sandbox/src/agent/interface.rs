//! An interface of the guest as the host asks for it.

use std::net::IpAddr;

use husk_protocol::agent::{
    ConfigureInterfaceRequest, InterfaceAddress, InterfaceNeighbour, InterfaceRoute,
};

/// A way to a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// The network and the length of its prefix; zero and 0: everything.
    pub destination: (IpAddr, u8),
    /// Who carries on; `None`: the network is on the link.
    pub gateway: Option<IpAddr>,
}

/// Somebody on the link whose address need not be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// Address.
    pub address: IpAddr,
    /// Link address.
    pub mac: [u8; 6],
}

/// An interface with everything that it gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Link address of the network that was attached, by which the guest finds the interface.
    pub mac: [u8; 6],
    /// Name in the container.
    pub name: String,
    /// MTU, at most that of the network.
    pub mtu: u16,
    /// Addresses with the lengths of their prefixes.
    pub addresses: Vec<(IpAddr, u8)>,
    /// Routes.
    pub routes: Vec<Route>,
    /// Neighbours.
    pub neighbours: Vec<Neighbour>,
}

impl Interface {
    pub(super) fn into_request(self, container: &str) -> ConfigureInterfaceRequest {
        let addresses = self.addresses.into_iter();
        let addresses = addresses.map(|(address, prefix)| InterfaceAddress {
            address: octets(address),
            prefix: prefix.into(),
            ..InterfaceAddress::default()
        });
        let routes = self.routes.into_iter().map(|route| InterfaceRoute {
            destination: octets(route.destination.0),
            prefix: route.destination.1.into(),
            gateway: route.gateway.map(octets).unwrap_or_default(),
            ..InterfaceRoute::default()
        });
        let neighbours = self.neighbours.into_iter().map(|one| InterfaceNeighbour {
            address: octets(one.address),
            mac: one.mac.to_vec(),
            ..InterfaceNeighbour::default()
        });
        ConfigureInterfaceRequest {
            container_id: container.to_owned(),
            mac: self.mac.to_vec(),
            name: self.name,
            mtu: self.mtu.into(),
            addresses: addresses.collect(),
            routes: routes.collect(),
            neighbours: neighbours.collect(),
            ..ConfigureInterfaceRequest::default()
        }
    }
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(four) => four.octets().to_vec(),
        IpAddr::V6(six) => six.octets().to_vec(),
    }
}
