//! Drives made by other people's programs, from one tree.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use christen_testkit::temp::TempDir;
use christen_testkit::tools::{output, require};

/// A tree like Nova's, with names (in UCS-2: none of the tools writes surrogates whole) that each format must shorten or encode, sizes around a
/// block, a symbolic link and a directory deeper than ISO 9660 allows.
pub(crate) fn tree(root: &Path) {
    nova_tree(root);
    let sizes = root.join("sizes");
    fs::create_dir_all(&sizes).unwrap();
    for size in [0_usize, 1, 2047, 2048, 2049, 70_000] {
        let content: Vec<u8> = (0..size).map(|index| (index % 251) as u8).collect();
        fs::write(sizes.join(format!("file-of-{size}-bytes.bin")), content).unwrap();
    }
    let deep = root.join("d1/d2/d3/d4/d5/d6/d7/d8/d9");
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("deep.txt"), b"deep").unwrap();
    let names = root.join("names");
    fs::create_dir_all(&names).unwrap();
    fs::write(names.join("grüße-日本.txt"), b"unicode").unwrap();
    fs::write(names.join("a.b.c.d"), b"dots").unwrap();
    fs::write(names.join(".hidden"), b"hidden").unwrap();
    fs::write(names.join("n".repeat(60)), b"long").unwrap();
}

/// Nova's own tree, small.
pub(crate) fn nova_tree(root: &Path) {
    let write = |path: &str, content: &str| {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    };
    for version in [
        "2012-08-10",
        "2013-04-04",
        "2013-10-17",
        "2025-04-04",
        "latest",
    ] {
        write(&format!("openstack/{version}/meta_data.json"), META_DATA);
        write(
            &format!("openstack/{version}/user_data"),
            "#!/bin/sh\ntrue\n",
        );
        if version > "2013-04-04" {
            write(&format!("openstack/{version}/vendor_data.json"), "{}");
        }
        if version > "2015" {
            write(
                &format!("openstack/{version}/network_data.json"),
                NETWORK_DATA,
            );
            write(&format!("openstack/{version}/vendor_data2.json"), "{}");
        }
    }
    for version in ["2009-04-04", "latest"] {
        write(&format!("ec2/{version}/meta-data.json"), EC2_META_DATA);
        write(&format!("ec2/{version}/user-data"), "#!/bin/sh\ntrue\n");
    }
    write("openstack/content/0000", "iface eth0 inet dhcp\n");
    write("openstack/content/0001", "a file\n");
}

pub(crate) const META_DATA: &str = r#"{"uuid": "b3c0f0a2-0d3e-4f7a-9d2f-0c1c1f1f2a10", "files": [{"path": "/etc/motd", "content_path": "/content/0001"}], "admin_pass": "s3cret-word", "network_config": {"name": "network_config", "content_path": "/content/0000"}, "hostname": "web.novalocal", "name": "web", "launch_index": 0, "availability_zone": "nova", "random_seed": "c2VlZA==", "project_id": "p", "devices": [], "dedicated_cpus": []}"#;

pub(crate) const NETWORK_DATA: &str = r#"{"links": [{"id": "tap0", "vif_id": "v", "type": "ovs", "mtu": null, "ethernet_mac_address": "fa:16:3e:00:00:01"}], "networks": [{"id": "network0", "type": "ipv4_dhcp", "link": "tap0", "network_id": "n"}], "services": [{"type": "dns", "address": "192.0.2.1"}]}"#;

pub(crate) const EC2_META_DATA: &str = r#"{"ami-id": "ami-00000001", "ami-launch-index": 0, "ami-manifest-path": "FIXME", "instance-id": "i-00000001", "hostname": "web.novalocal", "local-ipv4": null, "reservation-id": "r-00000000", "security-groups": []}"#;

/// A drive and the tree it was made of.
pub(crate) struct Made {
    pub(crate) directory: TempDir,
    pub(crate) tree: PathBuf,
    pub(crate) image: PathBuf,
}

impl Made {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        fs::read(&self.image).unwrap()
    }
}

fn prepare(fill: fn(&Path)) -> Made {
    let directory = TempDir::new();
    let tree = directory.path().join("tree");
    fs::create_dir(&tree).unwrap();
    fill(&tree);
    let image = directory.path().join("drive");
    Made {
        directory,
        tree,
        image,
    }
}

/// By genisoimage with Nova's argument line.
pub(crate) fn genisoimage(fill: fn(&Path), more: &[&str]) -> Option<Made> {
    let tool = require("genisoimage")?;
    let made = prepare(fill);
    if more.contains(&"-R") {
        symlink("../openstack/latest", made.tree.join("link")).unwrap();
    }
    let nova = [
        "-ldots",
        "-allow-lowercase",
        "-allow-multidot",
        "-l",
        "-publisher",
        "OpenStack Nova 34.0.0",
        "-quiet",
        "-J",
        "-r",
        "-V",
        "config-2",
    ];
    let mut arguments = vec!["-o".to_owned(), made.image.display().to_string()];
    arguments.extend(
        nova.iter()
            .chain(more)
            .map(|argument| (*argument).to_owned()),
    );
    arguments.push(made.tree.display().to_string());
    output(tool, arguments);
    Some(made)
}

/// By genisoimage with these arguments alone.
pub(crate) fn genisoimage_plain(fill: fn(&Path), arguments: &[&str]) -> Option<Made> {
    let tool = require("genisoimage")?;
    let made = prepare(fill);
    let mut all: Vec<String> = arguments
        .iter()
        .map(|argument| (*argument).to_owned())
        .collect();
    all.extend(["-quiet", "-V", "config-2", "-o"].map(str::to_owned));
    all.push(made.image.display().to_string());
    all.push(made.tree.display().to_string());
    output(tool, all);
    Some(made)
}

/// By xorriso as mkisofs.
pub(crate) fn xorriso(fill: fn(&Path), more: &[&str]) -> Option<Made> {
    let tool = require("xorriso")?;
    let made = prepare(fill);
    let mut all = vec!["-as".to_owned(), "mkisofs".to_owned(), "-quiet".to_owned()];
    all.extend(more.iter().map(|argument| (*argument).to_owned()));
    all.extend(["-V", "config-2", "-o"].map(str::to_owned));
    all.push(made.image.display().to_string());
    all.push(made.tree.display().to_string());
    output(tool, all);
    Some(made)
}

/// By mkfs.vfat and mcopy, with so many bits and bytes.
pub(crate) fn mkfs_vfat(fill: fn(&Path), bits: u8, bytes: u64) -> Option<Made> {
    let mkfs = require("mkfs.vfat")?;
    let mcopy = require("mcopy")?;
    let made = prepare(fill);
    fs::File::create(&made.image)
        .unwrap()
        .set_len(bytes)
        .unwrap();
    let image = made.image.display().to_string();
    let bits = bits.to_string();
    output(mkfs, ["-F", bits.as_str(), "-n", "CONFIG-2", &image]);
    let mut arguments = vec!["-s".to_owned(), "-Q".to_owned(), "-i".to_owned(), image];
    let mut entries: Vec<_> = fs::read_dir(&made.tree)
        .unwrap()
        .map(|entry| entry.unwrap().path().display().to_string())
        .collect();
    entries.sort();
    arguments.extend(entries);
    arguments.push("::/".to_owned());
    output(mcopy, arguments);
    Some(made)
}

/// By cloud-localds, as ISO or VFAT.
pub(crate) fn cloud_localds(format: &str) -> Option<Made> {
    let tool = require("cloud-localds")?;
    require("genisoimage")?;
    require("mcopy")?;
    let made = prepare(|root| {
        fs::write(root.join("user-data"), "#cloud-config\nhostname: a\n").unwrap();
        fs::write(
            root.join("meta-data"),
            "instance-id: i-1\nlocal-hostname: a\n",
        )
        .unwrap();
    });
    let path = |name: &str| made.tree.join(name).display().to_string();
    output(
        tool,
        [
            "--filesystem".to_owned(),
            format.to_owned(),
            made.image.display().to_string(),
            path("user-data"),
            path("meta-data"),
        ],
    );
    Some(made)
}

/// What is in a directory of the host: path, content of a file.
pub(crate) fn host_tree(root: &Path) -> Vec<(String, Option<Vec<u8>>)> {
    let mut found = Vec::new();
    let mut waiting = vec![root.to_owned()];
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path
                .strip_prefix(root)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            if path.is_symlink() {
                continue;
            }
            if path.is_dir() {
                found.push((name, None));
                waiting.push(path);
            } else {
                found.push((name, Some(fs::read(path).unwrap())));
            }
        }
    }
    found.sort();
    found
}
