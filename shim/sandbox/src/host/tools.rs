//! Programs that Husk runs.

use std::env;
use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::report::Check;

/// Each program with the package that has it (Debian's names).
const TOOLS: [(&str, &str); 2] = [("mkfs.erofs", "erofs-utils"), ("mke2fs", "e2fsprogs")];
const SYSTEM_DIRS: [&str; 5] = ["/usr/local/sbin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

pub(super) fn checks() -> Vec<Check> {
    let path = env::var_os("PATH").unwrap_or_default();
    TOOLS
        .iter()
        .map(|(name, package)| tool(name, package, &path))
        .collect()
}

/// Whether a program is in a search path, or where the system keeps its own.
pub(super) fn tool(name: &str, package: &str, path: &OsStr) -> Check {
    let dirs = env::split_paths(path).chain(SYSTEM_DIRS.iter().map(PathBuf::from));
    match dirs.map(|dir| dir.join(name)).find(|file| executable(file)) {
        Some(file) => Check::ok(name, file.display().to_string()),
        None => Check::fail(name, "not found", format!("apt-get install {package}")),
    }
}

/// Whether a file can be executed by somebody.
pub(super) fn executable(file: &Path) -> bool {
    file.metadata()
        .is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
}
