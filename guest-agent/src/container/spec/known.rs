//! Fields of a specification that nobody knows. The specification's types pass over them without a word; a second
//! deserialiser of those types that tells them would be 200 KiB of program, so their names are a table, and a test
//! compares it with the types.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// More of them are counted, not named.
const MOST_NAMED: usize = 20;

/// Fields of an object, and of every object of a list.
#[derive(Debug)]
pub(super) struct Fields {
    /// Those without fields below, or with names that the specification does not choose.
    pub(super) plain: &'static str,
    pub(super) objects: &'static [(&'static str, &'static Fields)],
}

impl Fields {
    const fn plain(names: &'static str) -> Self {
        Self {
            plain: names,
            objects: &[],
        }
    }
}

const ID_MAPPING: Fields = Fields::plain("hostID containerID size");

const HOOK: Fields = Fields::plain("path args env timeout");

const THROTTLE: Fields = Fields::plain("major minor rate");

pub(super) const SPEC: Fields = Fields {
    plain: "ociVersion hostname domainname annotations solaris windows vm zos",
    objects: &[
        ("root", &Fields::plain("path readonly")),
        ("mounts", &MOUNT),
        ("process", &PROCESS),
        (
            "hooks",
            &Fields {
                plain: "",
                objects: &[
                    ("prestart", &HOOK),
                    ("createRuntime", &HOOK),
                    ("createContainer", &HOOK),
                    ("startContainer", &HOOK),
                    ("poststart", &HOOK),
                    ("poststop", &HOOK),
                ],
            },
        ),
        ("linux", &LINUX),
        // The types have them here as well.
        ("uidMappings", &ID_MAPPING),
        ("gidMappings", &ID_MAPPING),
    ],
};

const MOUNT: Fields = Fields {
    plain: "destination type source options",
    objects: &[("uidMappings", &ID_MAPPING), ("gidMappings", &ID_MAPPING)],
};

pub(super) const PROCESS: Fields = Fields {
    plain: "terminal args commandLine env cwd noNewPrivileges apparmorProfile oomScoreAdj selinuxLabel",
    objects: &[
        ("consoleSize", &Fields::plain("height width")),
        (
            "user",
            &Fields::plain("uid gid umask additionalGids username"),
        ),
        (
            "capabilities",
            &Fields::plain("bounding effective inheritable permitted ambient"),
        ),
        ("rlimits", &Fields::plain("type hard soft")),
        ("ioPriority", &Fields::plain("class priority")),
        (
            "scheduler",
            &Fields::plain("policy nice priority flags runtime deadline period"),
        ),
        ("execCPUAffinity", &Fields::plain("initial final")),
    ],
};

const LINUX: Fields = Fields {
    // The names below network devices, sysctls and offsets are the user's.
    plain: "netDevices sysctl cgroupsPath rootfsPropagation maskedPaths readonlyPaths mountLabel timeOffsets",
    objects: &[
        ("uidMappings", &ID_MAPPING),
        ("gidMappings", &ID_MAPPING),
        ("resources", &RESOURCES),
        ("namespaces", &Fields::plain("type path")),
        (
            "devices",
            &Fields::plain("path type major minor fileMode uid gid"),
        ),
        ("seccomp", &SECCOMP),
        (
            "intelRdt",
            &Fields::plain(
                "closID schemata l3CacheSchema memBwSchema enableCmt enableMbm enableMonitoring",
            ),
        ),
        ("memoryPolicy", &Fields::plain("mode nodes flags")),
        ("personality", &Fields::plain("domain flags")),
    ],
};

const RESOURCES: Fields = Fields {
    plain: "rdma unified",
    objects: &[
        ("devices", &Fields::plain("allow type major minor access")),
        (
            "memory",
            &Fields::plain(
                "limit reservation swap kernel kernelTCP swappiness disableOOMKiller useHierarchy checkBeforeUpdate",
            ),
        ),
        (
            "cpu",
            &Fields::plain(
                "shares quota idle burst period realtimeRuntime realtimePeriod cpus mems",
            ),
        ),
        ("pids", &Fields::plain("limit")),
        (
            "blockIO",
            &Fields {
                plain: "weight leafWeight",
                objects: &[
                    (
                        "weightDevice",
                        &Fields::plain("major minor weight leafWeight"),
                    ),
                    ("throttleReadBpsDevice", &THROTTLE),
                    ("throttleWriteBpsDevice", &THROTTLE),
                    ("throttleReadIOPSDevice", &THROTTLE),
                    ("throttleWriteIOPSDevice", &THROTTLE),
                ],
            },
        ),
        ("hugepageLimits", &Fields::plain("pageSize limit")),
        (
            "network",
            &Fields {
                plain: "classID",
                objects: &[("priorities", &Fields::plain("name priority"))],
            },
        ),
    ],
};

const SECCOMP: Fields = Fields {
    plain: "defaultAction defaultErrnoRet architectures flags listenerPath listenerMetadata",
    objects: &[(
        "syscalls",
        &Fields {
            plain: "names action errnoRet",
            objects: &[("args", &Fields::plain("index value valueTwo op"))],
        },
    )],
};

/// Paths of the fields of a document that are not in the table.
pub(super) fn unknown(json: &[u8], fields: &'static Fields) -> Vec<String> {
    let mut search = Search::default();
    let level = Level {
        fields,
        search: &mut search,
    };
    // What is no JSON at all has been told by the reader of the types.
    let _ = level.deserialize(&mut serde_json::Deserializer::from_slice(json));
    if search.left_out > 0 {
        let more = format!("and {} more", search.left_out);
        search.found.push(more);
    }
    search.found
}

#[derive(Debug, Default)]
struct Search {
    path: String,
    found: Vec<String>,
    left_out: usize,
}

/// A value whose fields are in question.
struct Level<'a> {
    fields: &'static Fields,
    search: &'a mut Search,
}

impl<'de> DeserializeSeed<'de> for Level<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<(), D::Error> {
        value.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Level<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { fields, search } = self;
        while let Some(name) = map.next_key::<String>()? {
            let length = search.path.len();
            if length > 0 {
                search.path.push('.');
            }
            search.path.push_str(&name);
            let below = fields.objects.iter().find(|(object, _)| *object == name);
            if let Some((_, fields)) = below {
                map.next_value_seed(Level { fields, search })?;
            } else {
                map.next_value::<IgnoredAny>()?;
                if !fields.plain.split(' ').any(|plain| plain == name) {
                    search.tell();
                }
            }
            search.path.truncate(length);
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Self { fields, search } = self;
        let length = search.path.len();
        for index in 0_usize.. {
            search.path.push_str(&format!("[{index}]"));
            let item = list.next_element_seed(Level { fields, search })?;
            search.path.truncate(length);
            if item.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
}

impl Search {
    fn tell(&mut self) {
        if self.found.len() < MOST_NAMED {
            self.found.push(self.path.clone());
        } else {
            self.left_out += 1;
        }
    }
}
