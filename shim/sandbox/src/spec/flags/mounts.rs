//! `--tmpfs`, and the volumes that an image declares.

use std::path::{Component, Path};
use std::str::FromStr;

use serde_json::{Value, json};

/// What Docker gives a tmpfs for which nobody asked for more.
const DEFAULT_OPTIONS: [&str; 4] = ["rw", "nosuid", "nodev", "noexec"];

/// Options that exclude each other.
const PAIRS: [(&str, &str); 8] = [
    ("rw", "ro"),
    ("nosuid", "suid"),
    ("nodev", "dev"),
    ("noexec", "exec"),
    ("sync", "async"),
    ("atime", "noatime"),
    ("diratime", "nodiratime"),
    ("relatime", "strictatime"),
];

/// One `--tmpfs PATH[:OPTIONS]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tmpfs {
    path: String,
    options: Vec<String>,
}

impl FromStr for Tmpfs {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (path, options) = text.split_once(':').unwrap_or((text, ""));
        let path = mount_point(path)?;
        let mut set: Vec<String> = DEFAULT_OPTIONS.map(str::to_owned).to_vec();
        for option in options.split(',').filter(|option| !option.is_empty()) {
            let key = option_key(option)
                .ok_or_else(|| format!("unknown option {option:?} of tmpfs {path:?}"))?;
            let other = PAIRS.iter().find_map(|(one, other)| match option {
                option if option == *one => Some(*other),
                option if option == *other => Some(*one),
                _ => None,
            });
            set.retain(|known| {
                let name = known
                    .split_once('=')
                    .map_or(known.as_str(), |(name, _)| name);
                name != key && Some(name) != other
            });
            set.push(option.to_owned());
        }
        Ok(Self { path, options: set })
    }
}

/// The name of an option that a tmpfs has; `None` for another one, or for a value that cannot be.
fn option_key(option: &str) -> Option<&str> {
    let Some((name, value)) = option.split_once('=') else {
        let known = PAIRS
            .iter()
            .any(|(one, other)| option == *one || option == *other);
        return known.then_some(option);
    };
    let digits = |text: &str, last: u8| {
        !text.is_empty()
            && text.len() <= 18
            && text.bytes().all(|byte| (b'0'..=last).contains(&byte))
    };
    let fits = match name {
        "size" | "nr_blocks" | "nr_inodes" => {
            let number = value.strip_suffix(['k', 'K', 'm', 'M', 'g', 'G']);
            let number = number.or_else(|| value.strip_suffix('%').filter(|_| name == "size"));
            digits(number.unwrap_or(value), b'9')
        }
        "mode" => digits(value, b'7') && value.len() <= 5,
        "uid" | "gid" => value.parse::<u32>().is_ok() && digits(value, b'9'),
        _ => false,
    };
    fits.then_some(name)
}

/// An absolute path below the root, without `..`.
fn mount_point(text: &str) -> Result<String, String> {
    let path = Path::new(text);
    let climbs = path.components().any(|part| part == Component::ParentDir);
    if !path.is_absolute() || climbs || text.contains('\0') {
        return Err(format!(
            "mount point {text:?} is no absolute path without \"..\""
        ));
    }
    let clean: Vec<_> = path
        .components()
        .filter_map(|part| match part {
            Component::Normal(name) => name.to_str(),
            _ => None,
        })
        .collect();
    if clean.is_empty() {
        return Err(format!("mount point {text:?} is the root itself"));
    }
    Ok(format!("/{}", clean.join("/")))
}

/// Adds each tmpfs, in place of a default mount at the same path.
pub(in super::super) fn with_tmpfs(mounts: &mut Vec<Value>, given: &[Tmpfs]) {
    for tmpfs in given {
        mounts.retain(|mount| mount["destination"] != tmpfs.path.as_str());
        mounts.push(json!({
            "destination": tmpfs.path, "type": "tmpfs", "source": "tmpfs", "options": tmpfs.options,
        }));
    }
}

/// Adds the image's volumes, but where something is mounted already. `volume` is a mount of the agent's own: the
/// directory of the container's root itself, made when missing, writable whatever the root is.
pub(in super::super) fn with_volumes(
    mounts: &mut Vec<Value>,
    volumes: &[String],
) -> Result<(), String> {
    let mut volumes = volumes.to_vec();
    // What lies in another one comes after it.
    volumes.sort();
    volumes.dedup();
    for volume in volumes {
        let path = mount_point(&volume)?;
        if mounts
            .iter()
            .any(|mount| mount["destination"] == path.as_str())
        {
            continue;
        }
        mounts.push(json!({
            "destination": path, "type": "volume", "source": "volume", "options": ["rw"],
        }));
    }
    Ok(())
}
