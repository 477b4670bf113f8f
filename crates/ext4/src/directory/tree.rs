//! Directories with an index: names are found and added by their hash.

use christen_vfs::Error;

use super::entry::{self, Broken};
use super::hash::{Function, Hasher};
use super::index::{self, IndexBlock};
use super::linear::Found;
use super::split::Halves;
use super::{Directory, DirectoryBlocks, Target, unsupported};

/// How often the index is made roomier for one entry: each level is split at most once, and one is added.
const MOST_ROUNDS: usize = 8;

/// What an entry names that is not used.
const NOTHING: Target = Target {
    inode: 0,
    file_type: 0,
};

/// An index block on the way to a leaf, and the entry that is followed.
#[derive(Debug, Clone)]
struct Step {
    index: IndexBlock,
    position: usize,
}

/// The way from the root to a leaf; never empty.
#[derive(Debug, Clone)]
struct Route(Vec<Step>);

impl Route {
    /// Returns the number of the leaf.
    fn leaf(&self) -> u32 {
        self.0
            .last()
            .map_or(0, |step| step.index.child(step.position))
    }
}

impl<B: DirectoryBlocks> Directory<'_, B> {
    /// Returns how many levels of index blocks there may be: `ext4_dir_htree_level` in Linux `fs/ext4/ext4.h`.
    fn most_levels(&self) -> u8 {
        if self.context.large_dir { 3 } else { 2 }
    }

    /// Reads and checks the root.
    pub(super) fn read_root(&mut self) -> Result<IndexBlock, Error> {
        let mut bytes = vec![0; self.layout.block_bytes];
        self.blocks.read(0, &mut bytes)?;
        IndexBlock::root(
            self.layout,
            bytes,
            self.context.checksum_seed,
            self.most_levels(),
        )
        .map_err(|broken| self.damage(0, broken))
    }

    /// Reads and checks a node.
    pub(super) fn read_node(&mut self, block: u32) -> Result<IndexBlock, Error> {
        let mut bytes = vec![0; self.layout.block_bytes];
        self.blocks.read(block, &mut bytes)?;
        IndexBlock::node(self.layout, block, bytes, self.context.checksum_seed)
            .map_err(|broken| self.damage(block, broken))
    }

    /// Reads a block that an index names as a leaf.
    fn read_indexed_leaf(&mut self, block: u32, bytes: &mut [u8]) -> Result<(), Error> {
        self.blocks.read(block, bytes)?;
        if index::is_node(self.layout, bytes, self.context.checksum_seed.is_some()) {
            return Err(self.damage(
                block,
                Broken::new(0, "the index names one of its nodes as a leaf"),
            ));
        }
        self.check_leaf(block, bytes)
    }

    /// Writes an index block with its checksum.
    pub(super) fn write_index(&mut self, index: &mut IndexBlock) -> Result<(), Error> {
        index.seal(self.context.checksum_seed);
        self.blocks.write(index.block, &index.bytes)
    }

    /// Returns the hash function of an index.
    fn hasher(&self, hash_version: u8) -> Result<Hasher, Error> {
        let function = match Function::of_version(hash_version) {
            Some(function) => function,
            None if hash_version == 6 => {
                return Err(unsupported("directories hashed with SipHash are"));
            }
            None => return Err(self.damage(0, Broken::new(28, "`hash_version` is unknown"))),
        };
        Ok(self.hasher_of(function))
    }

    fn hasher_of(&self, function: Function) -> Hasher {
        Hasher {
            function,
            seed: self.context.hash_seed,
            unsigned: self.context.hash_unsigned,
        }
    }

    /// Goes from the root to the leaf where a name belongs. Linux `fs/ext4/namei.c`, `dx_probe`.
    fn descend(&mut self, name: &[u8]) -> Result<(Route, Hasher), Error> {
        let root = self.read_root()?;
        if root.has_unknown_flag() {
            return Err(unsupported("directory indexes with unknown flags are"));
        }
        let hasher = self.hasher(root.hash_version())?;
        let hash = hasher.hash(name);
        let levels = usize::from(root.indirect_levels());
        let mut steps: Vec<Step> = Vec::with_capacity(levels + 1);
        let mut index = root;
        loop {
            let position = index.search(hash);
            let child = self.child(&index, position)?;
            if steps.iter().any(|step| step.index.block == child) || index.block == child {
                return Err(self.damage(
                    index.block,
                    Broken::new(0, "the index names a block on the way to itself"),
                ));
            }
            steps.push(Step { index, position });
            if steps.len() > levels {
                return Ok((Route(steps), hasher));
            }
            index = self.read_node(child)?;
        }
    }

    fn child(&self, index: &IndexBlock, position: usize) -> Result<u32, Error> {
        let child = index.child(position);
        if child == 0 || child >= self.blocks.block_count() {
            return Err(self.damage(
                index.block,
                Broken::new(
                    0,
                    "the index names a block that the directory does not have",
                ),
            ));
        }
        Ok(child)
    }

    /// Goes on to the next leaf if that begins with the same hash. Linux `fs/ext4/namei.c`, `ext4_htree_next_block`.
    fn continue_with(&mut self, route: &mut Route, hash: u32) -> Result<bool, Error> {
        let steps = &mut route.0;
        let levels = steps.len();
        let mut level = levels;
        loop {
            if level == 0 {
                return Ok(false);
            }
            level -= 1;
            let step = &mut steps[level];
            if step.position + 1 < step.index.count() {
                step.position += 1;
                break;
            }
        }
        if steps[level].index.hash(steps[level].position) & !1 != hash {
            return Ok(false);
        }
        for below in level + 1..levels {
            let above = &steps[below - 1];
            let child = self.child(&above.index, above.position)?;
            let index = self.read_node(child)?;
            steps[below] = Step { index, position: 0 };
        }
        let last = &steps[levels - 1];
        self.child(&last.index, last.position)?;
        Ok(true)
    }

    /// Finds an entry by its hash.
    pub(super) fn indexed_find(&mut self, name: &[u8]) -> Result<Option<Found>, Error> {
        let (mut route, hasher) = self.descend(name)?;
        let mut bytes = vec![0; self.layout.block_bytes];
        self.find_along(&mut route, &hasher, name, &mut bytes)
            .map(|found| {
                found.map(|(block, (slot, previous))| Found {
                    block,
                    bytes,
                    slot,
                    previous,
                })
            })
    }

    /// Looks for a name in the leaf of a route and in those that go on with its hash; `bytes` then hold the leaf.
    fn find_along(
        &mut self,
        route: &mut Route,
        hasher: &Hasher,
        name: &[u8],
        bytes: &mut [u8],
    ) -> Result<Option<(u32, entry::Place)>, Error> {
        let hash = hasher.hash(name);
        // No leaf is visited twice unless the index is damaged.
        for _ in 0..self.blocks.block_count() {
            let block = route.leaf();
            self.read_indexed_leaf(block, bytes)?;
            let place = entry::find(self.layout, self.entries_of(bytes), name)
                .map_err(|broken| self.damage(block, broken))?;
            if let Some(place) = place {
                return Ok(Some((block, place)));
            }
            if !self.continue_with(route, hash)? {
                return Ok(None);
            }
        }
        Err(self.damage(
            0,
            Broken::new(
                0,
                "the index names more leaves than the directory has blocks",
            ),
        ))
    }

    /// Adds an entry where its hash belongs. Linux `fs/ext4/namei.c`, `ext4_dx_add_entry`.
    pub(super) fn indexed_insert(&mut self, name: &[u8], target: Target) -> Result<(), Error> {
        let (mut route, hasher) = self.descend(name)?;
        let mut bytes = vec![0; self.layout.block_bytes];
        if self
            .find_along(&mut route.clone(), &hasher, name, &mut bytes)?
            .is_some()
        {
            return Err(Error::Exists);
        }
        for _ in 0..MOST_ROUNDS {
            let leaf = route.leaf();
            self.read_indexed_leaf(leaf, &mut bytes)?;
            if self.place_in(leaf, &mut bytes, name, target)? {
                return self.write_leaf(leaf, &mut bytes);
            }
            let Some(last) = route.0.last_mut() else {
                break;
            };
            if !last.index.is_full() {
                return self.split_leaf(last, &mut bytes, &hasher, name, target);
            }
            self.grow_index(&mut route)?;
            route = self.descend(name)?.0;
        }
        Err(self.damage(0, Broken::new(0, "the index does not become roomier")))
    }

    /// Places an entry in a leaf if there is room for it.
    fn place_in(
        &self,
        block: u32,
        bytes: &mut [u8],
        name: &[u8],
        target: Target,
    ) -> Result<bool, Error> {
        let layout = self.layout;
        let region = self.entries_of_mut(bytes);
        let room = entry::find_room(layout, region, entry::entry_bytes(name.len()))
            .map_err(|broken| self.damage(block, broken))?;
        if let Some(slot) = room {
            entry::place(layout, region, slot, name, target);
        }
        Ok(room.is_some())
    }

    /// Splits a full leaf by hash and adds an entry to the half where it belongs. Linux `fs/ext4/namei.c`, `do_split`.
    fn split_leaf(
        &mut self,
        last: &mut Step,
        bytes: &mut [u8],
        hasher: &Hasher,
        name: &[u8],
        target: Target,
    ) -> Result<(), Error> {
        let leaf = last.index.child(last.position);
        let halves = Halves::of(self.layout, self.entries_of(bytes), hasher)
            .map_err(|broken| self.damage(leaf, broken))?;
        let Some(halves) = halves else {
            // One entry at most, so there is room once it stands in front.
            let packed = entry::pack(self.layout, self.entries_of(bytes))
                .map_err(|broken| self.damage(leaf, broken))?;
            self.entries_of_mut(bytes).copy_from_slice(&packed);
            return self.place_after_split(leaf, bytes, name, target);
        };
        let new_leaf = self.blocks.append()?;
        let (first_hash, boundary) = (halves.upper_hash, halves.boundary());
        self.write_halves(
            leaf,
            new_leaf,
            halves,
            hasher.hash(name) >= first_hash,
            name,
            target,
        )?;
        last.index.insert_after(last.position, boundary, new_leaf);
        self.write_index(&mut last.index)
    }

    /// Writes the two leaves of a split, with a new entry in one of them.
    pub(super) fn write_halves(
        &mut self,
        lower: u32,
        upper: u32,
        halves: Halves,
        in_upper: bool,
        name: &[u8],
        target: Target,
    ) -> Result<(), Error> {
        for (block, region, takes) in [
            (lower, &halves.lower, !in_upper),
            (upper, &halves.upper, in_upper),
        ] {
            let mut bytes = vec![0; self.layout.block_bytes];
            self.entries_of_mut(&mut bytes).copy_from_slice(region);
            if takes {
                self.place_after_split(block, &mut bytes, name, target)?;
            } else {
                self.write_leaf(block, &mut bytes)?;
            }
        }
        Ok(())
    }

    fn place_after_split(
        &mut self,
        block: u32,
        bytes: &mut [u8],
        name: &[u8],
        target: Target,
    ) -> Result<(), Error> {
        if self.place_in(block, bytes, name, target)? {
            self.write_leaf(block, bytes)
        } else {
            Err(self.damage(block, Broken::new(0, "there is no room after a split")))
        }
    }

    /// Splits the lowest index block that is full under one that is not, or adds a level. The route is then worn out.
    fn grow_index(&mut self, route: &mut Route) -> Result<(), Error> {
        let steps = &mut route.0;
        let checksums = self.context.checksum_seed.is_some();
        let full = steps
            .iter()
            .rposition(|step| !step.index.is_full())
            .map(|roomy| roomy + 1);
        match full {
            Some(full) if full < steps.len() => {
                let (above, below) = steps.split_at_mut(full);
                let (Some(above), Some(below)) = (above.last_mut(), below.first_mut()) else {
                    return Ok(());
                };
                let block = self.blocks.append()?;
                let kept = below.index.count() / 2;
                let hash = below.index.hash(kept);
                let mut upper =
                    IndexBlock::new_node(self.layout, block, &below.index, kept, checksums);
                below.index.set_count(kept);
                above.index.insert_after(above.position, hash, block);
                self.write_index(&mut upper)?;
                self.write_index(&mut below.index)?;
                self.write_index(&mut above.index)
            }
            Some(_) => Ok(()),
            None => {
                if steps.len() >= usize::from(self.most_levels()) {
                    // As Linux says `ENOSPC` when the index is full.
                    return Err(Error::NoSpace);
                }
                let block = self.blocks.append()?;
                let root = &mut steps[0].index;
                let mut node = IndexBlock::new_node(self.layout, block, root, 0, checksums);
                root.set_only_child(block);
                root.add_level();
                self.write_index(&mut node)?;
                self.write_index(root)
            }
        }
    }

    /// Gives a directory whose only block is full an index, and adds an entry. Linux `fs/ext4/namei.c`, `make_indexed_dir`.
    ///
    pub(super) fn make_index(
        &mut self,
        root: Vec<u8>,
        name: &[u8],
        target: Target,
    ) -> Result<MadeIndex, Error> {
        let Some(function) = Function::of_version(self.context.hash_version) else {
            return Ok(MadeIndex::No);
        };
        let hasher = self.hasher_of(function);
        let dot_dot = entry::dot_dot(self.layout, self.entries_of(&root))
            .map_err(|broken| self.damage(0, broken))?;
        if dot_dot.offset() != entry::SHORTEST_BYTES {
            return Ok(MadeIndex::No);
        }
        let mut files = root.clone();
        let region = self.entries_of_mut(&mut files);
        entry::set_target(region, 0, NOTHING);
        entry::set_target(region, dot_dot.offset(), NOTHING);
        let halves =
            Halves::of(self.layout, region, &hasher).map_err(|broken| self.damage(0, broken))?;
        let Some(halves) = halves else {
            return Ok(MadeIndex::No);
        };
        let lower = self.blocks.append()?;
        let upper = match self.blocks.append() {
            Ok(upper) => upper,
            Err(Error::NoSpace) => return Ok(MadeIndex::NoButBlock(lower)),
            Err(error) => return Err(error),
        };
        let checksums = self.context.checksum_seed.is_some();
        let mut root = IndexBlock::new_root(
            self.layout,
            root,
            self.context.hash_version,
            lower,
            checksums,
        );
        root.insert_after(0, halves.boundary(), upper);
        let in_upper = hasher.hash(name) >= halves.upper_hash;
        self.write_halves(lower, upper, halves, in_upper, name, target)?;
        self.write_index(&mut root)?;
        Ok(MadeIndex::Yes)
    }
}

/// What came of giving a directory an index.
#[derive(Debug)]
pub(super) enum MadeIndex {
    /// It has one, and the entry is in it.
    Yes,
    /// It cannot have one; nothing has changed.
    No,
    /// There was room for this block alone, which is to be filled.
    NoButBlock(u32),
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::ops::ControlFlow;
    use std::time::Instant;

    use super::super::memory::{MemoryBlocks, Random, context, open};
    use super::super::{DirectoryContext, FileType, IndexFlag};
    use super::*;

    fn name_of(number: u64) -> Vec<u8> {
        let mut name = format!("{number:x}-").into_bytes();
        let length = match number % 7 {
            0 => 200,
            1 => 60,
            _ => 4,
        };
        name.resize(name.len() + length, b'a' + (number % 26) as u8);
        name
    }

    fn insert(context: &mut DirectoryContext, blocks: &mut MemoryBlocks, name: &[u8], inode: u32) {
        match open(context, blocks)
            .insert(name, inode, FileType::File)
            .unwrap()
        {
            IndexFlag::Unchanged => {}
            IndexFlag::Set => context.indexed = true,
            IndexFlag::Cleared => context.indexed = false,
        }
    }

    fn list(context: &DirectoryContext, blocks: &mut MemoryBlocks) -> BTreeMap<Vec<u8>, u32> {
        let mut entries = BTreeMap::new();
        open(context, blocks)
            .list(&mut |name, target| {
                assert_eq!(entries.insert(name.to_vec(), target.inode), None);
                ControlFlow::Continue(())
            })
            .unwrap();
        entries
    }

    #[test]
    fn random_changes_leave_what_a_map_has() {
        for (block_bytes, hash_version, seed) in [
            (1024, 0, None),
            (1024, 1, Some(7)),
            (2048, 2, Some(7)),
            (4096, 1, None),
        ] {
            let mut context = DirectoryContext {
                hash_version,
                checksum_seed: seed,
                hash_unsigned: block_bytes == 2048,
                ..context()
            };
            let mut blocks = MemoryBlocks::new(&context, block_bytes);
            let mut model = BTreeMap::new();
            let mut random = Random::new(block_bytes as u64);
            for step in 0..12_000_u32 {
                let name = name_of(random.below(6_000));
                // First mostly insertions, then mostly removals.
                if random.below(100) < if step < 8_000 { 80 } else { 30 } {
                    let known = model.contains_key(&name);
                    if known {
                        assert!(matches!(
                            open(&context, &mut blocks).insert(&name, 1, FileType::File),
                            Err(Error::Exists)
                        ));
                    } else {
                        insert(&mut context, &mut blocks, &name, step + 1);
                        model.insert(name, step + 1);
                    }
                } else {
                    let removed = open(&context, &mut blocks).remove(&name);
                    match model.remove(&name) {
                        Some(inode) => assert_eq!(removed.unwrap().inode, inode),
                        None => assert!(matches!(removed, Err(Error::NotFound))),
                    }
                }
            }
            assert!(context.indexed);
            assert_eq!(list(&context, &mut blocks), model);
            for (name, inode) in &model {
                let found = open(&context, &mut blocks).lookup(name).unwrap().unwrap();
                assert_eq!(found.inode, *inode);
            }
            open(&context, &mut blocks).set_parent(77).unwrap();
            assert_eq!(open(&context, &mut blocks).parent().unwrap(), 77);
            for name in model.into_keys() {
                open(&context, &mut blocks).remove(&name).unwrap();
            }
            assert!(open(&context, &mut blocks).is_empty().unwrap());
        }
    }

    #[test]
    fn a_lookup_reads_the_way_to_its_leaf_alone() {
        let mut context = context();
        let mut blocks = MemoryBlocks::new(&context, 1024);
        for number in 0..20_000 {
            insert(
                &mut context,
                &mut blocks,
                format!("file{number}").as_bytes(),
                12,
            );
        }
        blocks.reads = 0;
        let started = Instant::now();
        for number in 0..20_000 {
            let mut directory = open(&context, &mut blocks);
            assert!(
                directory
                    .lookup(format!("file{number}").as_bytes())
                    .unwrap()
                    .is_some()
            );
        }
        assert!(blocks.reads <= 20_000 * 3 + 100, "{}", blocks.reads);
        // Far above what it takes, far below what looking through all blocks takes.
        assert!(started.elapsed().as_secs() < 10);
    }

    #[test]
    fn a_full_index_says_so_and_a_third_level_makes_room() {
        let mut context = DirectoryContext {
            checksum_seed: None,
            ..context()
        };
        // 1 KiB, names of 250 bytes, three a leaf: 123 * 127 leaves are full soon.
        let mut blocks = MemoryBlocks::new(&context, 1024);
        let name = |number: u32| {
            let mut name = number.to_string().into_bytes();
            name.resize(250, b'x');
            name
        };
        let mut number = 0;
        loop {
            match open(&context, &mut blocks).insert(&name(number), 12, FileType::File) {
                Ok(IndexFlag::Set) => context.indexed = true,
                Ok(_) => {}
                Err(error) => {
                    assert!(matches!(error, Error::NoSpace), "{error:?}");
                    break;
                }
            }
            number += 1;
        }
        assert!(number > 15_000, "{number}");
        assert_eq!(
            open(&context, &mut blocks).lookup(&name(number)).unwrap(),
            None
        );
        context.large_dir = true;
        for number in number..number + 3_000 {
            insert(&mut context, &mut blocks, &name(number), 12);
        }
        for number in 0..number + 3_000 {
            let mut directory = open(&context, &mut blocks);
            assert!(directory.lookup(&name(number)).unwrap().is_some());
        }
        assert_eq!(
            open(&context, &mut blocks)
                .read_root()
                .unwrap()
                .indirect_levels(),
            2
        );
        // Without the feature such a directory is refused.
        context.large_dir = false;
        assert!(matches!(
            open(&context, &mut blocks).lookup(b"a"),
            Err(Error::Corrupt(_))
        ));
    }

    #[test]
    fn without_room_the_entries_stay_as_they_were() {
        for limit in (1..12).chain([30, 31]) {
            let mut context = context();
            let mut blocks = MemoryBlocks::new(&context, 1024);
            blocks.limit = limit;
            let mut model = BTreeMap::new();
            for number in 0..2_000 {
                let name = name_of(number);
                match open(&context, &mut blocks).insert(&name, 12, FileType::File) {
                    Ok(flag) => {
                        context.indexed |= flag == IndexFlag::Set;
                        model.insert(name, 12);
                    }
                    Err(Error::NoSpace) => {}
                    Err(error) => panic!("{error:?}"),
                }
            }
            assert_eq!(list(&context, &mut blocks), model, "{limit} blocks");
        }
    }

    #[test]
    fn damage_to_an_index_is_told() {
        let mut whole = context();
        whole.checksum_seed = None;
        let mut blocks = MemoryBlocks::new(&whole, 1024);
        for number in 0..3_000 {
            insert(&mut whole, &mut blocks, &name_of(number), 12);
        }
        let cases: [(usize, u8, &str); 8] = [
            (0, 0, "`.`"),
            (16, 0, "`..` does not fill"),
            (24, 1, "reserved_zero"),
            (28, 9, "hash_version"),
            (29, 12, "info_length"),
            (30, 3, "too many levels"),
            (32, 1, "limit"),
            (35, 9, "count"),
        ];
        for (offset, value, words) in cases {
            let mut blocks = blocks.clone();
            blocks.blocks[0][offset] = value;
            let error = open(&whole, &mut blocks).lookup(b"a").unwrap_err();
            let Error::Corrupt(cause) = error else {
                panic!("{words}: {error:?}")
            };
            assert!(cause.to_string().contains(words), "{cause}, not {words}");
        }
        blocks.blocks[0][28] = 6;
        assert!(matches!(
            open(&whole, &mut blocks).lookup(b"a"),
            Err(Error::Unsupported(_))
        ));
    }

    #[test]
    fn no_byte_makes_it_panic_or_go_on_for_ever() {
        let mut whole = context();
        whole.checksum_seed = None;
        let mut made = MemoryBlocks::new(&whole, 1024);
        for number in 0..1_500 {
            insert(&mut whole, &mut made, &name_of(number), 12);
        }
        let mut random = Random::new(3);
        for _ in 0..3_000 {
            let mut blocks = made.clone();
            for _ in 0..=random.below(3) {
                let block = match random.below(4) {
                    0 => random.below(blocks.blocks.len() as u64),
                    1 => 0,
                    _ => random.below(8).min(blocks.blocks.len() as u64 - 1),
                } as usize;
                let offset = match random.below(2) {
                    0 => random.below(48),
                    _ => random.below(1024),
                } as usize;
                blocks.blocks[block][offset] = random.below(256) as u8;
            }
            let mut directory = open(&whole, &mut blocks);
            for number in 0..8 {
                let name = name_of(random.below(1_600));
                let _ = match number % 4 {
                    0 => directory.insert(&name, 12, FileType::File).map(|_| ()),
                    1 => directory.remove(&name).map(|_| ()),
                    2 => directory.is_empty().map(|_| ()),
                    _ => directory.lookup(&name).map(|_| ()),
                };
            }
            let _ = directory.list(&mut |_, _| ControlFlow::Continue(()));
            let _ = directory.set_parent(9);
        }
    }
}
