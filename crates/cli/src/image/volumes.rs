//! Which volume of an image is meant.

use christen_vfs::shown;

use std::fmt;
use std::path::Path;

use crate::args::image::VolumeArguments;
use crate::failure::Failure;
use crate::image::reserved::Reserved;
use crate::image::show::size_text;

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

impl Place {
    /// Tells whether it is the logical volume of this name: `group/volume`, with or without `/dev/` before it.
    pub(crate) fn is_logical(&self, name: &str) -> bool {
        let name = name.strip_prefix("/dev/").unwrap_or(name);
        match self {
            Self::Logical { group, volume } => name.split_once('/') == Some((group, volume)),
            _ => false,
        }
    }

    /// The arguments that choose it.
    pub(crate) fn arguments(&self) -> VolumeArguments {
        match self {
            Self::Whole => VolumeArguments::default(),
            Self::Partition(number) => VolumeArguments {
                partition: Some(*number),
                ..VolumeArguments::default()
            },
            Self::Logical { group, volume } => VolumeArguments {
                lv: Some(format!("{group}/{volume}")),
                ..VolumeArguments::default()
            },
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
    /// What the partition table reserves it for, if that is not the guest's files.
    pub(crate) reserved: Option<Reserved>,
    /// Whether christen has a reader for it.
    pub(crate) usable: bool,
    /// Whether it is a filesystem that only libguestfs reads.
    pub(crate) foreign: bool,
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
        if let Some(reserved) = self.reserved {
            line.push_str(&format!(", {}", reserved.name()));
        }
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

/// The volume that was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Choice<'a> {
    pub(crate) volume: &'a Volume,
    /// Why it is this one, if the image has others and none was said.
    pub(crate) why: Option<String>,
}

/// Chooses the volume that is meant: the one that was said; else the only one with a filesystem, those left out that a machine
/// starts from; else the only one in which `look` finds the mark of a guest's root.
///
/// # Errors
///
/// A mistake in the arguments, with the list of what there is and what to type.
pub(crate) fn choose<'a>(
    image: &Path,
    volumes: &'a [Volume],
    arguments: &VolumeArguments,
    look: &mut dyn FnMut(&Volume) -> Option<&'static str>,
) -> Result<Choice<'a>, Failure> {
    let image = image.display();
    let listed = |failure: Failure, volumes: &[&Volume]| {
        volumes
            .iter()
            .fold(failure, |failure, volume| failure.detail(volume.line()))
    };
    let all: Vec<_> = volumes.iter().collect();
    let usable: Vec<_> = volumes
        .iter()
        .filter(|volume| volume.usable || volume.foreign)
        .collect();
    let (asked, found): (String, Vec<&Volume>) = if let Some(number) = arguments.partition {
        let is_it = |volume: &&Volume| volume.place == Place::Partition(number);
        let found = volumes.iter().filter(is_it).collect();
        (format!("partition {number}"), found)
    } else if let Some(name) = &arguments.lv {
        let found = volumes
            .iter()
            .filter(|it| it.place.is_logical(name))
            .collect();
        let name = name.strip_prefix("/dev/").unwrap_or(name);
        (format!("logical volume `{name}`"), found)
    } else if let Some(name) = &arguments.volume {
        let found = volumes.iter().filter(|it| it.is_named(name)).collect();
        (format!("volume with the label or UUID `{name}`"), found)
    } else {
        match by_what_is_there(&usable, look) {
            Some(choice) => return Ok(choice),
            None => (String::new(), usable.clone()),
        }
    };
    match (&found[..], asked.is_empty()) {
        ([volume], _) => Ok(Choice { volume, why: None }),
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

/// Chooses among the volumes with a filesystem, if there is no doubt.
fn by_what_is_there<'a>(
    usable: &[&'a Volume],
    look: &mut dyn FnMut(&Volume) -> Option<&'static str>,
) -> Option<Choice<'a>> {
    if let [volume] = usable {
        return Some(Choice { volume, why: None });
    }
    let free: Vec<_> = usable.iter().filter(|it| it.reserved.is_none()).collect();
    if let [volume] = free[..] {
        let left_out: Vec<_> = usable
            .iter()
            .filter_map(|it| Some(format!("{} is the {}", it.place, it.reserved?.name())))
            .collect();
        return Some(Choice {
            volume,
            why: Some(left_out.join(", ")),
        });
    }
    let marked: Vec<_> = free
        .into_iter()
        .filter_map(|volume| Some((*volume, look(volume)?)))
        .collect();
    match marked[..] {
        [(volume, mark)] => Some(Choice {
            volume,
            why: Some(format!(
                "no other has `/etc/os-release` or the like, and it has `{mark}`"
            )),
        }),
        _ => None,
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
            reserved: None,
            usable,
            foreign: false,
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
        choose(Path::new("a.img"), &disk(), &arguments, &mut |_| None)
            .map(|choice| choice.volume.place.to_string())
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
        let choose = |volumes| choose(Path::new("a.img"), volumes, &arguments, &mut |_| None);
        let only = choose(&disk[..2]).expect("it is the only one");
        assert_eq!(only.volume.place, Place::Partition(1));
        assert_eq!(only.why, None);
        let several = choose(&disk).expect_err("there are two");
        assert!(
            several
                .render()
                .starts_with("error: `a.img` has more than one volume: say which\n")
        );
        let none = choose(&disk[1..2]).expect_err("swap");
        assert_eq!(
            none.render(),
            "error: `a.img` has no volume with a filesystem that is known\n  \
             partition 2: swap, 512.0 MiB, UUID aa-2\n"
        );
    }

    #[test]
    fn what_a_machine_starts_from_is_left_out_and_a_root_is_known_by_its_files() {
        let arguments = VolumeArguments::default();
        let mut disk: Vec<_> = (1..=3)
            .map(|number| volume(Place::Partition(number), "", "", true))
            .collect();
        disk[0].reserved = Some(Reserved::EfiSystem);
        let chosen = |volumes: &[Volume], marked: &[u32]| {
            let mut look = |volume: &Volume| {
                let is_marked = |it: &u32| volume.place == Place::Partition(*it);
                marked.iter().any(is_marked).then_some("/etc/fstab")
            };
            choose(Path::new("a.img"), volumes, &arguments, &mut look)
                .ok()
                .map(|it| (it.volume.place.to_string(), it.why.unwrap_or_default()))
        };
        let one = |place: &str, why: &str| Some((place.to_owned(), why.to_owned()));
        assert_eq!(chosen(&disk[..1], &[]), one("partition 1", ""));
        assert_eq!(
            chosen(&disk[..2], &[]),
            one("partition 2", "partition 1 is the EFI system partition")
        );
        assert_eq!(chosen(&disk, &[]), None);
        assert_eq!(chosen(&disk, &[2, 3]), None);
        // What stands in the EFI system partition makes no root of it.
        assert_eq!(
            chosen(&disk, &[1, 3]),
            one(
                "partition 3",
                "no other has `/etc/os-release` or the like, and it has `/etc/fstab`"
            )
        );
        // A filesystem that christen does not read may be the root, so the other is not taken for it.
        disk[2].usable = false;
        disk[2].foreign = true;
        assert_eq!(chosen(&disk, &[]), None);
    }
}
