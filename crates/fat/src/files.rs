//! Which of our identities is which node of the driver.

use std::collections::HashMap;

use christen_vfs::FileId;
use hadris_fs::NodeId;

/// A file that the caller knows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct File {
    pub(crate) node: NodeId,
    pub(crate) parent: FileId,
    pub(crate) directory: bool,
}

/// The files that the caller knows. Each has one pin in the driver, which keeps its node the same when it is renamed.
#[derive(Debug)]
pub(crate) struct Files {
    files: HashMap<FileId, File>,
    by_node: HashMap<NodeId, FileId>,
    next: u64,
}

impl Files {
    pub(crate) const ROOT: FileId = FileId::new(1);

    pub(crate) fn new(root: NodeId) -> Self {
        let file = File {
            node: root,
            parent: Self::ROOT,
            directory: true,
        };
        Self {
            files: HashMap::from([(Self::ROOT, file)]),
            by_node: HashMap::from([(root, Self::ROOT)]),
            next: 2,
        }
    }

    pub(crate) fn get(&self, file: FileId) -> Option<File> {
        self.files.get(&file).copied()
    }

    pub(crate) fn of_node(&self, node: NodeId) -> Option<FileId> {
        self.by_node.get(&node).copied()
    }

    pub(crate) fn add(&mut self, file: File) -> FileId {
        let id = FileId::new(self.next);
        self.next += 1;
        self.by_node.insert(file.node, id);
        self.files.insert(id, file);
        id
    }

    pub(crate) fn remove(&mut self, id: FileId) {
        if let Some(file) = self.files.remove(&id)
            && self.by_node.get(&file.node) == Some(&id)
        {
            self.by_node.remove(&file.node);
        }
    }

    /// Puts another node or another directory in place of a file's own.
    pub(crate) fn change(&mut self, id: FileId, node: NodeId, parent: FileId) {
        if let Some(file) = self.files.get_mut(&id) {
            if self.by_node.get(&file.node) == Some(&id) {
                self.by_node.remove(&file.node);
            }
            file.node = node;
            file.parent = parent;
            self.by_node.insert(node, id);
        }
    }

    /// Returns whether a directory is another one, or below it.
    pub(crate) fn is_within(&self, mut directory: FileId, above: FileId) -> bool {
        // Each step goes to a directory that was known before, so this ends at the root.
        while directory != above {
            match self.files.get(&directory) {
                Some(file) if directory != Self::ROOT => directory = file.parent,
                _ => return false,
            }
        }
        true
    }
}
