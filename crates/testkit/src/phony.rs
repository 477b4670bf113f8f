//! Phony guests: the layouts of systems as small trees in memory, for what looks at files and runs none.
//!
//! Each holds what tells the system from others and what its identity is written to: how it names itself, accounts, network,
//! SSH, cloud-init, SELinux. Programs are the head of an ELF file, databases of packages have a few entries. They are written
//! from the systems' documents and from installed ones, and are as the systems' cloud images are before a first boot.

mod alpine;
mod arch;
mod debian;
mod fedora;
mod opensuse;
mod tree;
mod ubuntu;

pub use alpine::alpine_3_20;
pub use arch::arch;
pub use debian::debian_12;
pub use fedora::fedora_41;
pub use opensuse::{opensuse_leap_15_6, opensuse_tumbleweed};
pub use tree::{ELF_AARCH64, ELF_X86_64, PhonyTree};
pub use ubuntu::ubuntu_24_04;

/// Every phony guest with its name.
pub fn all() -> Vec<(&'static str, PhonyTree)> {
    vec![
        ("alpine-3.20", alpine_3_20()),
        ("arch", arch()),
        ("debian-12", debian_12()),
        ("fedora-41", fedora_41()),
        ("opensuse-leap-15.6", opensuse_leap_15_6()),
        ("opensuse-tumbleweed", opensuse_tumbleweed()),
        ("ubuntu-24.04", ubuntu_24_04()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_guest_can_be_made() {
        for (name, mut tree) in all() {
            assert!(
                tree.has("/etc/os-release"),
                "{name} does not say what it is"
            );
            assert!(tree.has("/bin/sh"), "{name} has no shell");
            assert!(tree.has("/etc/shadow"), "{name} has no passwords");
        }
    }
}
