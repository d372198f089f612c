//! The mappings of a user namespace.

use serde_json::{Value, json};

use super::real::{adapted_json, docker};

/// A mapping of this many ids, each apart.
fn singles(count: u32, first: u32) -> Value {
    let line = |id: u32| json!({"containerID": id, "hostID": first + id, "size": 1});
    (0..count).map(line).collect()
}

#[test]
fn user_namespace_wants_mappings_with_its_root() {
    let with = |mappings: Value| {
        let mut spec = docker();
        let namespaces = spec["linux"]["namespaces"].as_array_mut().unwrap();
        namespaces.push(json!({"type": "user"}));
        assert_eq!(spec["mounts"][2]["destination"], "/dev/pts");
        let options = spec["mounts"][2]["options"].as_array_mut().unwrap();
        options.push(json!("uid=10"));
        spec["linux"]["uidMappings"] = mappings;
        spec["linux"]["gidMappings"] =
            json!([{"containerID": 0, "hostID": 100_000, "size": 65536}]);
        adapted_json(&spec)
    };
    with(json!([{"containerID": 0, "hostID": 100_000, "size": 65536}])).unwrap();
    for (mappings, expected) in [
        (json!([]), "container id 0 is not mapped"),
        (
            json!([{"containerID": 1, "hostID": 1, "size": 1}]),
            "container id 0 is not mapped",
        ),
        (
            json!([{"containerID": 0, "hostID": 1, "size": 0}]),
            "size 0",
        ),
        (
            json!([{"containerID": 0, "hostID": 4_294_967_295_u32, "size": 2}]),
            "size 2",
        ),
        (
            json!([{"containerID": 0, "hostID": 5, "size": 10}, {"containerID": 10, "hostID": 14, "size": 1}]),
            "[1] overlaps [0]",
        ),
        (
            json!([{"containerID": 0, "hostID": 5, "size": 10}, {"containerID": 9, "hostID": 50, "size": 1}]),
            "[1] overlaps [0]",
        ),
        (singles(341, 0), "341 lines: 340 are the most"),
        (
            singles(340, 1_000_000_000),
            "bytes as the kernel reads them",
        ),
        (
            json!([{"containerID": 0, "hostID": 5, "size": 10}, {"containerID": 20, "hostID": 50, "size": 1}]),
            "linux.uidMappings has not what is named in mounts[2] at /dev/pts: option \"uid=10\"",
        ),
    ] {
        let told = with(mappings).unwrap_err().to_string();
        assert!(
            told.contains("linux.uidMappings") && told.contains(expected),
            "{told}"
        );
    }
}

#[test]
fn mapped_volume_wants_both_mappings_or_a_user_namespace() {
    let with = |extra: &[(&str, Value)]| {
        let mut spec = docker();
        let mut mount = json!({"type": "bind", "source": "/run/husk/volumes/v", "destination": "/v",
            "options": ["bind", "idmap"]});
        for (name, value) in extra {
            mount[*name] = value.clone();
        }
        spec["mounts"] = json!([mount]);
        adapted_json(&spec).unwrap_err().to_string()
    };
    let map = json!([{"containerID": 0, "hostID": 5, "size": 1}]);
    let cases: [(&[(&str, Value)], &str); 3] = [
        (
            &[],
            "option \"idmap\" without mappings and without a user namespace",
        ),
        (
            &[("uidMappings", map.clone())],
            "uidMappings and gidMappings are not both given",
        ),
        (
            &[
                ("uidMappings", map.clone()),
                (
                    "gidMappings",
                    json!([{"containerID": 0, "hostID": 5, "size": 0}]),
                ),
            ],
            "gidMappings: size 0 from 0 on 5 is no range",
        ),
    ];
    for (extra, expected) in cases {
        let told = with(extra);
        assert_eq!(told, format!("mounts[0] at /v: {expected}"));
    }
}
