//! Whether an instance gets a config drive.

use crate::{Instance, Settings};

/// Decides whether an instance needs a config drive.
///
/// Nova 34.0.0, `nova/virt/configdrive.py`, `required_by`: the instance asks for one (any
/// text in its `config_drive` column), or the option `force_config_drive` is on and the
/// instance has never been launched, or its image insists (`img_config_drive`).
pub fn config_drive_required(instance: &Instance, settings: &Settings) -> bool {
    let image = instance.image.as_ref();
    let insists = image.and_then(|image| image.img_config_drive.as_deref()) == Some("mandatory");
    !instance.config_drive.is_empty()
        || (settings.force_config_drive && !instance.launched)
        || insists
}
