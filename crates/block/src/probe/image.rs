//! The formats of image files.

use std::fmt;

use super::bytes::u32_at;

/// As many bytes of the start of a file are enough for [`image_format`].
pub const IMAGE_PROBE_BYTES: usize = 512;

/// The format of an image file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ImageFormat {
    /// Nothing else: the bytes are the disk.
    Raw,
    /// QEMU's format, versions 2 and 3.
    Qcow2,
    /// QEMU's first format, and any version of it that is not known.
    Qcow,
    /// QEMU's enhanced disk.
    Qed,
    /// VMware's format: one of the sparse ones, or a text that describes an image.
    Vmdk,
    /// Hyper-V's format.
    Vhdx,
    /// Virtual PC's format, dynamic; a fixed one begins as a raw image does.
    Vpc,
    /// VirtualBox's format.
    Vdi,
    /// Parallels' format.
    Parallels,
    /// A volume of dm-crypt: the bytes are the disk, encrypted.
    Luks,
}

impl ImageFormat {
    /// Returns the name that QEMU gives the format.
    pub fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Qcow2 => "qcow2",
            Self::Qcow => "qcow",
            Self::Qed => "qed",
            Self::Vmdk => "vmdk",
            Self::Vhdx => "vhdx",
            Self::Vpc => "vpc",
            Self::Vdi => "vdi",
            Self::Parallels => "parallels",
            Self::Luks => "luks",
        }
    }
}

impl fmt::Display for ImageFormat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// Guesses the format of an image by the first [`IMAGE_PROBE_BYTES`] bytes of its file, of which there may be fewer.
///
/// A guest can write any signature to the start of its raw disk. So this is for reading and for reports, and never decides how
/// something is written. Signatures are those of the `*_probe` functions in QEMU's `block/*.c`.
pub fn image_format(start: &[u8]) -> ImageFormat {
    if let Some(version) = start.strip_prefix(b"QFI\xfb") {
        return match version {
            [0, 0, 0, 2 | 3, ..] => ImageFormat::Qcow2,
            _ => ImageFormat::Qcow,
        };
    }
    let signatures: [(&[u8], ImageFormat); 9] = [
        (b"QED\0", ImageFormat::Qed),
        (b"KDMV", ImageFormat::Vmdk),
        (b"COWD", ImageFormat::Vmdk),
        (b"# Disk DescriptorFile", ImageFormat::Vmdk),
        (b"vhdxfile", ImageFormat::Vhdx),
        (b"conectix", ImageFormat::Vpc),
        (b"WithoutFreeSpace", ImageFormat::Parallels),
        (b"WithouFreSpacExt", ImageFormat::Parallels),
        (b"LUKS\xba\xbe", ImageFormat::Luks),
    ];
    for (signature, format) in signatures {
        if start.starts_with(signature) {
            return format;
        }
    }
    if u32_at(start, 64) == 0xbeda_107f {
        return ImageFormat::Vdi;
    }
    ImageFormat::Raw
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_of_any_length() {
        assert_eq!(image_format(b""), ImageFormat::Raw);
        assert_eq!(image_format(b"QFI\xfb"), ImageFormat::Qcow);
        assert_eq!(image_format(b"QFI\xfb\0\0\0\x03"), ImageFormat::Qcow2);
        assert_eq!(image_format(b"vhdxfil"), ImageFormat::Raw);
        assert_eq!(image_format(&[0xeb; 512]), ImageFormat::Raw);
    }
}
