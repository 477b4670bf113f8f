//! Which volume of an image is meant.

use std::fmt;
use std::path::Path;

use crate::args::image::VolumeArguments;
use crate::failure::Failure;
use crate::image::show::size_text;
use crate::image::text::shown;

/// Where a volume is in an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// The whole disk: it has no partition table.
    Whole,
    /// A partition, by its number.
    Partition(u32),
    /// A logical volume, by the names of its group and its own.
    Logical { group: String, volume: String },
}

impl Place {
    /// The option that chooses it; the whole disk needs none.
    pub(crate) fn option(&self) -> Option<String> {
        match self {
            Self::Whole => None,
            Self::Partition(number) => Some(format!("--partition {number}")),
            Self::Logical { group, volume } => Some(format!(
                "--lv {}/{}",
                shown(group.as_bytes()),
                shown(volume.as_bytes())
            )),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => formatter.write_str("whole disk"),
            Self::Partition(number) => write!(formatter, "partition {number}"),
            Self::Logical { group, volume } => {
                write!(
                    formatter,
                    "logical volume {}/{}",
                    shown(group.as_bytes()),
                    shown(volume.as_bytes())
                )
            }
        }
    }
}

/// A volume that was found, and what its first bytes say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Volume {
    pub(crate) place: Place,
    pub(crate) size_bytes: u64,
    /// What is on it, as `ext4` or `swap`; none if nothing is known.
    pub(crate) content: Option<String>,
    pub(crate) label: Option<Vec<u8>>,
    pub(crate) uuid: Option<String>,
    /// Whether christen has a reader for it.
    pub(crate) usable: bool,
}

impl Volume {
    /// The volume in few words: `partition 1 (ext4)`.
    pub(crate) fn short(&self) -> String {
        match &self.content {
            Some(content) => format!("{} ({content})", self.place),
            None => self.place.to_string(),
        }
    }

    /// The volume in one line, for a list to choose from.
    fn line(&self) -> String {
        let mut line = format!(
            "{}: {}, {}",
            self.place,
            self.content.as_deref().unwrap_or("nothing that is known"),
            size_text(self.size_bytes)
        );
        if let Some(label) = self.label.as_ref().filter(|label| !label.is_empty()) {
            line.push_str(&format!(", label `{}`", shown(label)));
        }
        if let Some(uuid) = &self.uuid {
            line.push_str(&format!(", UUID {uuid}"));
        }
        line
    }

    fn is_named(&self, name: &str) -> bool {
        let labelled = self
            .label
            .as_ref()
            .is_some_and(|label| !label.is_empty() && label == name.as_bytes());
        let numbered = self
            .uuid
            .as_ref()
            .is_some_and(|uuid| uuid.eq_ignore_ascii_case(name));
        labelled || numbered
    }
}

/// Chooses the volume that is meant: the one that was said, or the only one that can be used.
///
/// # Errors
///
/// A mistake in the arguments, with the list of what there is and what to type.
pub(crate) fn choose<'a>(
    image: &Path,
    volumes: &'a [Volume],
    arguments: &VolumeArguments,
) -> Result<&'a Volume, Failure> {
    let image = image.display();
    let listed = |failure: Failure, volumes: &[&Volume]| {
        volumes
            .iter()
            .fold(failure, |failure, volume| failure.detail(volume.line()))
    };
    let all: Vec<_> = volumes.iter().collect();
    let usable: Vec<_> = volumes.iter().filter(|volume| volume.usable).collect();
    let (asked, found): (String, Vec<&Volume>) = if let Some(number) = arguments.partition {
        let is_it = |volume: &&Volume| volume.place == Place::Partition(number);
        let found = volumes.iter().filter(is_it).collect();
        (format!("partition {number}"), found)
    } else if let Some(name) = &arguments.lv {
        let name = name.strip_prefix("/dev/").unwrap_or(name);
        let is_it = |it: &&Volume| match &it.place {
            Place::Logical { group, volume } => name.split_once('/') == Some((group, volume)),
            _ => false,
        };
        let found = volumes.iter().filter(is_it).collect();
        (format!("logical volume `{name}`"), found)
    } else if let Some(name) = &arguments.volume {
        let found = volumes.iter().filter(|it| it.is_named(name)).collect();
        (format!("volume with the label or UUID `{name}`"), found)
    } else {
        (String::new(), usable.clone())
    };
    match (&found[..], asked.is_empty()) {
        ([volume], _) => Ok(volume),
        ([], false) => {
            let failure = Failure::usage(format!("`{image}` has no {asked}"));
            Err(with_choice(listed(failure, &all), &usable))
        }
        ([], true) => Err(listed(
            Failure::unchanged(format!(
                "`{image}` has no volume with a filesystem that is known"
            )),
            &all,
        )),
        (several, false) => {
            let failure = Failure::usage(format!("`{image}` has more than one {asked}"));
            Err(with_choice(listed(failure, several), several))
        }
        (several, true) => {
            let failure = Failure::usage(format!("`{image}` has more than one volume: say which"));
            Err(with_choice(listed(failure, several), several))
        }
    }
}

fn with_choice(failure: Failure, volumes: &[&Volume]) -> Failure {
    let options: Vec<_> = volumes
        .iter()
        .filter_map(|volume| volume.place.option())
        .map(|option| format!("`{option}`"))
        .collect();
    match options.split_last() {
        None => failure,
        Some((only, [])) => failure.hint(format!("say {only}")),
        Some((last, before)) => failure.hint(format!("say {} or {last}", before.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volume(place: Place, label: &str, uuid: &str, usable: bool) -> Volume {
        Volume {
            place,
            size_bytes: 512 << 20,
            content: Some(if usable { "ext4" } else { "swap" }.to_owned()),
            label: Some(label.into()),
            uuid: Some(uuid.into()),
            usable,
        }
    }

    fn disk() -> Vec<Volume> {
        let logical = Place::Logical {
            group: "vg".into(),
            volume: "home".into(),
        };
        vec![
            volume(Place::Partition(1), "boot", "aa-1", true),
            volume(Place::Partition(2), "", "aa-2", false),
            volume(logical, "boot", "AA-3", true),
        ]
    }

    fn chosen(arguments: VolumeArguments) -> Result<String, String> {
        choose(Path::new("a.img"), &disk(), &arguments)
            .map(|volume| volume.place.to_string())
            .map_err(|failure| failure.render())
    }

    #[test]
    fn what_is_said_is_taken() {
        let arguments =
            |partition: Option<u32>, lv: Option<&str>, volume: Option<&str>| VolumeArguments {
                partition,
                lv: lv.map(Into::into),
                volume: volume.map(Into::into),
            };
        for (arguments, place) in [
            (arguments(Some(1), None, None), "partition 1"),
            (arguments(Some(2), None, None), "partition 2"),
            (
                arguments(None, Some("vg/home"), None),
                "logical volume vg/home",
            ),
            (
                arguments(None, Some("/dev/vg/home"), None),
                "logical volume vg/home",
            ),
            (
                arguments(None, None, Some("aa-3")),
                "logical volume vg/home",
            ),
        ] {
            assert_eq!(
                chosen(arguments.clone()).as_deref(),
                Ok(place),
                "{arguments:?}"
            );
        }
        assert_eq!(
            chosen(arguments(Some(3), None, None)),
            Err("error: `a.img` has no partition 3\n  \
                 partition 1: ext4, 512.0 MiB, label `boot`, UUID aa-1\n  \
                 partition 2: swap, 512.0 MiB, UUID aa-2\n  \
                 logical volume vg/home: ext4, 512.0 MiB, label `boot`, UUID AA-3\n\
                 hint: say `--partition 1` or `--lv vg/home`\n"
                .to_owned())
        );
        assert_eq!(
            chosen(arguments(None, None, Some("boot"))),
            Err(
                "error: `a.img` has more than one volume with the label or UUID `boot`\n  \
                 partition 1: ext4, 512.0 MiB, label `boot`, UUID aa-1\n  \
                 logical volume vg/home: ext4, 512.0 MiB, label `boot`, UUID AA-3\n\
                 hint: say `--partition 1` or `--lv vg/home`\n"
                    .to_owned()
            )
        );
    }

    #[test]
    fn the_only_one_that_can_be_used_needs_no_word() {
        let disk = disk();
        let arguments = VolumeArguments::default();
        let only = choose(Path::new("a.img"), &disk[..2], &arguments).expect("it is the only one");
        assert_eq!(only.place, Place::Partition(1));
        let several = choose(Path::new("a.img"), &disk, &arguments).expect_err("there are two");
        assert!(
            several
                .render()
                .starts_with("error: `a.img` has more than one volume: say which\n")
        );
        let none = choose(Path::new("a.img"), &disk[1..2], &arguments).expect_err("swap");
        assert_eq!(
            none.render(),
            "error: `a.img` has no volume with a filesystem that is known\n  \
             partition 2: swap, 512.0 MiB, UUID aa-2\n"
        );
    }
}
