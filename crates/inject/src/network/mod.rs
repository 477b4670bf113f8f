//! The network's configuration, written for what the guest really uses.

mod detect;
mod guest_files;
mod units;

pub use detect::{Candidate, Detected, Renderer, Strength, candidates, detect};
