//! `christen put`, `rm`, `mkdir`, `chmod`, `chown`, `ln`, `mv`, `xattr set`, `xattr remove`: one operation, or the same one to
//! several files.

use std::path::Path;

use christen_vfs::{GuestPath, shown};

use crate::args::image::{
    ChmodArguments, ChownArguments, LnArguments, MkdirArguments, MvArguments, OwnershipArguments,
    PutArguments, RmArguments, WriteArguments, XattrRemoveArguments, XattrSetArguments,
};
use crate::failure::{Failure, Outcome};
use crate::image::operation::{Content, Operation, Ownership, Step};
use crate::image::{open, show, values};

use super::change;

pub(crate) fn put(arguments: &PutArguments) -> Outcome {
    open::stated_format(&arguments.image)?;
    let source = &arguments.source;
    if source != Path::new("-") {
        change::readable(source).map_err(|error| {
            Failure::usage(format!("cannot put `{}`", source.display())).because(&error)
        })?;
    }
    let operation = Operation::Put {
        source: source.clone(),
        path: arguments.path.clone(),
        ownership: ownership(&arguments.ownership),
    };
    run(&arguments.image, [operation])
}

pub(crate) fn mkdir(arguments: &MkdirArguments) -> Outcome {
    let operation = |path: &GuestPath| Operation::MakeDirectory {
        path: path.clone(),
        parents: arguments.parents,
        ownership: ownership(&arguments.ownership),
    };
    run(&arguments.image, arguments.paths.iter().map(operation))
}

pub(crate) fn rm(arguments: &RmArguments) -> Outcome {
    let operation = |path: &GuestPath| Operation::Remove {
        path: path.clone(),
        recursive: arguments.recursive,
        force: arguments.force,
    };
    run(&arguments.image, arguments.paths.iter().map(operation))
}

pub(crate) fn chmod(arguments: &ChmodArguments) -> Outcome {
    let operation = |path: &GuestPath| Operation::ChangePermissions {
        path: path.clone(),
        permissions: arguments.mode,
    };
    run(&arguments.image, arguments.paths.iter().map(operation))
}

pub(crate) fn chown(arguments: &ChownArguments) -> Outcome {
    let operation = |path: &GuestPath| Operation::ChangeOwner {
        path: path.clone(),
        owner: arguments.owner.clone(),
        link_itself: arguments.no_dereference,
    };
    run(&arguments.image, arguments.paths.iter().map(operation))
}

pub(crate) fn ln(arguments: &LnArguments) -> Outcome {
    let Content(target) = &arguments.target;
    let path = arguments.path.clone();
    let operation = if arguments.symbolic {
        Operation::SymbolicLink {
            target: target.clone(),
            path,
        }
    } else {
        let existing = GuestPath::new(target).map_err(|error| {
            Failure::usage(format!("`{}` is no path in a guest", shown(target)))
                .because(&error)
                .hint("`-s` makes a symbolic link, which may say anything")
        })?;
        Operation::HardLink { existing, path }
    };
    run(&arguments.image, [operation])
}

pub(crate) fn mv(arguments: &MvArguments) -> Outcome {
    let operation = Operation::Move {
        from: arguments.from.clone(),
        to: arguments.to.clone(),
    };
    run(&arguments.image, [operation])
}

pub(crate) fn xattr_set(arguments: &XattrSetArguments) -> Outcome {
    let value = if arguments.hex {
        let decoded = show::from_hex(&arguments.value.0);
        Content(decoded.ok_or_else(|| {
            Failure::usage("the value is not hexadecimal")
                .hint("write two digits a byte, as `6869` for `hi`")
        })?)
    } else {
        arguments.value.clone()
    };
    let operation = Operation::SetAttribute {
        path: arguments.path.clone(),
        name: attribute_name(&arguments.name)?,
        value,
    };
    run(&arguments.image, [operation])
}

pub(crate) fn xattr_remove(arguments: &XattrRemoveArguments) -> Outcome {
    let operation = Operation::RemoveAttribute {
        path: arguments.path.clone(),
        name: attribute_name(&arguments.name)?,
    };
    run(&arguments.image, [operation])
}

fn run(image: &WriteArguments, operations: impl IntoIterator<Item = Operation>) -> Outcome {
    open::stated_format(image)?;
    let steps: Vec<_> = operations
        .into_iter()
        .map(|operation| Step {
            line: None,
            operation,
        })
        .collect();
    change::run(image, &steps)
}

fn ownership(arguments: &OwnershipArguments) -> Ownership {
    Ownership {
        permissions: arguments.mode,
        owner: arguments.owner.clone().unwrap_or_default(),
    }
}

fn attribute_name(name: &Content) -> Result<Vec<u8>, Failure> {
    values::attribute_name(&name.0).map_err(|hint| {
        let name = shown(&name.0);
        Failure::usage(format!("`{name}` is no name of an extended attribute")).hint(hint)
    })
}
