//! The label by which a guest finds the drive.

use christen_instance::Dialect;

use super::Report;
use crate::Drive;
use crate::read::Details;

/// Checks the label and where it stands.
///
/// cloud-init takes either case (`DataSourceConfigDrive.py`, `LABEL_TYPES`;
/// `DataSourceNoCloud.py`, `_get_devices`), no mixture.
pub(super) fn check(drive: &Drive<'_>, dialect: Dialect, report: &mut Report) {
    let label = drive.label();
    let expected = dialect.label();
    report.checked(format!("that the label is `{expected}`"));
    if label != expected && label != expected.to_ascii_uppercase() {
        report.error(
            "label",
            "the volume label",
            format!("it is `{label}`; a guest looks for `{expected}`"),
        );
    }
    match drive.details() {
        Details::Iso9660(details) => {
            if let Some((_, joliet)) = details.joliet
                && joliet != label
                && !label.starts_with(joliet.as_str())
            {
                report.warning(
                    "label-mismatch",
                    "the volume label",
                    format!("it is `{label}`, and `{joliet}` in the Joliet descriptor"),
                );
            }
            if details.udf_bridge {
                report.note(
                    "udf-bridge",
                    "the volume",
                    "it is a UDF volume as well, which is not checked",
                );
            }
        }
        Details::Vfat(details) => match (details.boot_sector_label, details.root_label) {
            // blkid calls it LABEL_FATBOOT then, and cloud-init asks for LABEL.
            (Some(boot), None) => report.error(
                "label-fatboot",
                "the volume label",
                format!(
                    "`{boot}` stands in the boot sector only; blkid takes the label from the root directory, so a guest does not find it"
                ),
            ),
            (None, Some(root)) => report.warning(
                "label-mismatch",
                "the volume label",
                format!("`{root}` stands in the root directory only, not in the boot sector"),
            ),
            (Some(boot), Some(root)) if boot != root => report.warning(
                "label-mismatch",
                "the volume label",
                format!("it is `{root}` in the root directory and `{boot}` in the boot sector"),
            ),
            _ => {}
        },
    }
}
