//! `interpreter` runs programs as the kernel does, `libseccomp` is the oracle, `compare` runs both over every number and
//! argument that could make a difference, on the `profiles` and in `random` on any, where `reference` is a second oracle;
//! `parse`, `shape` and `load` test the rest.

mod compare;
mod interpreter;
mod libseccomp;
mod load;
mod parse;
mod profiles;
mod random;
mod reference;
mod shape;
