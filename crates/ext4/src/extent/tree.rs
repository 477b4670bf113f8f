//! Looking up, inserting and removing in an extent tree.
//!
//! Every node below the root is a block, begins at exactly the block of the file that its entry above names, and is never empty, so that
//! a walk visits no block twice: two entries cannot lead to the same node.

use christen_vfs as vfs;

use super::node::{Bounds, Entries, Extent, MOST_LEVELS, Node};
use crate::checksum::Seed;
use crate::error::{Error, Result};
use crate::feature::Feature;
use crate::inode::Inode;
use crate::mapping::{Run, RunKind};
use crate::number::BlockNumber;
use crate::volume::Volume;

impl Volume {
    fn extent_root(&self, inode: &Inode) -> Result<Node> {
        Node::parse(
            &inode.raw().i_block,
            None,
            None,
            Bounds::ALL,
            self.superblock.blocks(),
        )
        .map_err(|rule| Error::corrupt("extent tree of inode", u64::from(inode.number.0), rule))
    }

    fn node_seed(&self, inode: &Inode) -> Option<Seed> {
        self.superblock
            .has(Feature::MetadataCsum)
            .then_some(inode.seed)
    }

    fn extent_node(
        &mut self,
        inode: &Inode,
        block: BlockNumber,
        depth: u16,
        bounds: Bounds,
    ) -> Result<Node> {
        let seed = self.node_seed(inode);
        let bytes = self.read_block(block)?;
        let node = Node::parse(&bytes, seed, Some(depth), bounds, self.superblock.blocks())
            .and_then(|node| {
                if node.first().map(u64::from) == Some(bounds.from) {
                    Ok(node)
                } else {
                    Err("it does not begin where the node above says".to_owned())
                }
            })
            .map_err(|rule| Error::corrupt("extent tree node at block", block.0, rule))?;
        Ok(node)
    }

    fn put_root(inode: &mut Inode, root: &Node) {
        root.encode(&mut inode.raw_mut().i_block, None);
    }

    fn put_node(&mut self, inode: &Inode, block: BlockNumber, node: &Node) -> Result<()> {
        let seed = self.node_seed(inode);
        let bytes = self.create_block(block)?;
        node.encode(bytes, seed);
        Ok(())
    }

    /// Allocates a block for a node, near the inode's content.
    fn add_node(
        &mut self,
        inode: &mut Inode,
        near: BlockNumber,
        node: &Node,
    ) -> Result<BlockNumber> {
        let (block, _) = self.allocate_blocks(near, 1)?;
        self.charge(inode, 1)?;
        self.put_node(inode, block, node)?;
        Ok(block)
    }

    fn drop_node(&mut self, inode: &mut Inode, block: BlockNumber) -> Result<()> {
        self.free_blocks(block, 1)?;
        self.discharge(inode, 1)
    }

    /// Makes an inode a file without content whose content will be in extents.
    pub(crate) fn begin_extents(inode: &mut Inode) {
        inode.set_flag(crate::inode::FLAG_EXTENTS, true);
        Self::put_root(inode, &Node::empty_root());
    }

    /// Finds out where the content from a block of the file on is.
    pub(crate) fn extent_lookup(&mut self, inode: &Inode, at: u32) -> Result<Run> {
        let mut node = self.extent_root(inode)?;
        let mut bounds = Bounds::ALL;
        loop {
            match &node.entries {
                Entries::Leaf(extents) => {
                    let next = extents.partition_point(|extent| extent.start <= at);
                    if let Some(extent) = next.checked_sub(1).and_then(|index| extents.get(index))
                        && u64::from(at) < extent.end()
                    {
                        let behind = at - extent.start;
                        return Ok(Run {
                            kind: if extent.unwritten {
                                RunKind::Unwritten
                            } else {
                                RunKind::Written
                            },
                            block: BlockNumber(extent.block.0 + u64::from(behind)),
                            length: u64::from(extent.length - behind),
                        });
                    }
                    let end = extents
                        .get(next)
                        .map_or(bounds.to, |extent| u64::from(extent.start));
                    return Ok(Run::hole(end - u64::from(at)));
                }
                Entries::Inner(children) => {
                    let next = children.partition_point(|child| child.0 <= at);
                    let Some((start, block)) = next
                        .checked_sub(1)
                        .and_then(|index| children.get(index))
                        .copied()
                    else {
                        let end = children
                            .first()
                            .map_or(bounds.to, |child| u64::from(child.0));
                        return Ok(Run::hole(end - u64::from(at)));
                    };
                    bounds = Bounds {
                        from: u64::from(start),
                        to: children
                            .get(next)
                            .map_or(bounds.to, |child| u64::from(child.0)),
                    };
                    node = self.extent_node(inode, block, node.depth - 1, bounds)?;
                }
            }
        }
    }

    /// Adds an extent where there is a hole.
    pub(crate) fn extent_insert(&mut self, inode: &mut Inode, extent: Extent) -> Result<()> {
        let mut root = self.extent_root(inode)?;
        self.insert_below(inode, &mut root, Bounds::ALL, extent)?;
        self.settle_root(inode, root, extent)
    }

    /// Writes a root, which gets a level more if it has an entry more than fits.
    fn settle_root(&mut self, inode: &mut Inode, mut root: Node, near: Extent) -> Result<()> {
        if root.overflows() {
            if root.depth >= MOST_LEVELS {
                return Err(vfs::Error::NoSpace.into());
            }
            let child = Node {
                depth: root.depth,
                capacity: Node::capacity_of(self.block_bytes()),
                entries: root.entries,
            };
            let first = child.first().unwrap_or(0);
            let block = self.add_node(inode, near.block, &child)?;
            root = Node {
                depth: child.depth + 1,
                capacity: root.capacity,
                entries: Entries::Inner(vec![(first, block)]),
            };
        }
        Self::put_root(inode, &root);
        Ok(())
    }

    /// Adds an extent to a node or below it. The node may have one entry more than fits afterwards, and is not written.
    fn insert_below(
        &mut self,
        inode: &mut Inode,
        node: &mut Node,
        bounds: Bounds,
        extent: Extent,
    ) -> Result<()> {
        let depth = node.depth;
        match &mut node.entries {
            Entries::Leaf(extents) => insert_into_leaf(extents, extent).map_err(|rule| {
                Error::corrupt("extent tree of inode", u64::from(inode.number.0), rule)
            }),
            Entries::Inner(children) => {
                let next = children.partition_point(|child| child.0 <= extent.start);
                let index = next.saturating_sub(1);
                let (start, block) = children[index];
                let below = Bounds {
                    from: u64::from(start),
                    to: children
                        .get(index + 1)
                        .map_or(bounds.to, |child| u64::from(child.0)),
                };
                let mut child = self.extent_node(inode, block, depth - 1, below)?;
                self.insert_below(inode, &mut child, below, extent)?;
                let at_end = child.overflows() && is_last(&child, extent);
                self.settle_child(inode, children, index, child, at_end, extent)
            }
        }
    }

    /// Writes a child, as two if it has an entry more than fits, and corrects the entries above it.
    fn settle_child(
        &mut self,
        inode: &mut Inode,
        children: &mut Vec<(u32, BlockNumber)>,
        index: usize,
        mut child: Node,
        at_end: bool,
        near: Extent,
    ) -> Result<()> {
        let block = children[index].1;
        if child.overflows() {
            let second = child.split(at_end);
            let first = second.first().unwrap_or(0);
            let added = self.add_node(inode, near.block, &second)?;
            children.insert(index + 1, (first, added));
        }
        children[index].0 = child.first().unwrap_or(0);
        self.put_node(inode, block, &child)
    }

    /// Takes the blocks of the file from `from` up to `to` out of the tree, and frees them if `free`.
    pub(crate) fn extent_remove(
        &mut self,
        inode: &mut Inode,
        from: u64,
        to: u64,
        free: bool,
    ) -> Result<()> {
        let mut root = self.extent_root(inode)?;
        let range = Bounds { from, to };
        let near = self.remove_below(inode, &mut root, Bounds::ALL, range, free)?;
        if root.len() == 0 {
            root = Node::empty_root();
        }
        // As many levels as are needed and no more: a single child whose entries fit takes the root's place.
        while !root.overflows()
            && let Entries::Inner(children) = &root.entries
            && let [(start, block)] = children[..]
        {
            let bounds = Bounds {
                from: u64::from(start),
                to: Bounds::ALL.to,
            };
            let child = self.extent_node(inode, block, root.depth - 1, bounds)?;
            if child.len() > root.capacity {
                break;
            }
            self.drop_node(inode, block)?;
            root = Node {
                capacity: root.capacity,
                ..child
            };
        }
        self.settle_root(inode, root, near)
    }

    /// Removes from a node and below it. The node may have one entry more than fits afterwards, or none, and is not written. Returns an extent that
    /// was near, for what must be allocated.
    fn remove_below(
        &mut self,
        inode: &mut Inode,
        node: &mut Node,
        bounds: Bounds,
        range: Bounds,
        free: bool,
    ) -> Result<Extent> {
        let depth = node.depth;
        let mut near = Extent {
            start: 0,
            length: 1,
            block: BlockNumber(0),
            unwritten: false,
        };
        match &mut node.entries {
            Entries::Leaf(extents) => {
                let mut kept = Vec::with_capacity(extents.len() + 1);
                for extent in extents.iter() {
                    let cut_from = range.from.max(u64::from(extent.start));
                    let cut_to = range.to.min(extent.end());
                    if cut_from >= cut_to {
                        kept.push(*extent);
                        continue;
                    }
                    near = *extent;
                    // Both differences are at most the extent's length.
                    let before = (cut_from - u64::from(extent.start)) as u32;
                    let after = (extent.end() - cut_to) as u32;
                    if before > 0 {
                        kept.push(Extent {
                            length: before,
                            ..*extent
                        });
                    }
                    if after > 0 {
                        let skipped = extent.length - after;
                        kept.push(Extent {
                            start: extent.start + skipped,
                            length: after,
                            block: BlockNumber(extent.block.0 + u64::from(skipped)),
                            unwritten: extent.unwritten,
                        });
                    }
                    if free {
                        let count = extent.length - before - after;
                        self.free_blocks(BlockNumber(extent.block.0 + u64::from(before)), count)?;
                        self.discharge(inode, count)?;
                    }
                }
                *extents = kept;
            }
            Entries::Inner(children) => {
                // From the end, so that what is removed or added does not move what is still to be seen.
                for index in (0..children.len()).rev() {
                    let (start, block) = children[index];
                    let below = Bounds {
                        from: u64::from(start),
                        to: children
                            .get(index + 1)
                            .map_or(bounds.to, |child| u64::from(child.0)),
                    };
                    if below.from >= range.to || below.to <= range.from {
                        continue;
                    }
                    let mut child = self.extent_node(inode, block, depth - 1, below)?;
                    let before = child.clone();
                    near = self.remove_below(inode, &mut child, below, range, free)?;
                    if child.len() == 0 {
                        self.drop_node(inode, block)?;
                        children.remove(index);
                    } else if child != before {
                        self.settle_child(inode, children, index, child, false, near)?;
                    }
                }
            }
        }
        Ok(near)
    }
}

/// Adds an extent to a leaf's, merged with its neighbours where that can be.
fn insert_into_leaf(extents: &mut Vec<Extent>, extent: Extent) -> Result<(), &'static str> {
    let next = extents.partition_point(|other| other.start < extent.start);
    let overlaps_next = extents
        .get(next)
        .is_some_and(|other| u64::from(other.start) < extent.end());
    let overlaps_last = next
        .checked_sub(1)
        .and_then(|last| extents.get(last))
        .is_some_and(|other| other.end() > u64::from(extent.start));
    if overlaps_next || overlaps_last {
        return Err("an extent is to be added where there is one");
    }
    let mut at = next;
    if let Some(last) = next.checked_sub(1)
        && extents[last].merge(&extent)
    {
        at = last;
    } else {
        extents.insert(next, extent);
    }
    if let Some(following) = extents.get(at + 1).copied()
        && extents[at].merge(&following)
    {
        extents.remove(at + 1);
    }
    Ok(())
}

/// Tells whether what was added is the last of a node.
fn is_last(node: &Node, extent: Extent) -> bool {
    match &node.entries {
        Entries::Leaf(extents) => extents
            .last()
            .is_some_and(|last| last.start == extent.start),
        Entries::Inner(children) => children.last().is_some_and(|last| last.0 == extent.start),
    }
}
