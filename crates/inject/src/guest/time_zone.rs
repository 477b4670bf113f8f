//! The guest's time zone.

use super::files::Files;
use super::text::shown_short;

/// Finds the name of the zone: by the link that localtime(5) wants, else by Debian's file.
pub(super) fn read(files: &mut Files<'_>) -> Option<String> {
    if let Some(target) = files.target("/etc/localtime") {
        let target = shown_short(&target);
        if let Some((_, name)) = target.split_once("/zoneinfo/") {
            return Some(name.to_owned());
        }
    }
    let text = files.read("/etc/timezone")?;
    let name = shown_short(text.trim_ascii());
    (!name.is_empty()).then_some(name)
}
