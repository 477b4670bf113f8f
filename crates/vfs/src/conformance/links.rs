//! Symbolic links and hard links.

use super::{Checked, Subject, cases, new, refused, same};
use crate::error::Error;
use crate::filesystem::{Kind, NewKind};

cases![
    a_link_keeps_its_target: SymbolicLinks,
    a_target_that_cannot_be_held_is_refused: SymbolicLinks,
    a_link_has_no_content_and_no_entries: SymbolicLinks,
    only_a_link_has_a_target: Nothing,
    a_link_is_removed_not_followed: SymbolicLinks,
    two_names_are_one_file: HardLinks,
    a_file_goes_with_its_last_name: HardLinks,
    a_directory_has_one_name: HardLinks,
    a_second_name_must_be_free: HardLinks,
    a_link_has_a_second_name: SymbolicLinks,
];

fn a_link_keeps_its_target(subject: &mut Subject<'_>) -> Checked {
    let most = subject.fs.limits().target_bytes;
    for length in [1, 30, 58, 59, 60, 61, 100, 155, 156, 200, 1000, most] {
        if length > most {
            continue;
        }
        let target = vec![b't'; length];
        let link = subject.link(&format!("link {length}"), &target)?;
        let attributes = subject.fs.attributes(link)?;
        same("the kind", attributes.kind, Kind::SymbolicLink)?;
        same("the size", attributes.size, length as u64)?;
        same("the target", subject.fs.read_link(link)? == target, true)?;
    }
    let link = subject.link("bytes", b"\xff/../ \n")?;
    let target = subject.fs.read_link(link)?;
    same("the target", target, b"\xff/../ \n".to_vec())
}

fn a_target_that_cannot_be_held_is_refused(subject: &mut Subject<'_>) -> Checked {
    let long = vec![b't'; subject.fs.limits().target_bytes + 1];
    for target in [&b""[..], &long] {
        let new = new(NewKind::SymbolicLink(target));
        refused!(
            subject.fs.create(subject.top, b"link", &new),
            Error::InvalidTarget
        );
    }
    same("the list", subject.names(subject.top)?, Vec::new())
}

fn a_link_has_no_content_and_no_entries(subject: &mut Subject<'_>) -> Checked {
    let link = subject.link("link", b"/")?;
    let (fs, top) = (&mut subject.fs, subject.top);
    refused!(fs.read_at(link, &mut [0], 0), Error::NotFile);
    refused!(fs.write_at(link, b"x", 0), Error::NotFile);
    refused!(fs.set_size(link, 0), Error::NotFile);
    refused!(fs.entries(link), Error::NotDirectory);
    refused!(fs.lookup(link, b"x"), Error::NotDirectory);
    refused!(fs.rename(top, b"link", link, b"x"), Error::NotDirectory);
    Ok(())
}

fn only_a_link_has_a_target(subject: &mut Subject<'_>) -> Checked {
    let file = subject.file("file")?;
    refused!(subject.fs.read_link(file), Error::NotLink);
    refused!(subject.fs.read_link(subject.top), Error::NotLink);
    Ok(())
}

fn a_link_is_removed_not_followed(subject: &mut Subject<'_>) -> Checked {
    subject.file("file")?;
    subject.link("link", b"file")?;
    let long = b"./".repeat(100);
    subject.link("long", &long)?;
    subject.fs.remove(subject.top, b"link")?;
    subject.fs.remove(subject.top, b"long")?;
    same(
        "the list",
        subject.names(subject.top)?,
        vec![b"file".to_vec()],
    )
}

fn two_names_are_one_file(subject: &mut Subject<'_>) -> Checked {
    let file = subject.file_of("one", b"content")?;
    let directory = subject.directory("directory")?;
    subject.fs.link(file, directory, b"two")?;
    same(
        "the second name's file",
        subject.fs.lookup(directory, b"two")?,
        Some(file),
    )?;
    same("the links", subject.fs.attributes(file)?.links, 2)?;
    subject.fs.write_at(file, b"other", 0)?;
    same("the content", subject.content(file)?, b"othernt".to_vec())
}

fn a_file_goes_with_its_last_name(subject: &mut Subject<'_>) -> Checked {
    let free = subject.fs.statistics()?.free_files;
    let file = subject.file_of("one", b"content")?;
    subject.fs.link(file, subject.top, b"two")?;
    subject.fs.link(file, subject.top, b"three")?;
    subject.fs.remove(subject.top, b"one")?;
    subject.fs.remove(subject.top, b"three")?;
    same("the links", subject.fs.attributes(file)?.links, 1)?;
    same("the content", subject.content(file)?, b"content".to_vec())?;
    subject.fs.remove(subject.top, b"two")?;
    same("the free inodes", subject.fs.statistics()?.free_files, free)
}

fn a_directory_has_one_name(subject: &mut Subject<'_>) -> Checked {
    let directory = subject.directory("directory")?;
    refused!(
        subject.fs.link(directory, subject.top, b"two"),
        Error::IsDirectory
    );
    Ok(())
}

fn a_second_name_must_be_free(subject: &mut Subject<'_>) -> Checked {
    let file = subject.file("file")?;
    subject.directory("directory")?;
    let (fs, top) = (&mut subject.fs, subject.top);
    refused!(fs.link(file, top, b"file"), Error::Exists);
    refused!(fs.link(file, top, b"directory"), Error::Exists);
    refused!(fs.link(file, top, b".."), Error::InvalidName);
    refused!(fs.link(file, file, b"x"), Error::NotDirectory);
    same("the links", fs.attributes(file)?.links, 1)
}

fn a_link_has_a_second_name(subject: &mut Subject<'_>) -> Checked {
    if subject.fs.limits().links < 2 {
        return Ok(());
    }
    let link = subject.link("link", b"nowhere")?;
    subject.fs.link(link, subject.top, b"two")?;
    subject.fs.remove(subject.top, b"link")?;
    same(
        "the target",
        subject.fs.read_link(link)?,
        b"nowhere".to_vec(),
    )
}
