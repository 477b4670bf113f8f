//! CA certificates that the guest trusts.
//!
//! A guest has a directory for certificates of its operator, and a bundle that a program makes of these and of its vendor's. Nothing of
//! the guest is run here: the certificate goes into the directory, so that it is there whenever that program runs, and is put into the
//! bundle, and among the links by name, as that program would have done it.

mod name_hash;
mod pem;

use christen_vfs::GuestPath;
use christen_vfs::walk::LastLink;
use sha2::{Digest, Sha256};

use self::pem::Certificate;
use crate::{Existing, Item, ItemKind, Ownership, Request, Result, Secrecy, Stage};

/// How a family of systems keeps certificates.
#[derive(Debug)]
struct Store {
    /// What is there only on these systems.
    mark: &'static str,
    /// For certificates of the operator.
    own: &'static str,
    /// The ending of their names that its program looks for.
    ending: &'static str,
    /// What programs read.
    bundle: &'static str,
    /// Certificates by the hash of their subject, where links go.
    links: Option<&'static str>,
    /// Makes the bundle anew.
    program: &'static str,
}

/// Debian's update-ca-certificates(8), which Alpine has too; p11-kit's trust(1) of Red Hat, SUSE and Arch.
const STORES: [Store; 4] = [
    Store {
        mark: "/etc/pki/ca-trust/source",
        own: "/etc/pki/ca-trust/source/anchors",
        ending: ".pem",
        bundle: "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
        links: Some("/etc/pki/ca-trust/extracted/pem/directory-hash"),
        program: "update-ca-trust",
    },
    Store {
        mark: "/etc/pki/trust",
        own: "/etc/pki/trust/anchors",
        ending: ".pem",
        bundle: "/var/lib/ca-certificates/ca-bundle.pem",
        links: Some("/var/lib/ca-certificates/pem"),
        program: "update-ca-certificates",
    },
    Store {
        mark: "/etc/ca-certificates/trust-source",
        own: "/etc/ca-certificates/trust-source/anchors",
        ending: ".crt",
        bundle: "/etc/ca-certificates/extracted/tls-ca-bundle.pem",
        links: Some("/etc/ca-certificates/extracted/cadir"),
        program: "update-ca-trust",
    },
    Store {
        mark: "/etc/ssl/certs",
        own: "/usr/local/share/ca-certificates",
        ending: ".crt",
        bundle: "/etc/ssl/certs/ca-certificates.crt",
        links: Some("/etc/ssl/certs"),
        program: "update-ca-certificates",
    },
];

/// Links by one hash at most: as many certificates of one subject are a mistake.
const MAX_SAME: usize = 64;

/// Makes the guest trust the description's certificates.
pub(crate) fn inject(stage: &mut Stage<'_>, request: &mut Request<'_>) -> Result<()> {
    let certificates = &request.instance.guest.ca_certificates;
    if certificates.is_empty() {
        return Ok(());
    }
    stage.begin(Item::new(ItemKind::Certificates));
    let mut found = None;
    for store in &STORES {
        if found.is_none() && stage.is_directory(&crate::guest_path(store.mark))? {
            found = Some(store);
        }
    }
    let Some(store) = found else {
        return Err(stage.impossible("the guest has no store of CA certificates that is known: `ca-certificates` is not installed"));
    };
    for text in certificates {
        let blocks = pem::certificates(text).ok_or_else(|| {
            stage.impossible(
                "this is not a certificate in PEM: base64 between its lines, and DER in it",
            )
        })?;
        for certificate in &blocks {
            add(stage, store, certificate)?;
        }
    }
    stage.notice(format!(
        "stores in other forms, as Java's, have the certificates once `{}` has run in the guest",
        store.program
    ));
    Ok(())
}

fn add(stage: &mut Stage<'_>, store: &Store, certificate: &Certificate) -> Result<()> {
    let hash = Sha256::digest(&certificate.der);
    let short: String = hash[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    let name = format!("christen-{short}");
    let own = crate::guest_path(store.own).join(format!("{name}{}", store.ending).as_bytes());
    let text = certificate.pem.as_bytes();
    let public = Ownership::root(0o644);
    stage.parents(&own)?;
    stage.write(&own, text, public, Existing::Set, Secrecy::Public)?;
    let bundle = crate::guest_path(store.bundle);
    match stage.read(&bundle)? {
        None => stage.notice(format!(
            "the guest has no `{bundle}` yet: the certificate counts once `{}` has run there",
            store.program
        )),
        Some(mut content) => {
            let is_there = content
                .windows(certificate.body.len())
                .any(|window| window == certificate.body.as_bytes());
            if !is_there {
                if content.last().is_some_and(|byte| *byte != b'\n') {
                    content.push(b'\n');
                }
                content.extend_from_slice(text);
            }
            stage.write(&bundle, &content, public, Existing::Keep, Secrecy::Public)?;
        }
    }
    let Some(links) = store.links.map(crate::guest_path) else {
        return Ok(());
    };
    if !stage.is_directory(&links)? {
        return Ok(());
    }
    let file = format!("{name}.pem");
    stage.symbolic_link(&links.join(file.as_bytes()), &own.to_bytes())?;
    match name_hash::subject(&certificate.der) {
        Some(hash) => link(stage, &links, hash, file.as_bytes()),
        None => {
            stage.notice(format!(
                "the certificate's subject is in a form whose hash is not made here, so that programs which look into `{links}` know it \
                 only once `{}` has run in the guest",
                store.program
            ));
            Ok(())
        }
    }
}

/// openssl-rehash(1): the hash, and a number that tells those of one hash apart; readers stop at the first number that lacks.
fn link(stage: &mut Stage<'_>, links: &GuestPath, hash: u32, file: &[u8]) -> Result<()> {
    for number in 0..MAX_SAME {
        let path = links.join(format!("{hash:08x}.{number}").as_bytes());
        let is_free = stage.look(&path, LastLink::Kept)?.is_none();
        if is_free || stage.link_target(&path).is_ok_and(|target| target == file) {
            return stage.symbolic_link(&path, file);
        }
    }
    Err(stage.impossible(format!(
        "`{links}` has {MAX_SAME} certificates of one hash already"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{guest, path, refusal, run_twice, text};

    // `openssl req -x509 -subj '/C=DE/O=Phony  Example /CN=Root Ü' -utf8`, and its `openssl x509 -subject_hash`.
    const PEM: &str = "-----BEGIN CERTIFICATE-----\nMIIByjCCAW+gAwIBAgIUKzfhsiKNBW31QpzKeyvhaxT90eMwCgYIKoZIzj0EAwIw\nOTELMAkGA1UEBhMCREUxGDAWBgNVBAoMD1Bob255ICBFeGFtcGxlIDEQMA4GA1UE\nAwwHUm9vdCDDnDAgFw0yNjExMjUwNzI4MDdaGA8yMTI2MTEwMTA3MjgwN1owOTEL\nMAkGA1UEBhMCREUxGDAWBgNVBAoMD1Bob255ICBFeGFtcGxlIDEQMA4GA1UEAwwH\nUm9vdCDDnDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABMPP1/gRfQrjWen75A9m\nV+m/I7YhaucZCGojiGNIjONpTL8RM9s/UZvp5LmYUAbAX9Am1/a+bTTZKOppBhKf\nvfCjUzBRMB0GA1UdDgQWBBTIyGK9j+12XDFGkT1kj8Atf5RC0DAfBgNVHSMEGDAW\ngBTIyGK9j+12XDFGkT1kj8Atf5RC0DAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49\nBAMCA0kAMEYCIQCFbTpNltP1ewXm8UU8bdPVIcmRHt53swgSzzFPKfdbrQIhAPpA\nu/GJaxWjfTTWB9RHQxhVNOftyOzTPAw8ag2KS+ZZ\n-----END CERTIFICATE-----";
    const HASH: &str = "5a9453cb";

    fn yaml() -> String {
        format!(
            "guest:\n  ca_certificates:\n  - |\n    {}\n",
            PEM.replace('\n', "\n    ")
        )
    }

    #[test]
    fn each_family_has_its_own_places() {
        for store in &STORES {
            let links = store.links.unwrap();
            let bundle = store.bundle;
            let taken = format!("{links}/{HASH}.0");
            let mut fs = guest(&[
                (&format!("{}/", store.mark), ""),
                (bundle, "# had\nx"),
                (&format!("{links}/"), ""),
                (&taken, "-> other.pem"),
            ]);
            let told = run_twice(&mut fs, &yaml(), inject);
            assert_eq!(text(&mut fs, bundle).unwrap(), format!("# had\nx\n{PEM}\n"));
            let target = Stage::new(&mut fs)
                .link_target(&path(&format!("{links}/{HASH}.1")))
                .unwrap();
            let via = format!("{links}/{}", String::from_utf8(target).unwrap());
            assert_eq!(text(&mut fs, &via).unwrap(), format!("{PEM}\n"));
            assert_eq!(told.notices.len(), 1);
        }
    }

    #[test]
    fn what_cannot_be_trusted_is_said() {
        assert!(refusal(&mut guest(&[]), &yaml(), inject).contains("no store"));
        let mut fs = guest(&[("/etc/ssl/certs/", "")]);
        let broken = "guest: {ca_certificates: [\"-----BEGIN CERTIFICATE-----\\nAAAA\\n-----END CERTIFICATE-----\\n\"]}\n";
        assert!(refusal(&mut fs, broken, inject).contains("not a certificate in PEM"));
        let told = run_twice(&mut fs, &yaml(), inject);
        assert!(
            told.notices[0]
                .text
                .contains("no `/etc/ssl/certs/ca-certificates.crt` yet")
        );
    }
}
