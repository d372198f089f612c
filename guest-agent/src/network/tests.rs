//! Requests that cannot be, and messages of the kernel.

use husk_protocol::agent::{
    ConfigureInterfaceRequest, InterfaceAddress, InterfaceNeighbour, InterfaceRoute,
};

use super::Interface;
use super::netlink::{Message, address, messages};

fn request() -> ConfigureInterfaceRequest {
    ConfigureInterfaceRequest {
        container_id: "c".to_owned(),
        mac: vec![2, 0, 0, 0, 0, 7],
        name: "eth0".to_owned(),
        mtu: 1500,
        addresses: vec![InterfaceAddress {
            address: vec![10, 0, 0, 2],
            prefix: 24,
            ..InterfaceAddress::default()
        }],
        routes: vec![InterfaceRoute {
            destination: vec![0; 4],
            gateway: vec![10, 0, 0, 1],
            ..InterfaceRoute::default()
        }],
        neighbours: vec![InterfaceNeighbour {
            address: vec![10, 0, 0, 1],
            mac: vec![2; 6],
            ..InterfaceNeighbour::default()
        }],
        ..ConfigureInterfaceRequest::default()
    }
}

#[test]
fn request_that_cannot_be_names_its_field_and_value() {
    assert!(Interface::of(&request()).is_ok());
    let refused = |change: fn(&mut ConfigureInterfaceRequest)| {
        let mut bad = request();
        change(&mut bad);
        Interface::of(&bad).unwrap_err()
    };
    for (change, expected) in [
        (
            (|r| r.name = "a/b".to_owned()) as fn(&mut ConfigureInterfaceRequest),
            "\"a/b\"",
        ),
        (|r| r.name = "..".to_owned(), "\"..\""),
        (|r| r.name = "sixteen_letters_".to_owned(), "sixteen"),
        (|r| r.mtu = 67, "mtu 67"),
        (|r| r.mac = vec![1], "mac: [01]"),
        (
            |r| r.addresses[0].prefix = 33,
            "addresses: prefix of 10.0.0.2",
        ),
        (
            |r| r.addresses[0].address = vec![1, 2, 3],
            "addresses: [01, 02, 03]",
        ),
        (
            |r| r.routes[0].gateway = vec![0; 16],
            "routes: gateway :: is of another family",
        ),
        (|r| r.neighbours[0].mac.clear(), "neighbours: []"),
        (
            |r| r.routes = vec![InterfaceRoute::default(); 257],
            "routes: 257",
        ),
    ] {
        let text = refused(change);
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn message_is_taken_apart_as_it_was_put_together() {
    let link = Message::new(16, 0, &[0; 16])
        .attribute(3, b"eth0\0")
        .attribute(1, &[2, 0, 0, 0, 0, 7])
        .finish();
    assert_eq!(link.len() % 4, 0);
    let twice = [link.clone(), link].concat();
    let parts = messages(&twice);
    assert_eq!(parts.len(), 2);
    for (kind, body) in parts {
        assert_eq!(kind, 16);
        assert_eq!(address(body), Some(&[2, 0, 0, 0, 0, 7][..]));
    }
}

#[test]
fn message_that_is_cut_off_or_lies_ends_the_list() {
    let whole = Message::new(16, 0, &[0; 16]).attribute(1, &[9; 6]).finish();
    for cut in 0..whole.len() {
        assert!(messages(&whole[..cut]).is_empty());
    }
    let mut lies = whole.clone();
    lies[32] = 2;
    assert_eq!(address(messages(&lies)[0].1), None);
    let mut short = whole;
    short[0] = 3;
    assert!(messages(&short).is_empty());
}
