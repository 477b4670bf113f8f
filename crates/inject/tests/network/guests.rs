//! What an injection writes into guests with each renderer.

use std::collections::BTreeMap;
use std::io;

use christen_inject::{Request, Stage, inject};
use christen_instance::description::{Limits, parse};
use christen_instance::inputs::{
    FileSource, RandomSource, VendorDataFailure, VendorDataRequest, VendorDataService,
};
use christen_instance::{Context, Instance, NoCloud, Settings};
use christen_testkit::phony::{self, PhonyTree};
use christen_vfs::Timestamp;

/// Text of files by path.
pub(crate) type Files = BTreeMap<String, String>;

struct Nothing;

impl FileSource for Nothing {
    fn read(&self, _: &str, _: u64) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::NotFound.into())
    }
}

impl RandomSource for Nothing {
    fn fill(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        buffer.fill(7);
        Ok(())
    }
}

impl VendorDataService for Nothing {
    fn ask(&mut self, _: &VendorDataRequest) -> Result<String, VendorDataFailure> {
        unreachable!("no service is configured")
    }
}

pub(crate) fn instance(yaml: &str) -> Instance {
    match parse(yaml, "instance.yaml", &Nothing, &Limits::default()) {
        Ok(parsed) => parsed.instance,
        Err(findings) => panic!("{findings}\n{yaml}"),
    }
}

/// What a NoCloud drive says of the network.
pub(crate) fn network_config(instance: &Instance) -> String {
    let settings = Settings::default();
    let context = Context {
        settings: &settings,
        like_nova: false,
        random: &mut Nothing,
        vendordata: &mut Nothing,
    };
    let documents = NoCloud::new(instance, context).documents().unwrap();
    let document = documents.into_iter().find(|it| it.path == "network-config");
    String::from_utf8(document.expect("it has a network").content).unwrap()
}

/// Injects and returns the files that were written below `/etc`; the error's text if it cannot be.
pub(crate) fn written(guest: PhonyTree, instance: &Instance) -> Result<Files, String> {
    let mut fs = guest.into_fs();
    let settings = Settings::default();
    let mut request = Request {
        instance,
        settings: &settings,
        now: Timestamp {
            seconds: 1_764_000_000,
            nanoseconds: 0,
        },
        random: &mut Nothing,
    };
    let mut stage = Stage::new(&mut fs);
    inject(&mut stage, &mut request).map_err(|error| error.to_string())?;
    let changes = stage.changes().into_iter().filter_map(|change| {
        let content = change.after?.content?.bytes?;
        Some((change.path.to_string(), String::from_utf8(content).ok()?))
    });
    Ok(changes.collect())
}

pub(crate) fn with_netplan() -> PhonyTree {
    phony::debian_12()
}

pub(crate) fn with_network_manager() -> PhonyTree {
    phony::fedora_41()
}

pub(crate) fn with_networkd() -> PhonyTree {
    phony::arch()
}

pub(crate) fn with_ifupdown() -> PhonyTree {
    phony::debian_12()
        .without("/usr/sbin/netplan")
        .without("/etc/systemd/system/multi-user.target.wants/systemd-networkd.service")
        .program("/usr/sbin/ifup")
        .program("/usr/sbin/resolvconf")
        .file("/usr/lib/ifupdown/settle-dad.sh", "")
        .file("/etc/network/if-pre-up.d/ifenslave", "")
        .link(
            "/etc/systemd/system/multi-user.target.wants/networking.service",
            "/lib/systemd/system/networking.service",
        )
}

pub(crate) fn with_busybox() -> PhonyTree {
    phony::alpine_3_20().directories(&["/lib/udev/rules.d"])
}

pub(crate) fn with_ifcfg() -> PhonyTree {
    phony::fedora_41()
        .without("/etc/systemd/system/multi-user.target.wants/NetworkManager.service")
        .program("/usr/sbin/ifup")
        .file("/etc/sysconfig/network-scripts/network-functions", "")
        .link("/etc/rc.d/rc3.d/S10network", "../init.d/network")
}

pub(crate) fn with_wicked() -> PhonyTree {
    phony::opensuse_leap_15_6().directories(&["/usr/lib/udev/rules.d"])
}
