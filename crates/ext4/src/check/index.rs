//! The hashed index of a directory, checked as a whole.
//!
//! What is a fault is said by e2fsck `pass2.c`, `parse_int_node`, `update_parents` and the end of `e2fsck_pass2`. The layout of the blocks
//! is that of [`crate::directory`].

use super::bytes::{crc32c, u16_at, u32_at};
use super::geometry::Geometry;
use super::inodes::Inode;
use crate::directory::hash::{Function, Hasher};

/// What is known of a block of the directory.
#[derive(Debug, Clone, Copy)]
struct Block {
    is_node: bool,
    parent: Option<u32>,
    named: u32,
    /// What the entry above says: the lowest hash, and the lowest of the next entry.
    bounds: (u32, u32),
    first: bool,
    /// The lowest and highest hash that were found.
    found: (u32, u32),
}

/// An index while its directory is read.
#[derive(Debug)]
pub(super) struct Index {
    blocks: Vec<Block>,
    /// `None` where names are hashed in a way that is not handled.
    hasher: Option<Hasher>,
    depth: u32,
    sound: bool,
}

impl Index {
    /// Reads the head of the root.
    pub(super) fn new(
        geometry: &Geometry,
        inode: &Inode,
        root: &[u8],
        blocks: usize,
    ) -> Result<Self, &'static str> {
        let most = if geometry.incompatible & 0x4000 != 0 {
            3
        } else {
            2
        };
        if u32_at(root, 24) != 0 || root[29] != 8 || root[30] >= most {
            return Err("its root is damaged");
        }
        if root[31] & 1 != 0 {
            return Err("its root has an unknown flag");
        }
        let hash_in_entry = inode.ignores_case() && inode.is_encrypted();
        let function = Function::of_version(root[28]);
        if (function.is_none() && root[28] != 6) || hash_in_entry != (root[28] == 6) {
            return Err("its hash function is unknown, or not for this directory");
        }
        let hasher = function
            .filter(|_| !inode.ignores_case())
            .map(|function| Hasher {
                function,
                seed: geometry.hash_seed,
                unsigned: geometry.hash_unsigned,
            });
        let block = Block {
            is_node: false,
            parent: None,
            named: 0,
            bounds: (0, u32::MAX),
            first: false,
            found: (u32::MAX, 0),
        };
        Ok(Self {
            blocks: vec![block; blocks],
            hasher,
            depth: u32::from(root[30]) + 1,
            sound: true,
        })
    }

    /// Takes a block, and tells whether it belongs to the index.
    pub(super) fn take_block(
        &mut self,
        geometry: &Geometry,
        inode: &Inode,
        logical: usize,
        bytes: &[u8],
    ) -> Result<bool, &'static str> {
        let tail = if geometry.seed.is_some() { 8 } else { 0 };
        let start = if logical == 0 { 32 } else { 8 };
        let limit = (bytes.len() - start - tail) / 8;
        if logical > 0 {
            let length = usize::from(u16_at(bytes, 4));
            let fills = length == bytes.len() || (bytes.len() == 1 << 16 && length == 0xffff);
            let fake = u32_at(bytes, 0) == 0 && fills && bytes[6] == 0;
            if !fake || usize::from(u16_at(bytes, start)) != limit {
                return Ok(false);
            }
        }
        self.blocks[logical].is_node = true;
        self.sound = false;
        if usize::from(u16_at(bytes, start)) != limit {
            return Err("`limit` is not how many entries fit");
        }
        let count = usize::from(u16_at(bytes, start + 2));
        if count == 0 || count > limit {
            return Err("`count` is 0 or above `limit`");
        }
        if let Some(seed) = inode.seed {
            let end = start + limit * 8;
            let state = crc32c(seed, &bytes[..start + count * 8]);
            let state = crc32c(crc32c(state, &bytes[end..end + 4]), &[0; 4]);
            if u32_at(bytes, end + 4) != state {
                return Err("its checksum is wrong");
            }
        }
        let mut last = 0;
        for position in 0..count {
            let entry = &bytes[start + position * 8..];
            let hash = if position == 0 {
                0
            } else {
                u32_at(entry, 0) & !1
            };
            let next = if position + 1 < count {
                u32_at(entry, 8) & !1
            } else {
                0xffff_fffe
            };
            let child = u32_at(entry, 4) & 0x0fff_ffff;
            if hash < last {
                return Err("its hashes are out of order");
            }
            last = hash;
            let Some(block) = self.blocks.get_mut(child as usize) else {
                return Err("it names a block that the directory does not have");
            };
            block.named += 1;
            block.parent = Some(logical as u32);
            block.bounds = (hash, next);
            block.first = position == 0;
            let found = &mut self.blocks[logical].found;
            if position > 0 {
                *found = (found.0.min(hash), found.1.max(hash));
            }
        }
        self.sound = true;
        Ok(true)
    }

    /// Takes a name in a block.
    pub(super) fn take_name(&mut self, logical: usize, name: &[u8]) {
        let Some(hasher) = &self.hasher else { return };
        if logical == 0 {
            return;
        }
        let hash = hasher.hash(name);
        let found = &mut self.blocks[logical].found;
        *found = (found.0.min(hash), found.1.max(hash));
    }

    /// Tells what is wrong with the whole.
    pub(super) fn finish(mut self) -> Vec<String> {
        let mut rules = Vec::new();
        if !self.sound {
            return rules;
        }
        // What a node names lies within what names the node: leaves first, then nodes.
        for nodes in [false, true] {
            for number in 1..self.blocks.len() {
                if self.blocks[number].is_node == nodes {
                    self.widen(number);
                }
            }
        }
        for (number, block) in self.blocks.iter().enumerate().skip(1) {
            if block.named != 1 {
                rules.push(format!(
                    "block {number} of the directory is named {} times",
                    block.named
                ));
                continue;
            }
            if !block.is_node && self.level(number) != Some(self.depth) {
                rules.push(format!(
                    "block {number} of the directory is a leaf in the wrong depth"
                ));
            }
            let (low, high) = block.bounds;
            let (lowest, highest) = block.found;
            if lowest > highest {
                continue;
            }
            if (!block.first && lowest < low) || highest > high {
                rules.push(format!(
                    "block {number} of the directory has hashes from {lowest:#x} to {highest:#x} and \
                     should have none outside {low:#x} to {high:#x}"
                ));
            }
        }
        rules
    }

    /// Adds the hashes of a block to those of the node that names it.
    fn widen(&mut self, number: usize) {
        let (found, parent) = (self.blocks[number].found, self.blocks[number].parent);
        if let Some(parent) = parent.filter(|parent| *parent != 0)
            && found.0 <= found.1
        {
            let above = &mut self.blocks[parent as usize].found;
            *above = (above.0.min(found.0), above.1.max(found.1));
        }
    }

    /// Returns how many steps a block is from the root.
    fn level(&self, number: usize) -> Option<u32> {
        let mut at = number;
        for level in 0..=self.depth {
            if at == 0 {
                return Some(level);
            }
            at = self.blocks[at].parent? as usize;
        }
        None
    }
}
