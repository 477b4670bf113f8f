//! Random file trees, for programs to read back what another wrote.
//!
//! A tree depends on its seed and its shape alone. Tests print the seed of a tree that failed.

use std::collections::BTreeSet;

/// Sizes around the limits of a sector and of a cluster.
const SIZES: [usize; 14] = [
    0, 1, 511, 512, 513, 2047, 2048, 2049, 4095, 4096, 4097, 7, 100, 9000,
];

/// One entry of a tree; directories come before what is in them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Path from the root, without a leading slash.
    pub path: String,
    /// What it is.
    pub kind: Kind,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A directory.
    Directory,
    /// A file with its content.
    File(Vec<u8>),
    /// A symbolic link with its target.
    Symlink(String),
}

/// What names there are in a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// Everything that Linux can name in UTF-8, but line ends, which the listings of tools do not survive.
    Posix,
    /// What VFAT can hold as well: none of its forbidden characters, and no two names that differ in case only.
    Vfat,
}

/// What a tree is like.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// How many entries it has.
    pub entries: usize,
    /// How many parts the longest path has.
    pub depth: usize,
    /// What names there are.
    pub names: Names,
    /// How long a name may be, in bytes.
    pub name_bytes: usize,
    /// How long a path or the target of a link may be, in bytes: many programs stop at a thousand or so.
    pub path_bytes: usize,
    /// Whether there are symbolic links.
    pub links: bool,
}

/// A sequence of numbers that a seed determines (SplitMix64).
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// Begins a sequence.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns the next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number below `limit`, which must not be 0.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.number() % limit as u64) as usize
    }

    /// Returns one of these.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}

/// Returns the tree of a seed.
pub fn random(seed: u64, shape: &Shape) -> Vec<Entry> {
    let mut random = Random::new(seed);
    let mut directories = vec![(String::new(), 0)];
    let mut seen = BTreeSet::new();
    let mut entries = Vec::with_capacity(shape.entries);
    while entries.len() < shape.entries {
        // One time in four in the newest directory, so that trees become deep.
        let index = match random.below(4) {
            0 => directories.len() - 1,
            _ => random.below(directories.len()),
        };
        let (above, depth) = directories[index].clone();
        let name = name(&mut random, shape);
        let path = match above.as_str() {
            "" => name,
            above => format!("{above}/{name}"),
        };
        if path.len() > shape.path_bytes {
            continue;
        }
        let folded = match shape.names {
            Names::Posix => path.clone(),
            Names::Vfat => path.to_uppercase(),
        };
        if !seen.insert(folded) {
            continue;
        }
        let kind = match random.below(10) {
            0 | 1 if depth + 1 < shape.depth => {
                directories.push((path.clone(), depth + 1));
                Kind::Directory
            }
            2 if shape.links => Kind::Symlink(target(&mut random, shape.path_bytes)),
            _ => Kind::File(content(&mut random)),
        };
        entries.push(Entry { path, kind });
    }
    entries
}

fn content(random: &mut Random) -> Vec<u8> {
    let size = *random.pick(&SIZES);
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        bytes.extend_from_slice(&random.number().to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

fn target(random: &mut Random, most: usize) -> String {
    let count = 1 + random.below(30);
    let mut parts: Vec<String> = (0..count)
        .map(|_| match random.below(6) {
            0 => "..".to_owned(),
            1 => ".".to_owned(),
            _ => "part".repeat(1 + random.below(40)),
        })
        .collect();
    if random.below(3) == 0 {
        parts.insert(0, String::new());
    }
    while parts.iter().map(|part| part.len() + 1).sum::<usize>() > most {
        parts.pop();
    }
    parts.join("/")
}

fn name(random: &mut Random, shape: &Shape) -> String {
    const WORDS: [&str; 8] = [
        "meta_data",
        "user-data",
        "2012-08-10",
        "README",
        "latest",
        "a",
        "content",
        "net.work",
    ];
    const EXTENSIONS: [&str; 7] = [
        "",
        ".json",
        ".TXT",
        ".tar.gz",
        ".a-long-extension",
        ".x",
        ".Y",
    ];
    let mut name = match random.below(8) {
        // Short and plain.
        0..=2 => format!("{}{}", random.pick(&WORDS), random.below(1000)),
        // Alike for longer than any view's names.
        3 => format!("{}{}", "likewise-".repeat(12), random.below(10_000)),
        // As long as can be.
        4 => {
            let length = shape.name_bytes - random.below(8);
            let mut name = format!("{}-", random.below(1_000_000));
            name.extend(std::iter::repeat_n('n', length.saturating_sub(name.len())));
            name
        }
        // In the basic plane of Unicode, and beyond.
        5 => characters(
            random,
            &['\u{fc}', '\u{65e5}', '\u{672c}', '\u{3b1}', '\u{44f}', 'x'],
        ),
        6 => characters(random, &['\u{1f600}', '\u{2070e}', '\u{e9}', 'y']),
        // Everything else on the keyboard.
        _ => characters(
            random,
            &[
                ' ', '+', ',', ';', '=', '[', ']', '~', '#', '%', '&', '(', '!', '.', '-', '\'',
                ':', '*', '?', '"', '<', '|', '\\', '@', 'z',
            ],
        ),
    };
    let extension: &str = EXTENSIONS[random.below(EXTENSIONS.len())];
    name.push_str(extension);
    while name.len() > shape.name_bytes {
        name.pop();
    }
    if shape.names == Names::Vfat {
        name.retain(|character| !r#""*/:<>?\|"#.contains(character));
        let kept = name.trim_end_matches(['.', ' ']).len();
        name.truncate(kept);
    }
    if matches!(name.as_str(), "" | "." | "..") {
        name = format!("instead-{}", random.below(1_000_000));
    }
    name
}

fn characters(random: &mut Random, alphabet: &[char]) -> String {
    let count = 1 + random.below(60);
    (0..count).map(|_| *random.pick(alphabet)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_determines_a_tree_of_its_shape() {
        let shape = Shape {
            entries: 500,
            depth: 20,
            names: Names::Posix,
            name_bytes: 255,
            path_bytes: 1000,
            links: true,
        };
        let tree = random(1, &shape);
        assert_eq!(tree, random(1, &shape));
        assert_ne!(tree, random(2, &shape));
        assert_eq!(tree.len(), shape.entries);
        for entry in &tree {
            assert!(entry.path.split('/').count() <= shape.depth);
            assert!(entry.path.len() <= shape.path_bytes);
            assert!(
                entry
                    .path
                    .split('/')
                    .all(|name| (1..=255).contains(&name.len()))
            );
        }
        assert!(tree.iter().any(|entry| entry.path.split('/').count() > 8));
    }
}
