//! Entries of directories.

use std::ops::ControlFlow;

use super::{Checked, Subject, cases, new, refused, same};
use crate::error::Error;
use crate::filesystem::{Kind, NewKind};

cases![
    a_new_file_is_empty: Nothing,
    a_new_directory_is_empty: Nothing,
    an_entry_is_found_by_its_name_alone: Nothing,
    dots_are_no_entries: Nothing,
    every_entry_is_listed_once: Nothing,
    a_listing_ends_when_asked: Nothing,
    the_longest_name_is_held_and_no_longer_one: Nothing,
    what_is_no_name_is_refused: Nothing,
    names_are_bytes: ByteNames,
    a_name_is_taken_once: Nothing,
    only_a_directory_has_entries: Nothing,
    a_removed_name_is_free: Nothing,
    a_directory_with_entries_stays: Nothing,
    a_name_that_is_not_there_cannot_be_removed: Nothing,
    many_names_come_and_go: Nothing,
    directories_stand_in_directories: Nothing,
    special_files_keep_their_numbers: SpecialFiles,
    an_ordinary_kind_is_not_special: SpecialFiles,
    statistics_follow_what_is_written: Nothing,
];

fn a_new_file_is_empty(subject: &mut Subject<'_>) -> Checked {
    let file = subject.file("new")?;
    let attributes = subject.fs.attributes(file)?;
    same("its kind", attributes.kind, Kind::File)?;
    same("its size", attributes.size, 0)?;
    same("its links", attributes.links, 1)?;
    same("its content", subject.content(file)?, Vec::new())
}

fn a_new_directory_is_empty(subject: &mut Subject<'_>) -> Checked {
    let directory = subject.directory("new")?;
    let kind = subject.fs.attributes(directory)?.kind;
    same("its kind", kind, Kind::Directory)?;
    same("its entries", subject.names(directory)?, Vec::new())
}

fn an_entry_is_found_by_its_name_alone(subject: &mut Subject<'_>) -> Checked {
    let file = subject.file("name")?;
    for (name, expected) in [
        (&b"name"[..], Some(file)),
        (b"nam", None),
        (b"names", None),
        (b"", None),
        (b"n/ame", None),
        (b"name\0", None),
    ] {
        let found = subject.fs.lookup(subject.top, name)?;
        same("what is found", found, expected)?;
    }
    let long = vec![b'n'; subject.fs.limits().name_bytes + 1];
    same(
        "what a name that is too long finds",
        subject.fs.lookup(subject.top, &long)?,
        None,
    )
}

fn dots_are_no_entries(subject: &mut Subject<'_>) -> Checked {
    for name in [&b"."[..], b".."] {
        same(
            "what a dot finds",
            subject.fs.lookup(subject.top, name)?,
            None,
        )?;
        refused!(subject.fs.remove(subject.top, name), Error::NotFound);
        refused!(
            subject.fs.rename(subject.top, name, subject.top, b"x"),
            Error::NotFound
        );
    }
    Ok(())
}

fn every_entry_is_listed_once(subject: &mut Subject<'_>) -> Checked {
    let mut expected = Vec::new();
    for number in 0..300 {
        let name = format!("entry number {number:03}");
        subject.file(&name)?;
        expected.push(name.into_bytes());
    }
    same("the list", subject.names(subject.top)?, expected)?;
    for entry in subject.fs.entries(subject.top)? {
        let found = subject.fs.lookup(subject.top, &entry.name)?;
        same("the file of an entry", found, Some(entry.file))?;
    }
    Ok(())
}

fn a_listing_ends_when_asked(subject: &mut Subject<'_>) -> Checked {
    for name in ["a", "b", "c"] {
        subject.file(name)?;
    }
    let mut seen = 0;
    subject.fs.list(subject.top, &mut |_| {
        seen += 1;
        ControlFlow::Break(())
    })?;
    same("the entries seen", seen, 1)
}

fn the_longest_name_is_held_and_no_longer_one(subject: &mut Subject<'_>) -> Checked {
    let longest = vec![b'l'; subject.fs.limits().name_bytes];
    let file = subject
        .fs
        .create(subject.top, &longest, &new(NewKind::File))?;
    let found = subject.fs.lookup(subject.top, &longest)?;
    same("the file of the longest name", found, Some(file))?;
    let longer = [&longest[..], b"l"].concat();
    let (fs, top) = (&mut subject.fs, subject.top);
    refused!(
        fs.create(top, &longer, &new(NewKind::File)),
        Error::NameTooLong
    );
    refused!(fs.rename(top, &longest, top, &longer), Error::NameTooLong);
    Ok(())
}

fn what_is_no_name_is_refused(subject: &mut Subject<'_>) -> Checked {
    subject.file("file")?;
    for name in [&b""[..], b".", b"..", b"a/b", b"a\0b"] {
        let (fs, top) = (&mut subject.fs, subject.top);
        refused!(
            fs.create(top, name, &new(NewKind::File)),
            Error::InvalidName
        );
        refused!(fs.rename(top, b"file", top, name), Error::InvalidName);
    }
    Ok(())
}

fn names_are_bytes(subject: &mut Subject<'_>) -> Checked {
    let mut names = [
        &b"\xff\xfe\x80"[..],
        b" ",
        b"...",
        b"\n\x01",
        b"name",
        b"Name",
        "n\u{e4}me".as_bytes(),
        "na\u{308}me".as_bytes(),
    ]
    .map(<[u8]>::to_vec);
    for name in &names {
        subject.fs.create(subject.top, name, &new(NewKind::File))?;
    }
    names.sort_unstable();
    same("the list", subject.names(subject.top)?, names.to_vec())
}

fn a_name_is_taken_once(subject: &mut Subject<'_>) -> Checked {
    subject.file_of("file", b"content")?;
    subject.directory("directory")?;
    for name in [&b"file"[..], b"directory"] {
        for kind in [NewKind::File, NewKind::Directory] {
            refused!(
                subject.fs.create(subject.top, name, &new(kind)),
                Error::Exists
            );
        }
    }
    Ok(())
}

fn only_a_directory_has_entries(subject: &mut Subject<'_>) -> Checked {
    let file = subject.file("file")?;
    let (fs, top) = (&mut subject.fs, subject.top);
    refused!(fs.lookup(file, b"x"), Error::NotDirectory);
    refused!(fs.entries(file), Error::NotDirectory);
    refused!(fs.remove(file, b"x"), Error::NotDirectory);
    refused!(
        fs.create(file, b"x", &new(NewKind::File)),
        Error::NotDirectory
    );
    refused!(fs.rename(top, b"file", file, b"x"), Error::NotDirectory);
    refused!(fs.rename(file, b"x", top, b"y"), Error::NotDirectory);
    Ok(())
}

fn a_removed_name_is_free(subject: &mut Subject<'_>) -> Checked {
    subject.file_of("name", b"old content")?;
    subject.fs.remove(subject.top, b"name")?;
    same(
        "the removed file",
        subject.fs.lookup(subject.top, b"name")?,
        None,
    )?;
    same("the list", subject.names(subject.top)?, Vec::new())?;
    let directory = subject.directory("name")?;
    same("the new entries", subject.names(directory)?, Vec::new())?;
    subject.fs.remove(subject.top, b"name")?;
    let file = subject.file("name")?;
    same("the new content", subject.content(file)?, Vec::new())
}

fn a_directory_with_entries_stays(subject: &mut Subject<'_>) -> Checked {
    let directory = subject.directory("directory")?;
    subject
        .fs
        .create(directory, b"below", &new(NewKind::File))?;
    let (fs, top) = (&mut subject.fs, subject.top);
    refused!(fs.remove(top, b"directory"), Error::NotEmpty);
    fs.remove(directory, b"below")?;
    fs.remove(top, b"directory")?;
    Ok(())
}

fn a_name_that_is_not_there_cannot_be_removed(subject: &mut Subject<'_>) -> Checked {
    refused!(subject.fs.remove(subject.top, b"nothing"), Error::NotFound);
    Ok(())
}

fn many_names_come_and_go(subject: &mut Subject<'_>) -> Checked {
    let mut expected = Vec::new();
    for round in 0..4 {
        for number in 0..120 {
            let name = format!("{number:03}-{}", "x".repeat(number % 7 * 9));
            if (number + round) % 3 == 0 {
                if subject.fs.lookup(subject.top, name.as_bytes())?.is_some() {
                    subject.fs.remove(subject.top, name.as_bytes())?;
                }
            } else if subject.fs.lookup(subject.top, name.as_bytes())?.is_none() {
                subject.file(&name)?;
            }
            if round == 3 && (number + round) % 3 != 0 {
                expected.push(name.into_bytes());
            }
        }
    }
    same("the list", subject.names(subject.top)?, expected)
}

fn directories_stand_in_directories(subject: &mut Subject<'_>) -> Checked {
    let mut at = subject.top;
    for depth in 0..40 {
        let name = format!("directory {depth}");
        at = subject
            .fs
            .create(at, name.as_bytes(), &new(NewKind::Directory))?;
    }
    let mut at = subject.top;
    for depth in 0..40 {
        let name = format!("directory {depth}").into_bytes();
        same("the list", subject.names(at)?, vec![name.clone()])?;
        at = match subject.fs.lookup(at, &name)? {
            Some(file) => file,
            None => break,
        };
    }
    same("the lowest list", subject.names(at)?, Vec::new())
}

fn special_files_keep_their_numbers(subject: &mut Subject<'_>) -> Checked {
    for (name, kind) in [
        ("fifo", Kind::Fifo),
        ("socket", Kind::Socket),
        ("null", Kind::CharacterDevice { major: 1, minor: 3 }),
        (
            "disk",
            Kind::BlockDevice {
                major: 259,
                minor: 70_000,
            },
        ),
        (
            "last",
            Kind::BlockDevice {
                major: 4095,
                minor: 0xf_ffff,
            },
        ),
    ] {
        let file = subject
            .fs
            .create(subject.top, name.as_bytes(), &new(NewKind::Special(kind)))?;
        let attributes = subject.fs.attributes(file)?;
        same("the kind", attributes.kind, kind)?;
        same("the size", attributes.size, 0)?;
        refused!(subject.fs.read_at(file, &mut [0], 0), Error::NotFile);
        refused!(subject.fs.write_at(file, b"x", 0), Error::NotFile);
        refused!(subject.fs.set_size(file, 0), Error::NotFile);
        refused!(subject.fs.entries(file), Error::NotDirectory);
    }
    Ok(())
}

fn an_ordinary_kind_is_not_special(subject: &mut Subject<'_>) -> Checked {
    for kind in [Kind::File, Kind::Directory, Kind::SymbolicLink] {
        let new = new(NewKind::Special(kind));
        refused!(
            subject.fs.create(subject.top, b"x", &new),
            Error::NotPossible(_)
        );
    }
    same("the list", subject.names(subject.top)?, Vec::new())
}

fn statistics_follow_what_is_written(subject: &mut Subject<'_>) -> Checked {
    let before = subject.fs.statistics()?;
    same(
        "free is at most all",
        before.free_blocks <= before.blocks,
        true,
    )?;
    same(
        "available is at most free",
        before.available_blocks <= before.free_blocks,
        true,
    )?;
    let file = subject.file_of("file", &[1; 300_000])?;
    let during = subject.fs.statistics()?;
    let used = (before.free_blocks - during.free_blocks) * u64::from(before.block_bytes);
    same("the blocks used suffice", used >= 300_000, true)?;
    let allocated = subject.fs.attributes(file)?.allocated;
    same("what is allocated suffices", allocated >= 300_000, true)?;
    if before.files > 0 {
        same("the inodes used", before.free_files - during.free_files, 1)?;
    }
    subject.fs.remove(subject.top, b"file")?;
    let after = subject.fs.statistics()?;
    same("the free inodes", after.free_files, before.free_files)?;
    same("the free blocks", after.free_blocks, before.free_blocks)
}
