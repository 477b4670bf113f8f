//! Numbers of the guest's users and groups, by the names that the guest gives them.

use christen_vfs::walk::{LastLink, resolve};
use christen_vfs::{Error, FileSystem, GuestPath};

use super::edit::Cause;
use super::owner::Principal;

/// The most bytes of an account file that are read; one with ten thousand accounts has about 600 KB.
const MAX_BYTES: u64 = 4 << 20;

/// Which file knows the names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Register {
    /// `/etc/passwd`
    Users,
    /// `/etc/group`
    Groups,
}

impl Register {
    fn path(self) -> &'static str {
        match self {
            Self::Users => "/etc/passwd",
            Self::Groups => "/etc/group",
        }
    }
}

/// Returns the number of a user or a group.
pub(crate) fn number(
    fs: &mut dyn FileSystem,
    principal: &Principal,
    register: Register,
) -> Result<u32, Cause> {
    let name = match principal {
        Principal::Number(number) => return Ok(*number),
        Principal::Name(name) => name,
    };
    let unknown = || Cause::UnknownName {
        name: name.clone(),
        register: register.path(),
    };
    let path = GuestPath::new(register.path()).map_err(|_| unknown())?;
    let file = match resolve(fs, &path, LastLink::Followed) {
        Ok(file) => file,
        Err(Error::NotFound | Error::NotDirectory) => return Err(unknown()),
        Err(error) => return Err(error.into()),
    };
    let mut text = vec![0; fs.attributes(file)?.size.min(MAX_BYTES) as usize];
    let mut filled = 0;
    while filled < text.len() {
        match fs.read_at(file, &mut text[filled..], filled as u64)? {
            0 => break,
            count => filled += count,
        }
    }
    // `name:password:number:…` (passwd(5), group(5)).
    text[..filled]
        .split(|byte| *byte == b'\n')
        .find_map(|line| {
            let mut fields = line.split(|byte| *byte == b':');
            let matches = fields.next() == Some(name.as_bytes());
            let number = fields.nth(1)?;
            matches.then(|| str::from_utf8(number).ok()?.parse().ok())?
        })
        .ok_or_else(unknown)
}
