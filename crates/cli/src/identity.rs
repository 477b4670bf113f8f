//! From the arguments to an instance and its documents: what every command begins with.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use christen_instance::description::{self, Limits, Parsed};
use christen_instance::inputs::RandomSource;
use christen_instance::settings::{Loaded, Loader};
use christen_instance::{
    Context, Dialect, Document, Documents, Instance, NoCloud, OpenStack, Settings, tree,
};
use jiff::Timestamp;

use crate::args::{IdentityArguments, Like, OperatorArguments};
use crate::failure::Failure;
use crate::host_files::{HostFiles, read_argument};
use crate::random::{FileRandom, SystemRandom};
use crate::services::Services;
use crate::{clock, limits, output};

/// The most bytes of a settings file or a nova.conf; real ones have some ten thousand.
const MAX_SETTINGS_BYTES: u64 = 4 << 20;

/// What an operator's options come to, for one instance or for many.
pub(crate) struct Operator {
    settings: Settings,
    limits: Limits,
    like_nova: bool,
    random_source: Option<PathBuf>,
}

impl Operator {
    /// Loads the options from all their sources. Warnings go to standard error.
    pub(crate) fn load(arguments: &OperatorArguments) -> Result<Self, Failure> {
        let Loaded {
            settings, warnings, ..
        } = load_settings(arguments)?;
        for warning in &warnings {
            output::warning(&warning.to_string());
        }
        Ok(Self {
            limits: limits::resolve(&settings, &arguments.limit)?,
            settings,
            like_nova: arguments.like == Some(Like::Nova),
            random_source: arguments.random_source.clone(),
        })
    }
}

/// Where a description is.
#[derive(Debug)]
pub(crate) enum Described {
    /// In a file.
    File(PathBuf),
    /// Here, as it was found in a file.
    Here {
        /// The description.
        text: String,
        /// What its findings are told of.
        origin: String,
        /// Relative names are taken from the directory of this file.
        beside: PathBuf,
    },
}

/// An instance, and everything that its documents depend on.
pub(crate) struct Identity {
    /// The instance as described.
    pub(crate) instance: Instance,
    /// The operator's options.
    pub(crate) settings: Settings,
    /// Form of the documents.
    pub(crate) dialect: Dialect,
    /// Whether to be exactly like Nova.
    pub(crate) like_nova: bool,
    /// The time that drives carry.
    pub(crate) time: Timestamp,
    pub(crate) random: Box<dyn RandomSource>,
    services: Services,
}

impl Identity {
    /// Reads and checks all input. Warnings go to standard error.
    pub(crate) fn load(arguments: &IdentityArguments) -> Result<Self, Failure> {
        Self::load_at(
            Some(&arguments.instance),
            &arguments.operator,
            arguments.dialect.dialect(),
            clock::resolve(arguments.time.as_deref())?,
        )
    }

    /// The same from its parts; without a description, of an instance that nothing is said of.
    pub(crate) fn load_at(
        instance: Option<&Path>,
        arguments: &OperatorArguments,
        dialect: Dialect,
        time: Timestamp,
    ) -> Result<Self, Failure> {
        let operator = Operator::load(arguments)?;
        let described = instance.map(|it| Described::File(it.to_owned()));
        Self::of(described.as_ref(), &operator, dialect, time)
    }

    /// The same for one of many instances.
    pub(crate) fn of(
        described: Option<&Described>,
        operator: &Operator,
        dialect: Dialect,
        time: Timestamp,
    ) -> Result<Self, Failure> {
        Ok(Self {
            random: random_source(operator.random_source.as_deref())?,
            instance: match described {
                Some(described) => load_instance(described, &operator.limits)?,
                None => unnamed(),
            },
            services: Services::new(&operator.settings)?,
            settings: operator.settings.clone(),
            dialect,
            like_nova: operator.like_nova,
            time,
        })
    }

    /// Renders all documents in the order of writing.
    pub(crate) fn documents(&mut self) -> Result<Documents, Failure> {
        self.render(|renderer| renderer.documents())
    }

    /// Renders one document, drawing and asking only what it needs.
    pub(crate) fn document(&mut self, path: &str) -> Result<Document, Failure> {
        self.render(|renderer| renderer.document(path))
    }

    /// Lists the paths of all documents in the order of writing.
    pub(crate) fn paths(&mut self) -> Result<Vec<String>, Failure> {
        self.render(|renderer| renderer.paths())
    }

    fn render<T>(
        &mut self,
        work: impl FnOnce(&mut Renderer<'_>) -> Result<T, christen_instance::Error>,
    ) -> Result<T, Failure> {
        let context = Context {
            settings: &self.settings,
            like_nova: self.like_nova,
            random: &mut *self.random,
            vendordata: &mut self.services,
        };
        let mut renderer = match self.dialect {
            Dialect::OpenStack => {
                Renderer::OpenStack(Box::new(OpenStack::new(&self.instance, context)))
            }
            Dialect::NoCloud => Renderer::NoCloud(Box::new(NoCloud::new(&self.instance, context))),
        };
        let result = work(&mut renderer);
        for warning in renderer.warnings() {
            output::warning(&warning);
        }
        // Of a drive that was not made there is nothing to keep.
        if let Some(uuid) = renderer.drawn_uuid().filter(|_| result.is_ok()) {
            output::note(&format!(
                "the description has no `uuid`; made {uuid}: put it there, or the next drive is \
                 another instance to the guest"
            ));
        }
        result.map_err(|error| cannot_render(&error))
    }
}

/// Hints for errors of rendering; the errors themselves say what and where.
fn cannot_render(error: &christen_instance::Error) -> Failure {
    use christen_instance::Error;
    let failure = Failure::unchanged("cannot make the documents").because(error);
    match error {
        Error::NoSuchDocument { .. } => {
            failure.hint("`christen render INSTANCE --list` prints the paths there are")
        }
        Error::NoStaticVendorData => failure
            .hint("add `StaticJSON` to `[api] vendordata_providers`, or leave out `--like nova`"),
        Error::VendorDataService { .. } | Error::VendorDataAnswer { .. } => failure
            .hint("set `api.vendordata_dynamic_failure_fatal=false` to go on without a service"),
        _ => failure,
    }
}

/// The two renderers behind one face.
enum Renderer<'a> {
    OpenStack(Box<OpenStack<'a>>),
    NoCloud(Box<NoCloud<'a>>),
}

impl Renderer<'_> {
    fn documents(&mut self) -> Result<Documents, christen_instance::Error> {
        match self {
            Self::OpenStack(renderer) => renderer.documents(),
            Self::NoCloud(renderer) => renderer.documents(),
        }
    }

    fn document(&mut self, path: &str) -> Result<Document, christen_instance::Error> {
        match self {
            Self::OpenStack(renderer) => renderer.document(path),
            Self::NoCloud(renderer) => renderer.document(path),
        }
    }

    fn paths(&mut self) -> Result<Vec<String>, christen_instance::Error> {
        match self {
            Self::OpenStack(renderer) => renderer.paths(),
            Self::NoCloud(renderer) => renderer.paths(),
        }
    }

    fn warnings(&self) -> Vec<String> {
        match self {
            Self::OpenStack(renderer) => renderer
                .warnings()
                .iter()
                .map(ToString::to_string)
                .collect(),
            // It asks no service, so there is nothing to warn of.
            Self::NoCloud(_) => Vec::new(),
        }
    }

    /// The uuid, if it had to be drawn.
    fn drawn_uuid(&self) -> Option<&str> {
        match self {
            Self::OpenStack(renderer) => renderer.drawn_uuid(),
            Self::NoCloud(renderer) => renderer.drawn_uuid(),
        }
    }
}

/// Loads the operator's options from all their sources.
pub(crate) fn load_settings(arguments: &OperatorArguments) -> Result<Loaded, Failure> {
    let bad = |error: christen_instance::settings::Error| {
        Failure::usage("the settings cannot be used").because(&error)
    };
    let mut loader = Loader::new();
    for path in &arguments.nova_conf {
        loader = loader
            .nova_conf(
                &read_text(path, MAX_SETTINGS_BYTES)?,
                &path.to_string_lossy(),
            )
            .map_err(bad)?;
    }
    if let Some(path) = &arguments.settings {
        loader = loader
            .toml(
                &read_text(path, MAX_SETTINGS_BYTES)?,
                &path.to_string_lossy(),
            )
            .map_err(bad)?;
    }
    for assignment in &arguments.set {
        loader = loader.set(assignment).map_err(bad)?;
    }
    loader
        .finish(&HostFiles::beside(Path::new("-")))
        .map_err(bad)
}

/// The options as they are when the operator says nothing.
pub(crate) fn default_settings() -> Result<Settings, Failure> {
    let loaded = Loader::new().finish(&HostFiles::beside(Path::new("-")));
    let loaded =
        loaded.map_err(|error| Failure::usage("the settings cannot be used").because(&error))?;
    Ok(loaded.settings)
}

/// Where random bytes come from: the system, or a file.
pub(crate) fn random_source(path: Option<&Path>) -> Result<Box<dyn RandomSource>, Failure> {
    Ok(match path {
        None => Box::new(SystemRandom),
        Some(path) => Box::new(FileRandom::open(path).map_err(|error| {
            Failure::usage(format!("cannot read `{}`", path.display())).because(&error)
        })?),
    })
}

/// An instance that nothing is said of.
pub(crate) fn unnamed() -> Instance {
    let files = HostFiles::beside(Path::new("-"));
    let parsed = description::parse("{}", "nothing", &files, &Limits::default());
    // No key is required.
    parsed.expect("an empty description is one").instance
}

/// Reads and checks a description.
fn load_instance(described: &Described, limits: &Limits) -> Result<Instance, Failure> {
    let (text, origin, path) = match described {
        Described::File(path) => {
            let origin = match path.to_str() {
                Some("-") => "standard input".into(),
                _ => path.to_string_lossy(),
            };
            let text = read_text(path, tree::MAX_TEXT_BYTES as u64)?;
            (text.into(), origin, path)
        }
        Described::Here {
            text,
            origin,
            beside,
        } => (Cow::Borrowed(&**text), Cow::Borrowed(&**origin), beside),
    };
    match description::parse(&text, &origin, &HostFiles::beside(path), limits) {
        Ok(Parsed { instance, warnings }) => {
            for warning in &warnings {
                output::error(&warning.render(&origin));
            }
            Ok(instance)
        }
        Err(findings) => {
            output::error(&format!("{}\n", findings.render()));
            Err(Failure::usage(findings.to_string()))
        }
    }
}

/// Reads a whole text file of the user's.
pub(crate) fn read_text(path: &Path, limit_bytes: u64) -> Result<String, Failure> {
    let failed = || Failure::usage(format!("cannot read `{}`", path.display()));
    let bytes = read_argument(path, limit_bytes).map_err(|error| failed().because(&error))?;
    String::from_utf8(bytes).map_err(|error| {
        failed()
            .detail(format!(
                "it is not UTF-8 text: byte {} is wrong",
                error.utf8_error().valid_up_to()
            ))
            .hint("save it as UTF-8")
    })
}
