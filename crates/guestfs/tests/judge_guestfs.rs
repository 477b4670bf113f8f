//! The suite that every backend passes, through libguestfs: the kernel in the appliance is a second judge of the suite itself.

use std::env;
use std::fs;
use std::process::Command;
use std::sync::Arc;

use christen_block::MemoryDevice;
use christen_guestfs::{GuestFs, OpenOptions};
use christen_testkit::{TempDir, tools};
use christen_vfs::Timestamp;
use christen_vfs::conformance::{self, Capabilities};

/// All of it takes minutes under emulation, since each `finish` unmounts; `cargo xtask judge` sets this.
const FULL: &str = "CHRISTEN_JUDGE_FULL";

#[test]
fn the_suite_of_all_backends() {
    if env::var_os(FULL).is_none() {
        return;
    }
    let (Some(mkfs), Some(_)) = (tools::require("mke2fs"), tools::require("guestfish")) else {
        return;
    };
    let scratch = TempDir::new();
    let image = scratch.path().join("volume");
    fs::write(&image, vec![0; 64 << 20]).unwrap();
    tools::run(Command::new(mkfs).args(["-q", "-t", "ext4"]).arg(&image));
    let device = Arc::new(MemoryDevice::new(fs::read(&image).unwrap()));
    let options = OpenOptions {
        write: true,
        subvolume: None,
        emulate: true,
        now: Timestamp {
            seconds: 1_700_000_000,
            nanoseconds: 0,
        },
    };
    let mut guest = GuestFs::open(device.clone(), options).unwrap();
    let capabilities = Capabilities {
        // The appliance's clock goes on from the moment that is set.
        stamps: false,
        ..Capabilities::ALL
    };
    let report = conformance::run_in(&mut guest, &capabilities);
    assert!(report.is_clean(), "{report}");
    drop(guest);
    fs::write(&image, device.snapshot()).unwrap();
    tools::output("e2fsck", ["-fn".as_ref(), image.as_os_str()]);
}
