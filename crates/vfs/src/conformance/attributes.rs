//! Extended attributes and access control lists.

use super::{Checked, Subject, cases, new, refused, same};
use crate::error::Error;
use crate::filesystem::{FileId, NewFile, NewKind};

cases![
    an_attribute_is_set_and_read: Attributes,
    an_attribute_is_replaced_and_removed: Attributes,
    many_attributes_are_sorted: Attributes,
    attributes_belong_to_every_kind: Attributes,
    a_name_without_a_namespace_is_refused: Attributes,
    what_is_too_much_is_refused_and_changes_nothing: Attributes,
    a_change_of_owner_takes_capabilities: Attributes,
    attributes_go_with_their_file: Attributes,
    content_and_attributes_do_not_meet: Attributes,
    a_list_sets_the_permissions: AccessLists,
    permissions_set_the_mask_of_a_list: AccessLists,
    a_list_that_says_no_more_is_not_kept: AccessLists,
    a_list_that_is_removed_leaves_the_permissions: AccessLists,
    what_is_no_list_is_refused: AccessLists,
    only_a_directory_has_a_default_list: AccessLists,
    a_default_list_is_passed_on: AccessLists,
    a_plain_default_list_restricts_permissions: AccessLists,
];

const ACCESS: &[u8] = b"system.posix_acl_access";
const DEFAULT: &[u8] = b"system.posix_acl_default";

fn value(subject: &mut Subject<'_>, file: FileId, name: &[u8]) -> Checked<Option<Vec<u8>>> {
    Ok(subject.fs.attribute(file, name)?)
}

fn permissions(subject: &mut Subject<'_>, file: FileId) -> Checked<u16> {
    Ok(subject.fs.attributes(file)?.permissions)
}

fn an_attribute_is_set_and_read(subject: &mut Subject<'_>) -> Checked {
    let file = subject.file("file")?;
    same("nothing", value(subject, file, b"user.a")?, None)?;
    for (name, content) in [
        (&b"user.a"[..], &b"value"[..]),
        (b"user.empty", b""),
        (b"security.selinux", b"system_u:object_r:etc_t:s0\0"),
        (b"trusted.b", b"\0\xff"),
        (b"user.\xff", &[7; 100]),
    ] {
        subject.fs.set_attribute(file, name, content)?;
        let found = value(subject, file, name)?;
        same("the value", found, Some(content.to_vec()))?;
    }
    same("another name", value(subject, file, b"user.aa")?, None)?;
    same("a prefix", value(subject, file, b"user.")?, None)
}

fn an_attribute_is_replaced_and_removed(subject: &mut Subject<'_>) -> Checked {
    let file = subject.file("file")?;
    for length in [3, 300, 0, 150, 3] {
        let content = vec![b'v'; length];
        subject.fs.set_attribute(file, b"user.a", &content)?;
        subject.fs.set_attribute(file, b"user.b", b"other")?;
        let found = value(subject, file, b"user.a")?;
        same("the value", found, Some(content))?;
    }
    subject.fs.remove_attribute(file, b"user.a")?;
    same("the removed", value(subject, file, b"user.a")?, None)?;
    refused!(
        subject.fs.remove_attribute(file, b"user.a"),
        Error::NotFound
    );
    let found = value(subject, file, b"user.b")?;
    same("the other", found, Some(b"other".to_vec()))?;
    subject.fs.remove_attribute(file, b"user.b")?;
    same("the names", subject.fs.attribute_names(file)?, Vec::new())
}

fn many_attributes_are_sorted(subject: &mut Subject<'_>) -> Checked {
    let file = subject.file("file")?;
    let mut expected = Vec::new();
    for number in [7, 2, 9, 1, 5, 3, 8, 0, 6, 4] {
        for prefix in ["user", "trusted"] {
            let name = format!("{prefix}.attribute{number}").into_bytes();
            subject.fs.set_attribute(file, &name, &[number; 9])?;
            expected.push(name);
        }
    }
    expected.sort_unstable();
    same("the names", subject.fs.attribute_names(file)?, expected)
}

fn attributes_belong_to_every_kind(subject: &mut Subject<'_>) -> Checked {
    let directory = subject.directory("directory")?;
    subject.fs.set_attribute(directory, b"user.a", b"1")?;
    same(
        "the value",
        value(subject, directory, b"user.a")?,
        Some(b"1".to_vec()),
    )?;
    if subject.fs.limits().target_bytes == 0 {
        return Ok(());
    }
    for (name, target) in [("short", vec![b't'; 10]), ("long", vec![b't'; 300])] {
        let link = subject.link(name, &target)?;
        subject.fs.set_attribute(link, b"security.a", b"1")?;
        subject.fs.set_attribute(link, b"trusted.a", b"2")?;
        refused!(
            subject.fs.set_attribute(link, b"user.a", b"3"),
            Error::NotPossible(_)
        );
        let found = value(subject, link, b"security.a")?;
        same("the value", found, Some(b"1".to_vec()))?;
        same("the target", subject.fs.read_link(link)?, target)?;
    }
    Ok(())
}

fn a_name_without_a_namespace_is_refused(subject: &mut Subject<'_>) -> Checked {
    let file = subject.file("file")?;
    let fs = &mut subject.fs;
    for name in [&b"name"[..], b"", b"other.name", b"system.other", b"user"] {
        refused!(fs.set_attribute(file, name, b"x"), Error::NotPossible(_));
    }
    refused!(fs.set_attribute(file, b"user.", b"x"), Error::InvalidName);
    let long = [&b"user."[..], &[b'n'; 251]].concat();
    refused!(fs.set_attribute(file, &long, b"x"), Error::NameTooLong);
    fs.set_attribute(file, &long[..255], b"x")?;
    same(
        "the names",
        fs.attribute_names(file)?,
        vec![long[..255].to_vec()],
    )
}

fn what_is_too_much_is_refused_and_changes_nothing(subject: &mut Subject<'_>) -> Checked {
    let file = subject.file("file")?;
    subject.fs.set_attribute(file, b"user.a", b"small")?;
    let most = subject.fs.limits().attribute_bytes;
    // How much is too much depends on the name and on what else is there; this is for every filesystem of Linux.
    let large = vec![1; most.max(65_536) + 1];
    refused!(
        subject.fs.set_attribute(file, b"user.a", &large),
        Error::NoAttributeSpace
    );
    refused!(
        subject.fs.set_attribute(file, b"user.b", &large),
        Error::NoAttributeSpace
    );
    let found = value(subject, file, b"user.a")?;
    same("the value", found, Some(b"small".to_vec()))?;
    // The largest is one that fits where nothing else is.
    subject.fs.remove_attribute(file, b"user.a")?;
    subject.fs.set_attribute(file, b"user.a", &large[..most])?;
    let found = value(subject, file, b"user.a")?;
    same("the largest", found.map(|value| value.len()), Some(most))
}

fn a_change_of_owner_takes_capabilities(subject: &mut Subject<'_>) -> Checked {
    // `cap_net_raw+ep` (Linux `include/uapi/linux/capability.h`, `struct vfs_cap_data`, revision 2).
    let capability = [
        1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ];
    let name = b"security.capability";
    let file = subject.file("file")?;
    subject.fs.set_attribute(file, name, &capability)?;
    subject.fs.write_at(file, b"content", 0)?;
    let found = value(subject, file, name)?;
    same("the capability", found, Some(capability.to_vec()))?;
    if subject.fs.limits().owners {
        subject.fs.set_owner(file, 1, 1)?;
        same("the capability", value(subject, file, name)?, None)?;
    }
    Ok(())
}

fn attributes_go_with_their_file(subject: &mut Subject<'_>) -> Checked {
    let mut free = 0;
    let most = subject.fs.limits().attribute_bytes.min(700);
    for round in 0..3 {
        for number in 0..10 {
            let file = subject.file(&format!("file {number}"))?;
            same("the names", subject.fs.attribute_names(file)?, Vec::new())?;
            // Some have the same values, which a filesystem may keep once.
            let content = vec![number % 3 + round; most];
            subject.fs.set_attribute(file, b"user.a", &content)?;
        }
        for number in 0..10 {
            let name = format!("file {number}");
            subject.fs.remove(subject.top, name.as_bytes())?;
        }
        if round == 0 {
            // The directory itself may have grown.
            free = subject.fs.statistics()?.free_blocks;
        }
    }
    same(
        "the free blocks",
        subject.fs.statistics()?.free_blocks,
        free,
    )
}

fn content_and_attributes_do_not_meet(subject: &mut Subject<'_>) -> Checked {
    let file = subject.file("file")?;
    let mut content = Vec::new();
    for step in 0..60_u8 {
        let part = vec![step; 7];
        subject.fs.write_at(file, &part, content.len() as u64)?;
        content.extend(part);
        let attribute = vec![step; usize::from(step) * 3 % 101];
        subject.fs.set_attribute(file, b"user.a", &attribute)?;
        same("the content", subject.content(file)? == content, true)?;
        let found = value(subject, file, b"user.a")?;
        same("the value", found, Some(attribute))?;
    }
    Ok(())
}

/// Encodes a list of (tag, permissions, user or group).
fn list(entries: &[(u16, u16, u32)]) -> Vec<u8> {
    let mut list = 2_u32.to_le_bytes().to_vec();
    for (tag, permissions, id) in entries {
        list.extend(tag.to_le_bytes());
        list.extend(permissions.to_le_bytes());
        list.extend(id.to_le_bytes());
    }
    list
}

const NONE: u32 = u32::MAX;

/// A list with a user, a group and a mask, of `0o764` by the mask.
fn named() -> Vec<u8> {
    list(&[
        (1, 7, NONE),
        (2, 5, 1000),
        (2, 0, 100_000),
        (4, 3, NONE),
        (8, 7, 50),
        (16, 6, NONE),
        (32, 4, NONE),
    ])
}

fn a_list_sets_the_permissions(subject: &mut Subject<'_>) -> Checked {
    let file = subject.file("file")?;
    subject.fs.set_permissions(file, 0o4600)?;
    subject.fs.set_attribute(file, ACCESS, &named())?;
    same("the permissions", permissions(subject, file)?, 0o4764)?;
    same("the list", value(subject, file, ACCESS)?, Some(named()))?;
    same(
        "the names",
        subject.fs.attribute_names(file)?,
        vec![ACCESS.to_vec()],
    )
}

fn permissions_set_the_mask_of_a_list(subject: &mut Subject<'_>) -> Checked {
    let file = subject.file("file")?;
    subject.fs.set_attribute(file, ACCESS, &named())?;
    subject.fs.set_permissions(file, 0o1251)?;
    same("the permissions", permissions(subject, file)?, 0o1251)?;
    let expected = list(&[
        (1, 2, NONE),
        (2, 5, 1000),
        (2, 0, 100_000),
        (4, 3, NONE),
        (8, 7, 50),
        (16, 5, NONE),
        (32, 1, NONE),
    ]);
    same("the list", value(subject, file, ACCESS)?, Some(expected))
}

fn a_list_that_says_no_more_is_not_kept(subject: &mut Subject<'_>) -> Checked {
    let file = subject.file("file")?;
    subject.fs.set_attribute(file, ACCESS, &named())?;
    let plain = list(&[(1, 6, 0), (4, 4, 0), (32, 0, 0)]);
    subject.fs.set_attribute(file, ACCESS, &plain)?;
    same("the permissions", permissions(subject, file)?, 0o640)?;
    same("the list", value(subject, file, ACCESS)?, None)?;
    // A mask says more, though it says the same; identities of the three classes are not kept.
    let masked = list(&[(1, 6, 1), (4, 4, 2), (16, 4, 3), (32, 0, 4)]);
    subject.fs.set_attribute(file, ACCESS, &masked)?;
    let expected = list(&[(1, 6, NONE), (4, 4, NONE), (16, 4, NONE), (32, 0, NONE)]);
    same("the list", value(subject, file, ACCESS)?, Some(expected))
}

fn a_list_that_is_removed_leaves_the_permissions(subject: &mut Subject<'_>) -> Checked {
    let file = subject.file("file")?;
    for empty in [None, Some(vec![]), Some(list(&[]))] {
        subject.fs.set_attribute(file, ACCESS, &named())?;
        match empty {
            None => subject.fs.remove_attribute(file, ACCESS)?,
            Some(empty) => subject.fs.set_attribute(file, ACCESS, &empty)?,
        }
        same("the list", value(subject, file, ACCESS)?, None)?;
        same("the permissions", permissions(subject, file)?, 0o764)?;
    }
    refused!(subject.fs.remove_attribute(file, ACCESS), Error::NotFound);
    Ok(())
}

fn what_is_no_list_is_refused(subject: &mut Subject<'_>) -> Checked {
    let file = subject.file("file")?;
    let mut wrong_version = named();
    wrong_version[0] = 1;
    for bad in [
        b"text".to_vec(),
        named()[..10].to_vec(),
        wrong_version,
        list(&[(1, 7, NONE)]),
        list(&[(1, 7, NONE), (2, 7, 5), (4, 7, NONE), (32, 7, NONE)]),
        list(&[(4, 7, NONE), (1, 7, NONE), (32, 7, NONE)]),
        list(&[(1, 8, NONE), (4, 7, NONE), (32, 7, NONE)]),
        list(&[(1, 7, NONE), (4, 7, NONE), (64, 7, NONE)]),
        list(&[(1, 7, NONE), (1, 7, NONE), (4, 7, NONE), (32, 7, NONE)]),
    ] {
        refused!(
            subject.fs.set_attribute(file, ACCESS, &bad),
            Error::InvalidAttribute
        );
    }
    same("the names", subject.fs.attribute_names(file)?, Vec::new())
}

fn only_a_directory_has_a_default_list(subject: &mut Subject<'_>) -> Checked {
    let file = subject.file("file")?;
    refused!(
        subject.fs.set_attribute(file, DEFAULT, &named()),
        Error::InvalidAttribute
    );
    let directory = subject.directory("directory")?;
    subject.fs.set_attribute(directory, DEFAULT, &named())?;
    let found = value(subject, directory, DEFAULT)?;
    same("the list", found, Some(named()))?;
    same("the permissions", permissions(subject, directory)?, 0o755)?;
    if subject.fs.limits().target_bytes > 0 {
        let link = subject.link("link", b"file")?;
        for name in [ACCESS, DEFAULT] {
            refused!(
                subject.fs.set_attribute(link, name, &named()),
                Error::NotPossible(_)
            );
        }
    }
    Ok(())
}

fn a_default_list_is_passed_on(subject: &mut Subject<'_>) -> Checked {
    let directory = subject.directory("directory")?;
    subject.fs.set_attribute(directory, DEFAULT, &named())?;
    let inherited = |mask| {
        list(&[
            (1, 6, NONE),
            (2, 5, 1000),
            (2, 0, 100_000),
            (4, 3, NONE),
            (8, 7, 50),
            (16, mask, NONE),
            (32, 0, NONE),
        ])
    };
    for (name, kind) in [("file", NewKind::File), ("below", NewKind::Directory)] {
        let new = NewFile {
            permissions: 0o640,
            ..new(kind)
        };
        let made = subject.fs.create(directory, name.as_bytes(), &new)?;
        same("the permissions", permissions(subject, made)?, 0o640)?;
        let found = value(subject, made, ACCESS)?;
        same("the list", found, Some(inherited(4)))?;
        let expected = matches!(kind, NewKind::Directory).then(named);
        same("the default", value(subject, made, DEFAULT)?, expected)?;
    }
    if subject.fs.limits().target_bytes > 0 {
        let new = new(NewKind::SymbolicLink(b"file"));
        let link = subject.fs.create(directory, b"link", &new)?;
        same("the link's", subject.fs.attribute_names(link)?, Vec::new())?;
    }
    Ok(())
}

fn a_plain_default_list_restricts_permissions(subject: &mut Subject<'_>) -> Checked {
    let directory = subject.directory("directory")?;
    let plain = list(&[(1, 7, NONE), (4, 5, NONE), (32, 0, NONE)]);
    subject.fs.set_attribute(directory, DEFAULT, &plain)?;
    let new = NewFile {
        permissions: 0o4666,
        ..new(NewKind::File)
    };
    let file = subject.fs.create(directory, b"file", &new)?;
    same("the permissions", permissions(subject, file)?, 0o4640)?;
    same("the list", value(subject, file, ACCESS)?, None)
}
