//! Plain operations on the guest's files, in the order of the description.

use christen_instance::model::Operation;
use christen_vfs::GuestPath;
use christen_vfs::walk::LastLink;

use crate::{Existing, Item, ItemKind, Ownership, Request, Result, Secrecy, Stage, accounts};

/// Does the operations, each only as far as it is not done already. (Those that work against one another, as a line for a file that is
/// then moved away, are done again by another injection.)
pub(crate) fn inject(stage: &mut Stage<'_>, request: &mut Request<'_>) -> Result<()> {
    for operation in &request.instance.guest.operations {
        stage.begin(Item::of(ItemKind::Operation, describe(operation)));
        match operation {
            Operation::Write { path, content } => {
                let path = crate::path_of(stage, path)?;
                stage.parents(&path)?;
                let own = Ownership::root(0o644);
                stage.write(
                    &path,
                    content.expose(),
                    own,
                    Existing::Keep,
                    Secrecy::Secret,
                )?;
            }
            Operation::AppendLine { path, line } => append_line(stage, path, line)?,
            Operation::MakeDirectory { path } => {
                let path = crate::path_of(stage, path)?;
                stage.directory(&path, Ownership::root(0o755), Existing::Keep)?;
            }
            Operation::ChangeMode { path, mode } => {
                let path = crate::path_of(stage, path)?;
                stage.permissions(&path, (mode & 0o7777) as u16)?;
            }
            Operation::ChangeOwner { path, owner } => change_owner(stage, path, owner)?,
            Operation::Delete { path } => {
                let path = crate::path_of(stage, path)?;
                if path.components().next().is_none() {
                    return Err(stage.impossible("the root itself cannot be deleted"));
                }
                stage.remove(&path)?;
            }
            Operation::Link { path, target } => {
                let path = crate::path_of(stage, path)?;
                stage.parents(&path)?;
                stage.symbolic_link(&path, target.as_bytes())?;
            }
            Operation::Move { from, to } => rename(stage, from, to)?,
            Operation::Touch { path } => {
                let path = crate::path_of(stage, path)?;
                stage.parents(&path)?;
                stage.touch_file(&path, request.now, Ownership::root(0o644))?;
            }
            Operation::Truncate { path } => {
                let path = crate::path_of(stage, path)?;
                if stage.exists(&path)? {
                    let own = Ownership::root(0o644);
                    stage.write(&path, b"", own, Existing::Keep, Secrecy::Public)?;
                }
            }
        }
    }
    Ok(())
}

/// The operation as a message has it.
fn describe(operation: &Operation) -> String {
    match operation {
        Operation::Write { path, .. } => format!("write {path}"),
        Operation::AppendLine { path, .. } => format!("append_line {path}"),
        Operation::MakeDirectory { path } => format!("mkdir {path}"),
        Operation::ChangeMode { path, mode } => format!("chmod {mode:04o} {path}"),
        Operation::ChangeOwner { path, owner } => format!("chown {owner} {path}"),
        Operation::Delete { path } => format!("delete {path}"),
        Operation::Link { path, .. } => format!("link {path}"),
        Operation::Move { from, to } => format!("move {from} {to}"),
        Operation::Touch { path } => format!("touch {path}"),
        Operation::Truncate { path } => format!("truncate {path}"),
    }
}

fn append_line(stage: &mut Stage<'_>, path: &str, line: &str) -> Result<()> {
    let path = crate::path_of(stage, path)?;
    stage.parents(&path)?;
    let mut content = stage.read(&path)?.unwrap_or_default();
    // The ends of lines are those of the file (as virt-customize does it); one that has none yet has Unix'.
    let has_returns = content.windows(2).any(|it| it == b"\r\n");
    let lines = content.strip_suffix(b"\n").unwrap_or(&content);
    let is_there = !content.is_empty()
        && lines.split(|byte| *byte == b'\n').any(|it| {
            let it = if has_returns {
                it.strip_suffix(b"\r").unwrap_or(it)
            } else {
                it
            };
            it == line.as_bytes()
        });
    if !is_there {
        let end: &[u8] = if has_returns { b"\r\n" } else { b"\n" };
        if content.last().is_some_and(|byte| *byte != b'\n') {
            content.extend_from_slice(end);
        }
        content.extend_from_slice(line.as_bytes());
        content.extend_from_slice(end);
    }
    stage.configure(&path, &content)
}

fn change_owner(stage: &mut Stage<'_>, path: &str, owner: &str) -> Result<()> {
    let path = crate::path_of(stage, path)?;
    let (uid, gid) = accounts::owner(stage, owner)?;
    if uid.is_none() && gid.is_none() {
        return Err(stage.impossible("neither an owner nor a group is named"));
    }
    let found = stage.look(&path, LastLink::Followed)?;
    // What is not there is said by the operation itself.
    let (old_uid, old_gid) = found.map_or((0, 0), |it| (it.uid, it.gid));
    stage.owner(&path, uid.unwrap_or(old_uid), gid.unwrap_or(old_gid))
}

/// As mv(1): a directory that is there takes it in. What is gone from the one place and is at the other has been moved already.
fn rename(stage: &mut Stage<'_>, from: &str, to: &str) -> Result<()> {
    let from = crate::path_of(stage, from)?;
    let mut to: GuestPath = crate::path_of(stage, to)?;
    if stage.is_directory(&to)?
        && let Some(name) = from.name()
    {
        let inside = to.join(name);
        let is_there = stage.look(&from, LastLink::Kept)?.is_some();
        if is_there || stage.look(&inside, LastLink::Kept)?.is_some() {
            to = inside;
        }
    }
    let has_moved =
        stage.look(&from, LastLink::Kept)?.is_none() && stage.look(&to, LastLink::Kept)?.is_some();
    if has_moved {
        return Ok(());
    }
    stage.parents(&to)?;
    stage.rename(&from, &to)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{guest, own, path, refusal, run_twice, text};

    fn yaml(operations: &str) -> String {
        format!("guest:\n  operations: [{operations}]\n")
    }

    #[test]
    fn each_is_done_in_its_turn() {
        let mut fs = guest(&[
            ("/etc/passwd", "www:x:33:34::/:\n"),
            ("/etc/hosts", "127.0.0.1 a"),
            ("/etc/dos", "a\r\nb"),
            ("/mv", "m"),
            ("/old/x/y", "z"),
            ("/log", "text"),
            ("/file", "f"),
            ("/link", "-> file"),
        ]);
        let told = run_twice(
            &mut fs,
            &yaml(
                "{mkdir: /srv/a/b}, {write: {path: /srv/a/c, text: one}}, {append_line: {path: /etc/hosts, line: 192.0.2.1 b}}, \
                 {append_line: {path: /etc/dos, line: b}}, {append_line: {path: /etc/dos, line: c}}, {append_line: {path: /n, line: ''}}, \
                 {chmod: {path: /link, mode: '4711'}}, {chown: {path: /srv/a/c, owner: 'www'}}, {chown: {path: /log, owner: ':7'}}, \
                 {delete: /old}, {link: {path: /srv/l, target: ../log}}, {link: {path: /srv/l, target: a}}, {move: {from: /srv/a/c, to: /moved/c}}, \
                 {move: {from: /mv, to: /srv/a}}, {touch: /t/t}, {truncate: /log}, {truncate: /none}, {delete: /none}",
            ),
            inject,
        );
        assert_eq!(own(&mut fs, "/srv/a/b"), (0o755, 0, 0));
        assert_eq!(text(&mut fs, "/moved/c").unwrap(), "one");
        assert_eq!(own(&mut fs, "/moved/c"), (0o644, 33, 0));
        assert_eq!(text(&mut fs, "/srv/a/c"), None);
        assert_eq!(
            text(&mut fs, "/etc/hosts").unwrap(),
            "127.0.0.1 a\n192.0.2.1 b\n"
        );
        assert_eq!(text(&mut fs, "/srv/a/mv").unwrap(), "m");
        assert_eq!(text(&mut fs, "/etc/dos").unwrap(), "a\r\nb\r\nc\r\n");
        assert_eq!(text(&mut fs, "/n").unwrap(), "\n");
        assert_eq!(own(&mut fs, "/file"), (0o4711, 0, 0));
        assert_eq!(own(&mut fs, "/log"), (0o644, 0, 7));
        assert_eq!(
            (text(&mut fs, "/log").unwrap(), text(&mut fs, "/old/x/y")),
            (String::new(), None)
        );
        assert_eq!(
            Stage::new(&mut fs).link_target(&path("/srv/l")).unwrap(),
            b"a"
        );
        assert_eq!(text(&mut fs, "/t/t").unwrap(), "");
        assert_eq!(text(&mut fs, "/none"), None);
        let hosts = told
            .changes
            .iter()
            .find(|it| it.path == path("/etc/hosts"))
            .unwrap();
        assert_eq!(
            hosts.items[0].to_string(),
            "operation of `append_line /etc/hosts`"
        );
    }

    #[test]
    fn what_cannot_be_done_is_said() {
        let files = [("/etc/passwd", ""), ("/d/x", ""), ("/f", "")];
        for (operation, expected) in [
            (
                "{chmod: {path: /none, mode: '0644'}}",
                "operation of `chmod 0644 /none`|cannot find `/none`: no such file",
            ),
            ("{chown: {path: /f, owner: none}}", "no account `none`"),
            (
                "{chown: {path: /f, owner: ':'}}",
                "neither an owner nor a group",
            ),
            ("{chown: {path: /none, owner: '0'}}", "no such file"),
            ("{delete: /}", "the root itself"),
            ("{link: {path: /d, target: x}}", "is a directory"),
            ("{move: {from: /none, to: /x}}", "no such file"),
            ("{move: {from: /d, to: /d/e}}", "into itself"),
            ("{truncate: /d}", "is a directory"),
            ("{append_line: {path: /d, line: x}}", "not a regular file"),
            ("{mkdir: /f/x}", "not a directory"),
        ] {
            let message = refusal(&mut guest(&files), &yaml(operation), inject);
            let fits = expected.split('|').any(|it| message.contains(it));
            assert!(fits, "{operation}: {message}");
        }
    }
}
