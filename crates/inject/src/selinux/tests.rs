use christen_vfs::memory::Memory;

use super::*;
use crate::{Existing, Ownership, Secrecy};

const POLICY: &str = "\
# a comment\n\
/.*                     system_u:object_r:default_t:s0\n\
/etc(/.*)?              system_u:object_r:etc_t:s0\n\
/etc/shadow.*      --   system_u:object_r:shadow_t:s0\n\
/etc/exact\\.conf        system_u:object_r:exact_t:s0\n\
/root/\\.ssh(/.*)?       system_u:object_r:ssh_home_t:s0\n\
/tmp/.*                 <<none>>\n\
/usr/lib/.*             system_u:object_r:lib_t:s0\n";

fn write(stage: &mut Stage<'_>, name: &str, content: &str) {
    let name = path(name);
    stage.parents(&name).unwrap();
    stage
        .write(
            &name,
            content.as_bytes(),
            Ownership::root(0o644),
            Existing::Keep,
            Secrecy::Public,
        )
        .unwrap();
}

fn guest() -> Memory {
    let mut fs = Memory::new();
    let mut stage = Stage::new(&mut fs);
    write(
        &mut stage,
        CONFIG,
        "# one\nSELINUX=Enforcing\nSELINUXTYPE=strict\n",
    );
    let top = "/etc/selinux/strict/contexts";
    write(&mut stage, &format!("{top}/files/file_contexts"), POLICY);
    write(
        &mut stage,
        &format!("{top}/files/file_contexts.local"),
        "/etc/late.*  -- system_u:object_r:late_t:s0\n/etc/exact.* system_u:object_r:late_t:s0\n",
    );
    write(
        &mut stage,
        &format!("{top}/files/file_contexts.subs_dist"),
        "/lib /usr/lib\n/lib/deep /nowhere\n",
    );
    write(
        &mut stage,
        &format!("{top}/customizable_types"),
        "public_content_t\n",
    );
    fs
}

#[test]
fn the_last_match_counts_and_a_plain_path_before_all() {
    let mut fs = guest();
    let mut stage = Stage::new(&mut fs);
    let mut labels = Labels::read(&mut stage, "strict").unwrap().unwrap();
    let mut of = |name: &str, kind| {
        let label = labels.label(&path(name), kind).unwrap();
        label.map(|it| it.split(':').nth(2).unwrap().to_owned())
    };
    let is = |name: &str| Some(name.to_owned());
    assert_eq!(of("/etc/shadow", Kind::File), is("shadow_t"));
    assert_eq!(of("/etc/shadow", Kind::Directory), is("etc_t"));
    assert_eq!(of("/etc/late", Kind::File), is("late_t"));
    // The local pattern comes later, and yet the path itself counts.
    assert_eq!(of("/etc/exact.conf", Kind::File), is("exact_t"));
    assert_eq!(of("/etc/exactly", Kind::File), is("late_t"));
    assert_eq!(of("/tmp/x", Kind::File), None);
    assert_eq!(of("/tmp", Kind::Directory), is("default_t"));
    assert_eq!(of("/lib/x", Kind::File), is("lib_t"));
    assert_eq!(of("/lib/deep/x", Kind::File), is("lib_t"));
    assert_eq!(of("/library", Kind::File), is("default_t"));
    assert_eq!(of("/root/.ssh", Kind::Directory), is("ssh_home_t"));
    assert_eq!(of("/root/xssh", Kind::Directory), is("default_t"));
}

#[test]
fn what_is_staged_is_labelled_once() {
    let mut fs = guest();
    let mut stage = Stage::new(&mut fs);
    write(&mut stage, "/etc/kept", "");
    let set = |stage: &mut Stage<'_>, name: &str, label: &str| {
        stage
            .attribute(
                &path(name),
                LastLink::Kept,
                ATTRIBUTE,
                Some(label.as_bytes()),
            )
            .unwrap();
    };
    set(
        &mut stage,
        "/etc/kept",
        "staff_u:object_r:public_content_t:s0\0",
    );
    write(&mut stage, "/etc/moved", "");
    set(&mut stage, "/etc/moved", "staff_u:object_r:tmp_t:s0\0");
    for is_first in [true, false] {
        let mut stage = Stage::new(&mut fs);
        for name in ["/root/.ssh/k", "/etc/kept", "/etc/moved", "/tmp/t"] {
            write(&mut stage, name, "new");
        }
        super::label(&mut stage).unwrap();
        let mut label = |name: &str| {
            let value = stage.attribute_of(&path(name), LastLink::Kept, ATTRIBUTE);
            value.unwrap().map(|it| String::from_utf8(it).unwrap())
        };
        let is = |text: &str| Some(format!("{text}\0"));
        assert_eq!(label("/root/.ssh"), is("system_u:object_r:ssh_home_t:s0"));
        assert_eq!(label("/root/.ssh/k"), is("system_u:object_r:ssh_home_t:s0"));
        assert_eq!(
            label("/etc/kept"),
            is("staff_u:object_r:public_content_t:s0")
        );
        assert_eq!(label("/etc/moved"), is("staff_u:object_r:etc_t:s0"));
        assert_eq!(label("/tmp/t"), None);
        assert_eq!(label("/etc/shadow"), None);
        let changes = stage.changes();
        assert_eq!(changes.iter().any(|it| it.is_change()), is_first);
    }
}

#[test]
fn what_cannot_be_expressed_is_an_error_where_it_would_be_tried() {
    let mut fs = guest();
    let mut stage = Stage::new(&mut fs);
    let local = "/etc/selinux/strict/contexts/files/file_contexts.local";
    write(
        &mut stage,
        local,
        "/var/(?!x).* a:b:c\n/opt/a*+ a:b:c\n/srv/[a--z] a:b:c\n",
    );
    let mut labels = Labels::read(&mut stage, "strict").unwrap().unwrap();
    assert!(labels.label(&path("/etc/x"), Kind::File).is_ok());
    for (line, name) in [(1, "/var/x"), (2, "/opt/aa"), (3, "/srv/x")] {
        let error = labels.label(&path(name), Kind::File).unwrap_err();
        assert!(
            matches!(&error, Error::Broken { line: Some(it), .. } if *it == line),
            "{error}"
        );
    }
    write(&mut stage, local, "/a b c d\n");
    assert!(Labels::read(&mut stage, "strict").is_err());
    write(
        &mut stage,
        CONFIG,
        "SELINUX=enforcing\nSELINUXTYPE=../../x\n",
    );
    assert!(Config::read(&mut stage).is_err());
}

#[test]
fn classes_of_characters_are_perls() {
    let matches = |pattern: &str, path: &str| {
        super::pattern::compile(pattern.as_bytes())
            .unwrap()
            .is_match(path.as_bytes())
    };
    assert!(matches("/[^/]*", "/a[&&~~"));
    assert!(matches("/[[&~]+", "/[&~"));
    assert!(matches("/[]x]", "/]"));
    assert!(matches("/[[:digit:]]+", "/42"));
    assert!(!matches("/[[:digit:]]+", "/4x"));
    assert!(matches("/a\\-b\\_c", "/a-b_c"));
    assert!(matches("/.*", "/a\nb"));
    assert!(!matches("/a", "/ab"));
}

#[test]
fn the_configuration_is_read_as_libselinux_does() {
    let parse = |text: &str| {
        let config = Config::parse(text.as_bytes());
        (config.mode, config.policy)
    };
    assert_eq!(
        parse("# SELINUX=x\nSELINUX=Enforcing \nSELINUXTYPE=mls\n"),
        (Mode::Enforcing, "mls".to_owned())
    );
    assert_eq!(
        parse("SELINUX=odd\nSELINUX=permissive"),
        (Mode::Permissive, "targeted".to_owned())
    );
    assert_eq!(
        parse(" SELINUX=enforcing\n").0,
        Mode::Disabled,
        "a blank before it hides it"
    );
}
