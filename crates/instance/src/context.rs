//! What a renderer is given besides the instance.

use std::fmt;

use crate::Settings;
use crate::inputs::{RandomSource, VendorDataService};

/// What documents are made with.
pub struct Context<'a> {
    /// The operator's options.
    pub settings: &'a Settings,
    /// Keep Nova's answer even where it is a bug (`docs/compatibility.md`).
    pub like_nova: bool,
    /// Where randomness comes from.
    pub random: &'a mut dyn RandomSource,
    /// The operator's dynamic vendor data services.
    pub vendordata: &'a mut dyn VendorDataService,
}

impl fmt::Debug for Context<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Context")
            .field("settings", &self.settings)
            .field("like_nova", &self.like_nova)
            .finish_non_exhaustive()
    }
}
