//! The arrows between crates: `cargo metadata` against `layers.toml`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::paths::Workspace;
use crate::process;

/// `layers.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Layers {
    /// Crate: crates of the workspace that it may depend on.
    allowed: BTreeMap<String, BTreeSet<String>>,
    /// Crate: further ones that only its tests may depend on.
    #[serde(default)]
    dev: BTreeMap<String, BTreeSet<String>>,
    safe: Safe,
    /// Crate: crates from outside that must not be below it.
    forbidden: BTreeMap<String, BTreeSet<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Safe {
    crates: BTreeSet<String>,
}

/// The part of `cargo metadata` that matters here.
#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_members: BTreeSet<String>,
    resolve: Resolve,
}

#[derive(Debug, Deserialize)]
struct Package {
    id: String,
    name: String,
    manifest_path: String,
    targets: Vec<Target>,
}

#[derive(Debug, Deserialize)]
struct Target {
    kind: Vec<String>,
    src_path: String,
}

#[derive(Debug, Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Debug, Deserialize)]
struct Node {
    id: String,
    deps: Vec<Edge>,
}

#[derive(Debug, Deserialize)]
struct Edge {
    pkg: String,
    dep_kinds: Vec<EdgeKind>,
}

#[derive(Debug, Deserialize)]
struct EdgeKind {
    kind: Option<String>,
}

impl Edge {
    /// Whether some edge of this kind is there; `None` is a normal one.
    fn has(&self, kind: Option<&str>) -> bool {
        self.dep_kinds
            .iter()
            .any(|edge| edge.kind.as_deref() == kind)
    }
}

/// Checks the arrows, the crates that forbid unsafe code, and that every crate takes the lint table.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let path = workspace.root.join("layers.toml");
    let text =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let layers: Layers = toml::from_str(&text).context("layers.toml")?;
    let json = process::output(
        Command::new("cargo")
            .args(["metadata", "--format-version", "1"])
            .current_dir(&workspace.root),
    )?;
    let metadata: Metadata = serde_json::from_str(&json).context("cargo metadata")?;
    let mut problems = arrows(&layers, &metadata);
    for package in &metadata.packages {
        if metadata.workspace_members.contains(&package.id) {
            problems.extend(lints(package)?);
            if layers.safe.crates.contains(&package.name) {
                problems.extend(unsafe_code(package)?);
            }
        }
    }
    if !problems.is_empty() {
        bail!("{}", problems.join("\n"));
    }
    Ok(())
}

fn arrows(layers: &Layers, metadata: &Metadata) -> Vec<String> {
    let names: HashMap<&str, &str> = metadata
        .packages
        .iter()
        .map(|p| (p.id.as_str(), p.name.as_str()))
        .collect();
    let nodes: HashMap<&str, &Node> = metadata
        .resolve
        .nodes
        .iter()
        .map(|n| (n.id.as_str(), n))
        .collect();
    let name = |id: &str| names.get(id).copied().unwrap_or("?").to_owned();
    let members: BTreeSet<String> = metadata
        .workspace_members
        .iter()
        .map(|id| name(id))
        .collect();
    let mut problems = Vec::new();
    let sections = layers
        .allowed
        .iter()
        .chain(&layers.dev)
        .flat_map(|(from, to)| std::iter::once(from).chain(to));
    let listed: BTreeSet<&String> = sections
        .chain(&layers.safe.crates)
        .chain(layers.forbidden.keys())
        .collect();
    for unknown in listed
        .into_iter()
        .filter(|listed| !members.contains(*listed))
    {
        problems.push(format!(
            "layers.toml names {unknown}, which is no crate of the workspace"
        ));
    }
    for id in &metadata.workspace_members {
        let from = name(id);
        let Some(allowed) = layers.allowed.get(&from) else {
            problems.push(format!("layers.toml has no line for {from}"));
            continue;
        };
        let empty = BTreeSet::new();
        let dev = layers.dev.get(&from).unwrap_or(&empty);
        for edge in nodes.get(id.as_str()).map_or(&[][..], |node| &node.deps) {
            let to = name(&edge.pkg);
            let normal = edge.has(None) || edge.has(Some("build"));
            let listed = allowed.contains(&to) || (!normal && dev.contains(&to));
            if members.contains(&to) && !listed {
                problems.push(format!("{from} may not depend on {to}"));
            }
        }
        for (outside, route) in reached(id, &nodes) {
            let outside = name(outside);
            if layers
                .forbidden
                .get(&from)
                .is_some_and(|list| list.contains(&outside))
            {
                let route: Vec<String> = route.iter().map(|id| name(id)).collect();
                problems.push(format!(
                    "{outside} must not be below {from}: {}",
                    route.join(" -> ")
                ));
            }
        }
    }
    problems
}

/// Everything below a package by normal edges, with one way to it.
fn reached<'a>(
    start: &'a str,
    nodes: &HashMap<&'a str, &'a Node>,
) -> BTreeMap<&'a str, Vec<&'a str>> {
    let mut found = BTreeMap::from([(start, vec![start])]);
    let mut todo = vec![start];
    while let Some(id) = todo.pop() {
        let route = found.get(id).cloned().unwrap_or_default();
        for edge in nodes.get(id).map_or(&[][..], |node| &node.deps) {
            if edge.has(None) && !found.contains_key(edge.pkg.as_str()) {
                let mut longer = route.clone();
                longer.push(&edge.pkg);
                found.insert(&edge.pkg, longer);
                todo.push(&edge.pkg);
            }
        }
    }
    found
}

fn lints(package: &Package) -> Result<Option<String>> {
    let text = fs::read_to_string(&package.manifest_path)?;
    let manifest: toml::Table = toml::from_str(&text).context("a manifest")?;
    let taken = manifest
        .get("lints")
        .and_then(|lints| lints.get("workspace"))
        .and_then(toml::Value::as_bool);
    Ok((taken != Some(true))
        .then(|| format!("{}: [lints] workspace = true is missing", package.name)))
}

fn unsafe_code(package: &Package) -> Result<Vec<String>> {
    let mut problems = Vec::new();
    for target in &package.targets {
        let counts = target
            .kind
            .iter()
            .any(|kind| kind == "lib" || kind == "bin");
        if counts && !fs::read_to_string(&target.src_path)?.contains("#![forbid(unsafe_code)]") {
            problems.push(format!("{}: no #![forbid(unsafe_code)]", target.src_path));
        }
    }
    Ok(problems)
}

#[cfg(test)]
#[path = "layers_tests.rs"]
mod tests;
