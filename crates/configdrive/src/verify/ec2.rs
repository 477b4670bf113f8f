//! The `ec2/` tree on an OpenStack drive.

use super::documents::Files;
use super::schema::{Need, Place, Type, expect, members};
use super::{Report, user_data};
use crate::Error;
use crate::read::limits;

/// Checks each version's documents.
pub(super) fn check(files: &Files<'_, '_>, report: &mut Report) -> Result<(), Error> {
    use Need::{Optional, Required, Usual};
    let mut versions = files.directories("ec2/");
    versions.truncate(limits::MAX_VERSIONS);
    for version in &versions {
        let path = format!("ec2/{version}/meta-data.json");
        if !files.has(&path) {
            report.warning(
                "missing-document",
                &path,
                "Nova writes it for every version",
            );
        }
        if let Some(value) = files.json(&path, report)? {
            let place = Place::document(&path);
            if expect(&value, Type::Object, &place, report) {
                members(
                    &value,
                    &[
                        ("instance-id", Type::Text, Required),
                        ("hostname", Type::Text, Usual),
                        ("ami-id", Type::TextOrNull, Optional),
                        ("ami-launch-index", Type::Integer, Optional),
                        ("local-ipv4", Type::TextOrNull, Optional),
                        ("reservation-id", Type::TextOrNull, Optional),
                        ("security-groups", Type::List, Optional),
                        ("public-keys", Type::Object, Optional),
                        ("block-device-mapping", Type::Object, Optional),
                        ("placement", Type::Object, Optional),
                        ("instance-type", Type::TextOrNull, Optional),
                    ],
                    &place,
                    report,
                );
            }
        }
        let path = format!("ec2/{version}/user-data");
        // As on the OpenStack side, which has the same.
        let told = files.has("openstack/latest/user_data")
            || (version != "latest" && files.has("ec2/latest/user-data"));
        if !told && let Some(bytes) = files.bytes(&path, report)? {
            user_data::check(&bytes, &path, report);
        }
    }
    if !versions.is_empty() {
        report.checked(format!("the documents of {} EC2 versions", versions.len()));
    }
    Ok(())
}
