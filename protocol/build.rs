//! Generates the messages and the ttrpc service from `proto/` into `OUT_DIR`: no generated code is kept in the repository.

use std::{
    env,
    error::Error,
    fs::{self, OpenOptions},
    io::Write,
    path::PathBuf,
};

use ttrpc_codegen::{Codegen, Customize, ProtobufCustomize};

fn main() -> Result<(), Box<dyn Error>> {
    let out_dir = PathBuf::from(env::var("OUT_DIR")?);
    println!("cargo::rerun-if-changed=proto/agent.proto");
    Codegen::new()
        .out_dir(&out_dir)
        .inputs(["proto/agent.proto"])
        .include("proto")
        .rust_protobuf()
        .customize(Customize {
            async_all: true,
            ..Customize::default()
        })
        .rust_protobuf_customize(ProtobufCustomize::default().gen_mod_rs(true))
        .run()?;
    // The generator lists only the messages there.
    let mut modules = OpenOptions::new()
        .append(true)
        .open(out_dir.join("mod.rs"))?;
    writeln!(modules, "pub mod agent_ttrpc;")?;
    // It allows unsafe code, and writes none: this crate forbids even the permission.
    let service = out_dir.join("agent_ttrpc.rs");
    let text = fs::read_to_string(&service)?.replace("#![allow(unsafe_code)]", "");
    fs::write(&service, text)?;
    Ok(())
}
