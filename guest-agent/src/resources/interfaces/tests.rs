//! Tests of the kernel's table, as Linux 6.12 prints it.

use super::{MAX_INTERFACES, interfaces, parse};

const TABLE: &str = "\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:     168       2    0    0    0     0          0         0      168       2    0    0    0     0       0          0
  eth0: 1000 20 3 4 5 6 7 8 18446744073709551615 10 11 12 13 14 15 16
";

#[test]
fn both_directions_of_every_interface_are_read() {
    let read = parse(TABLE);
    let names: Vec<&str> = read.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["lo", "eth0"]);
    let eth0 = &read[1];
    let received = [
        eth0.rx_bytes,
        eth0.rx_packets,
        eth0.rx_errors,
        eth0.rx_dropped,
    ];
    let sent = [
        eth0.tx_bytes,
        eth0.tx_packets,
        eth0.tx_errors,
        eth0.tx_dropped,
    ];
    assert_eq!((received, sent), ([1000, 20, 3, 4], [u64::MAX, 10, 11, 12]));
}

#[test]
fn interfaces_without_number_are_bounded() {
    let many = "x: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n".repeat(1000);
    assert_eq!(parse(&many).len(), MAX_INTERFACES);
}

#[test]
fn line_that_is_cut_is_no_interface() {
    assert!(parse("lo: 1 2 3 4 5 6 7 8 9 10 11").is_empty());
    assert!(parse("").is_empty());
}

#[test]
fn process_has_interfaces_until_it_ends() {
    let own = interfaces(std::process::id());
    assert!(own.iter().any(|one| one.name == "lo"), "{own:?}");
    assert!(interfaces(u32::MAX).is_empty());
}
