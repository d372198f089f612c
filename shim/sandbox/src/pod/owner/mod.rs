//! The one owner of a pod's state: what it knows, what it is asked, what it hears, and the tables of what is legal.
//!
//! Made by the pod's launch; spoken to by the handle, through the queue only.

mod asks;
mod guest;
mod messages;
mod news;
mod processes;
mod reply;
mod state;
pub(in crate::pod) mod table;

pub(in crate::pod) use guest::{Meter, boot_limit, send};
pub(in crate::pod) use messages::{Ask, Message, News, Query};
pub use processes::ProcessExit;
#[cfg(test)]
pub(in crate::pod) use processes::{Owed, Processes};
pub(in crate::pod) use reply::Reply;
pub(in crate::pod) use state::{Owned, Owner};
