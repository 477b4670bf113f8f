//! SSH host keys.

use christen_instance::model::SshHostKey;

use super::Fresh;
use crate::{HostKeyPair, Result, Stage, host_keys};

/// Takes all host keys away and makes one: Debian and others make none by themselves, and sshd does not start without. Returns its
/// public half.
pub(super) fn renew(stage: &mut Stage<'_>, fresh: &mut Fresh<'_>) -> Result<Vec<String>> {
    let directory = crate::guest_path(host_keys::DIRECTORY);
    if !stage.is_directory(&directory)? {
        return Ok(Vec::new());
    }
    let mut had_any = false;
    for name in stage.names(&directory)? {
        let is_key = name.starts_with(b"ssh_host_")
            && (name.ends_with(b"_key") || name.ends_with(b"_key.pub"));
        if is_key {
            had_any = true;
            stage.remove(&directory.join(&name))?;
        }
    }
    if !had_any {
        // The guest makes them at its first boot, or nobody could have logged in to the original.
        return Ok(Vec::new());
    }
    let pair = HostKeyPair::generate(fresh.random, fresh.comment)?;
    let public = pair.public.trim_end().to_owned();
    let key = SshHostKey {
        algorithm: "ed25519".to_owned(),
        private: pair.private,
        public: Some(public.clone()),
    };
    host_keys::put(stage, &[key])?;
    Ok(vec![public])
}
