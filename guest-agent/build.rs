//! Builds `husk-init` (folder `init`) as a program of its own: the agent carries its bytes. It needs nothing of its
//! target but the processor, so the compiler's own one will do.

use std::{
    env,
    error::Error,
    path::{Path, PathBuf},
    process::Command,
};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=init");
    let architecture = env::var("CARGO_CFG_TARGET_ARCH")?;
    if architecture != "x86_64" {
        return Err(format!("husk-init knows no system calls of {architecture}").into());
    }
    let program = PathBuf::from(env::var("OUT_DIR")?).join("husk-init");
    let status = Command::new(env::var("RUSTC")?)
        .args(["--crate-name", "husk_init", "--crate-type", "bin"])
        .args(["--edition", "2024", "-Dwarnings"])
        .args(["-Cpanic=abort", "-Copt-level=s", "-Cstrip=symbols"])
        // One fixed address, no loader, no library.
        .args(["-Crelocation-model=static", "-Ctarget-feature=+crt-static"])
        .args(["-Clink-arg=-nostdlib", "-Clink-arg=-nostartfiles"])
        .args(["-Clink-arg=-static", "-Clink-arg=-Wl,--build-id=none"])
        .arg("-o")
        .arg(&program)
        .arg(Path::new("init").join("main.rs"))
        .status()?;
    if !status.success() {
        return Err(format!("building husk-init: {status}").into());
    }
    Ok(())
}
