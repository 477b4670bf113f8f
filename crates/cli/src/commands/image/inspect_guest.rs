//! The guests of an image, for `christen inspect`.

use christen_inject::guest::Inspection;
use christen_instance::Value;
use christen_vfs::Timestamp;

use crate::args::image::BackendArguments;
use crate::image::filesystems::{self, Engine, Use};
use crate::image::guest::{self, Mounts, Opening};
use crate::image::layout::Layout;
use crate::image::volumes::Place;
use crate::output;

/// A guest that was found by its root.
pub(super) struct FoundGuest {
    place: Place,
    /// The words say why it cannot be read.
    inspection: Result<Inspection, String>,
    notices: Vec<String>,
}

/// Looks at every guest of an image whose root christen itself reads.
pub(super) fn read(layout: &Layout) -> Vec<FoundGuest> {
    let opening = Opening {
        mounts: Mounts::All,
        how: Use::Examine,
        in_memory: false,
        now: Timestamp::default(),
        backend: BackendArguments::default(),
    };
    let roots = layout.parts.iter().filter(|part| {
        let volume = &part.volume;
        volume.usable && volume.reserved.is_none() && filesystems::root_mark(part).is_some()
    });
    roots
        .map(|root| {
            let place = root.volume.place.clone();
            match guest::open(layout, root, &Engine::Native, &opening) {
                Ok(mut guest) => FoundGuest {
                    place,
                    inspection: Ok(Inspection::read(&mut guest.tree)),
                    notices: guest.notices,
                },
                Err(error) => FoundGuest {
                    place,
                    inspection: Err(error.to_string()),
                    notices: Vec::new(),
                },
            }
        })
        .collect()
}

impl FoundGuest {
    /// Where its root is.
    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// What is known of it, for people.
    pub(super) fn facts(&self) -> Vec<(&'static str, String)> {
        let mut facts = match &self.inspection {
            Ok(inspection) => inspection.summary(),
            Err(why) => vec![("state", format!("cannot be read: {why}"))],
        };
        facts.extend(self.notices.iter().map(|it| ("notice", it.clone())));
        facts
    }

    /// What is known of it, for programs: names may come more than once.
    pub(super) fn value(&self) -> Value {
        let facts = self
            .facts()
            .into_iter()
            .map(|(name, value)| output::object([("name", name.into()), ("value", value.into())]));
        output::object([
            ("root", self.place.to_string().into()),
            ("option", self.place.option().as_deref().into()),
            ("facts", Value::Array(facts.collect())),
        ])
    }
}
