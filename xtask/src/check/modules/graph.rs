//! The modules of a crate as a graph of siblings.

use std::collections::{BTreeMap, BTreeSet};

use super::uses::{self, Path};
use crate::check::source::code_only;

/// A module's place in its crate; the root is empty.
type Module = Vec<String>;

/// Modules of one crate: code of each, without its tests.
type Crate = BTreeMap<Module, String>;

/// Cycles in every crate of these files, one line each.
pub(crate) fn check(files: &[(String, String)]) -> Vec<String> {
    let mut crates = BTreeMap::<&str, Crate>::new();
    for (name, text) in files {
        if let Some((folder, inside)) = name.split_once("src/")
            && let Some(module) = module_of(inside)
        {
            crates
                .entry(folder)
                .or_default()
                .insert(module, without_tests(text));
        }
    }
    crates
        .iter()
        .flat_map(|(folder, modules)| cycles(folder, modules))
        .collect()
}

/// The module that a file below `src/` holds; `None` for tests.
fn module_of(inside: &str) -> Option<Module> {
    let mut module: Module = inside
        .strip_suffix(".rs")?
        .split('/')
        .map(str::to_owned)
        .collect();
    if module.iter().any(|part| part.ends_with("tests")) {
        return None;
    }
    let file = module.last()?;
    if file == "mod" || (module.len() == 1 && (file == "lib" || file == "main")) {
        module.pop();
    }
    Some(module)
}

/// Code without comments, literals, and the test module at its end.
fn without_tests(text: &str) -> String {
    let mut code = code_only(text);
    let test = code
        .match_indices("#[cfg(test)]")
        .find(|(at, mark)| code[at + mark.len()..].trim_start().starts_with("mod "));
    if let Some((at, _)) = test {
        code.truncate(at);
    }
    code
}

fn cycles(folder: &str, modules: &Crate) -> Vec<String> {
    // Parent: edges between its children.
    let mut edges = BTreeMap::<Module, BTreeMap<String, BTreeSet<String>>>::new();
    for (module, code) in modules {
        for path in uses::paths(code) {
            let Some(target) = resolve(modules, module, &path, 0) else {
                continue;
            };
            let shared = module
                .iter()
                .zip(&target)
                .take_while(|(a, b)| a == b)
                .count();
            if let (Some(from), Some(to)) = (module.get(shared), target.get(shared)) {
                let siblings = edges.entry(module[..shared].to_vec()).or_default();
                siblings.entry(from.clone()).or_default().insert(to.clone());
            }
        }
    }
    let mut problems = Vec::new();
    for (parent, siblings) in &edges {
        if let Some(cycle) = cycle_in(siblings) {
            let place = format!("{folder}src/{}", parent.join("/"));
            problems.push(format!(
                "{place}: modules need each other: {}",
                cycle.join(" -> ")
            ));
        }
    }
    problems
}

/// The module that a path leads to, re-exports followed; `None`: outside of the crate.
fn resolve(modules: &Crate, from: &Module, path: &Path, depth: usize) -> Option<Module> {
    let mut parts = path.iter().map(String::as_str).peekable();
    let mut module = match *parts.peek()? {
        "crate" => {
            parts.next();
            Module::new()
        }
        _ => from.clone(),
    };
    while let Some(step) = parts.next_if(|part| matches!(*part, "super" | "self")) {
        if step == "super" {
            module.pop()?;
        }
    }
    let relative = path
        .first()
        .is_some_and(|first| first != "crate" && first != "super" && first != "self");
    let before = module.len();
    let mut name = None;
    for part in parts {
        let mut child = module.clone();
        child.push(part.to_owned());
        if !modules.contains_key(&child) {
            name = Some(part);
            break;
        }
        module = child;
    }
    if relative && module.len() == before {
        return None;
    }
    // A name that the module only gives on belongs to where it comes from.
    if let Some(name) = name
        && depth < 8
        && let Some(code) = modules.get(&module)
    {
        let export = uses::exports(code)
            .into_iter()
            .find(|(exported, _)| exported == name);
        if let Some((_, path)) = export
            && let Some(target) = resolve(modules, &module, &path, depth + 1)
        {
            return Some(target);
        }
    }
    Some(module)
}

/// One cycle, its first module repeated at the end.
fn cycle_in(edges: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    let mut done = BTreeSet::new();
    edges
        .keys()
        .find_map(|start| visit(start, edges, &mut Vec::new(), &mut done))
}

fn visit<'a>(
    at: &'a str,
    edges: &'a BTreeMap<String, BTreeSet<String>>,
    route: &mut Vec<&'a str>,
    done: &mut BTreeSet<&'a str>,
) -> Option<Vec<String>> {
    if let Some(begin) = route.iter().position(|module| *module == at) {
        return Some(
            route[begin..]
                .iter()
                .chain([&at])
                .map(|m| (*m).to_owned())
                .collect(),
        );
    }
    if !done.insert(at) {
        return None;
    }
    route.push(at);
    let found = edges
        .get(at)
        .and_then(|next| next.iter().find_map(|next| visit(next, edges, route, done)));
    route.pop();
    found
}

#[cfg(test)]
mod tests {
    use super::check;

    fn problems(files: &[(&str, &str)]) -> Vec<String> {
        let files: Vec<_> = files
            .iter()
            .map(|(n, t)| (format!("c/src/{n}"), (*t).to_owned()))
            .collect();
        check(&files)
    }

    #[test]
    fn siblings_that_need_each_other_are_found() {
        let found = problems(&[
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "use crate::b::B;"),
            ("b/mod.rs", "mod x;"),
            ("b/x.rs", "use crate::a::A;"),
        ]);
        assert_eq!(found, ["c/src/: modules need each other: a -> b -> a"]);
    }

    #[test]
    fn cycle_through_a_parent_that_only_exports_is_found() {
        let found = problems(&[
            (
                "d/mod.rs",
                "mod e; mod f; pub(crate) use e::E; pub use f::F;",
            ),
            ("d/e.rs", "use super::F;"),
            ("d/f.rs", "fn f(e: super::e::E) {}"),
        ]);
        assert_eq!(found, ["c/src/d: modules need each other: e -> f -> e"]);
    }

    #[test]
    fn arrows_in_one_direction_are_no_cycle() {
        let found = problems(&[
            ("lib.rs", "mod a; mod b; pub use a::A;"),
            ("a.rs", "use crate::b::B; // crate::a\n"),
            (
                "b.rs",
                "use super::c::C; #[cfg(test)]\nmod tests { use crate::a::A; }",
            ),
            ("c.rs", "fn c() -> &'static str { \"crate::a::A\" }"),
            ("tests.rs", "use crate::a; use crate::b;"),
        ]);
        assert!(found.is_empty(), "{found:?}");
    }
}
