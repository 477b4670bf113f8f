//! Random operations, done to a backend and to the filesystem in memory alike.
//!
//! [`run`] is all of it: it makes operations from a seed, does each to both, compares results and trees, and makes a sequence that
//! shows a difference as short as it can. A format's own test, which asks `e2fsck` and a kernel too, puts the parts together
//! itself: [`generate()`], [`replay()`], [`shrink()`].

mod generate;
mod operation;
mod random;
mod replay;
mod shrink;

use std::fmt;

pub use generate::{Profile, generate};
pub use operation::{Made, Operation};
pub use random::Random;
pub use replay::{Mismatch, ReplayOptions, Replayed, moment, replay};
pub use shrink::shrink;

use crate::filesystem::FileSystem;
use crate::memory::Memory;

/// How often a sequence is tried while it is made shorter.
const SHRINK_TRIES: usize = 400;

/// A sequence of operations after which a backend and the model differ.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The seed that the sequence was made from.
    pub seed: u64,
    /// What is left of it after shrinking.
    pub operations: Vec<Operation>,
    /// How they differ.
    pub how: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            formatter,
            "seed {}, {} operations: {}",
            self.seed,
            self.operations.len(),
            self.how
        )?;
        for (step, operation) in self.operations.iter().enumerate() {
            writeln!(formatter, "  {step}: {operation:?}")?;
        }
        Ok(())
    }
}

/// Does random operations to a fresh backend and to a copy of it in memory.
///
/// # Errors
///
/// A [`Failure`] that is shrunk already.
pub fn run(
    make: &mut dyn FnMut() -> Box<dyn FileSystem>,
    seed: u64,
    steps: usize,
    profile: &Profile,
    options: &ReplayOptions,
) -> std::result::Result<(), Failure> {
    let fail = |how: String, operations: Vec<Operation>| Failure {
        seed,
        operations,
        how,
    };
    let mut state = {
        let mut fs = make();
        Memory::copy_of(&mut *fs, options.content_bytes)
            .map_err(|error| fail(error.to_string(), Vec::new()))?
    };
    let operations = generate(&mut state, seed, steps, profile);
    let mut attempt = |operations: &[Operation]| -> std::result::Result<(), String> {
        let mut fs = make();
        let mut model =
            Memory::copy_of(&mut *fs, options.content_bytes).map_err(|error| error.to_string())?;
        replay(operations, &mut *fs, &mut model, options)
            .map(|_| ())
            .map_err(|mismatch| mismatch.to_string())
    };
    let Err(how) = attempt(&operations) else {
        return Ok(());
    };
    let shortest = shrink(&operations, SHRINK_TRIES, &mut |operations| {
        attempt(operations).is_err()
    });
    let how = attempt(&shortest).err().unwrap_or(how);
    Err(fail(how, shortest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Result;
    use crate::filesystem::Times;
    use crate::{Attributes, Entry, FileId, Limits, NewFile, Statistics, Timestamp};
    use std::io::Read;
    use std::ops::ControlFlow;

    const STEPS: usize = 600;

    #[test]
    fn the_model_agrees_with_itself() {
        for seed in 0..3 {
            let outcome = run(
                &mut || Box::new(Memory::new()),
                seed,
                STEPS,
                &Profile::DEFAULT,
                &ReplayOptions::ALL,
            );
            if let Err(failure) = outcome {
                panic!("{failure}");
            }
        }
    }

    #[test]
    fn most_operations_do_something() {
        let operations = generate(&mut Memory::new(), 1, 1000, &Profile::DEFAULT);
        let mut fs = Memory::new();
        let mut done = 0;
        let mut kinds = std::collections::BTreeSet::new();
        for (step, operation) in operations.iter().enumerate() {
            fs.set_now(moment(step));
            if operation.apply(&mut fs).is_ok() {
                done += 1;
                let text = format!("{operation:?}");
                kinds.insert(text.split([' ', '{']).next().unwrap().to_owned());
            }
        }
        assert!((700..1000).contains(&done), "{done}");
        assert_eq!(kinds.len(), 13, "{kinds:?}");
    }

    /// Loses what is written behind the first 5000 bytes of a file with two names.
    #[derive(Debug)]
    struct Faulty(Memory);

    impl FileSystem for Faulty {
        fn root(&self) -> FileId {
            self.0.root()
        }
        fn limits(&self) -> Limits {
            self.0.limits()
        }
        fn statistics(&mut self) -> Result<Statistics> {
            self.0.statistics()
        }
        fn set_now(&mut self, now: Timestamp) {
            self.0.set_now(now);
        }
        fn lookup(&mut self, directory: FileId, name: &[u8]) -> Result<Option<FileId>> {
            self.0.lookup(directory, name)
        }
        fn list(
            &mut self,
            directory: FileId,
            visit: &mut dyn FnMut(Entry) -> ControlFlow<()>,
        ) -> Result<()> {
            self.0.list(directory, visit)
        }
        fn attributes(&mut self, file: FileId) -> Result<Attributes> {
            self.0.attributes(file)
        }
        fn read_link(&mut self, file: FileId) -> Result<Vec<u8>> {
            self.0.read_link(file)
        }
        fn read_at(&mut self, file: FileId, buffer: &mut [u8], offset: u64) -> Result<usize> {
            self.0.read_at(file, buffer, offset)
        }
        fn write_at(&mut self, file: FileId, data: &[u8], offset: u64) -> Result<()> {
            if self.0.attributes(file)?.links > 1 && offset > 5000 {
                return self.0.write_at(file, &vec![0; data.len()], offset);
            }
            self.0.write_at(file, data, offset)
        }
        fn set_size(&mut self, file: FileId, size: u64) -> Result<()> {
            self.0.set_size(file, size)
        }
        fn replace(&mut self, file: FileId, content: &mut dyn Read) -> Result<u64> {
            self.0.replace(file, content)
        }
        fn create(&mut self, at: FileId, name: &[u8], new: &NewFile<'_>) -> Result<FileId> {
            self.0.create(at, name, new)
        }
        fn link(&mut self, file: FileId, directory: FileId, name: &[u8]) -> Result<()> {
            self.0.link(file, directory, name)
        }
        fn rename(&mut self, from: FileId, name: &[u8], to: FileId, new: &[u8]) -> Result<()> {
            self.0.rename(from, name, to, new)
        }
        fn remove(&mut self, directory: FileId, name: &[u8]) -> Result<()> {
            self.0.remove(directory, name)
        }
        fn set_permissions(&mut self, file: FileId, permissions: u16) -> Result<()> {
            self.0.set_permissions(file, permissions)
        }
        fn set_owner(&mut self, file: FileId, uid: u32, gid: u32) -> Result<()> {
            self.0.set_owner(file, uid, gid)
        }
        fn set_times(&mut self, file: FileId, times: Times) -> Result<()> {
            self.0.set_times(file, times)
        }
        fn attribute_names(&mut self, file: FileId) -> Result<Vec<Vec<u8>>> {
            self.0.attribute_names(file)
        }
        fn attribute(&mut self, file: FileId, name: &[u8]) -> Result<Option<Vec<u8>>> {
            self.0.attribute(file, name)
        }
        fn set_attribute(&mut self, file: FileId, name: &[u8], value: &[u8]) -> Result<()> {
            self.0.set_attribute(file, name, value)
        }
        fn remove_attribute(&mut self, file: FileId, name: &[u8]) -> Result<()> {
            self.0.remove_attribute(file, name)
        }
        fn finish(&mut self) -> Result<()> {
            self.0.finish()
        }
    }

    #[test]
    fn a_fault_is_found_and_told_in_few_operations() {
        let failure = run(
            &mut || Box::new(Faulty(Memory::new())),
            3,
            STEPS,
            &Profile::DEFAULT,
            &ReplayOptions::ALL,
        )
        .unwrap_err();
        // The least is a file, its second name, and a write; what its path goes through is not taken out.
        assert!(failure.operations.len() <= 12, "{failure}");
        assert!(failure.how.contains("content"), "{failure}");
    }
}
