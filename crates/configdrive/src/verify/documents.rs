//! The documents of a drive, by path.

use std::cell::Cell;
use std::collections::BTreeMap;

use christen_instance::{Dialect, Value, json};

use super::{Report, tolerate};
use crate::read::limits;
use crate::{Drive, Entry, Error};

/// The files of the tree that a guest sees.
pub(super) struct Files<'d, 's> {
    drive: &'d Drive<'s>,
    files: BTreeMap<String, &'d Entry>,
    /// Bytes that may still be read.
    budget: Cell<u64>,
}

impl<'d, 's> Files<'d, 's> {
    pub(super) fn new(drive: &'d Drive<'s>, entries: &'d [Entry]) -> Self {
        let files = entries
            .iter()
            .filter(|entry| entry.is_file())
            .map(|entry| (entry.path_text().into_owned(), entry))
            .collect();
        Self {
            drive,
            files,
            budget: Cell::new(limits::MAX_DOCUMENT_BYTES_IN_ALL),
        }
    }

    /// Tells whose documents these are: by the label, else by the tree.
    pub(super) fn guess_dialect(&self) -> Dialect {
        let nocloud = Dialect::NoCloud;
        let label = self.drive.label();
        let openstack = Dialect::OpenStack.label();
        if label.eq_ignore_ascii_case(nocloud.label())
            || (!label.eq_ignore_ascii_case(openstack)
                && self.has("meta-data")
                && self.under("openstack/").next().is_none())
        {
            nocloud
        } else {
            Dialect::OpenStack
        }
    }

    pub(super) fn has(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    /// Returns the files whose path begins with `prefix`, in order.
    pub(super) fn under<'f>(&'f self, prefix: &'f str) -> impl Iterator<Item = &'f str> {
        self.files
            .range(prefix.to_owned()..)
            .map(|(path, _)| path.as_str())
            .take_while(move |path| path.starts_with(prefix))
    }

    /// Returns the names of the directories right under `prefix`, which ends with `/`.
    pub(super) fn directories(&self, prefix: &str) -> Vec<String> {
        let mut names: Vec<String> = self
            .under(prefix)
            .filter_map(|path| path.strip_prefix(prefix)?.split_once('/'))
            .map(|(name, _)| name.to_owned())
            .collect();
        names.dedup();
        names
    }

    /// Reads a document; `None` when it is not there or cannot be read.
    pub(super) fn bytes(&self, path: &str, report: &mut Report) -> Result<Option<Vec<u8>>, Error> {
        let Some(entry) = self.files.get(path) else {
            return Ok(None);
        };
        let Some(rest) = self.budget.get().checked_sub(entry.length) else {
            report.error(
                "too-long",
                path,
                "too many bytes of documents; this one was not read",
            );
            return Ok(None);
        };
        self.budget.set(rest);
        let content = self.drive.read_file(entry, limits::MAX_DOCUMENT_BYTES);
        tolerate(content, path, report)
    }

    pub(super) fn text(&self, path: &str, report: &mut Report) -> Result<Option<String>, Error> {
        let Some(bytes) = self.bytes(path, report)? else {
            return Ok(None);
        };
        let text = String::from_utf8(bytes);
        if let Err(error) = &text {
            let at = error.utf8_error().valid_up_to();
            report.error(
                "not-utf8",
                path,
                format!("it is not UTF-8 from byte {at} on"),
            );
        }
        Ok(text.ok())
    }

    pub(super) fn json(&self, path: &str, report: &mut Report) -> Result<Option<Value>, Error> {
        let Some(text) = self.text(path, report)? else {
            return Ok(None);
        };
        match json::parse(&text) {
            Ok(value) => Ok(Some(value)),
            Err(error) => {
                report.error("not-json", path, error.to_string());
                Ok(None)
            }
        }
    }
}
