//! Proof of an injection, by readers that share nothing with what wrote it.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;

use christen_block::BlockDevice;
use christen_inject::Change;
use christen_inject::verify::{self, Outcome, Seat, Seats, Verdict};
use christen_instance::Value;
use christen_vfs::GuestPath;
use christen_witness::{Source, Witness};

use crate::failure::Failure;
use crate::image::guest::Joined;
use crate::image::open::Disk;
use crate::image::volumes::Place;
use crate::image::{layout, show};

/// What is said of every place.
#[derive(Debug)]
pub(crate) struct Verdicts(Vec<Verdict>);

/// A volume and where the guest mounts it.
#[derive(Debug, Clone)]
pub(crate) struct Mounted {
    names: Vec<Vec<u8>>,
    place: Place,
}

impl Mounted {
    /// Takes what is needed of the volumes of a tree.
    pub(crate) fn of(volumes: &[Joined]) -> Vec<Self> {
        let one = |it: &Joined| Self {
            names: it.names.clone(),
            place: it.part.volume.place.clone(),
        };
        volumes.iter().map(one).collect()
    }
}

/// Reads every place of an injection from an image as it is.
pub(crate) fn verify(
    changes: &[Change],
    volumes: &[Mounted],
    disk: &Disk,
) -> Result<Verdicts, Failure> {
    let layout = layout::read(&disk.device).map_err(|error| disk.cannot_read(&error))?;
    let mut readers = Readers {
        volumes: volumes
            .iter()
            .filter_map(|mounted| {
                let is_it = |part: &&layout::Part| part.volume.place == mounted.place;
                let part = layout.parts.iter().find(is_it)?;
                Some((mounted.names.clone(), Arc::clone(&part.device)))
            })
            .collect(),
        open: BTreeMap::new(),
    };
    Ok(Verdicts(verify::verify(changes, &mut readers)))
}

/// Names from the guest's root to where a volume is mounted, and the volume.
type Volume = (Vec<Vec<u8>>, Arc<dyn BlockDevice>);

/// The readers of the volumes, each opened when it is needed.
struct Readers {
    volumes: Vec<Volume>,
    /// `None` where nobody but the writer can read a volume.
    open: BTreeMap<usize, Option<Witness>>,
}

impl Seats for Readers {
    fn seat(&mut self, path: &GuestPath) -> Option<Seat<'_>> {
        let names: Vec<_> = path.components().map(<[u8]>::to_vec).collect();
        // What is mounted at the longest beginning of the path; of two at one place, the later covers the earlier.
        let holder = self
            .volumes
            .iter()
            .enumerate()
            .filter(|(_, (at, _))| names.starts_with(at))
            .max_by_key(|(index, (at, _))| (at.len(), *index));
        let (index, (at, device)) = holder?;
        let names = names[at.len()..].to_vec();
        let device = Arc::clone(device);
        let reader = self.open.entry(index).or_insert_with(|| {
            let source = Arc::new(Device(device));
            Witness::open(source).ok()
        });
        Some(Seat {
            witness: reader.as_mut()?,
            names,
        })
    }
}

/// A device in the eyes of the second reader.
#[derive(Debug)]
struct Device(Arc<dyn BlockDevice>);

impl Source for Device {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<(), Box<dyn Error + Send + Sync>> {
        Ok(self.0.read_at(buffer, offset)?)
    }
}

impl Verdicts {
    /// Takes what others than the readers of images say.
    pub(crate) fn of(verdicts: Vec<Verdict>) -> Self {
        Self(verdicts)
    }

    /// Returns the places that are other than they were meant.
    pub(crate) fn differing(&self) -> impl Iterator<Item = &Verdict> {
        let differs = |it: &&Verdict| matches!(it.outcome, Outcome::Differs { .. });
        self.0.iter().filter(differs)
    }

    /// Returns how many places there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether somebody else has found every place as it was meant.
    pub(crate) fn all_verified(&self) -> bool {
        self.0.iter().all(Verdict::is_verified)
    }

    /// Returns what is said of a place, in words.
    pub(crate) fn words(&self, path: &GuestPath) -> String {
        let found = self.0.iter().find(|it| it.path == *path);
        found.map_or_else(|| "not verified".to_owned(), |it| words(&it.outcome))
    }

    /// Everything in few words: `7 places verified by ext4-view`.
    pub(crate) fn summary(&self) -> String {
        let mut readers: Vec<_> = self
            .0
            .iter()
            .filter_map(|it| match &it.outcome {
                Outcome::Verified(readers) => Some(readers),
                _ => None,
            })
            .flatten()
            .map(|it| it.name())
            .collect();
        readers.sort_unstable();
        readers.dedup();
        let verified = self.0.iter().filter(|it| it.is_verified()).count();
        let places = match self.0.len() {
            1 => "1 place".to_owned(),
            number => format!("{number} places"),
        };
        match verified {
            0 => format!("none of {places} verified"),
            _ if verified == self.0.len() => {
                format!("{places} verified by {}", readers.join(" and "))
            }
            _ => format!(
                "{verified} of {places} verified by {}",
                readers.join(" and ")
            ),
        }
    }

    /// The verdicts as a JSON array.
    pub(crate) fn value(&self) -> Value {
        Value::Array(self.0.iter().map(value).collect())
    }
}

fn words(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Verified(readers) => {
            let names: Vec<_> = readers.iter().map(|it| it.name()).collect();
            format!("verified by {}", names.join(" and "))
        }
        Outcome::Differs { aspect, reader } => format!("differs: {aspect} ({reader})"),
        Outcome::NotVerified(why) => {
            let cause = why.source().map(|it| format!(": {it}"));
            format!("not verified: {why}{}", cause.unwrap_or_default())
        }
    }
}

fn value(verdict: &Verdict) -> Value {
    let mut members = Vec::new();
    show::add_bytes(&mut members, "path", &verdict.path.to_bytes());
    let items = verdict.items.iter().map(|it| it.to_string().into());
    members.push(("items".to_owned(), Value::Array(items.collect())));
    let (name, readers): (_, Vec<_>) = match &verdict.outcome {
        Outcome::Verified(readers) => ("verified", readers.clone()),
        Outcome::Differs { reader, .. } => ("differs", vec![*reader]),
        Outcome::NotVerified(_) => ("not-verified", Vec::new()),
    };
    let readers = readers.iter().map(|it| it.name().into()).collect();
    members.push(("verdict".to_owned(), name.into()));
    members.push(("readers".to_owned(), Value::Array(readers)));
    members.push(("words".to_owned(), words(&verdict.outcome).into()));
    Value::Object(members)
}
