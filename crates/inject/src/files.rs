//! Files of the description.

use christen_vfs::GuestPath;

use crate::{Existing, Item, ItemKind, Ownership, Request, Result, Secrecy, Stage, accounts};

/// Writes the files: Nova's (`files`), then those with owner and mode (`guest.files`).
pub(crate) fn inject(stage: &mut Stage<'_>, request: &mut Request<'_>) -> Result<()> {
    let instance = request.instance;
    for file in &instance.files {
        stage.begin(Item::of(ItemKind::Files, &file.path));
        // Nova takes a path without `/` in front as one below the root.
        let path = match file.path.strip_prefix('/') {
            Some(_) => file.path.clone(),
            None => format!("/{}", file.path),
        };
        let path = crate::path_of(stage, &path)?;
        let own = Ownership::root(0o644);
        write(stage, &path, file.content.expose(), own, Existing::Keep)?;
    }
    for file in &instance.guest.files {
        stage.begin(Item::of(ItemKind::Files, &file.path));
        let path = crate::path_of(stage, &file.path)?;
        let (uid, gid) = match &file.owner {
            Some(owner) => accounts::owner(stage, owner)?,
            None => (None, None),
        };
        // As cloud-init writes them from a drive: root's and 0644 where nothing is said (`cc_write_files.py`), and so also if the
        // file is there already.
        let own = Ownership {
            permissions: (file.mode.unwrap_or(0o644) & 0o7777) as u16,
            uid: uid.unwrap_or(0),
            gid: gid.unwrap_or(0),
        };
        write(stage, &path, file.content.expose(), own, Existing::Set)?;
    }
    Ok(())
}

fn write(
    stage: &mut Stage<'_>,
    path: &GuestPath,
    content: &[u8],
    own: Ownership,
    existing: Existing,
) -> Result<()> {
    stage.parents(path)?;
    stage.write(path, content, own, existing, Secrecy::Secret)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{guest, own, refusal, run_twice, text};

    #[test]
    fn files_have_what_they_are_given_and_parents_are_roots() {
        let mut fs = guest(&[
            ("/etc/passwd", "www:x:33:33::/:\n"),
            ("/etc/group", "adm:x:4:\n"),
            ("/etc/had", "x"),
        ]);
        let told = run_twice(
            &mut fs,
            "files: [{path: /etc/had, text: y}, {path: srv/a/b, text: c}]\n\
             guest: {files: [{path: /etc/m, text: '1', owner: 'www:adm', mode: '0640'}, {path: /etc/had2, text: '', owner: 'www'}, {path: /n, text: n, owner: '5:6'}]}\n",
            inject,
        );
        assert_eq!(text(&mut fs, "/etc/had").unwrap(), "y");
        assert_eq!(text(&mut fs, "/srv/a/b").unwrap(), "c");
        assert_eq!(own(&mut fs, "/srv/a"), (0o755, 0, 0));
        assert_eq!(own(&mut fs, "/srv/a/b"), (0o644, 0, 0));
        assert_eq!(own(&mut fs, "/etc/m"), (0o640, 33, 4));
        assert_eq!(own(&mut fs, "/etc/had2"), (0o644, 33, 0));
        assert_eq!(own(&mut fs, "/n"), (0o644, 5, 6));
        let files = told
            .changes
            .iter()
            .filter(|it| it.path.to_string().ends_with('b'));
        assert!(files.into_iter().all(|it| it.secrecy == Secrecy::Secret));
    }

    #[test]
    fn what_cannot_be_written_is_said() {
        let files = [
            ("/etc/passwd", ""),
            ("/d/", ""),
            ("/dangling", "-> nowhere/x"),
        ];
        for (yaml, expected) in [
            (
                "guest: {files: [{path: /a, text: b, owner: nobody}]}\n",
                "files of `/a`: the guest has no account `nobody`",
            ),
            (
                "guest: {files: [{path: /a, text: b, owner: ':g'}]}\n",
                "no group `g`",
            ),
            ("files: [{path: /d, text: b}]\n", "is a directory"),
            ("files: [{path: /dangling, text: b}]\n", "no such file"),
            (
                "files: [{path: /etc/passwd/x, text: b}]\n",
                "not a directory",
            ),
        ] {
            let message = refusal(&mut guest(&files), yaml, inject);
            assert!(message.contains(expected), "{message}");
        }
    }
}
