//! Who a container is: its capability sets and its user namespace.

mod sets;
mod user;

pub(super) use sets::status;
pub(super) use user::namespace;
