//! The owner's side of its socket: who may come (`serve`), what is done for them (`calls`), other processes in the container
//! (`exec`), its end (`ending`).

mod calls;
mod ending;
mod exec;
mod serve;

pub use calls::Served;
pub use serve::{Door, open_door};
