//! Limits of size, and what must not be in the repository.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::modules;
use super::source::code_only;
use crate::paths::Workspace;
use crate::process;

const MAX_FILE_LINES: usize = 400;
const MAX_FOLDER_FILES: usize = 10;
const MAX_ERROR_VARIANTS: usize = 12;

/// Checks every file that git knows or would take.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let list = process::output(
        Command::new("git")
            .args([
                "ls-files",
                "-z",
                "--cached",
                "--others",
                "--exclude-standard",
            ])
            .current_dir(&workspace.root),
    )?;
    let mut problems = Vec::new();
    let mut folders = BTreeMap::<String, usize>::new();
    let mut sources = Vec::new();
    let places = machine_places(&workspace.root);
    for name in list.split('\0').filter(|name| !name.is_empty()) {
        let path = workspace.root.join(name);
        // A link, or a file that was removed and not yet committed so.
        if !path.symlink_metadata().is_ok_and(|meta| meta.is_file()) {
            continue;
        }
        let content = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let Some(text) = as_text(&content) else {
            problems.push(format!("{name}: a binary file does not belong into git"));
            continue;
        };
        problems.extend(machine_paths(name, text, &places));
        if name.ends_with(".rs") {
            problems.extend(rust_file(name, text));
            sources.push((name.to_owned(), text.to_owned()));
            let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
            *folders.entry(folder.to_owned()).or_default() += 1;
        }
    }
    problems.extend(modules::check(&sources));
    for (folder, files) in folders {
        if files > MAX_FOLDER_FILES {
            problems.push(format!(
                "{folder}: {files} files, at most {MAX_FOLDER_FILES}"
            ));
        }
    }
    if !problems.is_empty() {
        bail!("{}", problems.join("\n"));
    }
    Ok(())
}

fn as_text(content: &[u8]) -> Option<&str> {
    let text = str::from_utf8(content).ok()?;
    (!text.contains('\0')).then_some(text)
}

fn rust_file(name: &str, text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    let lines = text.lines().count();
    if lines > MAX_FILE_LINES {
        problems.push(format!("{name}: {lines} lines, at most {MAX_FILE_LINES}"));
    }
    if !text.starts_with("//!") {
        problems.push(format!("{name}: does not say in //! what it is for"));
    }
    for (error, variants) in error_enums(&code_only(text)) {
        if variants > MAX_ERROR_VARIANTS {
            problems.push(format!(
                "{name}: {error} has {variants} variants, at most {MAX_ERROR_VARIANTS}"
            ));
        }
    }
    problems
}

/// Error enums in this code (no comments, no literals) with their numbers of variants.
fn error_enums(code: &str) -> Vec<(&str, usize)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("enum ") {
        let rest = &code[at + "enum ".len()..];
        let name = rest
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .next()
            .unwrap_or("");
        if name.ends_with("Error")
            && let Some((_, body)) = rest.split_once('{')
        {
            found.push((name, variants(body)));
        }
    }
    found
}

/// Parts between commas on the outermost level, up to the brace that closes it.
fn variants(body: &str) -> usize {
    let mut depth = 0_usize;
    let mut count = 0;
    let mut named = false;
    for c in body.chars() {
        match c {
            '}' if depth == 0 => break,
            '{' | '(' | '[' => depth += 1,
            '}' | ')' | ']' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                count += usize::from(named);
                named = false;
            }
            c if depth == 0 && c.is_alphanumeric() => named = true,
            _ => {}
        }
    }
    count + usize::from(named)
}

/// Beginnings of paths that exist on one machine only: this checkout, the folder that holds it, the user's home.
/// A short one (/root, /src) would also be found in guests and in other words.
fn machine_places(root: &Path) -> Vec<String> {
    let home = env::var_os("HOME").map(PathBuf::from);
    root.ancestors()
        .take(2)
        .map(Path::to_path_buf)
        .chain(home)
        .filter(|place| place.components().count() > 2)
        .map(|place| place.display().to_string())
        .collect()
}

/// Lines that name a place of this machine.
fn machine_paths(name: &str, text: &str, places: &[String]) -> Vec<String> {
    let mut problems = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if places.iter().any(|place| contains_path(line, place)) {
            problems.push(format!("{name}:{}: a path of one machine", index + 1));
        }
    }
    problems
}

/// Whether `path` stands in the line, and not in the middle of a longer one.
fn contains_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || "/._-}".contains(c))
    })
}

#[cfg(test)]
mod unit {
    use super::{as_text, error_enums, machine_paths, rust_file};
    use crate::check::source::code_only;

    #[test]
    fn file_of_401_lines_is_refused_and_one_of_400_is_not() {
        let file = |lines: usize| format!("//! x\n{}", "\n".repeat(lines - 1));
        assert!(rust_file("a.rs", &file(400)).is_empty());
        assert_eq!(
            rust_file("a.rs", &file(401)),
            ["a.rs: 401 lines, at most 400"]
        );
    }

    #[test]
    fn file_without_a_heading_is_refused() {
        assert_eq!(rust_file("a.rs", "mod b;\n").len(), 1);
    }

    #[test]
    fn variants_are_counted_through_attributes_and_fields() {
        let source = "pub enum BlockError {\n    #[error(\"a, b {0}\")]\n    A(u8, u8),\n    /// x, y\n    \
                      B { c: u8, d: [u8; 2] },\n    C,\n}\nenum Other { X, Y }\nenum LastError { A, B }";
        assert_eq!(
            error_enums(&code_only(source)),
            [("BlockError", 3), ("LastError", 2)]
        );
    }

    #[test]
    fn path_of_the_checkout_is_found() {
        let places = ["/srv/checkout".to_owned()];
        assert_eq!(
            machine_paths("f", "\n\"/srv/checkout/xtask\"", &places).len(),
            1
        );
    }

    #[test]
    fn file_with_a_zero_byte_is_no_text() {
        assert!(as_text(b"ab\0c").is_none());
        assert!(as_text(b"\xff\xfe").is_none());
        assert!(as_text("grün".as_bytes()).is_some());
    }
}
