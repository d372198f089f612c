//! A network: a tap in a namespace of the host, TCP in both directions with offloads, both families, large frames.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    net::{IpAddr, TcpListener},
    os::fd::OwnedFd,
    process::Command,
    thread::{self, JoinHandle},
};

use husk_sandbox::{
    agent::{Interface, StreamKind},
    pod::create_tap,
};
use husk_tests::guest::{Guest, default_spec};
use rustix::thread::UnshareFlags;
use tokio::io::AsyncReadExt as _;

use crate::{confinement::metrics, streams::pattern};

const BULK: usize = 256 << 10;
const MTU: u16 = 9000;
const MAC: [u8; 6] = [2, 0, 0, 0, 0, 7];
const SLOT: u8 = 3;

/// The host's side: a tap, and two services that expect the guest.
struct Host {
    tap: OwnedFd,
    takes: JoinHandle<Vec<u8>>,
    gives: JoinHandle<()>,
}

fn ip(arguments: &str) {
    let status = Command::new("ip")
        .args(arguments.split(' '))
        .status()
        .unwrap();
    assert!(status.success(), "ip {arguments}");
}

/// In a namespace of its own, which lives as long as its sockets.
fn host() -> Host {
    let made = thread::spawn(|| {
        #[expect(deprecated, reason = "deprecated for UnshareFlags::FILES only")]
        rustix::thread::unshare(UnshareFlags::NEWNET).unwrap();
        let namespace = File::open("/proc/thread-self/ns/net").unwrap();
        let tap = create_tap(&namespace, "husk0").unwrap();
        ip("addr add 10.9.0.1/24 dev husk0");
        ip("addr add fd09::1/64 dev husk0 nodad");
        ip(&format!("link set husk0 mtu {MTU} up"));
        let takes = TcpListener::bind("10.9.0.1:5001").unwrap();
        let gives = TcpListener::bind("[fd09::1]:5002").unwrap();
        (tap, takes, gives)
    });
    let (tap, takes, gives) = made.join().unwrap();
    Host {
        tap,
        takes: thread::spawn(move || {
            let mut bytes = Vec::new();
            takes.accept().unwrap().0.read_to_end(&mut bytes).unwrap();
            bytes
        }),
        gives: thread::spawn(move || {
            gives.accept().unwrap().0.write_all(&pattern(BULK)).unwrap();
        }),
    }
}

fn interface() -> Interface {
    let address = |text: &str| text.parse::<IpAddr>().unwrap();
    Interface {
        mac: MAC,
        name: "pod0".to_owned(),
        mtu: MTU,
        addresses: vec![(address("10.9.0.2"), 24), (address("fd09::2"), 64)],
        routes: vec![husk_sandbox::agent::Route {
            destination: (address("0.0.0.0"), 0),
            gateway: Some(address("10.9.0.1")),
        }],
        neighbours: Vec::new(),
    }
}

pub(super) fn both_ways(guest: &Guest) {
    let host = host();
    let script = format!(
        "/bin/probe pattern {BULK} | nc 10.9.0.1 5001 && nc fd09::1 5002 | /bin/probe check-pattern; \
         cd /sys/class/net; echo *; cat pod0/mtu pod0/address; grep -c ^pod0.00000000 /proc/net/route"
    );
    let before = metrics(guest);
    guest.wait(async {
        let id = guest.fresh_id();
        let pod = guest.pod();
        let process = guest
            .create(&id, &default_spec(&["/bin/sh", "-c", &script]))
            .await
            .unwrap();
        let refused = pod.configure_interface("nobody", interface()).await;
        assert!(refused.is_err());
        pod.attach_network(SLOT, MAC, MTU, host.tap).await.unwrap();
        pod.configure_interface(&id, interface()).await.unwrap();
        pod.configure_interface(&id, interface()).await.unwrap();
        let mut stdout = pod.stream(&process, StreamKind::Stdout).await.unwrap();
        pod.start(&id).await.unwrap();
        let mut text = String::new();
        stdout.read_to_string(&mut text).await.unwrap();
        assert_eq!(
            text,
            format!("{BULK}\nlo pod0\n{MTU}\n02:00:00:00:00:07\n1\n")
        );
        assert_eq!(pod.wait(&process).await.unwrap().code, 0);
        pod.delete(&process).await.unwrap();
    });
    assert!(
        host.takes.join().unwrap() == pattern(BULK),
        "bytes changed on the way"
    );
    host.gives.join().unwrap();
    let after = metrics(guest);
    let nic = &after.nics[0];
    let bulk = u64::try_from(BULK).unwrap();
    assert!(
        nic.counters.tx_bytes > bulk && nic.counters.rx_bytes > bulk,
        "{nic:?}"
    );
    // `nc` sends a KiB at a time, and each is acknowledged at most once; what is above comes in segments that no wire
    // could carry.
    assert!(
        nic.counters.rx_frames < nic.counters.tx_frames + bulk / 9000,
        "{nic:?}"
    );
    assert_eq!((nic.slot, nic.counters.refused), (SLOT, 0), "{nic:?}");
    println!(
        "{} instructions for one container and {} KiB; {nic:?}",
        after.instructions - before.instructions,
        BULK >> 9
    );
    guest.wait(async {
        guest.pod().detach_network(SLOT).await.unwrap();
        assert!(guest.pod().detach_network(SLOT).await.is_err());
    });
}
