//! A linear logical volume as a device.

use std::sync::Arc;

use crate::device::{BlockDevice, check_range};
use crate::error::{Error, Result};

/// A run of a volume on one device.
#[derive(Debug, Clone)]
pub(super) struct Run {
    pub(super) start: u64,
    pub(super) length: u64,
    pub(super) device: Arc<dyn BlockDevice>,
    pub(super) device_start: u64,
}

/// A logical volume: its bytes are those of one or several physical volumes.
#[derive(Debug, Clone)]
pub struct LinearDevice {
    /// In order, without gaps, from 0; each lies in its device.
    runs: Vec<Run>,
    length: u64,
    writable: bool,
}

impl LinearDevice {
    pub(super) fn new(runs: Vec<Run>, length: u64, writable: bool) -> Self {
        Self {
            runs,
            length,
            writable,
        }
    }

    /// Calls `act` for each run that a range touches, with the place in the run's device and the range of the buffer.
    fn each(
        &self,
        offset: u64,
        length: usize,
        mut act: impl FnMut(&Run, u64, std::ops::Range<usize>) -> Result<()>,
    ) -> Result<()> {
        check_range(offset, length, self.length)?;
        let mut index = self
            .runs
            .partition_point(|run| run.start + run.length <= offset);
        let mut done = 0;
        while done < length {
            // The range lies in the volume and the runs have no gaps.
            let run = &self.runs[index];
            let inside = offset + done as u64 - run.start;
            let here = (run.length - inside).min((length - done) as u64) as usize;
            act(run, run.device_start + inside, done..done + here)?;
            done += here;
            index += 1;
        }
        Ok(())
    }
}

impl BlockDevice for LinearDevice {
    fn length(&self) -> u64 {
        self.length
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        self.each(offset, buffer.len(), |run, place, range| {
            run.device.read_at(&mut buffer[range], place)
        })
    }

    fn write_at(&self, data: &[u8], offset: u64) -> Result<()> {
        if !self.writable {
            return Err(Error::ReadOnly);
        }
        self.each(offset, data.len(), |run, place, range| {
            run.device.write_at(&data[range], place)
        })
    }

    fn flush(&self) -> Result<()> {
        let mut flushed: Vec<&Arc<dyn BlockDevice>> = Vec::new();
        for run in &self.runs {
            if !flushed
                .iter()
                .any(|device| Arc::ptr_eq(device, &run.device))
            {
                run.device.flush()?;
                flushed.push(&run.device);
            }
        }
        Ok(())
    }
}
