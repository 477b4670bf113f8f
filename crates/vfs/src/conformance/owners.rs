//! Owners and permission bits.

use super::{Checked, Subject, cases, new, refused, same};
use crate::error::Error;
use crate::filesystem::{FileId, NewFile, NewKind};

cases![
    a_new_file_is_as_asked: Owners,
    permissions_are_set_and_kept: Owners,
    owners_are_set_and_kept: Owners,
    a_change_of_owner_takes_privileges: Owners,
    a_directory_keeps_its_bits_when_its_owner_changes: Owners,
    a_directory_passes_on_its_group: Owners,
    a_link_has_an_owner_and_no_permissions: OwnedLinks,
    writing_takes_no_permissions: Owners,
];

type Owner = (u16, u32, u32);

fn owner(subject: &mut Subject<'_>, file: FileId) -> Checked<Owner> {
    let attributes = subject.fs.attributes(file)?;
    Ok((attributes.permissions, attributes.uid, attributes.gid))
}

fn a_new_file_is_as_asked(subject: &mut Subject<'_>) -> Checked {
    for (index, expected) in [
        (0o644, 0, 0),
        (0o7777, 1000, 1001),
        (0, 65_534, 65_535),
        (0o4711, 65_536, 1_000_000),
        (0o2770, 0x1234_5678, 0xfffe_ffff),
    ]
    .into_iter()
    .enumerate()
    {
        for kind in [NewKind::File, NewKind::Directory] {
            let name = format!("{index} {kind:?}");
            let new = NewFile {
                kind,
                permissions: expected.0,
                uid: expected.1,
                gid: expected.2,
            };
            let file = subject.fs.create(subject.top, name.as_bytes(), &new)?;
            same("owner and permissions", owner(subject, file)?, expected)?;
        }
    }
    Ok(())
}

fn permissions_are_set_and_kept(subject: &mut Subject<'_>) -> Checked {
    let file = subject.file_of("file", b"content")?;
    let directory = subject.directory("directory")?;
    for permissions in [0, 0o777, 0o7777, 0o4755, 0o2644, 0o1700] {
        for at in [file, directory] {
            subject.fs.set_permissions(at, permissions)?;
            same("the permissions", owner(subject, at)?.0, permissions)?;
        }
    }
    same("the content", subject.content(file)?, b"content".to_vec())
}

fn owners_are_set_and_kept(subject: &mut Subject<'_>) -> Checked {
    let file = subject.file("file")?;
    for (uid, gid) in [(1, 2), (65_535, 65_536), (0x7fff_ffff, 0x8000_0000), (0, 0)] {
        subject.fs.set_owner(file, uid, gid)?;
        same("the owner", owner(subject, file)?, (0o644, uid, gid))?;
    }
    Ok(())
}

fn a_change_of_owner_takes_privileges(subject: &mut Subject<'_>) -> Checked {
    let file = subject.file("file")?;
    for (before, after) in [
        (0o6755, 0o0755),
        (0o6745, 0o2745),
        (0o2755, 0o0755),
        (0o2644, 0o2644),
        (0o4644, 0o0644),
        (0o1644, 0o1644),
    ] {
        subject.fs.set_permissions(file, before)?;
        subject.fs.set_owner(file, 5, 5)?;
        same("the permissions", owner(subject, file)?.0, after)?;
    }
    Ok(())
}

fn a_directory_keeps_its_bits_when_its_owner_changes(subject: &mut Subject<'_>) -> Checked {
    let directory = subject.directory("directory")?;
    subject.fs.set_permissions(directory, 0o7755)?;
    subject.fs.set_owner(directory, 5, 6)?;
    same("the owner", owner(subject, directory)?, (0o7755, 5, 6))
}

fn a_directory_passes_on_its_group(subject: &mut Subject<'_>) -> Checked {
    let directory = subject.directory("directory")?;
    subject.fs.set_owner(directory, 7, 8)?;
    subject.fs.set_permissions(directory, 0o2775)?;
    let make = |subject: &mut Subject<'_>, name: &str, kind, permissions| -> Checked<Owner> {
        let new = NewFile {
            kind,
            permissions,
            uid: 1,
            gid: 2,
        };
        let file = subject.fs.create(directory, name.as_bytes(), &new)?;
        owner(subject, file)
    };
    let made = make(subject, "file", NewKind::File, 0o644)?;
    same("the file", made, (0o644, 1, 8))?;
    let made = make(subject, "set-group-ID", NewKind::File, 0o2755)?;
    same("the program", made, (0o2755, 1, 8))?;
    let made = make(subject, "directory", NewKind::Directory, 0o750)?;
    same("the directory", made, (0o2750, 1, 8))?;
    if subject.fs.limits().target_bytes > 0 {
        let made = make(subject, "link", NewKind::SymbolicLink(b"x"), 0o644)?;
        same("the link", made, (0o777, 1, 8))?;
    }
    Ok(())
}

fn a_link_has_an_owner_and_no_permissions(subject: &mut Subject<'_>) -> Checked {
    let new = NewFile {
        kind: NewKind::SymbolicLink(b"target"),
        permissions: 0o600,
        uid: 3,
        gid: 4,
    };
    let link = subject.fs.create(subject.top, b"link", &new)?;
    same("the link", owner(subject, link)?, (0o777, 3, 4))?;
    refused!(
        subject.fs.set_permissions(link, 0o600),
        Error::NotPossible(_)
    );
    subject.fs.set_owner(link, 70_000, 6)?;
    same("the link", owner(subject, link)?, (0o777, 70_000, 6))
}

fn writing_takes_no_permissions(subject: &mut Subject<'_>) -> Checked {
    let new = NewFile {
        permissions: 0o6755,
        ..new(NewKind::File)
    };
    let file = subject.fs.create(subject.top, b"file", &new)?;
    subject.fs.write_at(file, b"content", 0)?;
    subject.fs.set_size(file, 3)?;
    subject.fs.replace(file, &mut &b"other"[..])?;
    same("the permissions", owner(subject, file)?.0, 0o6755)
}
