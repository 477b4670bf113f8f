//! What a qcow2 image says of itself, for `christen inspect`.

use christen_block::OpenedLayer;
use christen_block::qcow2::{Bitmap, Compression, Header, Snapshot};
use christen_instance::Value;
use christen_vfs::{Timestamp, shown};

use super::show;
use crate::output;

/// The most snapshots, and the most bitmaps, of a file that are named. An image may claim 65,536 of each.
const MOST_LISTED: usize = 256;

/// What is known of a qcow2 image.
#[derive(Debug)]
pub(crate) struct Qcow2 {
    header: Header,
    /// The first of them; the words if they cannot be read.
    snapshots: Result<Vec<Snapshot>, String>,
    /// The first of them; the words if they cannot be read.
    bitmaps: Result<Vec<Bitmap>, String>,
}

fn compression(header: &Header) -> &'static str {
    match header.compression() {
        Some(Compression::Deflate) => "zlib",
        Some(Compression::Zstd) => "zstd",
        None => "unknown",
    }
}

/// How many bitmaps there are that match the disk; QEMU takes the others for none.
fn bitmap_count(header: &Header) -> u32 {
    match &header.bitmaps {
        Some(bitmaps) if header.has_consistent_bitmaps() => bitmaps.count,
        _ => 0,
    }
}

/// How many there are, and whether not all of them are named.
fn count(all: u32, listed: usize) -> String {
    if all as usize > listed {
        format!("{all}, of which these are the first {listed}")
    } else {
        all.to_string()
    }
}

fn time(snapshot: &Snapshot) -> String {
    show::time_text(Timestamp {
        seconds: snapshot.seconds.into(),
        nanoseconds: snapshot.nanoseconds,
    })
}

impl Qcow2 {
    /// Reads what an open file says; none if it is no qcow2 image.
    pub(crate) fn read(file: &OpenedLayer) -> Option<Self> {
        Some(Self {
            header: file.header.clone()?,
            snapshots: file
                .snapshots(MOST_LISTED)
                .map_err(|error| format!("the snapshots cannot be read: {error}")),
            bitmaps: file
                .bitmaps(MOST_LISTED)
                .map_err(|error| format!("the bitmaps cannot be read: {error}")),
        })
    }

    /// The length of the disk in it, in bytes.
    pub(crate) fn disk_bytes(&self) -> u64 {
        self.header.virtual_bytes
    }

    /// What cannot be told.
    pub(crate) fn warnings(&self) -> impl Iterator<Item = &str> {
        let snapshots = self.snapshots.as_ref().err();
        snapshots
            .into_iter()
            .chain(self.bitmaps.as_ref().err())
            .map(String::as_str)
    }

    fn snapshots(&self) -> &[Snapshot] {
        self.snapshots.as_deref().unwrap_or_default()
    }

    fn bitmaps(&self) -> &[Bitmap] {
        self.bitmaps.as_deref().unwrap_or_default()
    }

    /// What is shown, name by name.
    pub(crate) fn facts(&self) -> Vec<(&'static str, String)> {
        let header = &self.header;
        let mut facts = vec![
            ("qcow2 version", header.version.to_string()),
            ("cluster size", format!("{} bytes", header.cluster_bytes())),
            ("compression", compression(header).to_owned()),
        ];
        if let Some(bits) = 1_u64.checked_shl(header.refcount_order) {
            facts.push(("refcount size", format!("{bits} bits")));
        }
        let features = header.features();
        if !features.is_empty() {
            facts.push(("features", output::visible(&features.join(", "))));
        }
        if let Some(name) = &header.backing_file {
            let format = header.backing_format.as_deref().unwrap_or("not stated");
            let format = shown_name(format.as_bytes());
            facts.push(("backing file", format!("{} ({format})", shown_name(name))));
        }
        if header.has_data_file() {
            let name = shown_name(header.data_file.as_deref().unwrap_or_default());
            let alone = if header.is_data_file_raw() {
                "alone it is the raw disk"
            } else {
                "alone it is no disk"
            };
            facts.push(("data file", format!("{name} ({alone})")));
        }
        facts.push(("snapshots", count(header.snapshots, self.snapshots().len())));
        for it in self.snapshots() {
            let mut line = format!("{} ({}), {}", shown(&it.id), shown(&it.name), time(it));
            if it.state_bytes != 0 {
                line.push_str(&format!(
                    ", with the machine's state of {}",
                    show::size_text(it.state_bytes)
                ));
            }
            if it.disk_bytes != self.disk_bytes() {
                line.push_str(&format!(", of a disk of {} bytes", it.disk_bytes));
            }
            facts.push(("snapshot", line));
        }
        let bitmaps = bitmap_count(header);
        if bitmaps != 0 {
            facts.push(("bitmaps", count(bitmaps, self.bitmaps().len())));
        }
        for it in self.bitmaps() {
            let mut line = format!("{}, {} bytes each", shown(&it.name), it.granularity_bytes);
            if it.is_recording {
                line.push_str(", follows the disk");
            }
            if it.is_inconsistent {
                line.push_str(", inconsistent");
            }
            facts.push(("bitmap", line));
        }
        facts
    }

    /// The same for programs.
    pub(crate) fn value(&self) -> Value {
        let header = &self.header;
        let mut members = Vec::new();
        let mut add = |name: &str, value: Value| members.push((name.to_owned(), value));
        add("version", output::number(header.version.into()));
        add("cluster_bytes", output::number(header.cluster_bytes()));
        add("compression", compression(header).into());
        let bits = 1_u64.checked_shl(header.refcount_order);
        add("refcount_bits", bits.map_or(Value::Null, output::number));
        let features = header.features().into_iter().map(Value::from).collect();
        add("features", Value::Array(features));
        add("snapshot_count", output::number(header.snapshots.into()));
        let snapshots = self.snapshots().iter().map(snapshot_value).collect();
        add("snapshots", Value::Array(snapshots));
        add("bitmap_count", output::number(bitmap_count(header).into()));
        let bitmaps = self.bitmaps().iter().map(bitmap_value).collect();
        add("bitmaps", Value::Array(bitmaps));
        if let Some(name) = &header.backing_file {
            show::add_bytes(&mut members, "backing_file", name);
            let format = header.backing_format.as_deref();
            members.push(("backing_format".to_owned(), format.into()));
        }
        if header.has_data_file() {
            let name = header.data_file.as_deref().unwrap_or_default();
            show::add_bytes(&mut members, "data_file", name);
            let is_raw = header.is_data_file_raw().into();
            members.push(("data_file_is_raw".to_owned(), is_raw));
        }
        Value::Object(members)
    }
}

fn snapshot_value(snapshot: &Snapshot) -> Value {
    let mut members = Vec::new();
    show::add_bytes(&mut members, "id", &snapshot.id);
    show::add_bytes(&mut members, "name", &snapshot.name);
    let mut add = |name: &str, value: Value| members.push((name.to_owned(), value));
    add("taken", time(snapshot).into());
    add("disk_size_bytes", output::number(snapshot.disk_bytes));
    add("state_bytes", output::number(snapshot.state_bytes));
    let clock = snapshot.guest_clock_nanoseconds;
    add("guest_clock_nanoseconds", output::number(clock));
    Value::Object(members)
}

fn bitmap_value(bitmap: &Bitmap) -> Value {
    let mut members = Vec::new();
    show::add_bytes(&mut members, "name", &bitmap.name);
    let mut add = |name: &str, value: Value| members.push((name.to_owned(), value));
    add(
        "granularity_bytes",
        output::number(bitmap.granularity_bytes),
    );
    add("is_recording", bitmap.is_recording.into());
    add("is_inconsistent", bitmap.is_inconsistent.into());
    Value::Object(members)
}

/// Shows the name of a file. What is longer than the host can open is cut: an image may hold names of 2 MiB.
pub(crate) fn shown_name(name: &[u8]) -> String {
    /// `PATH_MAX` of Linux.
    const LONGEST: usize = 4096;
    match name.get(..LONGEST) {
        Some(start) if name.len() > LONGEST => format!("{}…", shown(start)),
        _ => shown(name),
    }
}
