//! All that was staged comes into the directory, or nothing of it.

use std::error::Error as StdError;

use crate::apply::apply;
use crate::directory::HostDirectory;
use crate::error::{Error, Result};
use crate::journal::{Journal, OpenJournal};
use crate::manifest::Manifest;
use crate::plan::{Plan, plan};
use crate::prepare;
use crate::undo::{self, undo};

/// What a look at the changed directory comes to.
pub type Verified = Result<(), Box<dyn StdError + Send + Sync>>;

/// How a commit ended.
#[derive(Debug)]
pub struct Committed {
    /// How many names of the tree were replaced, removed, moved or made, and how many files got attributes.
    pub steps: usize,
    /// The change is done, but this went wrong afterwards: what is left of the journal goes at the next opening.
    pub left: Option<Error>,
}

impl HostDirectory {
    /// Does what was staged.
    ///
    /// When it is done and before it is final, `verify` looks at the directory, which is opened and read anew; if it fails, all is
    /// undone.
    ///
    /// # Errors
    ///
    /// [`Error::Changed`] if what is concerned is not as it was read; [`Error::Owner`] and [`Error::NotMapped`] for owners that
    /// cannot be set; [`Error::OtherNames`]; [`Error::NotVerified`]; [`Error::Host`] and [`Error::Journal`]. The tree is then as
    /// it was, but for [`Error::NotUndone`].
    pub fn commit(mut self, verify: &mut dyn FnMut(&mut Self) -> Verified) -> Result<Committed> {
        let plan = plan(&mut self)?;
        if plan.is_empty() {
            return Ok(Committed {
                steps: 0,
                left: None,
            });
        }
        prepare::check(&mut self, &plan)?;
        // Only what was opened for a change has a journal, and `verify` gets one that has none.
        let Some(journal) = self.journal.take() else {
            return Err(Error::Busy);
        };
        let open = journal
            .make(&self.root.faults)
            .map_err(|cause| self.failed(&journal, cause))?;
        self.run(&plan, &open, verify)
            .map_err(|cause| self.failed(&journal, cause))?;
        let steps = plan.replaces.len() + plan.takes.len() + plan.places.len();
        Ok(Committed {
            steps: steps + plan.settles.len(),
            left: open.remove(&self.root.faults).err(),
        })
    }

    fn run(
        &mut self,
        plan: &Plan,
        journal: &OpenJournal<'_>,
        verify: &mut dyn FnMut(&mut Self) -> Verified,
    ) -> Result<()> {
        let manifest = prepare::fill(self, plan, journal)?;
        journal.begin(&manifest, &self.root.faults)?;
        self.change(plan, &manifest, journal, verify)
            .map_err(|cause| {
                let undone = undo(&self.root, &manifest, journal)
                    .and_then(|()| journal.end(&self.root.faults));
                match undone {
                    Ok(()) => cause,
                    Err(undo) => Error::NotUndone {
                        cause: Box::new(cause),
                        undo: Box::new(undo),
                    },
                }
            })
    }

    fn change(
        &mut self,
        plan: &Plan,
        manifest: &Manifest,
        journal: &OpenJournal<'_>,
        verify: &mut dyn FnMut(&mut Self) -> Verified,
    ) -> Result<()> {
        apply(self, plan, manifest, journal)?;
        let mut fresh = Self::over(self.root.again()?, None, self.map.clone())?;
        verify(&mut fresh).map_err(Error::NotVerified)?;
        journal.end(&self.root.faults)
    }

    /// Clears up after a failure, as the next opening would.
    fn failed(&self, journal: &Journal, cause: Error) -> Error {
        if matches!(cause, Error::NotUndone { .. }) {
            return cause;
        }
        match undo::recover_at(&self.root, journal) {
            // A journal without a manifest that stays is no harm, and the cause says more.
            Ok(_) => cause,
            Err(_) if matches!(journal.has_manifest(), Ok(false)) => cause,
            Err(undo) => Error::NotUndone {
                cause: Box::new(cause),
                undo: Box::new(undo),
            },
        }
    }
}
