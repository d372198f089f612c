//! Tries everything that a container could do with AF_VSOCK to reach the host or to speak as the agent.

use std::io::Read;
use std::time::Duration;

use vsock::{VMADDR_CID_ANY, VMADDR_CID_HOST, VMADDR_CID_LOCAL, VsockListener, VsockStream};

/// Ports of the agent and of its doorbells, and a few that nobody uses.
const PORTS: [u32; 6] = [1, 2, 22, 1024, 1025, 40_000];

/// The guest's own context id.
const GUEST_CID: u32 = 3;

/// Prints one line a try: `connect CID PORT: outcome`, `listen PORT: outcome`.
pub(crate) fn report() {
    for cid in [VMADDR_CID_HOST, GUEST_CID, VMADDR_CID_LOCAL, 0, 4] {
        for port in PORTS {
            println!("connect {cid} {port}: {}", connect(cid, port));
        }
    }
    for port in [1024, 1025] {
        println!("listen {port}: {}", listen(port));
    }
}

fn connect(cid: u32, port: u32) -> String {
    match VsockStream::connect_with_cid_port(cid, port) {
        Err(cause) => format!("refused ({cause})"),
        Ok(mut stream) => {
            let mut first = [0];
            let heard = stream
                .set_read_timeout(Some(Duration::from_secs(1)))
                .and_then(|()| stream.read(&mut first));
            match heard {
                Ok(0) => "closed".to_owned(),
                Ok(_) => "reached, and it spoke".to_owned(),
                Err(cause) => format!("reached ({cause})"),
            }
        }
    }
}

fn listen(port: u32) -> String {
    match VsockListener::bind_with_cid_port(VMADDR_CID_ANY, port) {
        Err(cause) => format!("refused ({cause})"),
        Ok(_) => "taken".to_owned(),
    }
}
