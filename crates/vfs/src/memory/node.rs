//! One file of the filesystem in memory.

use std::collections::BTreeMap;

use super::content::{Content, PAGE_BYTES};
use crate::error::{Error, Result};
use crate::filesystem::{Attributes, Kind, Timestamp};

/// What makes a file the kind that it is.
#[derive(Debug, Clone)]
pub(super) enum Body {
    File(Content),
    Directory {
        entries: BTreeMap<Vec<u8>, u64>,
        parent: u64,
    },
    SymbolicLink(Vec<u8>),
    Special(Kind),
}

#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) body: Body,
    pub(super) permissions: u16,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) links: u32,
    pub(super) accessed: Timestamp,
    pub(super) modified: Timestamp,
    pub(super) changed: Timestamp,
    pub(super) created: Option<Timestamp>,
    pub(super) attributes: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Node {
    pub(super) fn new(body: Body, now: Timestamp) -> Self {
        Self {
            body,
            permissions: 0,
            uid: 0,
            gid: 0,
            links: 0,
            accessed: now,
            modified: now,
            changed: now,
            created: Some(now),
            attributes: BTreeMap::new(),
        }
    }

    pub(super) fn attributes(&self) -> Attributes {
        let page = PAGE_BYTES as u64;
        let (kind, size, allocated) = match &self.body {
            Body::File(content) => (Kind::File, content.size(), content.pages() * page),
            Body::Directory { .. } => (Kind::Directory, page, page),
            Body::SymbolicLink(target) => (Kind::SymbolicLink, target.len() as u64, 0),
            Body::Special(kind) => (*kind, 0, 0),
        };
        Attributes {
            kind,
            permissions: self.permissions,
            uid: self.uid,
            gid: self.gid,
            links: self.links,
            size,
            allocated,
            accessed: self.accessed,
            modified: self.modified,
            changed: self.changed,
            created: self.created,
        }
    }

    pub(super) fn directory(&self) -> Result<&BTreeMap<Vec<u8>, u64>> {
        match &self.body {
            Body::Directory { entries, .. } => Ok(entries),
            _ => Err(Error::NotDirectory),
        }
    }

    pub(super) fn directory_mut(&mut self) -> Result<&mut BTreeMap<Vec<u8>, u64>> {
        match &mut self.body {
            Body::Directory { entries, .. } => Ok(entries),
            _ => Err(Error::NotDirectory),
        }
    }

    pub(super) fn parent(&self) -> Result<u64> {
        match &self.body {
            Body::Directory { parent, .. } => Ok(*parent),
            _ => Err(Error::NotDirectory),
        }
    }

    pub(super) fn set_parent(&mut self, to: u64) {
        if let Body::Directory { parent, .. } = &mut self.body {
            *parent = to;
        }
    }

    pub(super) fn content(&self) -> Result<&Content> {
        match &self.body {
            Body::File(content) => Ok(content),
            _ => Err(Error::NotFile),
        }
    }

    pub(super) fn content_mut(&mut self) -> Result<&mut Content> {
        match &mut self.body {
            Body::File(content) => Ok(content),
            _ => Err(Error::NotFile),
        }
    }
}
