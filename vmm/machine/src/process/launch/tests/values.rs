//! Parsing and the pure check.

use serde_json::{Value, json};

use super::good;
use crate::api::config::{KvmKind, NicConfig};
use crate::process::launch::{parse, validate};

fn parse_error(change: impl FnOnce(&mut Value)) -> String {
    let mut value = serde_json::to_value(good()).unwrap();
    change(&mut value);
    parse(value.to_string().as_bytes()).unwrap_err().to_string()
}

/// The text of the refusal after `change`.
fn refusal(change: impl FnOnce(&mut crate::api::MachineConfig)) -> String {
    let mut config = good();
    change(&mut config);
    validate(&config).unwrap_err().to_string()
}

#[test]
fn good_configuration_survives_the_wire() {
    let body = serde_json::to_vec(&good()).unwrap();
    let config = parse(&body).unwrap();
    assert_eq!(config, good());
    validate(&config).unwrap();
}

#[test]
fn other_version_is_refused_whatever_else_it_holds() {
    let text = parse_error(|value| {
        value["version"] = json!(2);
        value["from_the_future"] = json!(true);
    });
    assert_eq!(text, "configuration: version 2 is not 1");
}

#[test]
fn unknown_field_is_named_with_its_place() {
    let text = parse_error(|value| value["drives"][1]["cache"] = json!("none"));
    assert!(
        text.starts_with("configuration: drives[1].cache: unknown field `cache`"),
        "{text}"
    );
}

#[test]
fn value_of_another_type_is_named_with_its_place() {
    let text = parse_error(|value| value["jail"]["uid"] = json!("root"));
    assert!(
        text.starts_with("configuration: jail.uid: invalid type: string \"root\", expected u32"),
        "{text}"
    );
    let text = parse_error(|value| value["vcpus"] = json!(256));
    assert!(
        text.starts_with("configuration: vcpus: invalid value: integer `256`"),
        "{text}"
    );
}

#[test]
fn text_that_is_no_configuration_is_refused() {
    let body = serde_json::to_vec(&good()).unwrap();
    let mut longer = body.clone();
    longer.extend_from_slice(b"{}");
    for bad in [
        b"".as_slice(),
        b"\xff",
        b"[]",
        b"{",
        &body[..body.len() - 1],
        &longer,
    ] {
        assert!(parse(bad).is_err(), "{}", String::from_utf8_lossy(bad));
    }
    let deep = "[".repeat(100_000);
    assert!(parse(deep.as_bytes()).is_err());
}

#[test]
fn network_that_cannot_be_is_refused_with_its_place() {
    let nic = |slot, mac: &str, mtu| NicConfig {
        slot,
        fd: 7,
        mac: mac.to_owned(),
        mtu,
    };
    let refused = |nics: &[NicConfig]| refusal(|config| config.nics = nics.to_vec());
    let good = nic(0, "02:00:00:00:00:01", 1500);
    let text = refusal(|config| config.net_slots = 9);
    assert_eq!(text, "net_slots: 9 are more than 8 slots");
    let text = refused(&[nic(1, "02:00:00:00:00:01", 1500)]);
    assert_eq!(text, "nics[0].slot: 1 is no net slot");
    let text = refused(&[good.clone(), good.clone()]);
    assert_eq!(text, "nics[1].slot: 0 holds another network");
    let text = refused(&[nic(0, "01:00:00:00:00:01", 1500)]);
    assert_eq!(
        text,
        "nics[0].mac: \"01:00:00:00:00:01\" is no address of an interface"
    );
    let text = refused(&[nic(0, "02:00:00:00:00:01", 67)]);
    assert_eq!(text, "nics[0].mtu: 67 is not 68 to 65535");
    let text = refusal(|config| {
        config.net_slots = 2;
        config.nics = vec![good.clone(), nic(1, "02:00:00:00:00:01", 1500)];
    });
    assert_eq!(
        text,
        "nics[1].mac: \"02:00:00:00:00:01\" is another network's"
    );
}

#[test]
fn number_out_of_range_is_refused_with_its_value() {
    assert_eq!(refusal(|c| c.vcpus = 0), "vcpus: 0 is not 1 to 32");
    assert_eq!(refusal(|c| c.vcpus = 33), "vcpus: 33 is not 1 to 32");
    let text = "memory_mib: 63 is not 64 MiB to 1048576 MiB";
    assert_eq!(refusal(|c| c.memory_mib = 63), text);
    let text = "slots: 33 are more than 32 slots";
    assert_eq!(refusal(|c| c.slots.read_only = 28), text);
    let text = "vsock.guest_cid: 2 is no context id of a guest";
    assert_eq!(refusal(|c| c.vsock.as_mut().unwrap().guest_cid = 2), text);
    let text = "vsock.guest_cid: 4294967294 is no context id of a guest";
    let local = u32::MAX - 1;
    assert_eq!(
        refusal(|c| c.vsock.as_mut().unwrap().guest_cid = local),
        text
    );
    assert_eq!(
        refusal(|c| c.jail.uid = 0),
        "jail.uid: 0 is root or no user id"
    );
    let text = "jail.gid: 4294967295 is root or no group id";
    assert_eq!(refusal(|c| c.jail.gid = u32::MAX), text);
}

#[test]
fn host_speed_has_to_fit_its_kind() {
    let text = "host.ns_per_instruction: 700 is not 0, as it is on hardware";
    assert_eq!(refusal(|c| c.host.kind = KvmKind::Hardware), text);
    let text = "host.ns_per_instruction: 0 is not 1 to 1000000";
    assert_eq!(refusal(|c| c.host.ns_per_instruction = 0), text);
}

#[test]
fn hash_name_and_command_line_have_an_alphabet() {
    let text = refusal(|c| c.kernel.sha256 = "AB".repeat(32));
    assert!(
        text.ends_with("is not 64 lower-case hexadecimal digits"),
        "{text}"
    );
    let text = refusal(|c| c.initramfs.sha256.clear());
    assert!(text.starts_with("initramfs.sha256: \"\""), "{text}");
    let text = refusal(|c| c.kernel.name = "a\nb".to_owned());
    assert_eq!(text, "kernel.name: \"a\\nb\" is not a printable name");
    let text = refusal(|c| c.extra_cmdline = "a\tb".to_owned());
    assert!(text.starts_with("extra_cmdline: \"a\\tb\""), "{text}");
    let text = refusal(|c| c.extra_cmdline = "a".repeat(2048));
    assert!(text.len() < 200, "{text}");
}

#[test]
fn drives_have_a_slot_and_a_serial_of_their_own() {
    let text = "drives[1].slot: 16 is no slot of this class";
    assert_eq!(refusal(|c| c.drives[1].slot = 16), text);
    let text = refusal(|c| c.drives[1].class = c.drives[0].class);
    assert_eq!(text, "drives[1].slot: 0 holds another drive");
    let text = "drives[1].serial: \"scratch\" is another drive's";
    assert_eq!(refusal(|c| c.drives[1].serial = "scratch".to_owned()), text);
    let text = refusal(|c| c.drives[0].serial = "a b".to_owned());
    assert!(
        text.starts_with("drives[0].serial: \"a b\" is not 1 to 20"),
        "{text}"
    );
}

#[test]
fn doorbells_are_two() {
    let text = refusal(|c| c.vsock.as_mut().unwrap().doorbells.ready_port = 1);
    assert_eq!(text, "vsock.doorbells: 1 is the port of both doorbells");
}
