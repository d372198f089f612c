//! What went through the interfaces of a network namespace: `/proc/PID/net/dev`.

use std::fs;

use husk_protocol::agent::InterfaceStats;

/// A container that may make interfaces can make any number of them: no more than so many are told of.
const MAX_INTERFACES: usize = 256;

/// The interfaces of the namespace of a process; none when it has ended.
pub(crate) fn interfaces(pid: u32) -> Vec<InterfaceStats> {
    let table = fs::read(format!("/proc/{pid}/net/dev")).unwrap_or_default();
    // A name is nearly any bytes.
    parse(&String::from_utf8_lossy(&table))
}

/// Two lines of headings have no colon behind their first word.
fn parse(table: &str) -> Vec<InterfaceStats> {
    let interfaces = table.lines().filter_map(interface);
    interfaces.take(MAX_INTERFACES).collect()
}

/// "name: " and sixteen figures: bytes, packets, errors and drops received, four more of that, and the same sent.
fn interface(line: &str) -> Option<InterfaceStats> {
    let (name, figures) = line.split_once(':')?;
    let figures: Vec<u64> = figures
        .split_ascii_whitespace()
        .map_while(|figure| figure.parse().ok())
        .collect();
    let [
        rx_bytes,
        rx_packets,
        rx_errors,
        rx_dropped,
        _,
        _,
        _,
        _,
        sent @ ..,
    ] = figures.as_slice()
    else {
        return None;
    };
    let [tx_bytes, tx_packets, tx_errors, tx_dropped, ..] = sent else {
        return None;
    };
    Some(InterfaceStats {
        name: name.trim().to_owned(),
        rx_bytes: *rx_bytes,
        rx_packets: *rx_packets,
        rx_errors: *rx_errors,
        rx_dropped: *rx_dropped,
        tx_bytes: *tx_bytes,
        tx_packets: *tx_packets,
        tx_errors: *tx_errors,
        tx_dropped: *tx_dropped,
        ..InterfaceStats::default()
    })
}

#[cfg(test)]
mod tests;
