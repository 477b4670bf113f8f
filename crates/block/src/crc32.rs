//! The cyclic redundancy check of ISO 3309, as GPT and LVM2 use it.

/// The polynomial, reflected.
const POLYNOMIAL: u32 = 0xedb8_8320;

const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut value = index as u32;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 {
                (value >> 1) ^ POLYNOMIAL
            } else {
                value >> 1
            };
            bit += 1;
        }
        table[index] = value;
        index += 1;
    }
    table
};

/// Takes more bytes into a check, from any start and without the final complement: formats differ in both.
pub(crate) fn update(state: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(state, |state, byte| {
        (state >> 8) ^ TABLE[usize::from(state as u8 ^ byte)]
    })
}

/// Returns the check as UEFI has it (UEFI 2.10, section 4.2): all ones first, complemented at the end.
pub(crate) fn checksum(bytes: &[u8]) -> u32 {
    !update(u32::MAX, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_value_of_the_catalogue() {
        assert_eq!(checksum(b"123456789"), 0xcbf4_3926);
        assert_eq!(checksum(b""), 0);
    }
}
