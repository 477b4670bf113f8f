//! `christen inject`, `plan`, `verify` and `recover` with `--root`: the same on a root tree in a directory of this host, as LXC has it.

use std::path::Path;
use std::process::ExitCode;

use christen_hostdir::{Error, HostDirectory, IdMap, Recovered};
use christen_inject::{Change, Request, Stage};
use christen_instance::{Dialect, Value};
use christen_vfs::FileSystem;

use crate::args::OperatorArguments;
use crate::args::image::{InjectArguments, PlanArguments, RootArguments};
use crate::customize::Made;
use crate::failure::{Failure, Outcome};
use crate::identity::Identity;
use crate::image::{show, values};
use crate::injection::finish::{Told, differences};
use crate::injection::{self, Staged, diff, kernel, read_back, told};
use crate::progress::Busy;
use crate::{clock, output};

/// A tree with an identity that is staged in it.
struct Tree {
    directory: HostDirectory,
    map: IdMap,
    staged: Staged,
}

pub(crate) fn inject(arguments: &InjectArguments, root: &Path) -> Outcome {
    let image = &arguments.image;
    if image.output.is_some() {
        return Err(Failure::usage("`--root` and `--output` do not go together")
            .detail("a root tree is changed where it is"));
    }
    let cannot = || {
        let root = root.display();
        Failure::unchanged(format!(
            "cannot inject into `{root}`: the directory was not changed"
        ))
    };
    let busy = Busy::new("changing");
    let tree = stage(
        root,
        &arguments.tree,
        arguments.description()?,
        &arguments.operator,
        image.time.as_deref(),
        &cannot,
    )?;
    if image.dry_run {
        drop(busy);
        return tell_plan(root, &tree.staged, image.json);
    }
    let Tree {
        mut directory,
        map,
        staged,
    } = tree;
    let made = Told::of(&staged, &mut directory);
    let changes = &staged.changes;
    let left = if staged.is_change() {
        let committed = directory
            .commit(&mut |fresh| Ok(read_back::check(changes, fresh)?))
            .map_err(|error| refused(cannot(), root, &error))?;
        committed.left
    } else {
        drop(directory);
        None
    };
    let verdicts = kernel::verify(changes, root, &map);
    drop(busy);
    injection::tell_notices(&[], &staged.notices);
    if let Some(left) = &left {
        let failure =
            Failure::unchanged("the change is done, and its journal could not be removed");
        output::warning(failure.because(left).render().trim_end());
    }
    let is_change = staged.is_change();
    if image.json {
        let members = [
            ("root", show::path_value(root)),
            ("changed", is_change.into()),
            ("items", told::value(changes)),
            ("verified", verdicts.all_verified().into()),
            ("verdicts", verdicts.value()),
            ("notices", told::notices(&[], &staged.notices)),
        ];
        let members = members.map(|(name, value)| (name.to_owned(), value));
        output::json(&Value::Object(
            members.into_iter().chain(made.members).collect(),
        ))?;
    } else {
        output::data(told::text(changes, &verdicts).as_bytes())?;
        output::data(made.text.as_bytes())?;
        let (target, summary) = (root.display(), verdicts.summary());
        output::note(&match (is_change, changes.is_empty()) {
            (_, true) => format!("there is nothing to put into `{target}`"),
            (true, _) => format!("`{target}` has the identity: {summary}"),
            (false, _) => {
                format!("`{target}` has the identity already, and nothing was changed: {summary}")
            }
        });
    }
    let message = format!("what `{}` has is not what was meant", root.display());
    let failure = match is_change {
        true => Failure::changed(message),
        false => Failure::unchanged(message),
    };
    differences(&verdicts, failure)
}

pub(crate) fn plan(arguments: &PlanArguments, root: &Path) -> Outcome {
    let busy = Busy::new("planning");
    let tree = stage_for_reading(arguments, root, &|| {
        Failure::unchanged(format!("an injection into `{}` would fail", root.display()))
    })?;
    drop(busy);
    tell_plan(root, &tree.staged, arguments.json)
}

pub(crate) fn verify(arguments: &PlanArguments, root: &Path) -> Outcome {
    let busy = Busy::new("verifying");
    let tree = stage_for_reading(arguments, root, &|| {
        Failure::unchanged(format!("cannot tell what `{}` should have", root.display()))
    })?;
    let changes = &tree.staged.changes;
    let verdicts = kernel::verify(changes, root, &tree.map);
    drop(busy);
    injection::tell_notices(&[], &tree.staged.notices);
    let summary = verdicts.summary();
    if arguments.json {
        output::json(&output::object([
            ("root", show::path_value(root)),
            ("verified", verdicts.all_verified().into()),
            ("verdicts", verdicts.value()),
            ("notices", told::notices(&[], &tree.staged.notices)),
        ]))?;
    } else {
        output::data(told::verdicts(changes, &verdicts).as_bytes())?;
        output::note(&format!("`{}`: {summary}", root.display()));
    }
    let message = format!("`{}` does not have the identity", root.display());
    differences(&verdicts, Failure::unchanged(message))?;
    if !verdicts.all_verified() {
        let message = format!(
            "not all of the identity in `{}` is verified",
            root.display()
        );
        return Err(Failure::unchanged(message).detail(summary));
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn recover(root: &Path, json: bool) -> Outcome {
    let recovered = christen_hostdir::recover(root).map_err(|error| {
        let message = format!("cannot recover `{}`", root.display());
        refused(Failure::unchanged(message), root, &error)
    })?;
    let shown = root.display();
    let (word, told) = match recovered {
        Recovered::Nothing => (
            "nothing",
            format!("no change to `{shown}` was cut; there is nothing to do"),
        ),
        Recovered::Undone => (
            "undone",
            format!("the change to `{shown}` that was cut is undone"),
        ),
        Recovered::Cleaned => (
            "cleaned",
            format!("the change to `{shown}` had not begun, or was done; its journal was removed"),
        ),
    };
    if json {
        output::json(&output::object([
            ("root", show::path_value(root)),
            ("recovered", word.into()),
        ]))?;
    } else {
        output::note(&told);
    }
    Ok(ExitCode::SUCCESS)
}

fn stage_for_reading(
    arguments: &PlanArguments,
    root: &Path,
    failure: &dyn Fn() -> Failure,
) -> Result<Tree, Failure> {
    stage(
        root,
        &arguments.tree,
        arguments.description()?,
        &arguments.operator,
        arguments.time.as_deref(),
        failure,
    )
}

/// Puts an identity into a tree, in memory.
fn stage(
    root: &Path,
    arguments: &RootArguments,
    description: &Path,
    operator: &OperatorArguments,
    time: Option<&str>,
    failure: &dyn Fn() -> Failure,
) -> Result<Tree, Failure> {
    let map = IdMap::new(arguments.id_map.clone())
        .map_err(|error| Failure::usage("the id map cannot be used").because(&error))?;
    let time = clock::resolve(time)?;
    let mut identity = Identity::load_at(Some(description), operator, Dialect::OpenStack, time)?;
    if identity.like_nova {
        return Err(
            Failure::usage("`--root` and `--like nova` do not go together")
                .detail("Nova's own way is done to images only"),
        );
    }
    let mut directory =
        HostDirectory::open(root, map.clone()).map_err(|error| refused(failure(), root, &error))?;
    if directory.was_recovered() {
        output::note(&format!(
            "an earlier change to `{}` had been cut, and its journal is cleared",
            root.display()
        ));
    }
    let now = values::timestamp(time);
    directory.set_now(now);
    let mut stage = Stage::new(&mut directory);
    let mut request = Request {
        instance: &identity.instance,
        settings: &identity.settings,
        now,
        random: &mut *identity.random,
    };
    christen_inject::inject(&mut stage, &mut request)
        .map_err(|error| injection::refused(failure(), &error))?;
    let staged = Staged {
        changes: stage.changes(),
        notices: stage.notices().to_vec(),
        raised: None,
        made: Made {
            host_keys: stage.host_keys().to_vec(),
            ..Made::default()
        },
    };
    Ok(Tree {
        directory,
        map,
        staged,
    })
}

/// Says why, and what the user can do.
fn refused(failure: Failure, root: &Path, error: &Error) -> Failure {
    let failure = match error {
        Error::NotUndone { .. } => {
            failure.after_change("the change failed, and a part of it is still there")
        }
        _ => failure,
    };
    let failure = failure.because(error);
    let recover = format!("`christen recover --root {}` tries again", root.display());
    match error {
        Error::NotUndone { .. } => failure.hint(recover),
        Error::Owner { .. } => failure
            .hint("run it as root, or as root of the container's user namespace (`lxc-usernsexec`), or give `--id-map`"),
        Error::NotMapped { .. } => failure.hint("`--id-map` says which users of the host are the container's, as `lxc.idmap` does"),
        Error::Changed { .. } => failure.hint("stop the container before its root is changed"),
        Error::NoPlaceForJournal { .. } => failure.hint(
            "the journal must be on the same filesystem: a root that lies a directory below the top of its filesystem can be changed",
        ),
        _ => failure,
    }
}

/// Prints a plan.
fn tell_plan(root: &Path, staged: &Staged, json: bool) -> Outcome {
    injection::tell_notices(&[], &staged.notices);
    let changed: Vec<&Change> = staged.changes.iter().filter(|it| it.is_change()).collect();
    if json {
        let diffs = changed.iter().map(|change| {
            let mut members = Vec::new();
            show::add_bytes(&mut members, "path", &change.path.to_bytes());
            members.push(("diff".to_owned(), diff::value(change)));
            Value::Object(members)
        });
        output::json(&output::object([
            ("root", show::path_value(root)),
            ("would_change", staged.is_change().into()),
            ("items", told::value(&staged.changes)),
            ("diffs", Value::Array(diffs.collect())),
            ("notices", told::notices(&[], &staged.notices)),
        ]))?;
        return Ok(ExitCode::SUCCESS);
    }
    output::data(diff::text(&staged.changes).as_bytes())?;
    let root = root.display();
    match changed.len() {
        0 => output::note(&format!("`{root}` has the identity already")),
        1 => output::note(&format!(
            "1 place of `{root}` would change; nothing was written"
        )),
        number => output::note(&format!(
            "{number} places of `{root}` would change; nothing was written"
        )),
    }
    Ok(ExitCode::SUCCESS)
}
