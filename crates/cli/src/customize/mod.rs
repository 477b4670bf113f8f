//! Changes to a guest as options, with virt-customize's names and forms.
//!
//! ```text
//! command line ─ options ─► given ─ form ─► steps ─ ready ─► steps with their content ─ apply ─► stage
//!                 (table)           (pure)           (files of this host)
//! ```

mod apply;
mod form;
mod glob;
mod host;
mod options;
mod ready;
mod step;
mod table;

pub(crate) use apply::{Context, Made, apply, describe};
pub(crate) use options::{CustomizeOptions, InjectOptions};
pub(crate) use step::Step;
