//! How much memory a large file takes: less than 64 MiB, however large it is. GNU time says it.
//!
//! 96 MiB by default; with `CHRISTEN_JUDGE_FULL` 2 GiB.

mod image_support;
mod support;

use std::fs::{self, File};
use std::io::Write;
use std::process::Command;

use christen_testkit::{TempDir, tools};
use image_support::Tools;

const LIMIT_KIBIBYTES: u64 = 64 << 10;

#[test]
fn a_large_file_takes_little_memory() {
    let (Some(tools), Some(time), Some(qemu_img)) = (
        Tools::require(),
        tools::require("time"),
        tools::require("qemu-img"),
    ) else {
        return;
    };
    let is_full = std::env::var_os("CHRISTEN_JUDGE_FULL").is_some();
    let mebibytes = if is_full { 2048 } else { 96 };
    let directory = match is_full {
        true => TempDir::new(),
        false => TempDir::in_memory(),
    };
    let mut payload = File::create(directory.join("payload")).expect("the directory is ours");
    for number in 0..mebibytes {
        // No two sectors alike, and none of zeros.
        let bytes: Vec<u8> = (0..1_u32 << 18)
            .flat_map(|word| (word ^ (number as u32) << 20 | 1).to_le_bytes())
            .collect();
        payload.write_all(&bytes).expect("there is room");
    }
    drop(payload);
    let image = directory.join("raw");
    for (format, more, result) in [
        ("raw", "", "raw"),
        ("raw", "--output=new", "new"),
        ("qcow2", "", "qcow2"),
    ] {
        tools.filesystem(&image, mebibytes + 64 + mebibytes / 8, &["-t", "ext4"]);
        let target = directory.join(format);
        if format == "qcow2" {
            let arguments = ["convert", "-f", "raw", "-O", "qcow2"];
            tools::run(
                Command::new(&qemu_img)
                    .args(arguments)
                    .args([&image, &target]),
            );
        }
        let told = directory.join("told");
        tools::run(
            Command::new(&time)
                .args(["-f", "%M", "-o"])
                .arg(&told)
                .arg(env!("CARGO_BIN_EXE_christen"))
                .args(["put", format, "payload", "/large", "--format", format])
                .args(Some(more).filter(|more| !more.is_empty()))
                .current_dir(&*directory),
        );
        let told = fs::read_to_string(told).expect("it is there");
        let peak: u64 = told.trim().parse().expect("a number");
        assert!(peak < LIMIT_KIBIBYTES, "{format} {more}: {peak} KiB");
        let result = directory.join(result);
        if format == "qcow2" {
            tools::run(Command::new(&qemu_img).arg("check").arg(&result));
        } else {
            tools.check(&result);
            let shown = tools.stat(&result, "/large");
            assert!(
                shown.contains(&format!("Size: {}", mebibytes << 20)),
                "{shown}"
            );
        }
        fs::remove_file(&result).expect("it is ours");
    }
}
