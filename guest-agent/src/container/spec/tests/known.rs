//! The table of known fields, compared with the specification's types.

use std::collections::BTreeSet;

use oci_spec::runtime::{
    Hook, Hooks, Linux, LinuxBlockIo, LinuxCapabilities, LinuxCpu, LinuxDevice, LinuxDeviceCgroup,
    LinuxHugepageLimit, LinuxIOPriority, LinuxIdMapping, LinuxIntelRdt, LinuxMemory,
    LinuxMemoryPolicy, LinuxNamespace, LinuxNetwork, LinuxPersonality, LinuxPids, LinuxResources,
    LinuxSeccomp, LinuxSeccompArg, LinuxSyscall, LinuxThrottleDevice, LinuxWeightDevice, Mount,
    PosixRlimit, Process, Root, Scheduler, Spec, User,
};
use serde::{
    Deserialize, Deserializer,
    de::{Visitor, value::Error},
    forward_to_deserialize_any,
};
use serde_json::json;

use crate::container::spec::known::{Fields, PROCESS, SPEC, unknown};

/// Asks a type for the names of its fields.
struct Names<'a>(&'a mut BTreeSet<&'static str>);

impl<'de> Deserializer<'de> for Names<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(serde::de::Error::custom("no value"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Error> {
        self.0.extend(fields);
        Err(serde::de::Error::custom("no value"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

fn compare<T: for<'de> Deserialize<'de>>(path: &str) {
    let mut names = BTreeSet::new();
    assert!(T::deserialize(Names(&mut names)).is_err());
    let below = |fields: &'static Fields, name: &str| {
        let found = fields.objects.iter().find(|(object, _)| *object == name);
        found.unwrap_or_else(|| panic!("no {name} of {path}")).1
    };
    let table = path
        .split('.')
        .filter(|name| !name.is_empty())
        .fold(&SPEC, below);
    let objects = table.objects.iter().map(|(name, _)| *name);
    let known: BTreeSet<&str> = table.plain.split_whitespace().chain(objects).collect();
    assert_eq!(known, names, "{path}");
}

#[test]
fn table_of_fields_is_that_of_the_types() {
    compare::<Spec>("");
    compare::<Root>("root");
    compare::<Mount>("mounts");
    compare::<LinuxIdMapping>("mounts.uidMappings");
    compare::<Hooks>("hooks");
    compare::<Hook>("hooks.poststop");
    compare::<Process>("process");
    compare::<User>("process.user");
    compare::<LinuxCapabilities>("process.capabilities");
    compare::<PosixRlimit>("process.rlimits");
    compare::<LinuxIOPriority>("process.ioPriority");
    compare::<Scheduler>("process.scheduler");
    compare::<Linux>("linux");
    compare::<LinuxNamespace>("linux.namespaces");
    compare::<LinuxDevice>("linux.devices");
    compare::<LinuxSeccomp>("linux.seccomp");
    compare::<LinuxSyscall>("linux.seccomp.syscalls");
    compare::<LinuxSeccompArg>("linux.seccomp.syscalls.args");
    compare::<LinuxIntelRdt>("linux.intelRdt");
    compare::<LinuxMemoryPolicy>("linux.memoryPolicy");
    compare::<LinuxPersonality>("linux.personality");
    compare::<LinuxResources>("linux.resources");
    compare::<LinuxDeviceCgroup>("linux.resources.devices");
    compare::<LinuxMemory>("linux.resources.memory");
    compare::<LinuxCpu>("linux.resources.cpu");
    compare::<LinuxPids>("linux.resources.pids");
    compare::<LinuxBlockIo>("linux.resources.blockIO");
    compare::<LinuxWeightDevice>("linux.resources.blockIO.weightDevice");
    compare::<LinuxThrottleDevice>("linux.resources.blockIO.throttleReadIOPSDevice");
    compare::<LinuxHugepageLimit>("linux.resources.hugepageLimits");
    compare::<LinuxNetwork>("linux.resources.network");
}

#[test]
fn unknown_field_is_named_with_its_path_and_many_are_counted() {
    let mut spec = json!({
        "annotations": {"any": "name"},
        "linux": {"seccomp": {"syscalls": [{"names": []}, {"args": [{}, {"mask": 1}], "includes": {}}]},
            "sysctl": {"a.b": "c"}, "timeOffsets": {"boottime": {"secs": 1}}, "resources": null},
    });
    let document = |value: &serde_json::Value| serde_json::to_vec(value).unwrap();
    let expected = [
        "linux.seccomp.syscalls[1].args[1].mask",
        "linux.seccomp.syscalls[1].includes",
    ];
    assert_eq!(unknown(&document(&spec), &SPEC), expected);
    for index in 0..30 {
        spec[format!("zz{index:02}")] = json!(index);
    }
    let found = unknown(&document(&spec), &SPEC);
    assert_eq!(found.len(), 21);
    assert_eq!(found.last().map(String::as_str), Some("and 12 more"));
    let process = document(&json!({"user": {"name": "ann"}, "cwd": "/"}));
    assert_eq!(unknown(&process, &PROCESS), ["user.name"]);
}
