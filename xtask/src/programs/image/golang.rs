//! A static program from one Go source file, compiled by Debian's compiler.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::packages::Closure;
use super::tree;
use crate::process;

/// Compiler and library; what else Debian's meta package brings is not needed.
const COMPILER: &str = "golang-1.19-go";
const ROOT: &str = "usr/lib/go-1.19";

/// The packages of the compiler.
pub(super) fn compiler(cache: &Path) -> Result<Closure> {
    Closure::resolve(cache, &[COMPILER.to_owned()])
}

/// Compiles `source` into `program`, working in `dir`.
pub(super) fn compile(
    cache: &Path,
    compiler: &Closure,
    dir: &Path,
    source: &Path,
    program: &Path,
) -> Result<()> {
    let root = dir.join("golang");
    tree::begin(&root)?;
    tree::unpack(&root, &compiler.fetch(cache)?)?;
    let go_root = root.join(ROOT);
    process::output(
        Command::new(go_root.join("bin/go"))
            .args(["build", "-trimpath", "-o"])
            .arg(program)
            .arg(source)
            .current_dir(dir)
            .env("GOROOT", &go_root)
            .env("GOPATH", dir.join("gopath"))
            .env("GOCACHE", dir.join("gocache"))
            .env("GOFLAGS", "-mod=mod")
            .env("GOPROXY", "off")
            .env("GO111MODULE", "off")
            .env("CGO_ENABLED", "0"),
    )?;
    fs::set_permissions(program, Permissions::from_mode(0o755))
        .with_context(|| format!("cannot change {}", program.display()))
}
