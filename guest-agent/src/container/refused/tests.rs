//! What the kernel says of options; as root only, because nobody else may ask it.

use oci_spec::runtime::Spec;
use rustix::process::geteuid;
use serde_json::json;

use super::refused_option;

fn asked(kind: &str, options: &[&str]) -> Option<String> {
    let spec = json!({"ociVersion": "1.2.0", "mounts": [
        {"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid"]},
        {"destination": "/x", "type": kind, "source": "none", "options": options},
    ]});
    let spec: Spec = serde_json::from_value(spec).unwrap();
    refused_option(&spec).map(|error| error.to_string())
}

#[test]
fn option_that_the_kernel_refuses_is_named_with_its_mount() {
    if !geteuid().is_root() {
        return;
    }
    for word in ["nonsense", "size=much", "mode=9", "a,size=1m"] {
        let text = asked("tmpfs", &["nosuid", "size=1m", word]).unwrap();
        let start = format!("mounts[1] at /x: option {word:?} is none of tmpfs's: ");
        assert!(text.starts_with(&start), "{text}");
    }
}

#[test]
fn options_that_the_kernel_takes_are_not_named() {
    let good = [
        "ro",
        "nosuid",
        "rprivate",
        "relatime",
        "size=64k",
        "mode=1777",
        "uid=5",
        "nr_inodes=10",
    ];
    assert_eq!(asked("tmpfs", &good), None);
    assert_eq!(asked("bind", &["rbind", "nonsense"]), None);
    assert_eq!(asked("no-such-type", &["nonsense"]), None);
}
