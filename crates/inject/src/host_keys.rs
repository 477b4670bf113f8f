//! SSH host keys, so that clients know the machine before its first boot.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use christen_instance::Secret;
use christen_instance::model::SshHostKey;

use crate::{
    Existing, HostKey, HostKeyPair, Item, ItemKind, Ownership, Request, Result, Secrecy, Stage,
    accounts, hostname,
};

pub(crate) const DIRECTORY: &str = "/etc/ssh";

/// Says to cloud-init that the keys stay: its default is to delete all of them at the first boot (`cc_ssh.py`, `ssh_deletekeys`).
const DROP_IN: &str = "/etc/cloud/cloud.cfg.d/95-christen-host-keys.cfg";

/// Red Hat's programs that make host keys; those of a system whose sshd wants them for a group name the group.
const KEY_MAKERS: [&str; 2] = ["/usr/libexec/openssh/sshd-keygen", "/usr/sbin/sshd-keygen"];

/// Puts the description's host keys where sshd has them.
pub(crate) fn inject(stage: &mut Stage<'_>, request: &mut Request<'_>) -> Result<()> {
    let guest = &request.instance.guest;
    if guest.ssh_host_keys.is_empty() && !guest.generate_ssh_host_key {
        return Ok(());
    }
    stage.begin(Item::new(ItemKind::HostKeys));
    let mut keys = guest.ssh_host_keys.clone();
    if guest.generate_ssh_host_key {
        keys.push(generated(stage, request)?);
    }
    put(stage, &keys)
}

/// Writes host keys, for the current item.
pub(crate) fn put(stage: &mut Stage<'_>, keys: &[SshHostKey]) -> Result<()> {
    let directory = crate::guest_path(DIRECTORY);
    if !stage.is_directory(&directory)? {
        return Err(stage.impossible("the guest has no `/etc/ssh`: sshd is not installed"));
    }
    let own = private_ownership(stage)?;
    for key in keys {
        let is_name = key
            .algorithm
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric());
        if !is_name || key.algorithm.is_empty() {
            return Err(stage.impossible("this is no algorithm of host keys"));
        }
        let name = format!("ssh_host_{}_key", key.algorithm);
        let mut private = key.private.expose().trim_end().to_owned();
        // OpenSSH does not load a private key whose last line is open.
        private.push('\n');
        let path = directory.join(name.as_bytes());
        stage.write(
            &path,
            private.as_bytes(),
            own,
            Existing::Set,
            Secrecy::Secret,
        )?;
        let path = directory.join(format!("{name}.pub").as_bytes());
        match public_half(stage, key)? {
            Some(public) => {
                let public = format!("{}\n", public.trim_end());
                let own = Ownership::root(0o644);
                stage.write(
                    &path,
                    public.as_bytes(),
                    own,
                    Existing::Set,
                    Secrecy::Public,
                )?;
            }
            None => {
                // One of another key would be wrong.
                stage.remove(&path)?;
                stage.notice(
                    "the public half is not given and cannot be told from this form of the private one; sshd does without its file",
                );
            }
        }
    }
    cloud_init(stage, keys)
}

/// A pair for this instance: the one that an earlier injection has made for it, or a new one. Its public half is told.
fn generated(stage: &mut Stage<'_>, request: &mut Request<'_>) -> Result<SshHostKey> {
    let instance = request.instance;
    let name = hostname::wanted(instance);
    let host = name.as_deref().unwrap_or("localhost");
    // Without an identity no pair can be known as this instance's.
    let mark = instance
        .uuid
        .as_ref()
        .map(|uuid| format!("christen:{uuid}"));
    let comment = match &mark {
        Some(mark) => format!("root@{host} {mark}"),
        None => format!("root@{host}"),
    };
    let path = crate::guest_path(DIRECTORY).join(b"ssh_host_ed25519_key");
    let public = crate::guest_path(DIRECTORY).join(b"ssh_host_ed25519_key.pub");
    let mut found = None;
    if let (Some(private), Some(public), Some(_)) =
        (stage.read(&path)?, stage.read(&public)?, &mark)
        && let (Ok(private), Ok(public)) = (String::from_utf8(private), String::from_utf8(public))
        && public.trim_end().ends_with(&format!(" {comment}"))
    {
        found = Some((private, public));
    }
    let (private, public) = match found {
        Some(found) => found,
        None => {
            let pair = HostKeyPair::generate(request.random, &comment)?;
            (pair.private.into_exposed(), pair.public)
        }
    };
    let mut names: Vec<_> = name.into_iter().collect();
    let nics = instance.network.iter().flatten();
    let ips = nics
        .flat_map(|nic| &nic.subnets)
        .flat_map(|subnet| &subnet.ips);
    names.extend(ips.map(|ip| ip.address.clone()));
    let key: Vec<_> = public.split(' ').take(2).collect();
    stage.tell_host_key(HostKey {
        names,
        public: key.join(" "),
    });
    Ok(SshHostKey {
        algorithm: "ed25519".to_owned(),
        private: Secret::new(private),
        public: Some(public),
    })
}

/// Root's alone; on Red Hat before Fedora 38 for the group `ssh_keys` too, as ssh-keysign there has it.
fn private_ownership(stage: &mut Stage<'_>) -> Result<Ownership> {
    let Some(gid) = accounts::group_id(stage, "ssh_keys")? else {
        return Ok(Ownership::root(0o600));
    };
    for maker in KEY_MAKERS {
        let text = stage.read(&crate::guest_path(maker))?.unwrap_or_default();
        if text.windows(8).any(|it| it == b"ssh_keys") {
            return Ok(Ownership {
                permissions: 0o640,
                uid: 0,
                gid,
            });
        }
    }
    Ok(Ownership::root(0o600))
}

/// The public half: as given, or from the private one in OpenSSH's form.
fn public_half(stage: &Stage<'_>, key: &SshHostKey) -> Result<Option<String>> {
    let Some(body) = openssh_body(key.private.expose()) else {
        return Ok(key.public.clone());
    };
    let mut rest = body.as_slice();
    let mut fields = [&[][..]; 4];
    for (index, field) in fields.iter_mut().enumerate() {
        if index == 3 {
            // How many keys there are: always one.
            rest = rest.get(4..).unwrap_or_default();
        }
        let Some((value, behind)) = string(rest) else {
            return Err(stage.impossible("the private key is cut short"));
        };
        (*field, rest) = (value, behind);
    }
    let [cipher, _, _, blob] = fields;
    if cipher != b"none" {
        return Err(
            stage.impossible("the private key has a passphrase, and sshd cannot ask for it")
        );
    }
    if key.public.is_some() {
        return Ok(key.public.clone());
    }
    let name = string(blob).map(|(name, _)| String::from_utf8_lossy(name).into_owned());
    Ok(name
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_graphic()))
        .map(|name| format!("{name} {}", STANDARD.encode(blob))))
}

/// What is in base64 between the lines (OpenSSH `PROTOCOL.key`, section 1), behind the magic.
fn openssh_body(text: &str) -> Option<Vec<u8>> {
    let (_, rest) = text.split_once("-----BEGIN OPENSSH PRIVATE KEY-----")?;
    let (body, _) = rest.split_once("-----END")?;
    let body: String = body.split_ascii_whitespace().collect();
    let bytes = STANDARD.decode(body).ok()?;
    bytes.strip_prefix(b"openssh-key-v1\0").map(<[u8]>::to_vec)
}

/// A string and what follows it (RFC 4251 §5).
fn string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_be_bytes(*length) as usize)
}

/// A cloud-init in the guest leaves the keys alone. What it would have deleted is deleted here: host keys of the image, which all its
/// machines would share.
fn cloud_init(stage: &mut Stage<'_>, keys: &[SshHostKey]) -> Result<()> {
    if !stage.exists(&crate::guest_path("/etc/cloud/cloud.cfg"))? {
        return Ok(());
    }
    let directory = crate::guest_path(DIRECTORY);
    for name in stage.names(&directory)? {
        let middle = name.strip_prefix(b"ssh_host_").unwrap_or_default();
        let middle = middle.strip_suffix(b".pub").unwrap_or(middle);
        let Some(algorithm) = middle.strip_suffix(b"_key") else {
            continue;
        };
        if keys.iter().all(|key| key.algorithm.as_bytes() != algorithm) {
            stage.remove(&directory.join(&name))?;
        }
    }
    let path = crate::guest_path(DROP_IN);
    stage.parents(&path)?;
    let own = Ownership::root(0o644);
    stage.write(
        &path,
        b"ssh_deletekeys: false\n",
        own,
        Existing::Set,
        Secrecy::Public,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{guest, own, refusal, run_twice, text};

    // `ssh-keygen -t ed25519 -N '' -C ''`, used nowhere.
    const PRIVATE: &str = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW\nQyNTUxOQAAACA6mi7NW/O4JqEWTcTB3xJ2FddTxaGAxHPhGhPuAcUDpwAAAIg2dIIiNnSC\nIgAAAAtzc2gtZWQyNTUxOQAAACA6mi7NW/O4JqEWTcTB3xJ2FddTxaGAxHPhGhPuAcUDpw\nAAAEAbwJmkjZK1xf1nqLAifarJRzJRI/CNR/EEY+KSwONVZTqaLs1b87gmoRZNxMHfEnYV\n11PFoYDEc+EaE+4BxQOnAAAAAAECAwQF\n-----END OPENSSH PRIVATE KEY-----";
    const PUBLIC: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDqaLs1b87gmoRZNxMHfEnYV11PFoYDEc+EaE+4BxQOn";
    // The same with `-N secret`.
    const ENCRYPTED: &str = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHIAAAAGYmNyeXB0AAAAGAAAABCiaJxFpD\nwKUZYEJhcI4m4fAAAAEAAAAAEAAAAzAAAAC3NzaC1lZDI1NTE5AAAAIDqaLs1b87gmoRZN\nxMHfEnYV11PFoYDEc+EaE+4BxQOnAAAAkNL9o3brwvy0xghqfZhjQ1+vYbLvomDClm9+K5\nXUO14A/SL6OiZWjlMCxtM5tZ9qtbXb1LFLSDkUE+HDM+Li3diMwOIF8T/WFOP3dZt3a4tH\nwzQ+jm50vUTor+ahDOsRizl1PqYrXiXjqhDObA4gDvr8l9TXTTnCBiUaVD/7UMGs5MG8G8\niWsvrx08IjnTcazg==\n-----END OPENSSH PRIVATE KEY-----";

    fn yaml(private: &str) -> String {
        let private = private.replace('\n', "\n      ");
        format!(
            "guest:\n  ssh_host_keys:\n  - algorithm: ed25519\n    private: |\n      {private}\n"
        )
    }

    #[test]
    fn keys_have_their_modes_and_the_public_half_is_found() {
        let mut fs = guest(&[
            ("/etc/ssh/ssh_host_rsa_key", "old"),
            ("/etc/ssh/ssh_host_ed25519_key", "old"),
        ]);
        let told = run_twice(&mut fs, &yaml(PRIVATE), inject);
        assert_eq!(
            text(&mut fs, "/etc/ssh/ssh_host_ed25519_key").unwrap(),
            format!("{PRIVATE}\n")
        );
        assert_eq!(own(&mut fs, "/etc/ssh/ssh_host_ed25519_key"), (0o600, 0, 0));
        assert_eq!(
            text(&mut fs, "/etc/ssh/ssh_host_ed25519_key.pub").unwrap(),
            format!("{PUBLIC}\n")
        );
        assert_eq!(
            own(&mut fs, "/etc/ssh/ssh_host_ed25519_key.pub"),
            (0o644, 0, 0)
        );
        assert_eq!(text(&mut fs, "/etc/ssh/ssh_host_rsa_key").unwrap(), "old");
        assert_eq!(told.changes[0].secrecy, Secrecy::Secret);
    }

    #[test]
    fn red_hats_group_and_cloud_init_are_served() {
        let mut fs = guest(&[
            ("/etc/ssh/ssh_host_rsa_key.pub", "old"),
            ("/etc/ssh/sshd_config", ""),
            ("/etc/group", "ssh_keys:x:999:\n"),
            ("/usr/libexec/openssh/sshd-keygen", "chgrp ssh_keys $KEY\n"),
            ("/etc/cloud/cloud.cfg", ""),
        ]);
        run_twice(&mut fs, &yaml(PRIVATE), inject);
        assert_eq!(
            own(&mut fs, "/etc/ssh/ssh_host_ed25519_key"),
            (0o640, 0, 999)
        );
        assert_eq!(text(&mut fs, "/etc/ssh/ssh_host_rsa_key.pub"), None);
        assert_eq!(text(&mut fs, "/etc/ssh/sshd_config").unwrap(), "");
        assert_eq!(text(&mut fs, DROP_IN).unwrap(), "ssh_deletekeys: false\n");
    }

    #[test]
    fn a_generated_key_stays_that_of_its_instance() {
        let mut fs = guest(&[
            ("/etc/ssh/ssh_host_ed25519_key", "image's"),
            (
                "/etc/ssh/ssh_host_ed25519_key.pub",
                "ssh-ed25519 AAAA root@web",
            ),
        ]);
        let yaml = |uuid: &str| {
            format!(
                "uuid: b65cee2f-8c69-4aeb-be2f-f7974254{uuid}\nhostname: web\nnetwork: [{{mac: '52:54:00:12:34:56', address: 192.0.2.17/24}}]\nguest: {{ssh_host_keys: generate}}\n"
            )
        };
        let told = run_twice(&mut fs, &yaml("8fc2"), inject);
        let public = text(&mut fs, "/etc/ssh/ssh_host_ed25519_key.pub").unwrap();
        assert!(
            public.ends_with(" root@web christen:b65cee2f-8c69-4aeb-be2f-f79742548fc2\n"),
            "{public}"
        );
        let key: Vec<_> = public.split(' ').take(2).collect();
        let expected = HostKey {
            names: vec!["web".to_owned(), "192.0.2.17".to_owned()],
            public: key.join(" "),
        };
        assert_eq!(told.host_keys, [expected]);
        assert_eq!(own(&mut fs, "/etc/ssh/ssh_host_ed25519_key"), (0o600, 0, 0));
        // A clone of the image is another instance.
        run_twice(&mut fs, &yaml("8fc3"), inject);
        assert_ne!(
            text(&mut fs, "/etc/ssh/ssh_host_ed25519_key.pub").unwrap(),
            public
        );
    }

    #[test]
    fn a_key_that_sshd_cannot_load_is_refused() {
        assert!(refusal(&mut guest(&[]), &yaml(PRIVATE), inject).contains("no `/etc/ssh`"));
        let mut fs = guest(&[("/etc/ssh/", "")]);
        assert!(refusal(&mut fs, &yaml(ENCRYPTED), inject).contains("passphrase"));
        let pem = "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----";
        assert_eq!(run_twice(&mut fs, &yaml(pem), inject).notices.len(), 1);
    }
}
