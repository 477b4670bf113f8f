//! DNS servers, where what configures the interfaces has no place for them.

use std::net::IpAddr;

use christen_vfs::walk::{LastLink, resolve};
use christen_vfs::{GuestPath, Kind};

use super::guest_files::path;
use crate::{Error, Result, Stage};

/// As many as the C library asks (resolv.conf(5), `MAXNS`).
const MOST_SERVERS: usize = 3;

/// Writes the servers to `/etc/resolv.conf`, if nobody else does; its other lines stay.
pub(super) fn write(stage: &mut Stage<'_>, servers: &[IpAddr]) -> Result<()> {
    if servers.is_empty() {
        return Ok(());
    }
    let file = path("/etc/resolv.conf");
    let found = stage.look(&file, LastLink::Kept)?;
    if let Some(found) = found
        && found.kind == Kind::SymbolicLink
    {
        let target = target(stage, &file)?;
        stage.notice(format!(
            "the DNS servers are not written: `{file}` is a link to `{}`, which a program of the guest writes",
            target.escape_ascii()
        ));
        return Ok(());
    }
    if servers.len() > MOST_SERVERS {
        stage.notice(format!(
            "of {} DNS servers in `{file}` the C library asks the first {MOST_SERVERS}",
            servers.len()
        ));
    }
    let old = stage.read(&file)?.unwrap_or_default();
    let mut content = Vec::new();
    for line in old.split_inclusive(|byte| *byte == b'\n') {
        let is_server = line.strip_prefix(b"nameserver");
        let is_server = is_server
            .and_then(|rest| rest.first())
            .is_some_and(u8::is_ascii_whitespace);
        if !is_server {
            content.extend_from_slice(line);
        }
    }
    if content.last().is_some_and(|last| *last != b'\n') {
        content.push(b'\n');
    }
    for server in servers {
        content.extend_from_slice(format!("nameserver {server}\n").as_bytes());
    }
    stage.configure(&file, &content)
}

fn target(stage: &mut Stage<'_>, link: &GuestPath) -> Result<Vec<u8>> {
    let fs = stage.fs();
    let target = resolve(fs, link, LastLink::Kept).and_then(|file| fs.read_link(file));
    target.map_err(|source| Error::File {
        action: "read",
        path: link.clone(),
        source,
    })
}
