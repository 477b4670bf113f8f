//! The hashes of names by which the index is ordered.
//!
//! Linux `Documentation/filesystems/ext4/directory.rst`, "Hash Tree Directories", table of `dx_root.info.hash_version`; the functions
//! themselves are `__ext4fs_dirhash` in `fs/ext4/hash.c` and `half_md4_transform` in `lib/`.

/// A hash function of names. The numbers are those of `dx_root_info.hash_version`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    /// Version 0.
    Legacy,
    /// Version 1: MD4 cut to three rounds of eight steps.
    HalfMd4,
    /// Version 2: the Tiny Encryption Algorithm in Davies-Meyer mode.
    Tea,
}

impl Function {
    /// Returns the function of a stored version.
    pub(crate) fn of_version(version: u8) -> Option<Self> {
        match version {
            0 => Some(Self::Legacy),
            1 => Some(Self::HalfMd4),
            2 => Some(Self::Tea),
            _ => None,
        }
    }
}

/// A hash function with what the filesystem adds to it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hasher {
    pub(crate) function: Function,
    /// `s_hash_seed`; all zeros stand for MD4's own.
    pub(crate) seed: [u32; 4],
    /// Whether bytes from 128 on count as positive.
    pub(crate) unsigned: bool,
}

/// The start values of MD4, RFC 1320 section 3.3.
const MD4_START: [u32; 4] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];

impl Hasher {
    /// Returns the hash, whose lowest bit is 0: in the index that bit tells that a hash goes on in the next leaf.
    pub(crate) fn hash(&self, name: &[u8]) -> u32 {
        let start = if self.seed == [0; 4] {
            MD4_START
        } else {
            self.seed
        };
        let hash = match self.function {
            Function::Legacy => self.legacy(name),
            Function::HalfMd4 => self.over_blocks(name, start, half_md4)[1],
            Function::Tea => self.over_blocks(name, start, tea)[0],
        } & !1;
        // The highest value means the end of a directory to readers (`EXT4_HTREE_EOF_32BIT`).
        if hash == 0xffff_fffe {
            0xffff_fffc
        } else {
            hash
        }
    }

    fn extend(&self, byte: u8) -> u32 {
        if self.unsigned {
            u32::from(byte)
        } else {
            i32::from(byte.cast_signed()).cast_unsigned()
        }
    }

    fn legacy(&self, name: &[u8]) -> u32 {
        let (mut before, mut last) = (0x37ab_e8f9_u32, 0x12a3_fe2d_u32);
        for byte in name {
            let mixed = last ^ self.extend(*byte).wrapping_mul(7_152_373);
            let mut next = before.wrapping_add(mixed);
            if next >> 31 == 1 {
                next = next.wrapping_sub(0x7fff_ffff);
            }
            before = last;
            last = next;
        }
        last << 1
    }

    /// Stirs a name into a state, `4 * N` bytes at a time. What a name does not fill is filled with the length of what was left of it.
    fn over_blocks<const N: usize>(
        &self,
        name: &[u8],
        mut state: [u32; 4],
        stir: fn(&mut [u32; 4], &[u32; N]),
    ) -> [u32; 4] {
        let mut rest = name;
        while !rest.is_empty() {
            // Names have at most 255 bytes, so the length fills one byte.
            let filling = rest.len() as u32 * 0x0101_0101;
            let (block, after) = rest.split_at(rest.len().min(4 * N));
            let mut words = [filling; N];
            for (word, bytes) in words.iter_mut().zip(block.chunks(4)) {
                for byte in bytes {
                    *word = (*word << 8).wrapping_add(self.extend(*byte));
                }
            }
            stir(&mut state, &words);
            rest = after;
        }
        state
    }
}

/// The order of words and the rotations of each round of half MD4.
const HALF_MD4_ROUNDS: [([usize; 8], [u32; 4], u32); 3] = [
    ([0, 1, 2, 3, 4, 5, 6, 7], [3, 7, 11, 19], 0),
    ([1, 3, 5, 7, 0, 2, 4, 6], [3, 5, 9, 13], 0x5a82_7999),
    ([3, 7, 2, 6, 1, 5, 0, 4], [3, 9, 11, 15], 0x6ed9_eba1),
];

fn half_md4(state: &mut [u32; 4], words: &[u32; 8]) {
    let [mut a, mut b, mut c, mut d] = *state;
    for (round, (order, rotations, constant)) in HALF_MD4_ROUNDS.iter().enumerate() {
        for (step, word) in order.iter().enumerate() {
            let mixed = match round {
                0 => (b & c) | (!b & d),
                1 => (b & c) | (b & d) | (c & d),
                _ => b ^ c ^ d,
            };
            let sum = a
                .wrapping_add(mixed)
                .wrapping_add(words[*word])
                .wrapping_add(*constant);
            (a, b, c, d) = (d, sum.rotate_left(rotations[step % 4]), b, c);
        }
    }
    for (value, new) in state.iter_mut().zip([a, b, c, d]) {
        *value = value.wrapping_add(new);
    }
}

fn tea(state: &mut [u32; 4], key: &[u32; 4]) {
    let [mut left, mut right, ..] = *state;
    let mut sum = 0_u32;
    let half = |value: u32, sum: u32, first: u32, second: u32| {
        (value << 4).wrapping_add(first)
            ^ value.wrapping_add(sum)
            ^ (value >> 5).wrapping_add(second)
    };
    for _ in 0..16 {
        sum = sum.wrapping_add(0x9e37_79b9);
        left = left.wrapping_add(half(right, sum, key[0], key[1]));
        right = right.wrapping_add(half(left, sum, key[2], key[3]));
    }
    state[0] = state[0].wrapping_add(left);
    state[1] = state[1].wrapping_add(right);
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::Command;

    use christen_testkit::tools;

    use super::*;

    /// Names of all lengths, with bytes from 128 on, that `debugfs` takes as one argument.
    fn names() -> Vec<Vec<u8>> {
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let mut next = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u32
        };
        let mut names = Vec::new();
        for length in 1..=255_usize {
            for high in [false, true] {
                let byte = |value: u32| {
                    let byte = b'a' + (value % 26) as u8;
                    if high && value & 0x8000 != 0 {
                        byte | 0x80
                    } else {
                        byte
                    }
                };
                names.push((0..length).map(|_| byte(next())).collect());
            }
        }
        names
    }

    #[test]
    fn hashes_are_those_of_debugfs() {
        let Some(debugfs) = tools::require("debugfs") else {
            return;
        };
        let seeds = [
            ("00000000-0000-0000-0000-000000000000", [0; 4]),
            (
                "b0c5d0a7-91d4-4f27-8a3c-0123456789ab",
                [0xa7d0_c5b0, 0x274f_d491, 0x2301_3c8a, 0xab89_6745],
            ),
        ];
        let functions = [
            // libext2fs numbers the unsigned ones 3 to 5; `debugfs` takes no names for them.
            ("legacy", Function::Legacy, false),
            ("3", Function::Legacy, true),
            ("half_md4", Function::HalfMd4, false),
            ("4", Function::HalfMd4, true),
            ("tea", Function::Tea, false),
            ("5", Function::Tea, true),
        ];
        let names = names();
        let directory = christen_testkit::temp::TempDir::new();
        for (option, function, unsigned) in functions {
            for (uuid, seed) in seeds {
                let mut script = Vec::new();
                for name in &names {
                    write!(script, "dx_hash -h {option} -s {uuid} ").unwrap();
                    script.extend_from_slice(name);
                    script.push(b'\n');
                }
                let path = directory.path().join("script");
                std::fs::write(&path, &script).unwrap();
                let output = tools::run(Command::new(&debugfs).arg("-f").arg(&path));
                let told: Vec<u32> = output
                    .split(|byte| *byte == b'\n')
                    .filter(|line| line.starts_with(b"Hash of "))
                    .map(|line| {
                        let words: Vec<_> = line.split(|byte| *byte == b' ').collect();
                        // "Hash of NAME is 0x... (minor 0x...)"
                        let word = std::str::from_utf8(words[4]).unwrap();
                        u32::from_str_radix(word.trim_start_matches("0x"), 16).unwrap()
                    })
                    .collect();
                assert_eq!(told.len(), names.len(), "{option} {uuid}");
                let hasher = Hasher {
                    function,
                    seed,
                    unsigned,
                };
                for (name, told) in names.iter().zip(told) {
                    assert_eq!(hasher.hash(name), told, "{option} {uuid} {name:?}");
                }
            }
        }
    }
}
