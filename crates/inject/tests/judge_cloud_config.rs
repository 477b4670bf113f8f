//! cloud-init's configuration inside a guest, merged by us and by cloud-init's own code.

use std::fs;
use std::path::Path;

use christen_inject::guest::{CloudInit, Inspection};
use christen_testkit::phony::{self, PhonyTree};
use christen_testkit::{TempDir, cloud_init, python};
use christen_vfs::walk::{LastLink, resolve};
use christen_vfs::{FileSystem, GuestPath};
use serde_json::{Value, json};

/// Reads every configuration as cloud-init does, and asks for what we tell.
const PROGRAM: &str = r#"
import json, sys
question = json.load(sys.stdin)
sys.path.insert(0, question["packages"])
from cloudinit import util, settings
from cloudinit.distros import ug_util

class Distro:
    def get_default_user(self):
        return {"name": "DEFAULT"}

answers = []
for place in question["places"]:
    merged = util.read_conf_with_confd(place)
    cfg = util.mergemanydict([merged, settings.CFG_BUILTIN])
    users, _ = ug_util.normalize_users_groups(merged, Distro())
    default = "DEFAULT" in users
    name = merged.get("system_info", {}).get("default_user", {}).get("name") if default else None
    password = merged.get("ssh_pwauth")
    answers.append({
        "datasources": cfg["datasource_list"],
        "user": name,
        "disables_root": util.get_cfg_option_bool(merged, "disable_root", True),
        "password": True if util.is_true(password) else False if util.is_false(password) else None,
        "deletes": bool(merged.get("ssh_deletekeys", True)),
        "keeps": util.get_cfg_option_bool(merged, "preserve_hostname", False),
        "leaves": (merged.get("network") or {}).get("config") == "disabled",
        "renderers": (cfg["system_info"].get("network") or {}).get("renderers"),
    })
json.dump(answers, sys.stdout)
"#;

/// Files that are added to Debian's configuration.
const ADDITIONS: [&[(&str, &str)]; 9] = [
    &[
        ("10-a.cfg", "datasource_list: [Ec2]\n"),
        ("95-b.cfg", "datasource_list: [NoCloud, None]\n"),
    ],
    &[
        ("95-b.cfg", "datasource_list:\n- ConfigDrive\n- 'None'\n"),
        ("99-c.cfg.off", "datasource_list: [Ec2]\n"),
    ],
    &[
        ("99-a.cfg", "datasource_list: [Ec2\n"),
        ("98-b.cfg", "ssh_pwauth: yes\ndisable_root: no\n"),
    ],
    &[(
        "99-a.cfg",
        "users: [default, {name: me}]\nsystem_info: {default_user: {name: you}}\n",
    )],
    &[("99-a.cfg", "users: [{name: me}]\nssh_deletekeys: false\n")],
    &[(
        "99-a.cfg",
        "users: default\nssh_pwauth: 0\ndisable_root: \"off\"\n",
    )],
    &[(
        "99-a.cfg",
        "network: {config: disabled}\nssh_pwauth: unchanged\nsystem_info: {network: {renderers: [networkd]}}\n",
    )],
    &[
        ("99-a.cfg", ""),
        ("98-b.cfg", "# nothing\n"),
        ("97-c.cfg", "ssh_pwauth: 'yes'\nssh_pwauth: 'no'\n"),
    ],
    &[
        (
            "99-a.cfg",
            "users: []\ndisable_root: 1\npreserve_hostname: yes\n",
        ),
        (
            "98-b.cfg",
            "system_info: {default_user: {shell: /bin/sh}}\n",
        ),
    ],
];

fn copy(fs: &mut dyn FileSystem, from: &str, to: &Path) {
    let path = GuestPath::new(from).unwrap();
    let file = resolve(fs, &path, LastLink::Followed).unwrap();
    let size = fs.attributes(file).unwrap().size;
    let mut content = vec![0; size as usize];
    let filled = fs.read_at(file, &mut content, 0).unwrap();
    fs::write(to, &content[..filled]).unwrap();
}

/// Writes the configuration of a guest below a directory, and returns the path of its first file.
fn write_out(tree: &mut PhonyTree, directory: &Path) -> String {
    let place = directory.join("cloud.cfg");
    let below = directory.join("cloud.cfg.d");
    fs::create_dir_all(&below).unwrap();
    copy(tree.fs(), "/etc/cloud/cloud.cfg", &place);
    let path = GuestPath::new("/etc/cloud/cloud.cfg.d").unwrap();
    if let Ok(parts) = resolve(tree.fs(), &path, LastLink::Followed) {
        for entry in tree.fs().entries(parts).unwrap() {
            let name = String::from_utf8(entry.name).unwrap();
            copy(
                tree.fs(),
                &format!("/etc/cloud/cloud.cfg.d/{name}"),
                &below.join(&name),
            );
        }
    }
    place.to_str().unwrap().to_owned()
}

fn ours(found: &CloudInit, theirs: &Value) -> Value {
    // Of the built-in list we tell what every version has.
    let datasources = match &found.datasources.source {
        Some(_) => json!(found.datasources.names),
        None => {
            for name in &found.datasources.names {
                assert!(
                    theirs["datasources"]
                        .as_array()
                        .unwrap()
                        .contains(&json!(name))
                );
            }
            theirs["datasources"].clone()
        }
    };
    json!({
        "datasources": datasources,
        "user": found.default_user,
        "disables_root": found.disables_root,
        "password": found.ssh_password,
        "deletes": found.deletes_host_keys,
        "keeps": found.keeps_hostname,
        "leaves": found.leaves_network,
        "renderers": found.renderers,
    })
}

#[test]
fn cloud_init_merges_its_configuration_alike() {
    let versions = cloud_init::require();
    if versions.is_empty() {
        return;
    }
    let Some(interpreter) = python::require(&["yaml", "configobj", "jinja2"]) else {
        return;
    };
    let mut trees: Vec<PhonyTree> = phony::all().into_iter().map(|(_, tree)| tree).collect();
    for additions in ADDITIONS {
        let debian = phony::debian_12();
        trees.push(additions.iter().fold(debian, |tree, (name, text)| {
            tree.file(&format!("/etc/cloud/cloud.cfg.d/{name}"), text)
        }));
    }
    let scratch = TempDir::new();
    let places: Vec<_> = trees
        .iter_mut()
        .enumerate()
        .map(|(index, tree)| write_out(tree, &scratch.path().join(index.to_string())))
        .collect();
    for version in &versions {
        let question = json!({"packages": version.packages(), "places": places});
        let answer = python::ask(&interpreter, PROGRAM, &question.to_string());
        let theirs: Vec<Value> = serde_json::from_str(&answer).unwrap();
        assert_eq!(theirs.len(), trees.len());
        for (tree, theirs) in trees.iter_mut().zip(theirs) {
            let found = Inspection::read(tree.fs()).cloud_init.unwrap();
            assert_eq!(ours(&found, &theirs), theirs, "{found:#?}");
        }
    }
}
