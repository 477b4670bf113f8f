//! crypt(5)'s digits of base 64.

/// The digits, the least first.
const DIGITS: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The digit of the low six bits.
pub(super) fn digit(bits: u8) -> u8 {
    DIGITS[usize::from(bits & 63)]
}

/// The six bits of a digit.
pub(super) fn value(digit: u8) -> Option<u32> {
    let place = DIGITS.iter().position(|known| *known == digit)?;
    u32::try_from(place).ok()
}

/// Appends the low bits as so many digits, the least significant first.
pub(super) fn push(out: &mut String, mut bits: u32, count: usize) {
    for _ in 0..count {
        out.push(char::from(digit((bits & 63) as u8)));
        bits >>= 6;
    }
}

/// Appends the bytes of a digest that a table of three names for each group of four digits: the first is the most significant.
pub(super) fn push_group(out: &mut String, digest: &[u8], group: [usize; 3]) {
    let [a, b, c] = group.map(|at| u32::from(digest[at]));
    push(out, a << 16 | b << 8 | c, 4);
}
