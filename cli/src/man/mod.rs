//! `husk man`: `pages` makes them of what the command line says of itself and of what only a person can say, `words`.

mod pages;
mod words;

pub(crate) use pages::man;
