//! The mount table, by mount point.

use serde_json::{Map, Value, json};

use super::text;

/// /proc/self/mountinfo without its numbers. What is mounted over something else has a count behind its name.
pub(super) fn table() -> Map<String, Value> {
    let mut table = Map::new();
    for line in text::file("/proc/self/mountinfo").lines() {
        let Some((point, about)) = entry(line) else {
            table.insert("(unreadable)".to_owned(), line.into());
            continue;
        };
        let mut name = point.to_owned();
        for count in 2.. {
            if !table.contains_key(&name) {
                break;
            }
            name = format!("{point}#{count}");
        }
        table.insert(name, about);
    }
    table
}

/// proc_pid_mountinfo(5): id, parent, device, root, point, options, tags..., a dash, type, source, super options.
fn entry(line: &str) -> Option<(&str, Value)> {
    let (mount, file_system) = line.split_once(" - ")?;
    let mut mount = mount.split(' ').skip(3);
    let (root, point, options) = (mount.next()?, mount.next()?, mount.next()?);
    let propagation: Vec<&str> = mount
        .map(|tag| tag.split(':').next().unwrap_or(tag))
        .collect();
    let mut file_system = file_system.split(' ');
    let about = json!({
        "options": sorted(options),
        "propagation": if propagation.is_empty() { "private".to_owned() } else { propagation.join(" ") },
        "root": root,
        "type": file_system.next()?,
        "source": file_system.next()?,
        "super": sorted(file_system.next().unwrap_or("")),
    });
    Some((point, about))
}

/// Options have no order of their own.
fn sorted(options: &str) -> String {
    let mut options: Vec<&str> = options.split(',').collect();
    options.sort_unstable();
    options.join(",")
}
