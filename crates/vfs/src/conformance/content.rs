//! Content of regular files.

use std::io::{self, Read};

use super::{Checked, Subject, cases, refused, same};
use crate::error::Error;

cases![
    what_is_written_is_read: Nothing,
    a_write_in_the_middle_changes_nothing_else: Nothing,
    what_is_appended_follows: Nothing,
    a_large_file_keeps_every_byte: Nothing,
    nothing_is_read_behind_the_end: Nothing,
    a_gap_reads_as_zeros: Nothing,
    a_far_write_leaves_a_hole: Holes,
    what_was_cut_off_does_not_come_back: Nothing,
    a_file_is_cut_at_every_place: Nothing,
    a_file_grows_by_its_size: Nothing,
    an_empty_write_changes_nothing: Nothing,
    other_content_takes_the_place: Nothing,
    a_source_that_fails_leaves_the_old_content: Nothing,
    what_is_too_large_is_refused: Nothing,
    only_a_file_has_content: Nothing,
];

/// Bytes that tell where they stand.
fn pattern(length: usize, seed: usize) -> Vec<u8> {
    (0..length)
        .map(|at| (at.wrapping_mul(31) ^ (at >> 8) ^ seed) as u8)
        .collect()
}

fn what_is_written_is_read(subject: &mut Subject<'_>) -> Checked {
    for length in [
        1, 59, 60, 61, 159, 511, 1023, 1024, 1025, 4095, 4096, 4097, 70_000,
    ] {
        let expected = pattern(length, length);
        let file = subject.file_of(&length.to_string(), &expected)?;
        same("the size", subject.fs.attributes(file)?.size, length as u64)?;
        same("the content", subject.content(file)? == expected, true)?;
    }
    Ok(())
}

fn a_write_in_the_middle_changes_nothing_else(subject: &mut Subject<'_>) -> Checked {
    let mut expected = pattern(50_000, 1);
    let file = subject.file_of("file", &expected)?;
    for (index, offset) in [0, 1, 1000, 4090, 4096, 8191, 30_000, 49_990]
        .into_iter()
        .enumerate()
    {
        let data = pattern(10 + index * 700, 7 + index);
        let data = &data[..data.len().min(50_000 - offset)];
        subject.fs.write_at(file, data, offset as u64)?;
        expected[offset..offset + data.len()].copy_from_slice(data);
        same("the content", subject.content(file)? == expected, true)?;
    }
    Ok(())
}

fn what_is_appended_follows(subject: &mut Subject<'_>) -> Checked {
    let file = subject.file("log")?;
    let mut expected = Vec::new();
    for number in 0..200 {
        let line = pattern(number * 3 % 257 + 1, number);
        subject.fs.write_at(file, &line, expected.len() as u64)?;
        expected.extend(line);
    }
    same("the content", subject.content(file)? == expected, true)
}

fn a_large_file_keeps_every_byte(subject: &mut Subject<'_>) -> Checked {
    let expected = pattern(3 << 20, 5);
    let file = subject.file("large")?;
    for (index, part) in expected.chunks(123_457).enumerate() {
        subject.fs.write_at(file, part, index as u64 * 123_457)?;
    }
    same("the content", subject.content(file)? == expected, true)
}

fn nothing_is_read_behind_the_end(subject: &mut Subject<'_>) -> Checked {
    let file = subject.file_of("file", b"0123456789")?;
    let mut buffer = [b'x'; 8];
    same("the rest", subject.fs.read_at(file, &mut buffer, 7)?, 3)?;
    same("the bytes", &buffer[..3], b"789")?;
    for offset in [10, 11, 1 << 40, u64::MAX] {
        let length = subject.fs.read_at(file, &mut buffer, offset)?;
        same("the bytes behind the end", length, 0)?;
    }
    same("nothing", subject.fs.read_at(file, &mut [], 3)?, 0)
}

fn a_gap_reads_as_zeros(subject: &mut Subject<'_>) -> Checked {
    let file = subject.file_of("file", b"begin")?;
    subject.fs.write_at(file, b"end", 20_000)?;
    let mut expected = b"begin".to_vec();
    expected.resize(20_000, 0);
    expected.extend(b"end");
    same("the content", subject.content(file)? == expected, true)?;
    subject.fs.write_at(file, b"middle", 9_000)?;
    expected[9_000..9_006].copy_from_slice(b"middle");
    same("the content", subject.content(file)? == expected, true)
}

fn a_far_write_leaves_a_hole(subject: &mut Subject<'_>) -> Checked {
    let file = subject.file("file")?;
    let far = subject.fs.limits().file_bytes.min(1 << 34) - 3;
    subject.fs.write_at(file, b"far", far)?;
    let attributes = subject.fs.attributes(file)?;
    same("the size", attributes.size, far + 3)?;
    same("little is allocated", attributes.allocated < 1 << 20, true)?;
    let mut buffer = [1; 6];
    subject.fs.read_at(file, &mut buffer, far - 3)?;
    same("the end", &buffer, b"\0\0\0far")?;
    subject.fs.set_size(file, 1)?;
    same("the content", subject.content(file)?, vec![0])
}

fn what_was_cut_off_does_not_come_back(subject: &mut Subject<'_>) -> Checked {
    let mut expected = pattern(10_000, 3);
    let file = subject.file_of("file", &expected)?;
    subject.fs.set_size(file, 3_333)?;
    subject.fs.set_size(file, 9_000)?;
    expected.truncate(3_333);
    expected.resize(9_000, 0);
    same("the content", subject.content(file)? == expected, true)?;
    subject.fs.set_size(file, 5_000)?;
    subject.fs.write_at(file, b"end", 8_000)?;
    expected.truncate(5_000);
    expected.resize(8_000, 0);
    expected.extend(b"end");
    same("the content", subject.content(file)? == expected, true)?;
    subject.fs.set_size(file, 0)?;
    subject.fs.set_size(file, 100)?;
    same("the content", subject.content(file)?, vec![0; 100])
}

fn a_file_is_cut_at_every_place(subject: &mut Subject<'_>) -> Checked {
    let mut expected = pattern(60_000, 9);
    let file = subject.file_of("file", &expected)?;
    for size in [
        59_999, 57_344, 57_343, 49_153, 49_152, 12_289, 12_288, 4097, 1024, 61, 60, 1, 0,
    ] {
        subject.fs.set_size(file, size as u64)?;
        expected.truncate(size);
        same("the size", subject.fs.attributes(file)?.size, size as u64)?;
        same("the content", subject.content(file)? == expected, true)?;
    }
    Ok(())
}

fn a_file_grows_by_its_size(subject: &mut Subject<'_>) -> Checked {
    let file = subject.file_of("file", b"content")?;
    subject.fs.set_size(file, 100_001)?;
    let mut expected = b"content".to_vec();
    expected.resize(100_001, 0);
    same("the content", subject.content(file)? == expected, true)?;
    subject.fs.write_at(file, b"!", 100_001)?;
    same("the size", subject.fs.attributes(file)?.size, 100_002)
}

fn an_empty_write_changes_nothing(subject: &mut Subject<'_>) -> Checked {
    let file = subject.file_of("file", b"content")?;
    let before = subject.fs.attributes(file)?;
    subject.fs.set_now(super::later(100));
    subject.fs.write_at(file, b"", 0)?;
    subject.fs.write_at(file, b"", 1 << 30)?;
    let after = subject.fs.attributes(file)?;
    same("the size", after.size, before.size)?;
    same("the time", after.modified, before.modified)
}

fn other_content_takes_the_place(subject: &mut Subject<'_>) -> Checked {
    let file = subject.file_of("file", &pattern(30_000, 1))?;
    for length in [0, 5, 100_000, 4096, 50] {
        let expected = pattern(length, length);
        let size = subject.fs.replace(file, &mut &expected[..])?;
        same("the size returned", size, length as u64)?;
        same("the size", subject.fs.attributes(file)?.size, length as u64)?;
        same("the content", subject.content(file)? == expected, true)?;
        let found = subject.fs.lookup(subject.top, b"file")?;
        same("the file", found, Some(file))?;
    }
    // Nothing of longer content is left behind shorter content.
    subject.fs.set_size(file, 4_000)?;
    let mut expected = pattern(50, 50);
    expected.resize(4_000, 0);
    same("the content", subject.content(file)? == expected, true)
}

fn a_source_that_fails_leaves_the_old_content(subject: &mut Subject<'_>) -> Checked {
    /// Gives some bytes, then fails.
    struct Failing(usize);
    impl Read for Failing {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.0 == 0 {
                return Err(io::Error::other("the source is gone"));
            }
            let length = buffer.len().min(self.0);
            buffer[..length].fill(b'x');
            self.0 -= length;
            Ok(length)
        }
    }
    let expected = pattern(20_000, 4);
    let file = subject.file_of("file", &expected)?;
    let free = subject.fs.statistics()?.free_blocks;
    for length in [0, 1, 10_000, 300_000] {
        refused!(
            subject.fs.replace(file, &mut Failing(length)),
            Error::Content(_)
        );
        same("the content", subject.content(file)? == expected, true)?;
        let left = subject.fs.statistics()?.free_blocks;
        same("the free blocks", left, free)?;
    }
    Ok(())
}

fn what_is_too_large_is_refused(subject: &mut Subject<'_>) -> Checked {
    let file = subject.file_of("file", b"content")?;
    let most = subject.fs.limits().file_bytes;
    refused!(
        subject.fs.write_at(file, b"xx", most - 1),
        Error::FileTooLarge
    );
    refused!(
        subject.fs.write_at(file, b"x", u64::MAX),
        Error::FileTooLarge
    );
    if most < u64::MAX {
        refused!(subject.fs.set_size(file, most + 1), Error::FileTooLarge);
    }
    same("the content", subject.content(file)?, b"content".to_vec())
}

fn only_a_file_has_content(subject: &mut Subject<'_>) -> Checked {
    let directory = subject.directory("directory")?;
    let fs = &mut subject.fs;
    refused!(fs.read_at(directory, &mut [0], 0), Error::NotFile);
    refused!(fs.write_at(directory, b"x", 0), Error::NotFile);
    refused!(fs.set_size(directory, 0), Error::NotFile);
    refused!(fs.replace(directory, &mut &b"x"[..]), Error::NotFile);
    Ok(())
}
