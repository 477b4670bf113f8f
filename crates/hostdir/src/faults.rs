//! Where a system call that changes something can be made to fail, for the tests.

use std::cell::Cell;

use rustix::io::Errno;

/// Counts the calls that change something. Outside tests nothing fails here.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    done: Cell<u64>,
    fail_at: Cell<Option<u64>>,
    cut_at: Cell<Option<u64>>,
}

impl Faults {
    /// Stands before every call that changes something.
    pub(crate) fn step(&self) -> Result<(), Errno> {
        let number = self.done.get();
        self.done.set(number + 1);
        if self.fail_at.get() == Some(number) || self.cut_at.get().is_some_and(|at| number >= at) {
            return Err(Errno::IO);
        }
        Ok(())
    }
}

#[cfg(test)]
impl Faults {
    /// Lets one call fail.
    pub(crate) fn fail_at(&self, number: u64) {
        self.fail_at.set(Some(number));
    }

    /// Lets nothing be done from this call on, as if the process had been killed.
    pub(crate) fn cut_at(&self, number: u64) {
        self.cut_at.set(Some(number));
    }
}
