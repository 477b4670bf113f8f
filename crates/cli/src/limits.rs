//! How large a description may be: Nova's quotas, and what `--limit` raises.

use christen_instance::Settings;
use christen_instance::description::Limits;

use crate::failure::Failure;

/// Names of `--limit` and what they set; the three quotas are options too.
type Limit = (&'static str, fn(&mut Limits) -> &mut u64);

const LIMITS: [Limit; 6] = [
    ("injected_files", |it| &mut it.injected_files),
    ("injected_file_content_bytes", |it| {
        &mut it.injected_file_content_bytes
    }),
    ("injected_file_path_length", |it| {
        &mut it.injected_file_path_length
    }),
    ("user_data_base64_bytes", |it| {
        &mut it.user_data_base64_bytes
    }),
    ("metadata_items", |it| &mut it.metadata_items),
    ("guest_file_bytes", |it| &mut it.guest_file_bytes),
];

/// Takes the quotas of the settings, then each `NAME=NUMBER`.
pub(crate) fn resolve(settings: &Settings, assignments: &[String]) -> Result<Limits, Failure> {
    // A quota of -1 is no limit of the operator's.
    let quota = |quota: Option<u32>| quota.map_or(u64::MAX, u64::from);
    let mut limits = Limits {
        injected_files: quota(settings.quota_injected_files),
        injected_file_content_bytes: quota(settings.quota_injected_file_content_bytes),
        injected_file_path_length: quota(settings.quota_injected_file_path_length),
        ..Limits::default()
    };
    for assignment in assignments {
        let known = assignment.split_once('=').and_then(|(name, number)| {
            let (_, field) = LIMITS.iter().find(|(known, _)| *known == name)?;
            Some((field, number.parse().ok()?))
        });
        let Some((field, number)) = known else {
            let names: Vec<_> = LIMITS.iter().map(|(name, _)| *name).collect();
            return Err(
                Failure::usage(format!("`--limit {assignment}` is not a limit")).hint(format!(
                    "write NAME=NUMBER, with a name of {}",
                    names.join(", ")
                )),
            );
        };
        *field(&mut limits) = number;
    }
    Ok(limits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_wins_over_quotas() {
        let settings = Settings {
            quota_injected_files: Some(7),
            quota_injected_file_path_length: None,
            ..Settings::default()
        };
        let limits = resolve(&settings, &["injected_files=9".to_owned()]).expect("a good limit");
        assert_eq!(limits.injected_files, 9);
        assert_eq!(limits.injected_file_path_length, u64::MAX);
        assert_eq!(limits.injected_file_content_bytes, 10_240);
    }

    #[test]
    fn unknown_limits_and_numbers_are_refused() {
        for bad in ["files=1", "injected_files", "injected_files=many", "=1"] {
            assert!(
                resolve(&Settings::default(), &[bad.to_owned()]).is_err(),
                "{bad}"
            );
        }
    }
}
