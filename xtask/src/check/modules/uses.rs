//! Paths in Rust source: what `use` trees and plain paths name.

/// A path as it was written, from `crate`, `super`, `self` or a name.
pub(super) type Path = Vec<String>;

/// All paths of at least two parts in this code (no comments, no literals).
pub(super) fn paths(code: &str) -> Vec<Path> {
    let tokens = tokens(code);
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let inside = at > 0 && tokens[at - 1] == "::";
        if is_word(tokens[at]) && !inside && tokens.get(at + 1) == Some(&"::") {
            at = tree(&tokens, at, &Vec::new(), &mut found);
        } else {
            at += 1;
        }
    }
    found.retain(|path| path.len() > 1);
    found
}

/// What a module gives on under its own name: (name, path), for each `pub use`.
pub(super) fn exports(code: &str) -> Vec<(String, Path)> {
    let tokens = tokens(code);
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        if *token != "use" || at == 0 || !(tokens[at - 1] == "pub" || tokens[at - 1] == ")") {
            continue;
        }
        let mut named = Vec::new();
        tree(&tokens, at + 1, &Vec::new(), &mut named);
        for path in named {
            if let Some(name) = path.last() {
                found.push((name.clone(), path));
            }
        }
    }
    found
}

/// Reads the use tree at `at` below `prefix`; gives back where it ends.
fn tree(tokens: &[&str], mut at: usize, prefix: &Path, found: &mut Vec<Path>) -> usize {
    let mut path = prefix.clone();
    while let Some(token) = tokens.get(at) {
        match *token {
            "{" => {
                at += 1;
                while tokens.get(at).is_some_and(|token| *token != "}") {
                    at = tree(tokens, at, &path, found);
                    // `as name` is stepped over, and so is anything that is no tree.
                    while tokens
                        .get(at)
                        .is_some_and(|token| *token != "," && *token != "}")
                    {
                        at += 1;
                    }
                    at += usize::from(tokens.get(at) == Some(&","));
                }
                return at + 1;
            }
            "*" => {
                found.push(path);
                return at + 1;
            }
            word if is_word(word) => path.push(word.to_owned()),
            _ => return at,
        }
        at += 1;
        if tokens.get(at) != Some(&"::") {
            break;
        }
        at += 1;
    }
    found.push(path);
    at
}

/// Words, `::`, and single other characters.
fn tokens(code: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = code;
    while let Some(first) = rest.chars().next() {
        let length = if first.is_alphanumeric() || first == '_' {
            rest.find(|c: char| !c.is_alphanumeric() && c != '_')
                .unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        let (token, tail) = rest.split_at(length);
        if !first.is_whitespace() {
            tokens.push(token);
        }
        rest = tail;
    }
    tokens
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::{exports, paths};

    fn joined(code: &str) -> Vec<String> {
        paths(code).iter().map(|path| path.join("::")).collect()
    }

    #[test]
    fn trees_are_taken_apart() {
        assert_eq!(
            joined("use crate::{a, b::{c, d as e, self}, f::*}; x(super::g::h());"),
            [
                "crate::a",
                "crate::b::c",
                "crate::b::d",
                "crate::b::self",
                "crate::f",
                "super::g::h"
            ]
        );
    }

    #[test]
    fn generics_and_methods_are_no_obstacle() {
        assert_eq!(
            joined("Vec::<crate::a::B>::new().c::<D>()"),
            ["crate::a::B"]
        );
    }

    #[test]
    fn exports_are_named_by_their_last_part() {
        let found = exports("mod a; use x::y; pub use a::{B, C}; pub(crate) use d::E;");
        let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["B", "C", "E"]);
        assert_eq!(found[2].1, ["d", "E"]);
    }
}
