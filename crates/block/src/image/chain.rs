//! From the file of an image to the disk in it, through all that the image names.

use std::path::Path;
use std::sync::Arc;

use super::Format;
use super::layer::{Layer, LayerRole, OpenedLayer};
use super::named::{Permission, path_from};
use super::place::Place;
use super::raw::RawDisk;
use super::source::Source;
use crate::access::Access;
use crate::commit::Mark;
use crate::device::BlockDevice;
use crate::error::{Error, Result, Unsupported};
use crate::host::{HostFile, Opening, read_padded};
use crate::overlay::{Overlay, OverlayFile};
use crate::qcow2::{self, Header, Qcow2};
use crate::storage::Storage;

/// The most images in a chain. Each one costs an open file and a cache of tables; chains in the field have two to five, and libvirt's
/// and OpenStack's snapshots are merged long before this.
const MAX_DEPTH: usize = 16;

/// What has been opened on the way down.
#[derive(Debug)]
pub(super) struct Chain<'a> {
    pub(super) permission: Permission<'a>,
    pub(super) redo_directory: Option<&'a Path>,
    /// Every file that has been named so far.
    layers: &'a mut Vec<Layer>,
    /// Device and inode of every file so far.
    seen: Vec<(u64, u64)>,
}

/// What an image needs besides its own file.
#[derive(Debug, Default)]
pub(super) struct Needed {
    pub(super) mark: Option<Mark>,
    pub(super) data_file: Option<OverlayFile>,
    pub(super) backing: Option<Arc<dyn BlockDevice>>,
    /// The name of the backing file as stored.
    pub(super) backing_name: Option<Vec<u8>>,
}

impl<'a> Chain<'a> {
    /// Begins with the image itself; what it names is added to `layers`.
    pub(super) fn new(
        permission: Permission<'a>,
        redo_directory: Option<&'a Path>,
        image: Layer,
        layers: &'a mut Vec<Layer>,
    ) -> Self {
        *layers = vec![image];
        Self {
            permission,
            redo_directory,
            layers,
            seen: Vec::new(),
        }
    }

    /// Opens what the image needs besides its own file. `access` is what will be done to the image and its data file.
    pub(super) fn needed(
        &mut self,
        source: &Source,
        format: Format,
        access: Access,
    ) -> Result<Needed> {
        self.needed_by(0, source, format, access)
    }

    /// Opens what the file at `layer` needs besides itself.
    fn needed_by(
        &mut self,
        layer: usize,
        source: &Source,
        format: Format,
        access: Access,
    ) -> Result<Needed> {
        self.enter(&*source.file)?;
        let storage = reading(&source.file)?;
        let opened = OpenedLayer {
            path: source.place.path().into(),
            format,
            is_recovery_pending: source.is_pending,
            file_bytes: storage.length(),
            header: None,
            storage: Arc::clone(&storage),
        };
        let opened = self.layers[layer].opened.insert(opened);
        if format == Format::Raw {
            return Ok(Needed::default());
        }
        let header = Header::read(&*storage)?;
        opened.header = Some(header.clone());
        // What is refused is refused before anything that it names is opened.
        qcow2::admit(&header, storage.length(), access)?;
        let mut needed = Needed {
            mark: Some(if header.version == 2 {
                Mark::Qcow2V2
            } else {
                Mark::Qcow2V3
            }),
            ..Needed::default()
        };
        // All that it names is noted before any of it is opened, so that it can be told of what is not.
        let data_layer = self.layers.len();
        if header.has_data_file() {
            let name = header.data_file.as_deref().unwrap_or_default();
            self.name(LayerRole::DataFile, layer, name, None);
        }
        let backing_layer = self.layers.len();
        if let Some(name) = &header.backing_file {
            let format = header.backing_format.as_deref();
            self.name(LayerRole::BackingFile, layer, name, format);
        }
        if header.has_data_file() {
            let name = header.data_file.as_deref().unwrap_or_default();
            if name.is_empty() {
                return Err(Unsupported::new("qcow2 data files without a name are").into());
            }
            let path = path_from(name, &source.spelled)?;
            let opening = match access {
                Access::Read => Opening::ReadOnly,
                Access::Write => Opening::ReadWrite,
            };
            let (path, file) = source.open_data_file(&path, opening, &self.permission)?;
            self.enter(&*file)?;
            let storage = reading(&file)?;
            self.layers[data_layer].opened = Some(OpenedLayer {
                path: path.clone(),
                format: Format::Raw,
                is_recovery_pending: source.is_pending,
                file_bytes: storage.length(),
                header: None,
                storage,
            });
            needed.data_file = Some(OverlayFile {
                file,
                mark: Mark::None,
                path: Some(path),
            });
        }
        if let Some(name) = &header.backing_file {
            let path = path_from(name, &source.spelled)?;
            let format = header.backing_format.as_deref();
            needed.backing = Some(self.backing(backing_layer, &path, format)?);
            needed.backing_name = Some(name.clone());
        }
        Ok(needed)
    }

    /// Notes a file that the one at `named_by` names.
    fn name(&mut self, role: LayerRole, named_by: usize, name: &[u8], format: Option<&str>) {
        self.layers.push(Layer {
            role,
            named_by: Some(named_by),
            name: name.to_vec(),
            stated_format: format.map(str::to_owned),
            opened: None,
        });
    }

    /// Opens a backing file, which is the one at `layer`, for reading.
    fn backing(
        &mut self,
        layer: usize,
        path: &Path,
        format: Option<&str>,
    ) -> Result<Arc<dyn BlockDevice>> {
        let (located, file) = self.permission.open(path, false)?;
        let source = Source::new(
            Place::File(located),
            path,
            file,
            false,
            self.redo_directory,
            &self.permission,
        )?;
        let format = match format {
            Some("raw") => Format::Raw,
            Some("qcow2") => Format::Qcow2,
            Some(other) => {
                let other = other.escape_default();
                return Err(
                    Unsupported::new(format!("backing files of format `{other}` are")).into(),
                );
            }
            None => self.probe_backing(&source)?,
        };
        let needed = self.needed_by(layer, &source, format, Access::Read)?;
        let file = OverlayFile {
            file: source.file,
            mark: Mark::None,
            path: None,
        };
        let files = [file].into_iter().chain(needed.data_file).collect();
        let overlay = Overlay::read_only(files)?;
        disk(&overlay, format, needed.backing, Access::Read)
    }

    /// Finds the format of a backing file that does not state it.
    ///
    /// QEMU probes, too. A raw disk whose guest wrote a qcow2 header to it would then name files of the host, so
    /// an image that was found by looking may not name any.
    fn probe_backing(&self, source: &Source) -> Result<Format> {
        let format = probe(&*source.file)?;
        if format == Format::Qcow2 {
            let header = Header::read(&*reading(&source.file)?)?;
            if header.backing_file.is_some() || header.has_data_file() {
                let what =
                    "backing files whose format is not stated and that name further files are";
                return Err(Unsupported::new(what).into());
            }
        }
        Ok(format)
    }

    fn enter(&mut self, file: &dyn HostFile) -> Result<()> {
        let identity = file.identity();
        let key = (identity.device, identity.inode);
        if self.seen.contains(&key) {
            return Err(
                Unsupported::new("an image that is its own backing or data file is").into(),
            );
        }
        if self.seen.len() >= MAX_DEPTH {
            let what = format!("chains of more than {MAX_DEPTH} files are");
            return Err(Unsupported::new(what).into());
        }
        self.seen.push(key);
        Ok(())
    }
}

/// Opens the disk in the first file of an overlay; the second one, if there is one, is its data file.
pub(super) fn disk(
    overlay: &Overlay,
    format: Format,
    backing: Option<Arc<dyn BlockDevice>>,
    access: Access,
) -> Result<Arc<dyn BlockDevice>> {
    // Every overlay here has been laid over a file.
    let storage = overlay.storage(0).ok_or(Error::ReadOnly)?;
    Ok(match format {
        Format::Raw => Arc::new(RawDisk::new(storage)),
        Format::Qcow2 => Arc::new(Qcow2::open(storage, backing, overlay.storage(1), access)?),
    })
}

/// Returns the bytes of a file for a look at its header.
fn reading(file: &Arc<dyn HostFile>) -> Result<Arc<dyn Storage>> {
    let file = OverlayFile {
        file: Arc::clone(file),
        mark: Mark::None,
        path: None,
    };
    Overlay::read_only(vec![file])?
        .storage(0)
        .ok_or(Error::ReadOnly)
}

/// Says what an image looks like.
pub(super) fn probe(file: &dyn HostFile) -> Result<Format> {
    let mut start = [0; 4];
    read_padded(file, &mut start, 0).map_err(Error::io("read the image"))?;
    Ok(if qcow2::probe(&start) {
        Format::Qcow2
    } else {
        Format::Raw
    })
}
