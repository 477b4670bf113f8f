//! Tables that `sfdisk` and `sgdisk` write, read by `partx` (that is, by libblkid) and by us.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use christen_block::MemoryDevice;
use christen_block::partition::{Finding, Role, Table, TableKind, read, read_with_sectors};
use christen_testkit::TempDir;
use christen_testkit::tools;

/// Makes an image of 64 MiB with a table: `sfdisk` takes a description, and `fdisk`, which alone writes tables for sectors of
/// another size into a file, takes its commands.
fn partition(program: &Path, image: &Path, arguments: &[&str], script: &str) {
    fs::File::create(image)
        .and_then(|file| file.set_len(64 << 20))
        .unwrap();
    let script_file = image.with_extension("script");
    fs::write(&script_file, script).unwrap();
    tools::run(
        Command::new(program)
            .args(arguments)
            .arg(image)
            .stdin(Stdio::from(fs::File::open(&script_file).unwrap())),
    );
}

fn device(image: &Path) -> MemoryDevice {
    MemoryDevice::new(fs::read(image).unwrap())
}

/// What libblkid sees, a line for each partition: number, start and length in sectors of 512 bytes, type, identity, name.
fn blkid_view(partx: &Path, image: &Path, sector_bytes: u32) -> Vec<String> {
    let output = tools::run(
        Command::new(partx)
            .args(["--raw", "--noheadings"])
            .args(["--sector-size", &sector_bytes.to_string()])
            .args(["--output", "NR,START,SECTORS,TYPE,UUID,NAME"])
            .arg(image),
    );
    let text = String::from_utf8(output).unwrap();
    text.lines()
        .map(|line| line.trim_end().to_owned())
        .collect()
}

/// Shows a name as `partx --raw` does.
fn escaped(name: &str) -> String {
    name.bytes()
        .map(|byte| match byte {
            b'!'..=b'~' if byte != b'\\' => char::from(byte).to_string(),
            _ => format!("\\x{byte:02x}"),
        })
        .collect()
}

fn our_view(table: &Table) -> Vec<String> {
    table
        .partitions
        .iter()
        .map(|partition| {
            let kind = match partition.partition_type.to_string() {
                byte if byte.starts_with("0x") => {
                    format!("{:#x}", u8::from_str_radix(&byte[2..], 16).unwrap())
                }
                guid => guid,
            };
            format!(
                "{} {} {} {} {} {}",
                partition.number,
                partition.start_bytes / 512,
                partition.length_bytes / 512,
                kind,
                partition.uuid.as_deref().unwrap_or_default(),
                escaped(partition.name.as_deref().unwrap_or_default()),
            )
            .trim_end()
            .to_owned()
        })
        .collect()
}

#[test]
fn tables_are_read_as_libblkid_reads_them() {
    let (Some(sfdisk), Some(fdisk), Some(partx)) = (
        tools::require("sfdisk"),
        tools::require("fdisk"),
        tools::require("partx"),
    ) else {
        return;
    };
    let directory = TempDir::new();
    let scripts: [(&str, &str, u32, TableKind); 5] = [
        (
            "gpt",
            "label: gpt\n1: size=1M, type=U, name=\"EFI system\"\n2: size=2M, type=L, name=\"größe\"\n14: size=3M, type=S\n128: type=V, name=last\n",
            512,
            TableKind::Gpt,
        ),
        (
            "gpt-4k",
            "g\nn\n1\n\n+2M\nn\n7\n\n+4M\nw\n",
            4096,
            TableKind::Gpt,
        ),
        (
            "mbr",
            "label: dos\nsize=2M, type=83, bootable\nsize=30M, type=5\nsize=2M, type=82\nsize=2M, type=c\nsize=3M\nsize=4M, type=8e\nsize=1M, type=7\n",
            512,
            TableKind::Mbr,
        ),
        (
            "mbr-f",
            "label: dos\nlabel-id: 0x00c0ffee\n3: size=20M, type=f\n1: size=2M\n5: size=3M\n",
            512,
            TableKind::Mbr,
        ),
        (
            "mbr-4k",
            "o\nn\np\n1\n\n+2M\nn\ne\n2\n\n\nn\n\n+4M\nn\n\n+4M\nw\n",
            4096,
            TableKind::Mbr,
        ),
    ];
    for (name, script, sector_bytes, kind) in scripts {
        let image = directory.join(name);
        if sector_bytes == 512 {
            let arguments = ["--quiet", "--no-reread", "--no-tell-kernel"];
            partition(&sfdisk, &image, &arguments, script);
        } else {
            let size = sector_bytes.to_string();
            partition(&fdisk, &image, &["--sector-size", &size], script);
        }
        let table = if kind == TableKind::Gpt {
            read(&device(&image)).unwrap()
        } else {
            read_with_sectors(&device(&image), sector_bytes).unwrap()
        };
        assert_eq!(table.kind, kind, "{name}");
        assert_eq!(table.sector_bytes, sector_bytes, "{name}");
        assert_eq!(table.findings, [], "{name}");
        let seen: Vec<_> = our_view(&table);
        let expected = blkid_view(&partx, &image, sector_bytes);
        // libblkid shows an extended partition with the length that Linux gives its device.
        let without_extended = |lines: Vec<String>| -> Vec<String> {
            let extended: Vec<String> = table
                .partitions
                .iter()
                .filter(|partition| partition.role == Role::Extended)
                .map(|partition| format!("{} ", partition.number))
                .collect();
            lines
                .into_iter()
                .filter(|line| !extended.iter().any(|number| line.starts_with(number)))
                .collect()
        };
        assert_eq!(without_extended(seen), without_extended(expected), "{name}");
        assert!(!table.partitions.is_empty());
    }
}

#[test]
fn a_wiped_first_copy_and_a_hybrid_by_sgdisk() {
    let Some(sgdisk) = tools::require("sgdisk") else {
        return;
    };
    let directory = TempDir::new();
    let image = directory.join("disk");
    fs::File::create(&image)
        .and_then(|file| file.set_len(32 << 20))
        .unwrap();
    let run = |arguments: &[&str]| tools::run(Command::new(&sgdisk).args(arguments).arg(&image));
    run(&[
        "-n", "1:0:+4M", "-n", "2:0:+4M", "-t", "2:8e00", "-c", "1:boot",
    ]);
    let whole = read(&device(&image)).unwrap();
    assert_eq!((whole.partitions.len(), &whole.findings[..]), (2, &[][..]));

    let mut bytes = fs::read(&image).unwrap();
    bytes[512..512 + 4096].fill(0);
    let damaged = read(&MemoryDevice::new(bytes)).unwrap();
    assert_eq!(damaged.partitions, whole.partitions);
    assert!(matches!(damaged.findings[..], [Finding::PrimaryDamaged(_)]));

    run(&["-h", "1:2"]);
    let hybrid = read(&device(&image)).unwrap();
    assert_eq!(hybrid.partitions, whole.partitions);
    assert_eq!(hybrid.findings, [Finding::HybridMbr]);
}
