//! Partitions that a table reserves for something else than the guest's files.

use christen_block::partition::{Partition, PartitionType};

/// What a partition is reserved for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reserved {
    EfiSystem,
    BiosBoot,
    PrepBoot,
    ExtendedBoot,
    Microsoft,
    WindowsRecovery,
    Swap,
}

/// The types, by GUID and by the byte of an MBR.
///
/// EFI: UEFI specification 2.10, table 5.7 and section 5.2.2. BIOS boot: GRUB manual, "BIOS installation". PReP: GRUB
/// manual, "IEEE1275", and `include/pt-mbr-partnames.h` of util-linux for the byte. Extended boot: the Boot Loader
/// Specification of the UAPI group, "Partitions". Windows: `PARTITION_INFORMATION_GPT` in Microsoft's documentation of
/// `winioctl.h`, and util-linux for the byte. Swap: the Discoverable Partitions Specification, and Linux.
const TYPES: [(Reserved, &str, Option<u8>); 7] = [
    (
        Reserved::EfiSystem,
        "c12a7328-f81f-11d2-ba4b-00a0c93ec93b",
        Some(0xef),
    ),
    (
        Reserved::BiosBoot,
        "21686148-6449-6e6f-744e-656564454649",
        None,
    ),
    (
        Reserved::PrepBoot,
        "9e1a2d38-c612-4316-aa26-8b49521e5a8b",
        Some(0x41),
    ),
    (
        Reserved::ExtendedBoot,
        "bc13c2ff-59e6-4262-a352-b275fd6f7172",
        Some(0xea),
    ),
    (
        Reserved::Microsoft,
        "e3c9e316-0b5c-4db8-817d-f92df00215ae",
        None,
    ),
    (
        Reserved::WindowsRecovery,
        "de94bba4-06d1-4d40-a16a-bfd50179d6ac",
        Some(0x27),
    ),
    (
        Reserved::Swap,
        "0657fd6d-a4ab-43c4-84e5-0933c84b4f4f",
        Some(0x82),
    ),
];

impl Reserved {
    /// Returns what a table reserves a partition for, if it does.
    pub(crate) fn of(partition: &Partition) -> Option<Self> {
        let is_it = |(_, guid, byte): &&(Self, &str, Option<u8>)| match partition.partition_type {
            PartitionType::Byte(there) => *byte == Some(there),
            PartitionType::Guid(there) => *guid == there.to_string(),
        };
        TYPES.iter().find(is_it).map(|(it, ..)| *it)
    }

    /// What people call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::EfiSystem => "EFI system partition",
            Self::BiosBoot => "BIOS boot partition",
            Self::PrepBoot => "PReP boot partition",
            Self::ExtendedBoot => "extended boot loader partition",
            Self::Microsoft => "Microsoft reserved partition",
            Self::WindowsRecovery => "Windows recovery partition",
            Self::Swap => "swap partition",
        }
    }

    /// What it is there for.
    pub(crate) fn purpose(self) -> &'static str {
        match self {
            Self::EfiSystem => "the firmware starts the boot loader from it",
            Self::BiosBoot => "a part of the boot loader GRUB, without a filesystem",
            Self::PrepBoot => "the boot loader of a POWER machine, without a filesystem",
            Self::ExtendedBoot => "kernels that the boot loader starts",
            Self::Microsoft => "Windows keeps it free for tables of its own",
            Self::WindowsRecovery => "starts when Windows itself does not",
            Self::Swap => "memory of the guest that is swapped out, no files",
        }
    }

    /// The name for programs.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::EfiSystem => "efi-system",
            Self::BiosBoot => "bios-boot",
            Self::PrepBoot => "prep-boot",
            Self::ExtendedBoot => "extended-boot",
            Self::Microsoft => "microsoft-reserved",
            Self::WindowsRecovery => "windows-recovery",
            Self::Swap => "swap",
        }
    }
}
