//! What is looked up in a tree that is there already: a bundle's specification, the user
//! data base of any image. Called by the store.

pub(super) mod accounts;
pub(super) mod bundle;
