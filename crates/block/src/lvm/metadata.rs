//! What the text says: a volume group with its physical and logical volumes, every number checked.

use std::collections::{HashMap, HashSet};

use super::text::{self, Section, Value, corrupt};
use crate::error::Result;

/// A group as its metadata describes it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) id: String,
    /// Grows with each change, so of two descriptions the one with the larger number is right.
    pub(super) sequence: u64,
    pub(super) extent_bytes: u64,
    /// Why no volume of the group may be used.
    pub(super) refusal: Option<String>,
    pub(super) physical: Vec<Physical>,
    pub(super) logical: Vec<Logical>,
}

/// A physical volume as the group knows it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Physical {
    /// The identity, with hyphens.
    pub(super) id: String,
    /// Where the first extent begins, in bytes.
    pub(super) start_bytes: u64,
    pub(super) extents: u64,
}

/// A logical volume that is shown to users.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Logical {
    pub(super) name: String,
    pub(super) id: String,
    pub(super) writable: bool,
    pub(super) extents: u64,
    /// The map, if it is linear.
    pub(super) segments: Vec<Linear>,
    /// Why the volume may not be used.
    pub(super) refusal: Option<String>,
}

/// A run of extents of a logical volume on one physical volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Linear {
    pub(super) start: u64,
    pub(super) count: u64,
    /// The index of the physical volume.
    pub(super) physical: usize,
    pub(super) physical_start: u64,
}

/// Parses the metadata of a group (LVM2 `lib/format_text/import_vsn1.c`).
pub(super) fn parse(text: &[u8]) -> Result<Group> {
    let top = text::parse(text)?;
    if top.text("contents")? != "Text Format Volume Group" || top.number("version")? != 1 {
        return Err(corrupt(0, "it must be a text format volume group of version 1").into());
    }
    let mut sections = top.sections();
    let (Some((name, group)), None) = (sections.next(), sections.next()) else {
        return Err(corrupt(0, "it must describe one group").into());
    };
    let extent_bytes = group
        .number("extent_size")?
        .checked_mul(512)
        .filter(|bytes| *bytes > 0)
        .ok_or_else(|| corrupt(0, "`extent_size` must be more than 0 and fit in 64 bits"))?;
    let (names, physical) = physical_volumes(group, extent_bytes)?;
    let logical = Volumes::new(group, &names, &physical)?.all(extent_bytes)?;
    Ok(Group {
        name: checked_name(name)?,
        id: checked_id(group)?,
        sequence: group.number("seqno")?,
        extent_bytes,
        refusal: group_refusal(group, name)?,
        physical,
        logical,
    })
}

/// Names have these characters (`lib/misc/lvm-string.c`, `_validate_name`).
fn checked_name(name: &str) -> Result<String> {
    let valid = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"+_.-".contains(&byte));
    if !valid || name.starts_with('-') || name.len() > 127 || matches!(name, "." | "..") {
        return Err(corrupt(0, "a name must have the characters that LVM2 allows").into());
    }
    Ok(name.to_owned())
}

fn checked_id(section: &Section) -> Result<String> {
    let id = section.text("id")?;
    let letters = id.bytes().filter(|byte| *byte != b'-');
    if letters.clone().count() != 32 || !letters.clone().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(corrupt(0, "an identity must be 32 letters and digits in groups").into());
    }
    Ok(id.to_owned())
}

/// What is in `status` must be understood, what is in `flags` need not (`lib/format_text/flags.c`).
fn group_refusal(group: &Section, name: &str) -> Result<Option<String>> {
    for status in group.texts("status")? {
        let what = match status {
            "RESIZEABLE" | "READ" | "WRITE" => continue,
            "EXPORTED" => "exported".to_owned(),
            "PARTIAL" => "partial".to_owned(),
            "CLUSTERED" | "SHARED" => "shared".to_owned(),
            other => format!("`{}`", other.escape_debug()),
        };
        return Ok(Some(format!("the {what} volume group `{name}` is")));
    }
    if let Some(Value::Text(lock)) = group.value("lock_type")
        && lock != "none"
    {
        return Ok(Some(format!("the shared volume group `{name}` is")));
    }
    if let Some(volumes) = group.section("physical_volumes") {
        for (physical, section) in volumes.sections() {
            let lost = section
                .texts("flags")?
                .into_iter()
                .chain(section.texts("status")?)
                .find(|flag| *flag != "ALLOCATABLE");
            if let Some(flag) = lost {
                let flag = flag.escape_debug();
                return Ok(Some(format!(
                    "the volume group `{name}` with physical volume `{physical}` marked `{flag}` is"
                )));
            }
        }
    }
    Ok(None)
}

type Names<'a> = HashMap<&'a str, usize>;

fn physical_volumes(group: &Section, extent_bytes: u64) -> Result<(Names<'_>, Vec<Physical>)> {
    let mut names = HashMap::new();
    let mut physical: Vec<Physical> = Vec::new();
    let mut ids = HashSet::new();
    let Some(volumes) = group.section("physical_volumes") else {
        return Err(corrupt(0, "there must be physical volumes").into());
    };
    for (name, section) in volumes.sections() {
        let id = checked_id(section)?;
        if !ids.insert(id.clone()) {
            return Err(corrupt(0, format!("identity `{id}` must be of one volume")).into());
        }
        let extents = section.number("pe_count")?;
        let start_bytes = section.number("pe_start")?.checked_mul(512);
        let fits = |start: u64| extents.checked_mul(extent_bytes)?.checked_add(start);
        let Some(start_bytes) = start_bytes.filter(|start| fits(*start).is_some()) else {
            let rule = format!("the extents of `{name}` must fit in 64 bits");
            return Err(corrupt(0, rule).into());
        };
        names.insert(name, physical.len());
        physical.push(Physical {
            id,
            start_bytes,
            extents,
        });
    }
    Ok((names, physical))
}

/// The logical volumes of a group while they are parsed.
struct Volumes<'a> {
    sections: Vec<(&'a str, &'a Section)>,
    names: &'a Names<'a>,
    physical: &'a [Physical],
    /// Which volume is a part of which other, and as what.
    parts: HashMap<&'a str, (&'a str, &'a str)>,
    /// Ranges of extents in use: physical volume, first, end.
    used: Vec<(usize, u64, u64)>,
}

impl<'a> Volumes<'a> {
    fn new(group: &'a Section, names: &'a Names<'a>, physical: &'a [Physical]) -> Result<Self> {
        let sections: Vec<_> = group
            .section("logical_volumes")
            .into_iter()
            .flat_map(Section::sections)
            .collect();
        let known: HashSet<&str> = sections.iter().map(|(name, _)| *name).collect();
        let mut parts = HashMap::new();
        for (owner, section) in &sections {
            for (_, segment) in section.sections() {
                for (key, value) in segment.values() {
                    if matches!(key, "type" | "tags") {
                        continue;
                    }
                    // A snapshot names its origin, a pool its data, a cache what it caches, and so on: writing to one of
                    // them by itself would break the whole.
                    for part in texts_of(value) {
                        let is_physical = key == "stripes" && names.contains_key(part);
                        if known.contains(part) && !is_physical {
                            parts.insert(part, (*owner, key));
                        }
                    }
                }
            }
        }
        Ok(Self {
            sections,
            names,
            physical,
            parts,
            used: Vec::new(),
        })
    }

    /// Returns the volumes that are shown to users, after all have been checked.
    fn all(mut self, extent_bytes: u64) -> Result<Vec<Logical>> {
        let mut logical = Vec::new();
        for (name, section) in self.sections.clone() {
            let volume = self.one(name, section, extent_bytes)?;
            if section.texts("status")?.contains(&"VISIBLE") {
                logical.push(volume);
            }
        }
        self.used.sort_unstable();
        for pair in self.used.windows(2) {
            if pair[0].0 == pair[1].0 && pair[1].1 < pair[0].2 {
                let rule = format!(
                    "extent {} of physical volume {} must be used once",
                    pair[1].1, pair[1].0
                );
                return Err(corrupt(0, rule).into());
            }
        }
        Ok(logical)
    }

    fn one(&mut self, name: &str, section: &'a Section, extent_bytes: u64) -> Result<Logical> {
        let mut refusal = self.refusal(name, section)?;
        let mut segments = Vec::new();
        let mut extents: u64 = 0;
        let mut sections: Vec<(u64, &Section)> = Vec::new();
        for (_, segment) in section.sections() {
            sections.push((segment.number("start_extent")?, segment));
        }
        sections.sort_by_key(|(start, _)| *start);
        if section.number("segment_count")? != sections.len() as u64 {
            let rule = format!("`segment_count` of `{name}` must be that of its segments");
            return Err(corrupt(0, rule).into());
        }
        for (start, segment) in sections {
            let count = segment.number("extent_count")?;
            if start != extents || count == 0 {
                let rule = format!("the segments of `{name}` must follow one another");
                return Err(corrupt(0, rule).into());
            }
            let end = start.checked_add(count);
            let in_bytes = end.and_then(|end| end.checked_mul(extent_bytes));
            let (Some(end), Some(_)) = (end, in_bytes) else {
                return Err(corrupt(0, format!("`{name}` must fit in 64 bits")).into());
            };
            extents = end;
            match self.linear(name, start, count, segment)? {
                Ok(linear) => segments.push(linear),
                Err(what) => {
                    refusal.get_or_insert(format!("the {what} logical volume `{name}` is"));
                }
            }
        }
        if refusal.is_some() {
            segments.clear();
        }
        Ok(Logical {
            name: checked_name(name)?,
            id: checked_id(section)?,
            writable: section.texts("status")?.contains(&"WRITE"),
            extents,
            segments,
            refusal,
        })
    }

    fn refusal(&self, name: &str, section: &Section) -> Result<Option<String>> {
        if let Some((owner, key)) = self.parts.get(name) {
            return Ok(Some(format!(
                "the logical volume `{name}`, which is `{key}` of `{owner}`, is"
            )));
        }
        for status in section.texts("status")? {
            if !matches!(status, "READ" | "WRITE" | "VISIBLE" | "FIXED_MINOR") {
                let status = status.escape_debug();
                return Ok(Some(format!(
                    "the logical volume `{name}` with status `{status}` is"
                )));
            }
        }
        Ok(None)
    }

    /// Returns the map of a segment, or what it is instead of linear. LVM2 writes a linear segment as one of one stripe.
    fn linear(
        &mut self,
        name: &str,
        start: u64,
        count: u64,
        segment: &'a Section,
    ) -> Result<Result<Linear, String>> {
        let kind = segment.text("type")?;
        if !matches!(kind, "striped" | "linear") {
            return Ok(Err(kind.escape_debug().to_string()));
        }
        let stripes = match segment.value("stripes") {
            Some(Value::List(list)) => list.as_slice(),
            _ => &[],
        };
        let stripe_count = segment.number("stripe_count")?;
        if stripe_count == 0 || stripes.len() as u64 != stripe_count.saturating_mul(2) {
            let rule = format!("`stripes` of `{name}` must be as many as `stripe_count`");
            return Err(corrupt(0, rule).into());
        }
        let each = count / stripe_count;
        if each * stripe_count != count {
            let rule = format!("the extents of `{name}` must be shared by its stripes");
            return Err(corrupt(0, rule).into());
        }
        let mut linear = None;
        for pair in stripes.chunks_exact(2) {
            let [Value::Text(on), Value::Integer(first)] = pair else {
                let rule = format!("a stripe of `{name}` must be a name and a number");
                return Err(corrupt(0, rule).into());
            };
            let Some(physical) = self.names.get(on.as_str()).copied() else {
                if self.parts.contains_key(on.as_str()) {
                    return Ok(Err("stacked".into()));
                }
                let rule = format!("a stripe of `{name}` must be on a volume of the group");
                return Err(corrupt(0, rule).into());
            };
            let first = u64::try_from(*first).unwrap_or(u64::MAX);
            match first.checked_add(each) {
                Some(end) if end <= self.physical[physical].extents => {
                    self.used.push((physical, first, end));
                }
                _ => {
                    let rule = format!("a stripe of `{name}` must lie in its physical volume");
                    return Err(corrupt(0, rule).into());
                }
            }
            linear = Some(Linear {
                start,
                count,
                physical,
                physical_start: first,
            });
        }
        match linear {
            Some(linear) if stripe_count == 1 => Ok(Ok(linear)),
            _ => Ok(Err("striped".into())),
        }
    }
}

fn texts_of(value: &Value) -> Vec<&str> {
    match value {
        Value::Integer(_) => Vec::new(),
        Value::Text(text) => vec![text],
        Value::List(list) => list.iter().flat_map(texts_of).collect(),
    }
}
