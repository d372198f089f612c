//! Names, and whole pulls from a registry on loopback that can misbehave. These tests need root, as all of images.

mod access;
mod faults;
mod fixture;
mod name;
mod pull;
