//! Groups made by hand; those of LVM2 itself are in `tests/judge_lvm.rs`.

use super::*;
use crate::device::MemoryDevice;

const FIRST: &[u8; 32] = b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const SECOND: &[u8; 32] = b"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

fn id(letter: char) -> String {
    let run = |count: usize| letter.to_string().repeat(count);
    [6, 4, 4, 4, 4, 4, 6].map(run).join("-")
}

/// The metadata of a group on two devices of 4 MiB, with these logical volumes.
fn group(sequence: u64, extra: &str, volumes: &str) -> String {
    format!(
        "g {{ id = \"{}\" seqno = {sequence} status = [\"RESIZEABLE\", \"READ\", \"WRITE\"] {extra} extent_size = 128
         physical_volumes {{
           pv0 {{ id = \"{}\" status = [\"ALLOCATABLE\"] pe_start = 2048 pe_count = 48 }}
           pv1 {{ id = \"{}\" status = [\"ALLOCATABLE\"] pe_start = 2048 pe_count = 48 }} }}
         logical_volumes {{ {volumes} }} }}
         contents = \"Text Format Volume Group\" version = 1",
        id('g'),
        id('a'),
        id('b')
    )
}

fn volume_text(name: &str, segments: &str) -> String {
    format!(
        "{name} {{ id = \"{}\" status = [\"READ\", \"WRITE\", \"VISIBLE\"] segment_count = {} {segments} }}",
        id('l'),
        segments.matches('{').count()
    )
}

fn segment(number: u32, start: u64, count: u64, kind: &str, rest: &str) -> String {
    format!(
        "segment{number} {{ start_extent = {start} extent_count = {count} type = \"{kind}\" {rest} }}"
    )
}

fn linear(number: u32, start: u64, count: u64, on: &str, first: u64) -> String {
    let rest = format!("stripe_count = 1 stripes = [\"{on}\", {first}]");
    segment(number, start, count, "striped", &rest)
}

fn devices(text: &str) -> Vec<Arc<dyn BlockDevice>> {
    [FIRST, SECOND]
        .map(|uuid| {
            let image = label::tests::image(uuid, text.as_bytes(), 512);
            Arc::new(MemoryDevice::new(image)) as Arc<dyn BlockDevice>
        })
        .into()
}

fn refusal(text: &str) -> String {
    let groups = match open(&devices(text)) {
        Err(error) => return error.to_string(),
        Ok(groups) => groups,
    };
    let volumes = groups.iter().flat_map(|group| &group.volumes);
    let refused: Vec<String> = volumes
        .filter_map(|volume| volume.device().err())
        .map(|error| error.to_string())
        .collect();
    refused.join("; ")
}

#[test]
fn a_volume_over_two_devices() {
    let segments = linear(1, 0, 3, "pv1", 5) + &linear(2, 3, 2, "pv0", 0);
    let devices = devices(&group(1, "", &volume_text("root", &segments)));
    let groups = open(&devices).unwrap();
    let volume = groups[0].volume("root").unwrap();
    let extent = 65536;
    assert_eq!(volume.length_bytes, 5 * extent);
    let device = volume.device().unwrap();
    device.write_at(&[7; 20], 3 * extent - 10).unwrap();
    let mut seen = [0; 10];
    devices[1]
        .read_at(&mut seen, (1 << 20) + 8 * extent - 10)
        .unwrap();
    assert_eq!(seen, [7; 10]);
    devices[0].read_at(&mut seen, 1 << 20).unwrap();
    assert_eq!(seen, [7; 10]);
    let mut seen = [0; 30];
    device.read_at(&mut seen, 3 * extent - 15).unwrap();
    assert_eq!(seen[5..25], [7; 20]);
    assert!(device.read_at(&mut seen, 5 * extent - 29).is_err());
    device.flush().unwrap();
}

#[test]
fn what_is_not_linear_is_refused_by_name() {
    let two = segment(
        1,
        0,
        4,
        "striped",
        "stripe_count = 2 stripes = [\"pv0\", 0, \"pv1\", 0]",
    );
    let text = group(1, "", &volume_text("wide", &two));
    assert_eq!(
        refusal(&text),
        "the striped logical volume `wide` is not supported"
    );
    for kind in [
        "mirror",
        "raid1",
        "thin",
        "thin-pool",
        "cache",
        "vdo",
        "error",
        "zero",
    ] {
        let text = group(1, "", &volume_text("lv", &segment(1, 0, 4, kind, "")));
        assert_eq!(
            refusal(&text),
            format!("the {kind} logical volume `lv` is not supported")
        );
    }
}

#[test]
fn the_origin_of_a_snapshot_is_refused() {
    let snapshot = segment(
        1,
        0,
        4,
        "snapshot",
        "chunk_size = 8 origin = \"root\" cow_store = \"old\"",
    );
    let volumes = volume_text("root", &linear(1, 0, 4, "pv0", 0))
        + &volume_text("old", &linear(1, 0, 2, "pv0", 4))
        + &volume_text("other", &linear(1, 0, 2, "pv0", 6))
        + &volume_text("snapshot0", &snapshot);
    assert_eq!(
        refusal(&group(1, "", &volumes)),
        "the logical volume `root`, which is `origin` of `snapshot0`, is not supported; \
         the logical volume `old`, which is `cow_store` of `snapshot0`, is not supported; \
         the snapshot logical volume `snapshot0` is not supported"
    );
}

#[test]
fn a_group_that_is_not_whole_is_refused() {
    let root = volume_text("root", &linear(1, 0, 4, "pv0", 0));
    let devices = devices(&group(1, "", &root));
    let groups = open(&devices[..1]).unwrap();
    let error = groups[0].volumes[0].device().unwrap_err().to_string();
    assert_eq!(
        error,
        format!(
            "the volume group `g` without its physical volume `{}` is not supported",
            id('b')
        )
    );

    let exported = group(1, "", &root).replace("\"RESIZEABLE\"", "\"EXPORTED\"");
    assert_eq!(
        refusal(&exported),
        "the exported volume group `g` is not supported"
    );
    let lost = group(1, "", &root).replacen("pe_start", "flags = [\"MISSING\"] pe_start", 1);
    assert_eq!(
        refusal(&lost),
        "the volume group `g` with physical volume `pv0` marked `MISSING` is not supported"
    );
    let shared = group(1, "lock_type = \"sanlock\"", &root);
    assert_eq!(
        refusal(&shared),
        "the shared volume group `g` is not supported"
    );
}

#[test]
fn numbers_that_lie_are_refused() {
    for (segments, rule) in [
        (linear(1, 1, 4, "pv0", 0), "must follow one another"),
        (
            linear(1, 0, 4, "pv0", 45),
            "must lie in its physical volume",
        ),
        (
            linear(1, 0, 49, "pv0", 0),
            "must lie in its physical volume",
        ),
        (
            linear(1, 0, i64::MAX as u64, "pv0", 0),
            "must fit in 64 bits",
        ),
        (
            linear(1, 0, 4, "pv9", 0),
            "must be on a volume of the group",
        ),
        (
            linear(1, 0, 4, "pv0", 0) + &linear(2, 4, 4, "pv0", 3),
            "extent 3 of physical volume 0 must be used once",
        ),
    ] {
        let error = refusal(&group(1, "", &volume_text("root", &segments)));
        assert!(error.contains(rule), "{error}");
    }
    let whole = group(1, "", &volume_text("root", &linear(1, 0, 4, "pv0", 0)));
    for (from, to, rule) in [
        ("pe_count = 48", "pe_count = 49", "must lie in its device"),
        (
            "extent_size = 128",
            "extent_size = 0",
            "must be more than 0",
        ),
        (
            "pe_start = 2048",
            "pe_start = -1",
            "`pe_start` must be a number",
        ),
        (
            "segment_count = 1",
            "segment_count = 2",
            "must be that of its segments",
        ),
        ("version = 1", "version = 2", "version 1"),
        ("g {", "../g {", "`{` or `=` must follow"),
    ] {
        let error = refusal(&whole.replace(from, to));
        assert!(error.contains(rule), "{error}");
    }
}

#[test]
fn the_newer_copy_counts() {
    let old = volume_text("old", &linear(1, 0, 4, "pv0", 0));
    let new = volume_text("new", &linear(1, 0, 4, "pv0", 0));
    let image = |uuid, text: String| {
        let image = label::tests::image(uuid, text.as_bytes(), 512);
        Arc::new(MemoryDevice::new(image)) as Arc<dyn BlockDevice>
    };
    let devices = [
        image(FIRST, group(2, "", &new)),
        image(SECOND, group(1, "", &old)),
    ];
    let groups = open(&devices).unwrap();
    assert_eq!(groups.len(), 1);
    assert_eq!(groups[0].volumes[0].name, "new");

    let devices = [
        image(FIRST, group(2, "", &new)),
        image(SECOND, group(2, "", &old)),
    ];
    assert!(
        open(&devices)
            .unwrap_err()
            .to_string()
            .contains("must be the same")
    );
    let twice = [Arc::clone(&devices[0]), Arc::clone(&devices[0])];
    assert!(
        open(&twice)
            .unwrap_err()
            .to_string()
            .contains("must be of one device")
    );
}

#[test]
fn a_damaged_copy_beside_a_whole_one() {
    let text = group(1, "", &volume_text("root", &linear(1, 0, 4, "pv0", 0)));
    let devices = devices(&text);
    devices[0].write_at(&[0xff], 4096 + 520).unwrap();
    assert_eq!(open(&devices).unwrap().len(), 1);
    devices[1].write_at(&[0xff], 4096 + 520).unwrap();
    assert!(open(&devices).is_err());
}
