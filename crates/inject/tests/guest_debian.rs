//! What is found in a real Debian tree, held against what Debian's tools say of it.

mod root;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use christen_block::image::{Format, Image, OpenOptions as ImageOptions, Purpose, StatedFormat};
use christen_ext4::{Access, Ext4, Journal, OpenOptions};
use christen_inject::doctor::{Drive, Facts, Severity, examine};
use christen_inject::guest::{CloudInitState, Init, Inspection, MachineId, ServiceState};
use christen_inject::network::Renderer;
use christen_testkit::guest::{self, cloud};
use christen_testkit::{TempDir, cloud_init, phony, tools};
use christen_vfs::Timestamp;

fn open(path: &Path) -> Ext4 {
    let image = Image::open(
        path,
        &ImageOptions {
            format: StatedFormat::Stated(Format::Raw),
            purpose: Purpose::Read { even_in_use: true },
            allow_backing: Vec::new(),
            redo_directory: None,
        },
    )
    .unwrap();
    let options = OpenOptions {
        access: Access::Read,
        journal: Journal::Refuse,
        now: Timestamp::default(),
        generation_seed: 0,
    };
    Ext4::open(image.disk(), &options).unwrap()
}

#[test]
#[ignore = "makes a guest; `cargo xtask guest-check` runs it"]
fn a_real_debian_is_as_its_tools_say() {
    if !guest::require() {
        return;
    }
    let (Some(debugfs), Some(dpkg_query)) =
        (tools::require("debugfs"), tools::require("dpkg-query"))
    else {
        return;
    };
    let path = cloud::root().unwrap();
    let mut fs = open(&path);
    let found = Inspection::read(&mut fs);
    assert_eq!(found.unread, []);

    // The database of packages, taken out by debugfs and read by dpkg.
    let directory = TempDir::new();
    fs::create_dir_all(directory.path().join("updates")).unwrap();
    fs::create_dir_all(directory.path().join("info")).unwrap();
    let status = directory.path().join("status");
    tools::run(
        Command::new(&debugfs)
            .arg("-R")
            .arg(format!("dump /var/lib/dpkg/status {}", status.display()))
            .arg(&path),
    );
    let listed = tools::run(
        Command::new(dpkg_query)
            .arg(format!("--admindir={}", directory.path().display()))
            .args(["-W", "-f", "${db:Status-Status} ${Package} ${Version}\n"]),
    );
    let theirs: Vec<_> = String::from_utf8(listed)
        .unwrap()
        .lines()
        .filter_map(|line| line.strip_prefix("installed ").map(str::to_owned))
        .collect();
    let ours: Vec<_> = found
        .packages
        .as_ref()
        .unwrap()
        .installed
        .as_ref()
        .unwrap()
        .iter()
        .map(|(name, version)| format!("{name} {version}"))
        .collect();
    assert!(ours.len() > 100);
    assert_eq!(ours, theirs);

    // cloud-init's own code of the same release tells its version.
    let cloud = found.cloud_init.as_ref().unwrap();
    if let Some(theirs) = cloud_init::require().first() {
        let theirs = theirs.version().unwrap();
        let ours = cloud.version.as_deref().unwrap();
        assert!(ours.starts_with(&theirs), "{ours} is not {theirs}");
    }
    assert_eq!(cloud.state, CloudInitState::Enabled);
    assert_eq!(cloud.datasources.names, ["ConfigDrive", "NoCloud", "None"]);
    assert_eq!(cloud.default_user.as_deref(), Some("debian"));

    let text = |file: &str| {
        let out = tools::run(
            Command::new(&debugfs)
                .arg("-R")
                .arg(format!("cat {file}"))
                .arg(&path),
        );
        String::from_utf8(out).unwrap()
    };
    let system = found.system.as_ref().unwrap();
    assert!(text("/usr/lib/os-release").contains(&format!("PRETTY_NAME=\"{}\"", system.name)));
    assert_eq!(found.architecture.unwrap().name(), "x86_64");
    assert_eq!(found.init, Some(Init::Systemd));
    assert_eq!(found.boot.kernels.len(), 1);
    assert_eq!(found.renderer.as_ref().unwrap().renderer, Renderer::Netplan);
    assert_eq!(found.sshd.as_ref().unwrap().state, ServiceState::Enabled);
    let names: Vec<_> = found.users.iter().map(|it| &it.name[..]).collect();
    assert_eq!(names, ["root"]);
    assert_ne!(found.leftovers.machine_id, MachineId::Invalid);
    // debugfs says what the package left in the directory.
    let listed = tools::run(
        Command::new(&debugfs)
            .args(["-R", "ls -p /etc/ssh"])
            .arg(&path),
    );
    let keys = String::from_utf8(listed)
        .unwrap()
        .lines()
        .filter(|line| line.contains("/ssh_host_") && line.contains("_key/"))
        .count();
    assert_eq!(found.leftovers.host_keys.len(), keys);
}

/// The test's guest was made by packages alone, and so has the host keys that the package of sshd makes; nothing else is wrong with it.
#[test]
#[ignore = "makes a guest; `cargo xtask guest-check` runs it"]
fn the_doctor_finds_little_in_a_real_debian() {
    if !guest::require() {
        return;
    }
    let mut fs = open(&cloud::root().unwrap());
    let facts = Facts {
        clean: Some(true),
        has_errors: Some(false),
        drive: Some(Drive::ConfigDrive),
    };
    let found = examine(&mut fs, &facts, None).unwrap();
    let found: Vec<_> = found.iter().map(|it| (it.rule, it.severity)).collect();
    assert_eq!(
        found,
        [
            ("fstab-device-name", Severity::Note),
            ("root-locked", Severity::Note),
            ("host-keys-left", Severity::Note),
        ]
    );
}

/// systemctl tells the same of every unit that can be enabled or masked.
#[test]
#[ignore = "makes a guest; `cargo xtask guest-check` runs it"]
fn systemctl_tells_the_same_of_every_unit() {
    if !guest::require() {
        return;
    }
    let (Some(debugfs), Some(systemctl)) = (tools::require("debugfs"), tools::require("systemctl"))
    else {
        return;
    };
    let path = cloud::root().unwrap();
    let root = TempDir::new();
    for above in ["etc", "usr/lib"] {
        let to = root.path().join(above);
        fs::create_dir_all(&to).unwrap();
        tools::run(
            Command::new(&debugfs)
                .arg("-R")
                .arg(format!("rdump /{above}/systemd {}", to.display()))
                .arg(&path),
        );
    }
    let told = tools::run(
        Command::new(systemctl)
            .arg(format!("--root={}", root.path().display()))
            .args(["list-unit-files", "--no-legend", "--no-pager"]),
    );
    let services = Inspection::read(&mut open(&path)).services;
    let mut counts = [0; 3];
    for line in String::from_utf8(told).unwrap().lines() {
        let mut words = line.split_ascii_whitespace();
        let (Some(unit), Some(theirs)) = (words.next(), words.next()) else {
            panic!("{line}");
        };
        // Static units have nothing that enables them, and an alias is another name; templates are enabled with an instance.
        let (count, expected) = match theirs {
            "enabled" => (0, ServiceState::Enabled),
            "masked" => (1, ServiceState::Masked),
            "disabled" => (2, ServiceState::Disabled),
            _ => continue,
        };
        if unit.contains('@') {
            continue;
        }
        // What comes with systemd may start a unit that is disabled.
        let ours = services.state(&[unit]);
        let is_vendors = expected == ServiceState::Disabled
            && fs::read_dir(root.path().join("usr/lib/systemd/system"))
                .unwrap()
                .filter_map(Result::ok)
                .any(|it| it.path().join(unit).symlink_metadata().is_ok());
        if !is_vendors {
            assert_eq!(ours, expected, "{unit}");
        }
        counts[count] += 1;
    }
    assert!(counts.iter().all(|it| *it > 3), "{counts:?}");
}

/// The guest's own sshd says what its configuration means (`sshd -T`), in a root of its own that holds the program and its libraries.
#[test]
#[ignore = "makes a guest; `cargo xtask guest-check` runs it"]
fn a_real_sshd_reads_the_same_configuration() {
    if !guest::require() {
        return;
    }
    let (Some(debugfs), Some(keygen)) = (tools::require("debugfs"), tools::require("ssh-keygen"))
    else {
        return;
    };
    let image = cloud::root().unwrap();
    let directory = TempDir::new();
    let at = |path: &str| directory.path().join(path);
    for below in [
        "dev",
        "etc/ssh/sshd_config.d",
        "usr/lib",
        "usr/sbin",
        "run/sshd",
    ] {
        fs::create_dir_all(at(below)).unwrap();
    }
    for (request, to) in [
        ("rdump /usr/lib/x86_64-linux-gnu", "usr/lib"),
        ("dump /usr/sbin/sshd", "usr/sbin/sshd"),
    ] {
        tools::run(
            Command::new(&debugfs)
                .arg("-R")
                .arg(format!("{request} {}", at(to).display()))
                .arg(&image),
        );
    }
    fs::set_permissions(at("usr/sbin/sshd"), fs::Permissions::from_mode(0o755)).unwrap();
    symlink("usr/lib", at("lib")).unwrap();
    symlink("usr/lib/x86_64-linux-gnu", at("lib64")).unwrap();
    fs::write(at("dev/null"), "").unwrap();
    fs::write(at("etc/nsswitch.conf"), "passwd: files\nhosts: files\n").unwrap();
    fs::write(
        at("etc/passwd"),
        "root:x:0:0::/root:/bin/sh\nsshd:x:101:65534::/run/sshd:/usr/sbin/nologin\n",
    )
    .unwrap();
    tools::run(
        Command::new(keygen)
            .args(["-q", "-t", "ed25519", "-N", "", "-f"])
            .arg(at("etc/ssh/ssh_host_ed25519_key")),
    );
    for (main, first, second) in [
        (
            "Include sshd_config.d/*.conf\nPermitRootLogin yes\n",
            "PermitRootLogin no\n",
            "UsePAM yes\n",
        ),
        (
            "PermitRootLogin yes\nInclude /etc/ssh/sshd_config.d/*.conf\n",
            "PermitRootLogin no\n",
            "PermitRootLogin no\n",
        ),
        (
            "PasswordAuthentication=no\nallowusers a \"b c\"\nAllowUsers d # e\n",
            "",
            "",
        ),
        (
            "Include sshd_config.d/1*.conf\n",
            "Match User x\n PermitRootLogin no\n",
            "PermitEmptyPasswords yes\n",
        ),
        (
            "Include sshd_config.d/*\nAuthorizedKeysFile /k/%u .ssh/a\n",
            "Match all\nX11Forwarding yes\n",
            "PubkeyAuthentication no\nPasswordAuthentication yes\n",
        ),
        (
            "AuthorizedKeysFile \"/k k/%u\" none\nUsePAM yes\nUsePAM no\n",
            "",
            "",
        ),
        (
            "\tPermitRootLogin\t without-password \r\n#UsePAM yes\n",
            "",
            "",
        ),
        (
            "PermitRootLogin = forced-commands-only\nDenyUsers a\nDenyUsers b@c\n",
            "",
            "",
        ),
    ] {
        let files = [
            ("etc/ssh/sshd_config", main),
            ("etc/ssh/sshd_config.d/10-first.conf", first),
            ("etc/ssh/sshd_config.d/20-second.conf", second),
        ];
        let mut tree = phony::debian_12();
        for (path, text) in files {
            fs::write(at(path), text).unwrap();
            tree = tree.file(&format!("/{path}"), text);
        }
        let Some(mut command) = root::as_root() else {
            return;
        };
        let told = tools::run(
            command
                .arg("chroot")
                .arg(directory.path())
                .args(["/usr/sbin/sshd", "-T"]),
        );
        let told = String::from_utf8(told).unwrap();
        let theirs = |keyword: &str| -> Vec<String> {
            told.lines()
                .filter_map(|line| line.strip_prefix(keyword)?.strip_prefix(' '))
                .map(str::to_owned)
                .collect()
        };
        let found = Inspection::read(tree.fs()).sshd.unwrap().config;
        for (keyword, default) in [
            ("permitrootlogin", "prohibit-password"),
            ("passwordauthentication", "yes"),
            ("pubkeyauthentication", "yes"),
            ("permitemptypasswords", "no"),
            ("usepam", "no"),
        ] {
            // The old name of the same.
            let ours = found
                .word(keyword, default)
                .replace("prohibit-password", "without-password");
            assert_eq!(theirs(keyword), [ours], "{keyword} of {files:?}");
        }
        for keyword in ["allowusers", "denyusers"] {
            let ours = found.get(keyword).map(|it| it.arguments.clone());
            assert_eq!(theirs(keyword), ours.unwrap_or_default(), "{files:?}");
        }
        let ours = found.get("authorizedkeysfile").map_or_else(
            || ".ssh/authorized_keys .ssh/authorized_keys2".to_owned(),
            |it| it.arguments.join(" "),
        );
        assert_eq!(theirs("authorizedkeysfile"), [ours], "{files:?}");
    }
}

/// The guest's own `ds-identify` finds the same datasources and the same policy in the configuration.
#[test]
#[ignore = "makes a guest; `cargo xtask guest-check` runs it"]
fn a_real_ds_identify_finds_the_same_datasources() {
    if !guest::require() {
        return;
    }
    let Some(debugfs) = tools::require("debugfs") else {
        return;
    };
    let root = TempDir::new();
    let script = root.path().join("ds-identify");
    let text = tools::run(
        Command::new(debugfs)
            .args(["-R", "cat /usr/lib/cloud-init/ds-identify"])
            .arg(cloud::root().unwrap()),
    );
    fs::write(&script, text).unwrap();
    let below = root.path().join("etc/cloud/cloud.cfg.d");
    fs::create_dir_all(&below).unwrap();
    for (list, identify) in [
        ("[ NoCloud, ConfigDrive, None ]", ""),
        ("['NoCloud', \"Ec2\"]", "policy: enabled\n"),
        (
            "[ Ec2 ] # why",
            "# policy: a\n datasource :  'OpenStack' # b\n",
        ),
        (
            "[Ec2]",
            "policy: search,found=all\npolicy: \"disabled\"\nno\n",
        ),
    ] {
        let line = format!("datasource_list: {list}\n");
        fs::write(below.join("99-list.cfg"), &line).unwrap();
        fs::write(
            root.path().join("etc/cloud/cloud.cfg"),
            "users: [default]\n",
        )
        .unwrap();
        fs::write(root.path().join("etc/cloud/ds-identify.cfg"), identify).unwrap();
        let told = tools::run(
            Command::new("sh")
                .arg("-c")
                .arg(
                    r#". "$1"; _rc_dsname= _rc_policy=; _read_config < "$PATH_DI_CONFIG"; DI_DSNAME=$_rc_dsname
                       DI_DSLIST=; DI_KERNEL_CMDLINE=; read_datasource_list; echo "$DI_DSLIST|$_rc_policy""#,
                )
                .arg("sh")
                .arg(&script)
                .env("DI_MAIN", "noop")
                .env("DI_LOG", "stderr")
                .env("PATH_ROOT", root.path()),
        );
        let mut tree = phony::debian_12()
            .file("/etc/cloud/cloud.cfg.d/99-list.cfg", &line)
            .file("/etc/cloud/ds-identify.cfg", identify);
        let found = Inspection::read(tree.fs()).cloud_init.unwrap();
        let ours = format!(
            "{}|{}\n",
            found.datasources.names.join(" "),
            found.policy.unwrap_or_default()
        );
        assert_eq!(ours, String::from_utf8(told).unwrap(), "{list}, {identify}");
    }
}
