//! Documents for the cloud-init inside the image, and what becomes of user data without them.

use std::fmt;

use christen_instance::inputs::{VendorDataFailure, VendorDataRequest, VendorDataService};
use christen_instance::model::{Guest, Seed};
use christen_instance::{Context, Document, Instance, NoCloud, OpenStack};

use crate::guest::{CloudInitState, Inspection};
use crate::{Existing, Item, ItemKind, Ownership, Request, Result, Secrecy, Stage};

/// cloud-init `cloudinit/sources/DataSourceNoCloud.py`, `seed_dirs`.
const NOCLOUD: &str = "/var/lib/cloud/seed/nocloud";
const NOCLOUD_FILES: [&str; 4] = ["meta-data", "user-data", "vendor-data", "network-config"];
/// `cloudinit/sources/DataSourceConfigDrive.py`, `seed_dir`.
const CONFIG_DRIVE: &str = "/var/lib/cloud/seed/config_drive";

/// Puts the documents into the image if the description asks for them; says so if there is user data and it does not.
pub(crate) fn inject(stage: &mut Stage<'_>, request: &mut Request<'_>) -> Result<()> {
    stage.begin(Item::new(ItemKind::Seed));
    let Some(seed) = request.instance.guest.seed_cloud_init else {
        if request.instance.user_data.is_some() {
            stage.notice(
                "user data is not put into the image by itself: `guest.seed_cloud_init` puts it there for the image's cloud-init, and a \
                 config drive or the metadata service bring it from outside",
            );
        }
        return Ok(());
    };
    check(stage, seed)?;
    // What is injected itself is not told again: accounts would be made and commands run a second time.
    let instance = Instance {
        guest: Guest::default(),
        files: Vec::new(),
        admin_password: None,
        ..request.instance.clone()
    };
    let mut services = NoServices;
    let context = Context {
        settings: request.settings,
        like_nova: false,
        random: request.random,
        vendordata: &mut services,
    };
    match seed {
        Seed::NoCloud => {
            let documents = NoCloud::new(&instance, context).documents()?;
            for name in NOCLOUD_FILES {
                if documents.iter().all(|document| document.path != name) {
                    stage.remove(&crate::guest_path(NOCLOUD).join(name.as_bytes()))?;
                }
            }
            write(stage, NOCLOUD, &documents)
        }
        Seed::ConfigDrive => {
            let documents = OpenStack::new(&instance, context).documents()?;
            write(stage, CONFIG_DRIVE, &documents)
        }
    }
}

/// The image's cloud-init must be there; whether it would look is said.
fn check(stage: &mut Stage<'_>, seed: Seed) -> Result<()> {
    let Some(cloud_init) = Inspection::read(stage.fs()).cloud_init else {
        return Err(
            stage.impossible("the guest has no cloud-init, which alone reads such documents")
        );
    };
    let name = match seed {
        Seed::NoCloud => "NoCloud",
        Seed::ConfigDrive => "ConfigDrive",
    };
    if cloud_init.state != CloudInitState::Enabled {
        stage.notice(format!(
            "the guest's cloud-init is {}, so that it reads nothing",
            cloud_init.state
        ));
    } else if !cloud_init.datasources.has(name) {
        stage.notice(format!(
            "the guest's cloud-init does not look for `{name}` (`datasource_list`)"
        ));
    }
    Ok(())
}

fn write(stage: &mut Stage<'_>, directory: &'static str, documents: &[Document]) -> Result<()> {
    let root = crate::guest_path(directory);
    stage.directory(&root, Ownership::root(0o700), Existing::Set)?;
    for document in documents {
        let path = root.join(document.path.as_bytes());
        stage.parents(&path)?;
        let own = Ownership::root(0o600);
        stage.write(
            &path,
            &document.content,
            own,
            Existing::Set,
            Secrecy::Secret,
        )?;
    }
    Ok(())
}

/// The operator's services answer for a machine that runs, and none is asked for one that does not.
struct NoServices;

impl fmt::Debug for NoServices {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("NoServices")
    }
}

impl VendorDataService for NoServices {
    fn ask(&mut self, _: &VendorDataRequest) -> Result<String, VendorDataFailure> {
        Err(VendorDataFailure {
            reason: "services are not asked for documents inside an image".to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use christen_testkit::phony;

    use super::*;
    use crate::testing::{guest, own, refusal, run_twice, text};

    const BASE: &str = "uuid: b65cee2f-8c69-4aeb-be2f-f79742548fc2\nhostname: web\nuser_data: '#!/bin/sh'\n\
                        admin_password: s3cret\nfiles: [{path: /x, text: y}]\n";

    fn yaml(seed: &str) -> String {
        format!("{BASE}guest: {{seed_cloud_init: {seed}, first_boot_commands: [once]}}\n")
    }

    #[test]
    fn documents_are_roots_and_tell_nothing_twice() {
        let mut fs = phony::debian_12()
            .file("/var/lib/cloud/seed/nocloud/network-config", "old")
            .into_fs();
        let told = run_twice(&mut fs, &yaml("nocloud"), inject);
        assert_eq!(told.notices, []);
        let at = |name: &str| format!("{NOCLOUD}/{name}");
        assert_eq!(own(&mut fs, NOCLOUD), (0o700, 0, 0));
        assert_eq!(own(&mut fs, &at("user-data")), (0o600, 0, 0));
        assert_eq!(text(&mut fs, &at("user-data")).unwrap(), "#!/bin/sh");
        assert!(text(&mut fs, &at("meta-data")).unwrap().contains("web"));
        assert_eq!(
            (
                text(&mut fs, &at("vendor-data")),
                text(&mut fs, &at("network-config"))
            ),
            (None, None)
        );
        assert!(told.changes.iter().all(|it| it.secrecy == Secrecy::Secret
            || it.after.as_ref().is_none_or(|it| it.content.is_none())));

        let mut fs = phony::debian_12().into_fs();
        // Its random seed is drawn: the test's source draws the same.
        let told = run_twice(&mut fs, &yaml("config-drive"), inject);
        assert_eq!(told.notices, []);
        let latest = |name: &str| format!("{CONFIG_DRIVE}/openstack/latest/{name}");
        assert_eq!(text(&mut fs, &latest("user_data")).unwrap(), "#!/bin/sh");
        let meta_data = text(&mut fs, &latest("meta_data.json")).unwrap();
        assert!(
            !meta_data.contains("s3cret") && !meta_data.contains("files"),
            "{meta_data}"
        );
    }

    #[test]
    fn user_data_is_not_lost_without_a_word() {
        let told = run_twice(&mut guest(&[]), BASE, inject);
        assert!(
            told.notices[0]
                .text
                .contains("user data is not put into the image")
        );
        assert!(told.changes.is_empty());
        assert!(
            run_twice(&mut guest(&[]), "name: a\n", inject)
                .notices
                .is_empty()
        );
    }

    #[test]
    fn a_guest_that_would_not_read_them_is_told_of() {
        assert!(
            refusal(&mut guest(&[("/etc/", "")]), &yaml("nocloud"), inject)
                .contains("no cloud-init")
        );
        let mut fs = phony::debian_12()
            .file("/etc/cloud/cloud-init.disabled", "")
            .into_fs();
        assert!(
            run_twice(&mut fs, &yaml("nocloud"), inject).notices[0]
                .text
                .contains("disabled by")
        );
        let only = "datasource_list: [ Ec2 ]\n";
        let mut fs = phony::debian_12()
            .file("/etc/cloud/cloud.cfg.d/99.cfg", only)
            .into_fs();
        assert!(
            run_twice(&mut fs, &yaml("nocloud"), inject).notices[0]
                .text
                .contains("does not look for `NoCloud`")
        );
    }
}
