//! Arrows that must be refused, on a small invented workspace.

use super::{Layers, Metadata, arrows};

/// `a` depends on `b`, `b` on the outside crate `net`, `b`'s tests on `a`.
fn metadata() -> Metadata {
    let package =
        |id: &str| format!(r#"{{"id":"{id}","name":"{id}","manifest_path":"","targets":[]}}"#);
    let json = format!(
        r#"{{"packages":[{},{},{}],"workspace_members":["a","b"],"resolve":{{"nodes":[
            {{"id":"a","deps":[{{"pkg":"b","dep_kinds":[{{"kind":null}}]}}]}},
            {{"id":"b","deps":[{{"pkg":"net","dep_kinds":[{{"kind":null}}]}},
                               {{"pkg":"a","dep_kinds":[{{"kind":"dev"}}]}}]}},
            {{"id":"net","deps":[]}}]}}}}"#,
        package("a"),
        package("b"),
        package("net")
    );
    serde_json::from_str(&json).unwrap()
}

fn problems(layers: &str) -> Vec<String> {
    let layers: Layers = toml::from_str(layers).unwrap();
    arrows(&layers, &metadata())
}

const ALLOWED: &str = "[allowed]\na = [\"b\"]\nb = []\n[dev]\nb = [\"a\"]\n[safe]\ncrates = []\n";

#[test]
fn listed_edges_are_accepted() {
    assert!(problems(&format!("{ALLOWED}[forbidden]\n")).is_empty());
}

#[test]
fn edge_that_is_not_listed_is_refused() {
    let layers = ALLOWED.replace("a = [\"b\"]", "a = []") + "[forbidden]\n";
    assert_eq!(problems(&layers), ["a may not depend on b"]);
}

#[test]
fn test_edge_that_is_not_listed_is_refused() {
    let layers = ALLOWED.replace("b = [\"a\"]", "") + "[forbidden]\n";
    assert_eq!(problems(&layers), ["b may not depend on a"]);
}

#[test]
fn forbidden_crate_is_found_through_others() {
    let layers = format!("{ALLOWED}[forbidden]\na = [\"net\"]\n");
    assert_eq!(
        problems(&layers),
        ["net must not be below a: a -> b -> net"]
    );
}

#[test]
fn crate_without_a_line_is_refused() {
    let layers = "[allowed]\na = [\"b\"]\n[safe]\ncrates = [\"c\"]\n[forbidden]\n";
    assert_eq!(
        problems(layers),
        [
            "layers.toml names c, which is no crate of the workspace",
            "layers.toml has no line for b"
        ]
    );
}
