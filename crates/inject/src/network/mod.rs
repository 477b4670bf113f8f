//! The network's configuration, written for what the guest really uses.
//!
//! [`plan()`] makes what is meant of an instance, [`detect()`] finds who is to read it, and `write` puts it there, after what says
//! another thing of the same interfaces has given way. `docs/network.md` has the rules.

mod conflicts;
mod detect;
mod guest_files;
mod interfaces;
mod names;
mod plan;
mod render;
mod resolv_conf;
mod saved;
mod units;
mod write;

pub use detect::{Candidate, Detected, Renderer, Strength, candidates, detect};
pub use plan::{Bond, BondOption, Device, Interface, Mac, Plan, Route, plan};
pub(crate) use write::inject;
use write::write_file;
