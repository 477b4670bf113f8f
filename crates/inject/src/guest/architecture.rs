//! For which processor the guest's programs are.

use super::files::Files;

/// The programs that tell it: each system has one of them.
const PROGRAMS: [&str; 7] = [
    "/bin/sh",
    "/usr/bin/sh",
    "/sbin/init",
    "/usr/lib/systemd/systemd",
    "/lib/systemd/systemd",
    "/bin/busybox",
    "/usr/bin/env",
];

/// For which processor a program is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Architecture {
    /// `e_machine` of the ELF header.
    pub machine: u16,
    /// 32 or 64.
    pub bits: u8,
    /// Whether its numbers are little-endian.
    pub is_little_endian: bool,
}

impl Architecture {
    pub(super) fn read(files: &mut Files<'_>) -> Option<Self> {
        PROGRAMS
            .iter()
            .find_map(|path| Self::parse(&files.head(path, 20)?))
    }

    /// Parses the head of a program.
    ///
    /// System V ABI, "ELF Header":
    ///
    /// | offset | size | field                | note                          |
    /// |-------:|-----:|----------------------|-------------------------------|
    /// |      0 |    4 | `e_ident[EI_MAG]`    | `7f 45 4c 46`                 |
    /// |      4 |    1 | `e_ident[EI_CLASS]`  | 1 for 32 bits, 2 for 64       |
    /// |      5 |    1 | `e_ident[EI_DATA]`   | 1 for little-endian, 2 for big |
    /// |     18 |    2 | `e_machine`          | in the order of `EI_DATA`     |
    pub fn parse(head: &[u8]) -> Option<Self> {
        let bits = match *head.strip_prefix(b"\x7fELF")?.first()? {
            1 => 32,
            2 => 64,
            _ => return None,
        };
        let is_little_endian = match *head.get(5)? {
            1 => true,
            2 => false,
            _ => return None,
        };
        let machine = [*head.get(18)?, *head.get(19)?];
        Some(Self {
            machine: match is_little_endian {
                true => u16::from_le_bytes(machine),
                false => u16::from_be_bytes(machine),
            },
            bits,
            is_little_endian,
        })
    }

    /// Returns the name that `uname -m` would give, or `unknown`.
    ///
    /// Numbers of `e_machine` from Linux `include/uapi/linux/elf-em.h`.
    pub const fn name(self) -> &'static str {
        match (self.machine, self.bits, self.is_little_endian) {
            (3, ..) => "i686",
            (8, 32, true) => "mipsel",
            (8, 64, true) => "mips64el",
            (20, ..) => "ppc",
            (21, _, true) => "ppc64le",
            (21, _, false) => "ppc64",
            (22, ..) => "s390x",
            (40, ..) => "arm",
            (62, 64, _) => "x86_64",
            (62, ..) => "x32",
            (183, ..) => "aarch64",
            (243, 64, _) => "riscv64",
            (243, ..) => "riscv32",
            (258, ..) => "loongarch64",
            _ => "unknown",
        }
    }
}

#[cfg(test)]
mod tests {
    use christen_testkit::phony::{ELF_AARCH64, ELF_X86_64};

    use super::*;

    #[test]
    fn the_head_of_a_program_tells_the_processor() {
        let name = |head: &[u8]| Architecture::parse(head).map(Architecture::name);
        assert_eq!(name(&ELF_X86_64), Some("x86_64"));
        assert_eq!(name(&ELF_AARCH64), Some("aarch64"));
        let mut big = ELF_X86_64;
        (big[5], big[18], big[19]) = (2, 0, 22);
        assert_eq!(name(&big), Some("s390x"));
        (big[18], big[19]) = (0x30, 0x39);
        assert_eq!(name(&big), Some("unknown"));
        for length in 0..20 {
            assert_eq!(name(&ELF_X86_64[..length]), None);
        }
        assert_eq!(name(b"#!/bin/sh\n# a script of some length"), None);
    }
}
