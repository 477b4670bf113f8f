//! Redo files on the host's own filesystem: left over by a cut, completed, shown, and refused.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use christen_block::commit::recover::Recovered;
use christen_block::commit::{Mark, RedoPlace};
use christen_block::host::{self, HostDirectory, HostFile, Locking, NewFile, Opening};
use christen_block::image::recover;
use christen_block::overlay::{Overlay, OverlayFile};
use christen_block::redo::{RedoFault, parse};
use christen_block::{Error, Format, Image, OpenOptions, Purpose, StatedFormat, Storage};
use christen_testkit::temp::TempDir;

const READ: Purpose = Purpose::Read { even_in_use: false };

/// A directory whose names cannot be removed, so that a commit is cut short at its last step.
#[derive(Debug)]
struct Sticky(Arc<dyn HostDirectory>);

impl HostDirectory for Sticky {
    fn create(&self, owner: Option<u32>) -> io::Result<Arc<dyn NewFile>> {
        self.0.create(owner)
    }

    fn open(&self, name: &OsStr) -> io::Result<Arc<dyn HostFile>> {
        self.0.open(name)
    }

    fn unlink(&self, _: &OsStr) -> io::Result<()> {
        Err(io::ErrorKind::PermissionDenied.into())
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync()
    }
}

struct Cut {
    directory: TempDir,
    image: PathBuf,
    redo: PathBuf,
    old: Vec<u8>,
    new: Vec<u8>,
}

impl Cut {
    /// Leaves an old image with a redo file beside it, as a cut right after the link does.
    fn new() -> Self {
        let directory = TempDir::new();
        let image = directory.join("disk.img");
        let mut old = vec![5; 100_000];
        old[40_000..60_000].fill(0);
        fs::write(&image, &old).unwrap();
        let located = host::locate(&image).unwrap();
        let file = host::open(&located, Opening::ReadWrite, Locking::Write).unwrap();
        let redo = directory.join(".disk.img.christen-redo");
        let place = RedoPlace {
            directory: Arc::new(Sticky(located.directory)),
            name: redo.file_name().unwrap().into(),
            path: redo.clone(),
        };
        let file = OverlayFile {
            file,
            mark: Mark::None,
            path: None,
        };
        let overlay = Overlay::staged(vec![file], place).unwrap();
        let storage = overlay.storage(0).unwrap();
        storage.write_at(&[9; 700], 300).unwrap();
        storage.write_at(&[8; 5000], 41_000).unwrap();
        storage.write_at(&[7; 5000], 99_000).unwrap();
        let result = overlay.commit(&mut |_| {});
        assert!(matches!(result, Err(Error::Interrupted { .. })));
        drop(storage);
        let new = fs::read(&image).unwrap();
        // In place: a redo file knows its image by the inode.
        fs::write(&image, &old).unwrap();
        Self {
            directory,
            image,
            redo,
            old,
            new,
        }
    }

    fn options(purpose: Purpose) -> OpenOptions {
        OpenOptions {
            format: StatedFormat::Stated(Format::Raw),
            purpose,
            allow_backing: Vec::new(),
            redo_directory: None,
        }
    }

    fn open(&self, purpose: Purpose) -> christen_block::Result<Image> {
        Image::open(&self.image, &Self::options(purpose))
    }

    /// Every way in refuses, and neither image nor redo file is touched.
    #[track_caller]
    fn refused(&self, is_expected: impl Fn(&RedoFault) -> bool) {
        let content = || (fs::read(&self.image).unwrap(), fs::read(&self.redo).ok());
        let before = content();
        for attempt in 0..3 {
            let result = match attempt {
                0 => recover(&self.image, None, &[], &mut |_| {}).map(drop),
                1 => self.open(Purpose::Change).map(drop),
                _ => self.open(READ).map(drop),
            };
            match result {
                Err(Error::Redo { source, path }) => {
                    assert!(is_expected(&source), "{source:?}");
                    assert_eq!(
                        path,
                        fs::canonicalize(&self.directory)
                            .unwrap()
                            .join(".disk.img.christen-redo")
                    );
                }
                other => panic!("{other:?}"),
            }
            assert!(content() == before);
        }
    }

    fn redo_bytes(&self) -> Vec<u8> {
        fs::read(&self.redo).unwrap()
    }
}

#[test]
fn a_change_that_was_cut_is_completed_or_shown() {
    let cut = Cut::new();
    let shown = cut.open(READ).unwrap();
    assert!(shown.is_recovery_pending());
    let mut bytes = vec![0; cut.new.len()];
    shown.disk().read_at(&mut bytes, 0).unwrap();
    assert!(bytes == cut.new);
    drop(shown);
    assert!(fs::read(&cut.image).unwrap() == cut.old);

    let changed = cut.open(Purpose::Change).unwrap();
    assert!(matches!(changed.recovered(), Recovered::Completed { .. }));
    assert!(fs::read(&cut.image).unwrap() == cut.new);
    assert!(!cut.redo.exists());
}

#[test]
fn a_copy_is_made_of_what_is_shown() {
    let cut = Cut::new();
    let path = cut.directory.join("new.img");
    let kind = christen_block::OutputKind::Copy;
    let image = cut
        .open(Purpose::Output {
            path: path.clone(),
            kind,
        })
        .unwrap();
    image.disk().write_at(&[1], 70_000).unwrap();
    image.commit(&mut |_| {}).unwrap();
    let mut expected = cut.new.clone();
    expected[70_000] = 1;
    assert!(fs::read(&path).unwrap() == expected);
    assert!(fs::read(&cut.image).unwrap() == cut.old);
    let kind = christen_block::OutputKind::Overlay;
    let path = cut.directory.join("overlay");
    let result = cut.open(Purpose::Output { path, kind });
    assert!(matches!(result, Err(Error::RecoveryPending { .. })));
}

#[test]
fn a_redo_file_that_is_left_over_is_removed() {
    let cut = Cut::new();
    fs::write(&cut.image, &cut.new).unwrap();
    let done = recover(&cut.image, None, &[], &mut |_| {}).unwrap();
    assert_eq!(done, Recovered::Discarded);
    assert!(!cut.redo.exists());
    let done = recover(&cut.image, None, &[], &mut |_| {}).unwrap();
    assert_eq!(done, Recovered::Nothing);
}

#[test]
fn a_guest_that_has_run_in_between_is_noticed() {
    for (offset, sector) in [(300, 0), (45_000, 44_544), (99_999, 99_840)] {
        let cut = Cut::new();
        let mut bytes = cut.old.clone();
        bytes[offset] ^= 0x40;
        fs::write(&cut.image, bytes).unwrap();
        cut.refused(
            |fault| matches!(fault, RedoFault::Conflict { offset, .. } if *offset == sector),
        );
    }
    let cut = Cut::new();
    fs::write(&cut.image, [&cut.old[..], &[0; 9000]].concat()).unwrap();
    cut.refused(|fault| matches!(fault, RedoFault::Length { there: 109_000, .. }));
}

#[test]
fn a_redo_file_of_another_image_is_refused() {
    let cut = Cut::new();
    let copy = cut.directory.join("copy");
    fs::copy(&cut.image, &copy).unwrap();
    fs::rename(&copy, &cut.image).unwrap();
    cut.refused(|fault| matches!(fault, RedoFault::Foreign));
}

#[test]
fn links_and_other_things_are_no_redo_files() {
    let cut = Cut::new();
    let elsewhere = cut.directory.join("elsewhere");
    fs::rename(&cut.redo, &elsewhere).unwrap();
    symlink(&elsewhere, &cut.redo).unwrap();
    cut.refused(|fault| matches!(fault, RedoFault::Link));

    fs::remove_file(&cut.redo).unwrap();
    fs::hard_link(&elsewhere, &cut.redo).unwrap();
    cut.refused(|fault| matches!(fault, RedoFault::Link));

    fs::remove_file(&cut.redo).unwrap();
    fs::create_dir(&cut.redo).unwrap();
    cut.refused(|fault| matches!(fault, RedoFault::NotRegular));

    fs::remove_dir(&cut.redo).unwrap();
    nix::unistd::mkfifo(&cut.redo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    for purpose in [READ, Purpose::Change] {
        assert!(matches!(cut.open(purpose), Err(Error::Redo { .. })));
    }
}

#[test]
fn a_redo_file_that_others_may_touch_is_refused() {
    for mode in [0o644, 0o660, 0o700, 0o400] {
        let cut = Cut::new();
        fs::set_permissions(&cut.redo, fs::Permissions::from_mode(mode)).unwrap();
        cut.refused(|fault| matches!(fault, RedoFault::Mode(found) if *found == mode));
    }
    if nix::unistd::geteuid().is_root() {
        let cut = Cut::new();
        std::os::unix::fs::chown(&cut.redo, Some(1234), None).unwrap();
        cut.refused(|fault| matches!(fault, RedoFault::Owner(1234)));
        // The owner of the image may have made it.
        std::os::unix::fs::chown(&cut.image, Some(1234), None).unwrap();
        cut.open(READ).unwrap();
    }
}

#[test]
fn a_redo_file_that_is_cut_off_is_refused() {
    let cut = Cut::new();
    let bytes = cut.redo_bytes();
    for length in [0, 1, 7, 8, 71, 72, 4096, bytes.len() / 2, bytes.len() - 1] {
        fs::write(&cut.redo, &bytes[..length]).unwrap();
        cut.refused(|fault| match fault {
            RedoFault::Truncated { there, .. } => *there == length as u64,
            RedoFault::NotRedo => length < 8,
            _ => false,
        });
    }
    fs::write(&cut.redo, [&bytes[..], &[0; 8]].concat()).unwrap();
    cut.refused(|fault| matches!(fault, RedoFault::Malformed { .. }));
}

#[test]
fn every_damaged_byte_that_counts_is_noticed() {
    let cut = Cut::new();
    let mut bytes = cut.redo_bytes();
    parse(&bytes).unwrap();
    let header = 72;
    let table = u64::from_le_bytes(bytes[24..32].try_into().unwrap()) as usize;
    let mut data = 0;
    for at in 0..bytes.len() {
        bytes[at] ^= 1;
        if at < header || at >= table {
            parse(&bytes).expect_err(&format!("byte {at}"));
        } else if at >= 4096 {
            data += usize::from(parse(&bytes).is_err());
        }
        bytes[at] ^= 1;
    }
    // All new content, in whole sectors: 300..1000, 41000..46000, 99000..104000.
    assert_eq!(data, 1024 + 5120 + 5120 + 512);
}

/// Puts a number into a redo file and makes its checksums right again.
fn forge(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
    let table = u64::from_le_bytes(bytes[24..32].try_into().unwrap()) as usize;
    let hash = |bytes: &[u8]| xxhash_rust::xxh3::xxh3_64(bytes).to_le_bytes();
    if let Some(records) = bytes.get(table..) {
        let sum = hash(records);
        bytes[40..48].copy_from_slice(&sum);
    }
    let sum = hash(&bytes[..64]);
    bytes[64..72].copy_from_slice(&sum);
}

#[test]
fn a_forged_redo_file_is_held_to_the_rules() {
    let cut = Cut::new();
    let bytes = cut.redo_bytes();
    let table = u64::from_le_bytes(bytes[24..32].try_into().unwrap()) as usize;
    let (file, range) = (table, table + 48);
    let huge = u64::MAX.to_le_bytes();
    for (at, value) in [
        (12, &[0, 0, 0, 0][..]),
        (12, &[2, 0, 0, 0]),
        (12, &[0xff; 4]),
        (16, &huge),
        (24, &huge),
        (24, &[0; 8]),
        (32, &huge),
        (56, &[0; 8]),
        (file, &[7]),
        (file + 4, &[1]),
        (file + 4, &[0xff; 4]),
        (file + 32, &[0; 8]),
        (file + 24, &huge),
        (file + 40, &[8]),
        (file + 40, &[0xff; 4]),
        (range, &[9]),
        (range + 4, &[0; 4]),
        (range + 4, &[0xff; 4]),
        (range + 4, &[1]),
        (range + 8, &huge),
        (range + 8, &[1]),
        (range + 16, &huge),
        (range + 16, &[0; 8]),
    ] {
        let mut forged = bytes.clone();
        forge(&mut forged, at, value);
        fs::write(&cut.redo, forged).unwrap();
        cut.refused(|fault| !matches!(fault, RedoFault::Io(_) | RedoFault::Conflict { .. }));
    }
    let mut later = bytes.clone();
    forge(&mut later, 8, &[2]);
    fs::write(&cut.redo, later).unwrap();
    cut.refused(|fault| matches!(fault, RedoFault::Version(2)));
    fs::write(&cut.redo, &bytes).unwrap();
    cut.open(READ).unwrap();
}

#[test]
fn random_bytes_with_good_checksums_do_no_harm() {
    let cut = Cut::new();
    let bytes = cut.redo_bytes();
    let table = u64::from_le_bytes(bytes[24..32].try_into().unwrap()) as usize;
    let mut state = 1_u64;
    let mut random = |limit: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(99);
        (state >> 33) as usize % limit
    };
    for _ in 0..5000 {
        let mut forged = bytes.clone();
        let at = if random(3) == 0 {
            8 + random(56)
        } else {
            table + random(bytes.len() - table)
        };
        let value = [0, 1, 0x7f, 0xff, random(256) as u8][random(5)];
        forge(&mut forged, at, &[value]);
        let _ = parse(&forged);
    }
}

#[test]
fn a_second_file_of_a_change_is_opened_only_where_that_is_allowed() {
    let directory = TempDir::new();
    let (image, data) = (directory.join("disk.img"), directory.join("data"));
    let open = |path: &Path| {
        fs::write(path, [5; 5000]).unwrap();
        let located = host::locate(path).unwrap();
        let file = host::open(&located, Opening::ReadWrite, Locking::Write).unwrap();
        (located, file)
    };
    let ((located, first), (second_located, second)) = (open(&image), open(&data));
    let path = directory.join(".disk.img.christen-redo");
    let place = RedoPlace {
        directory: Arc::new(Sticky(located.directory)),
        name: path.file_name().unwrap().into(),
        path,
    };
    let file = |file, path| OverlayFile {
        file,
        mark: Mark::None,
        path,
    };
    let files = vec![file(first, None), file(second, Some(second_located.path))];
    let overlay = Overlay::staged(files, place).unwrap();
    for index in 0..2 {
        let storage = overlay.storage(index).unwrap();
        storage.write_at(&[6 + index as u8; 100], 1000).unwrap();
    }
    overlay.commit(&mut |_| {}).unwrap_err();
    let new = [fs::read(&image).unwrap(), fs::read(&data).unwrap()];
    let cut = || [&image, &data].map(|path| fs::write(path, [5; 5000]).unwrap());
    cut();
    let elsewhere = TempDir::new();
    for allowed in [vec![], vec![elsewhere.path().into()]] {
        let result = recover(&image, None, &allowed, &mut |_| {});
        assert!(matches!(
            result,
            Err(Error::Redo {
                source: RedoFault::NotAllowed(_),
                ..
            })
        ));
        assert_eq!(fs::read(&image).unwrap(), [5; 5000]);
    }
    let allowed = [directory.path().into()];
    recover(&image, None, &allowed, &mut |_| {}).unwrap();
    assert_eq!([fs::read(&image).unwrap(), fs::read(&data).unwrap()], new);
    assert_eq!(list(&directory).len(), 2);
}

#[test]
fn a_redo_directory_holds_those_of_many_images() {
    let cut = Cut::new();
    fs::remove_file(&cut.redo).unwrap();
    let redo_directory = cut.directory.join("redo");
    fs::create_dir(&redo_directory).unwrap();
    let mut options = Cut::options(Purpose::Change);
    options.redo_directory = Some(redo_directory.clone());
    let image = Image::open(&cut.image, &options).unwrap();
    image.disk().write_at(&[1; 600], 0).unwrap();
    image.commit(&mut |_| {}).unwrap();
    assert_eq!(fs::read(&cut.image).unwrap()[..600], [1; 600]);
    assert!(list(&redo_directory).is_empty());
    fs::write(&cut.image, &cut.old).unwrap();
}

fn list(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}
