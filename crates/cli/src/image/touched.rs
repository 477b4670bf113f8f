//! What an edit changes, seen in the places that it touched: the rest of the image is not read.

use christen_vfs::tree::{Tree, TreeFile, TreeOptions};
use christen_vfs::walk::{LastLink, try_resolve};
use christen_vfs::{Error, FileId, FileSystem, GuestPath, Kind, Result};

use super::record::{Record, Touched};

/// Content of larger files is not compared: a hole of many terabytes costs an image nothing.
pub(crate) const CONTENT_BYTES: u64 = 16 << 30;

/// Reads the places that were touched, of the filesystem as it was before or as it is after.
///
/// # Errors
///
/// What reading it fails with.
pub(crate) fn tree(record: &Record, fs: &mut dyn FileSystem) -> Result<Tree> {
    let mut tree = Tree::default();
    for Touched { path, stays } in record.places() {
        // A place has no links in it, but the tree before may have one where the one after has a directory; what is behind it
        // has a place of its own.
        let file = match try_resolve(fs, &path, LastLink::Kept) {
            Ok(Some(file)) => file,
            Ok(None) | Err(Error::NotDirectory | Error::LinkLoop) => continue,
            Err(error) => return Err(error),
        };
        let attributes = fs.attributes(file)?;
        // Of a directory that stays, what is below is touched only where it has a place of its own.
        if stays && attributes.kind == Kind::Directory {
            tree.files
                .insert(path, TreeFile::read(fs, file, &attributes)?);
        } else {
            read_below(fs, file, &path, &mut tree)?;
        }
    }
    Ok(tree)
}

fn read_below(
    fs: &mut dyn FileSystem,
    file: FileId,
    path: &GuestPath,
    tree: &mut Tree,
) -> Result<()> {
    let options = TreeOptions {
        content_bytes: CONTENT_BYTES,
    };
    let full = |below: &GuestPath| {
        below
            .components()
            .fold(path.clone(), |path, name| path.join(name))
    };
    for (below, mut file) in Tree::read(fs, file, &options)?.files {
        file.same_as = file.same_as.as_ref().map(&full);
        tree.files.insert(full(&below), file);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use christen_vfs::Timestamp;
    use christen_vfs::memory::Memory;
    use christen_vfs::tree::{Aspects, differences};

    use super::*;
    use crate::image::{difference, edit, script};

    #[test]
    fn only_what_was_touched_is_read_and_all_of_that() {
        let mut before = Memory::new();
        let apply = |fs: &mut Memory, text: &str| {
            let steps = script::parse(text.as_bytes()).expect("it is right");
            edit::apply(fs, &steps, Timestamp::default()).expect("it can be done")
        };
        apply(
            &mut before,
            "mkdir -p /etc/a\nwrite /etc/a/f 1\nwrite /etc/g 2\nln -s etc /link\nmkdir /d\nwrite /d/x 1",
        );
        let mut after = before.clone();
        let record = apply(
            &mut after,
            "mkdir -p -m 0700 /etc\nmkdir -p /link/new/er\nmv /etc/a /b\nrm -r /d\nln -s b /d",
        );
        // What nobody touched is not looked at.
        apply(&mut after, "write /etc/g other");
        let old = tree(&record, &mut before).expect("it can be read");
        let new = tree(&record, &mut after).expect("it can be read");
        assert_eq!(
            difference::text(&differences(&old, &new, &Aspects::WITHOUT_TIMES)),
            "+ /b directory 0755 0:0\n\
             + /b/f file 0644 0:0 1 bytes\n\
             ~ /d kind directory → link, permissions 0755 → 0777\n\
             - /d/x file 0644 0:0 1 bytes\n\
             ~ /etc permissions 0755 → 0700\n\
             - /etc/a directory 0755 0:0\n\
             - /etc/a/f file 0644 0:0 1 bytes\n\
             + /etc/new directory 0755 0:0\n\
             + /etc/new/er directory 0755 0:0\n"
        );
    }
}
