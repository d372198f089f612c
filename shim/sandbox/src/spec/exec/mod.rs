//! Other processes of a container, made from its specification. Called by the owner of a pod.

mod process;

pub use process::{ExecOptions, exec_process};
