//! Key pairs for SSH hosts, made before the first boot.
//!
//! Ed25519 only: every OpenSSH since 6.5 (2014) has it, and the pair comes from 32 drawn bytes, so the same draws give the same key. That is
//! not so for ECDSA in `ring`, and RSA takes seconds.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use christen_instance::Secret;
use christen_instance::inputs::RandomSource;
use ring::signature::{Ed25519KeyPair, KeyPair as _};

use crate::error::{Error, Result};

/// The name of the algorithm, as SSH has it (RFC 8709, section 4).
const ALGORITHM: &str = "ssh-ed25519";

/// The length of a line of the private half, as ssh-keygen(1) writes it.
const LINE_BYTES: usize = 70;

/// Both halves of a key pair, as OpenSSH keeps them in files.
#[derive(Debug)]
pub struct HostKeyPair {
    /// The private half.
    pub private: Secret,
    /// The public half, one line with its final newline.
    pub public: String,
}

impl HostKeyPair {
    /// Makes a pair; 36 bytes are drawn. The comment goes behind the public half; it holds no newline.
    ///
    /// # Errors
    ///
    /// [`Error::Random`].
    pub fn generate(random: &mut dyn RandomSource, comment: &str) -> Result<Self> {
        let mut draw = |buffer: &mut [u8]| {
            random.fill(buffer).map_err(|source| Error::Random {
                purpose: "an SSH host key",
                source,
            })
        };
        let (mut seed, mut check) = ([0; 32], [0; 4]);
        draw(&mut seed)?;
        draw(&mut check)?;
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed)
            // It refuses a seed of another length only.
            .expect("the seed has 32 bytes");
        let public = pair.public_key().as_ref();

        let mut blob = Vec::new();
        string(&mut blob, ALGORITHM.as_bytes());
        string(&mut blob, public);
        // openssh-portable, `PROTOCOL.key`.
        let mut secret = [check, check].concat();
        secret.extend_from_slice(&blob);
        string(&mut secret, &[&seed[..], public].concat());
        string(&mut secret, comment.as_bytes());
        let padding = (1..).take((8 - secret.len() % 8) % 8);
        secret.extend(padding);
        let mut whole = b"openssh-key-v1\0".to_vec();
        for text in ["none", "none", ""] {
            string(&mut whole, text.as_bytes());
        }
        whole.extend_from_slice(&1u32.to_be_bytes());
        string(&mut whole, &blob);
        string(&mut whole, &secret);

        let mut private = String::from("-----BEGIN OPENSSH PRIVATE KEY-----\n");
        for line in STANDARD.encode(whole).as_bytes().chunks(LINE_BYTES) {
            private.extend(line.iter().copied().map(char::from));
            private.push('\n');
        }
        private.push_str("-----END OPENSSH PRIVATE KEY-----\n");
        Ok(Self {
            private: Secret::new(private),
            public: format!(
                "{}\n",
                format!("{ALGORITHM} {} {comment}", STANDARD.encode(&blob)).trim_end()
            ),
        })
    }
}

/// A string of SSH: its length, most significant byte first, and its bytes (RFC 4251, section 5).
fn string(out: &mut Vec<u8>, bytes: &[u8]) {
    // Nothing here is longer than a few hundred bytes.
    out.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;

    use christen_testkit::temp::TempDir;
    use christen_testkit::tools;

    use super::*;

    struct Counting(u8);

    impl RandomSource for Counting {
        fn fill(&mut self, buffer: &mut [u8]) -> std::io::Result<()> {
            for byte in buffer {
                *byte = self.0;
                self.0 = self.0.wrapping_add(1);
            }
            Ok(())
        }
    }

    #[test]
    fn ssh_keygen_reads_the_private_half_and_makes_the_public_one_of_it() {
        let Some(ssh_keygen) = tools::require("ssh-keygen") else {
            return;
        };
        let temp = TempDir::new();
        let file = temp.path().join("key");
        for comment in ["", "root@web-01", "one more"] {
            let pair = HostKeyPair::generate(&mut Counting(3), comment).unwrap();
            fs::write(&file, pair.private.expose()).unwrap();
            fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
            let told = tools::run(Command::new(&ssh_keygen).args(["-y", "-f"]).arg(&file));
            let told = String::from_utf8(told).unwrap();
            assert_eq!(told.trim_end(), pair.public.trim_end());
        }
        let other = HostKeyPair::generate(&mut Counting(4), "").unwrap();
        assert_ne!(
            other.public,
            HostKeyPair::generate(&mut Counting(3), "").unwrap().public
        );
    }
}
