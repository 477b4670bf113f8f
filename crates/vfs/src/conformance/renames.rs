//! Entries that move.

use super::{Checked, Subject, cases, new, refused, same};
use crate::error::Error;
use crate::filesystem::NewKind;

cases![
    a_file_gets_another_name: Nothing,
    a_file_moves_to_another_directory: Nothing,
    a_directory_moves_with_all_below: Nothing,
    a_file_takes_the_place_of_a_file: Nothing,
    a_directory_takes_the_place_of_an_empty_one: Nothing,
    only_the_same_sort_is_replaced: Nothing,
    a_directory_does_not_move_into_itself: Nothing,
    nothing_takes_the_place_of_what_it_is_in: Nothing,
    a_name_that_is_not_there_cannot_move: Nothing,
    a_name_stays_when_it_is_its_own_target: Nothing,
    two_names_of_one_file_stay: HardLinks,
    a_replaced_name_leaves_the_other: HardLinks,
    a_link_moves_itself: SymbolicLinks,
    many_files_change_names: Nothing,
];

fn a_file_gets_another_name(subject: &mut Subject<'_>) -> Checked {
    let file = subject.file_of("old", b"content")?;
    subject
        .fs
        .rename(subject.top, b"old", subject.top, b"new")?;
    same(
        "the list",
        subject.names(subject.top)?,
        vec![b"new".to_vec()],
    )?;
    same(
        "the file",
        subject.fs.lookup(subject.top, b"new")?,
        Some(file),
    )?;
    same("the content", subject.content(file)?, b"content".to_vec())
}

fn a_file_moves_to_another_directory(subject: &mut Subject<'_>) -> Checked {
    let from = subject.directory("from")?;
    let to = subject.directory("to")?;
    let file = subject.fs.create(from, b"file", &new(NewKind::File))?;
    subject.fs.rename(from, b"file", to, b"moved")?;
    same("the old list", subject.names(from)?, Vec::new())?;
    let found = subject.fs.lookup(to, b"moved")?;
    same("the file", found, Some(file))
}

fn a_directory_moves_with_all_below(subject: &mut Subject<'_>) -> Checked {
    let from = subject.directory("from")?;
    let to = subject.directory("to")?;
    let moved = subject.fs.create(from, b"tree", &new(NewKind::Directory))?;
    let below = subject
        .fs
        .create(moved, b"below", &new(NewKind::Directory))?;
    let links = |subject: &mut Subject<'_>, file| -> Checked<u32> {
        Ok(subject.fs.attributes(file)?.links)
    };
    let counted = links(subject, from)? > links(subject, to)?;
    subject.fs.rename(from, b"tree", to, b"tree")?;
    let found = subject.fs.lookup(to, b"tree")?;
    same("the directory", found, Some(moved))?;
    let found = subject.fs.lookup(moved, b"below")?;
    same("what is below", found, Some(below))?;
    if counted {
        same("the old links", links(subject, from)?, 2)?;
        same("the new links", links(subject, to)?, 3)?;
    }
    subject.fs.remove(subject.top, b"from")?;
    Ok(())
}

fn a_file_takes_the_place_of_a_file(subject: &mut Subject<'_>) -> Checked {
    let new = subject.file_of("new", b"new content")?;
    subject.file_of("old", b"old content")?;
    subject
        .fs
        .rename(subject.top, b"new", subject.top, b"old")?;
    same(
        "the list",
        subject.names(subject.top)?,
        vec![b"old".to_vec()],
    )?;
    let found = subject.fs.lookup(subject.top, b"old")?;
    same("the file", found, Some(new))?;
    same(
        "the content",
        subject.content(new)?,
        b"new content".to_vec(),
    )
}

fn a_directory_takes_the_place_of_an_empty_one(subject: &mut Subject<'_>) -> Checked {
    let moved = subject.directory("moved")?;
    subject.fs.create(moved, b"below", &new(NewKind::File))?;
    let full = subject.directory("full")?;
    subject.fs.create(full, b"below", &new(NewKind::File))?;
    subject.directory("empty")?;
    let (fs, top) = (&mut subject.fs, subject.top);
    refused!(fs.rename(top, b"moved", top, b"full"), Error::NotEmpty);
    fs.rename(top, b"moved", top, b"empty")?;
    let found = fs.lookup(top, b"empty")?;
    same("the directory", found, Some(moved))?;
    same(
        "its entries",
        subject.names(moved)?,
        vec![b"below".to_vec()],
    )
}

fn only_the_same_sort_is_replaced(subject: &mut Subject<'_>) -> Checked {
    subject.file("file")?;
    subject.directory("directory")?;
    let (fs, top) = (&mut subject.fs, subject.top);
    refused!(
        fs.rename(top, b"file", top, b"directory"),
        Error::IsDirectory
    );
    refused!(
        fs.rename(top, b"directory", top, b"file"),
        Error::NotDirectory
    );
    Ok(())
}

fn a_directory_does_not_move_into_itself(subject: &mut Subject<'_>) -> Checked {
    let outer = subject.directory("outer")?;
    let (fs, top) = (&mut subject.fs, subject.top);
    let inner = fs.create(outer, b"inner", &new(NewKind::Directory))?;
    refused!(fs.rename(top, b"outer", outer, b"x"), Error::IntoItself);
    refused!(fs.rename(top, b"outer", inner, b"x"), Error::IntoItself);
    refused!(fs.rename(top, b"outer", outer, b"inner"), Error::IntoItself);
    Ok(())
}

fn nothing_takes_the_place_of_what_it_is_in(subject: &mut Subject<'_>) -> Checked {
    let outer = subject.directory("outer")?;
    let (fs, top) = (&mut subject.fs, subject.top);
    let inner = fs.create(outer, b"inner", &new(NewKind::Directory))?;
    fs.create(inner, b"file", &new(NewKind::File))?;
    refused!(fs.rename(outer, b"inner", top, b"outer"), Error::NotEmpty);
    refused!(fs.rename(inner, b"file", top, b"outer"), Error::NotEmpty);
    refused!(fs.rename(inner, b"file", outer, b"inner"), Error::NotEmpty);
    Ok(())
}

fn a_name_that_is_not_there_cannot_move(subject: &mut Subject<'_>) -> Checked {
    subject.file("file")?;
    let (fs, top) = (&mut subject.fs, subject.top);
    refused!(fs.rename(top, b"nothing", top, b"x"), Error::NotFound);
    refused!(fs.rename(top, b"nothing", top, b"file"), Error::NotFound);
    Ok(())
}

fn a_name_stays_when_it_is_its_own_target(subject: &mut Subject<'_>) -> Checked {
    subject.file("file")?;
    subject.directory("directory")?;
    for name in [&b"file"[..], b"directory"] {
        subject.fs.rename(subject.top, name, subject.top, name)?;
    }
    let names = vec![b"directory".to_vec(), b"file".to_vec()];
    same("the list", subject.names(subject.top)?, names)
}

fn two_names_of_one_file_stay(subject: &mut Subject<'_>) -> Checked {
    let file = subject.file("one")?;
    subject.fs.link(file, subject.top, b"two")?;
    subject
        .fs
        .rename(subject.top, b"one", subject.top, b"two")?;
    let names = vec![b"one".to_vec(), b"two".to_vec()];
    same("the list", subject.names(subject.top)?, names)?;
    same("the links", subject.fs.attributes(file)?.links, 2)
}

fn a_replaced_name_leaves_the_other(subject: &mut Subject<'_>) -> Checked {
    let old = subject.file_of("old", b"old content")?;
    subject.fs.link(old, subject.top, b"kept")?;
    subject.file("new")?;
    subject
        .fs
        .rename(subject.top, b"new", subject.top, b"old")?;
    same("the links", subject.fs.attributes(old)?.links, 1)?;
    same(
        "the content",
        subject.content(old)?,
        b"old content".to_vec(),
    )
}

fn a_link_moves_itself(subject: &mut Subject<'_>) -> Checked {
    let file = subject.file("file")?;
    let link = subject.link("link", b"file")?;
    subject
        .fs
        .rename(subject.top, b"link", subject.top, b"moved")?;
    let found = subject.fs.lookup(subject.top, b"moved")?;
    same("the link", found, Some(link))?;
    subject
        .fs
        .rename(subject.top, b"moved", subject.top, b"file")?;
    let found = subject.fs.lookup(subject.top, b"file")?;
    same("the link", found, Some(link))?;
    same("another file", link == file, false)
}

fn many_files_change_names(subject: &mut Subject<'_>) -> Checked {
    let other = subject.directory("other")?;
    let mut expected = Vec::new();
    for number in 0..150 {
        let name = format!("file {number:03}");
        subject.file(&name)?;
        let longer = format!("{number:03}-{}", "y".repeat(number % 50));
        let to = if number % 2 == 0 { other } else { subject.top };
        subject
            .fs
            .rename(subject.top, name.as_bytes(), to, longer.as_bytes())?;
        if number % 2 == 0 {
            expected.push(longer.into_bytes());
        }
    }
    same("the list", subject.names(other)?, expected)?;
    same("the rest", subject.names(subject.top)?.len(), 76)
}
