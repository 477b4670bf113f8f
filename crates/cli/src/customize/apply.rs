//! Steps, done to a guest in their order.
//!
//! Each step is what the description's `guest:` section would say, and is injected as that is. Steps that follow one another in the
//! order in which an injection does its items go together; a step that has to come before one that was given earlier begins another pass.

use christen_inject::{
    Error, Existing, HostKey, Item, ItemKind, Ownership, Request, Secrecy, Stage,
};
use christen_instance::inputs::RandomSource;
use christen_instance::model::{GuestUser, Operation, Password};
use christen_instance::{Instance, Secret, Settings, crypt};
use christen_vfs::{GuestPath, InvalidPath, Timestamp};

use super::glob::{self, GlobError};
use super::host::{self, HostError};
use super::step::{PublicKey, Selector, Step};
use crate::identity;

/// Where the commands of the first boot are, and scripts with them (christen-inject, `first_boot.rs`); all of it goes when they have run.
const FIRST_BOOT: &str = "/var/lib/christen/first-boot";

/// What passwords are drawn from: letters and digits that are not taken for one another.
const ALPHABET: &[u8; 55] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz2345678";

/// The length of a drawn password: 115 bits.
const PASSWORD_LENGTH: usize = 20;

/// Why a step cannot be done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StepError {
    /// It cannot be injected.
    #[error(transparent)]
    Inject(#[from] Error),
    /// A pattern cannot be looked up.
    #[error(transparent)]
    Glob(#[from] GlobError),
    /// A file of this host does not come in.
    #[error(transparent)]
    Host(#[from] HostError),
    /// A path is none.
    #[error("it is no path of the guest")]
    Path(#[from] InvalidPath),
    /// There is no such account.
    #[error(
        "the guest has no account `{0}`, and no option makes one: the description's `guest.users` does"
    )]
    NoAccount(String),
    /// What is to be emptied is not there.
    #[error("cannot truncate `{0}`: there is no such file")]
    NothingToTruncate(String),
}

/// What steps depend on besides the guest.
pub(crate) struct Context<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) now: Timestamp,
    pub(crate) random: &'a mut dyn RandomSource,
}

/// What the user must be told, because nobody else knows it.
#[derive(Debug, Default)]
pub(crate) struct Made {
    /// Accounts and the passwords that were drawn for them.
    pub(crate) passwords: Vec<(String, Secret)>,
    /// Host keys of the guest.
    pub(crate) host_keys: Vec<HostKey>,
}

/// Puts into the description what concerns the whole identity, and not one moment in the order.
pub(crate) fn describe(steps: &[Step], instance: &mut Instance) {
    for step in steps {
        match step {
            Step::Hostname(name) => instance.hostname = Some(name.clone()),
            Step::SeedCloudInit(seed) => instance.guest.seed_cloud_init = Some(*seed),
            Step::MachineId(id) => instance.guest.machine_id = Some(id.clone()),
            Step::SshHostKeys => instance.guest.generate_ssh_host_key = true,
            _ => {}
        }
    }
}

/// Does the steps in their order. The commands of the first boot are one script, so those of the description are given too.
pub(crate) fn apply(
    stage: &mut Stage<'_>,
    steps: &[Step],
    first_boot: Vec<Secret>,
    context: &mut Context<'_>,
) -> Result<Made, StepError> {
    let mut pass = Pass::new();
    let mut made = Made::default();
    let mut first_boot = first_boot;
    let mut scripts = 0;
    for step in steps {
        let rank = rank(step);
        if rank.is_none_or(|rank| !pass.takes(rank)) {
            pass.finish(stage, context)?;
        }
        pass.rank = rank.or(pass.rank);
        let guest = &mut pass.instance.guest;
        match step {
            Step::Operation(operation) => guest.operations.push(operation.clone()),
            Step::Delete(pattern) => {
                for path in glob::expand(stage, pattern)? {
                    // A name that is not UTF-8 is no text of a description.
                    stage.begin(Item::of(ItemKind::Operation, format!("delete {pattern}")));
                    stage.remove(&path)?;
                }
            }
            Step::Link { target, links } => {
                for link in links {
                    let path = link_path(stage, target, link)?;
                    stage.begin(Item::of(ItemKind::Operation, format!("link {link}")));
                    stage.symbolic_link(&path, target.as_bytes())?;
                }
            }
            Step::Truncate(path) => {
                if !stage.exists(&GuestPath::new(path)?)? {
                    return Err(StepError::NothingToTruncate(path.clone()));
                }
                let path = path.clone();
                guest.operations.push(Operation::Truncate { path });
                pass.rank = Some(Rank::Operation);
            }
            Step::Upload { file, to } => {
                stage.begin(Item::of(ItemKind::Operation, format!("upload {to}")));
                host::upload(stage, file, &GuestPath::new(to)?)?;
            }
            Step::CopyIn { from, directory } => {
                stage.begin(Item::of(
                    ItemKind::Operation,
                    format!("copy_in {directory}"),
                ));
                host::copy_in(stage, from, &GuestPath::new(directory)?)?;
            }
            Step::Password { user, selector } => {
                has_account(stage, user)?;
                let mut passwords = passwords(user, selector, context, &mut made)?;
                if is_locked_so(stage, user, &passwords)? {
                    passwords.remove(0);
                }
                for password in passwords {
                    if user == "root" {
                        pass.instance.guest.root_password = Some(password);
                    } else {
                        pass.user(user).password = Some(password);
                    }
                    pass.rank = Some(Rank::Password);
                    pass.finish(stage, context)?;
                }
            }
            Step::SshInject { user, key } => {
                has_account(stage, user)?;
                if let PublicKey::Text(text) = key {
                    let keys = text.lines().map(str::trim);
                    let keys = keys.filter(|it| !it.is_empty() && !it.starts_with('#'));
                    let keys: Vec<_> = keys.map(str::to_owned).collect();
                    pass.user(user).ssh_authorized_keys.extend(keys);
                }
            }
            Step::Hostname(name) => pass.instance.hostname = Some(name.clone()),
            Step::Timezone(zone) => guest.timezone = Some(zone.clone()),
            Step::Certificate(text) => guest.ca_certificates.push(text.clone()),
            Step::FirstBootScript(content) => {
                scripts += 1;
                let path = format!("{FIRST_BOOT}/script-{scripts}");
                script(stage, &path, content)?;
                first_boot.push(Secret::new(path));
            }
            Step::FirstBootCommand(command) => first_boot.push(command.clone()),
            // The whole identity has them, and files are read before.
            Step::SeedCloudInit(_)
            | Step::MachineId(_)
            | Step::SshHostKeys
            | Step::FirstBoot(_)
            | Step::CaCertificate(_) => {}
        }
    }
    pass.finish(stage, context)?;
    if !first_boot.is_empty() {
        pass.instance.guest.first_boot_commands = first_boot;
        pass.rank = Some(Rank::Operation);
        pass.finish(stage, context)?;
    }
    // What went past the passes gets its label too.
    christen_inject::selinux::label(stage)?;
    Ok(made)
}

/// The order in which an injection does what steps are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Password,
    Key,
    Hostname,
    Timezone,
    Certificate,
    Operation,
}

/// Where a step stands in that order; `None` for one that looks at the guest as it is at its moment.
fn rank(step: &Step) -> Option<Rank> {
    match step {
        Step::SshInject { .. } => Some(Rank::Key),
        Step::Hostname(_) => Some(Rank::Hostname),
        Step::Timezone(_) => Some(Rank::Timezone),
        Step::Certificate(_) => Some(Rank::Certificate),
        Step::Operation(_) => Some(Rank::Operation),
        _ => None,
    }
}

/// What is injected together.
struct Pass {
    instance: Instance,
    /// Of the last step; `None` for a pass with nothing.
    rank: Option<Rank>,
}

impl Pass {
    fn new() -> Self {
        Self {
            instance: identity::unnamed(),
            rank: None,
        }
    }

    /// Whether a step may join those that are there.
    fn takes(&self, rank: Rank) -> bool {
        let Some(last) = self.rank else { return true };
        let is_single = matches!(rank, Rank::Hostname | Rank::Timezone);
        last < rank || last == rank && !is_single
    }

    fn user(&mut self, name: &str) -> &mut GuestUser {
        let users = &mut self.instance.guest.users;
        let at = users.iter().position(|it| it.name == name);
        let at = at.unwrap_or_else(|| {
            users.push(GuestUser {
                name: name.to_owned(),
                ..GuestUser::default()
            });
            users.len() - 1
        });
        &mut users[at]
    }

    fn finish(&mut self, stage: &mut Stage<'_>, context: &mut Context<'_>) -> Result<(), Error> {
        if self.rank.is_none() {
            return Ok(());
        }
        let pass = std::mem::replace(self, Self::new());
        let mut request = Request {
            instance: &pass.instance,
            settings: context.settings,
            now: context.now,
            random: &mut *context.random,
        };
        christen_inject::inject(stage, &mut request)
    }
}

/// An option for an account does not make one (virt-customize(1), `--password`, `--ssh-inject`).
fn has_account(stage: &mut Stage<'_>, user: &str) -> Result<(), StepError> {
    let passwd = stage
        .read(&GuestPath::new("/etc/passwd")?)?
        .unwrap_or_default();
    let prefix = format!("{user}:");
    let mut lines = passwd.split(|byte| *byte == b'\n');
    match lines.any(|line| line.starts_with(prefix.as_bytes())) {
        true => Ok(()),
        false => Err(StepError::NoAccount(user.to_owned())),
    }
}

/// As `ln -sf`: a link in a directory that is there has the target's name.
fn link_path(stage: &mut Stage<'_>, target: &str, link: &str) -> Result<GuestPath, StepError> {
    let path = GuestPath::new(link)?;
    let name = target.trim_end_matches('/').rsplit('/').next();
    match name {
        Some(name) if !name.is_empty() && stage.is_directory(&path)? => {
            Ok(path.join(name.as_bytes()))
        }
        _ => Ok(path),
    }
}

fn script(stage: &mut Stage<'_>, path: &str, content: &Secret<Vec<u8>>) -> Result<(), StepError> {
    stage.begin(Item::new(ItemKind::FirstBoot));
    let own = Ownership::root(0o700);
    stage.directory(&GuestPath::new(FIRST_BOOT)?, own, Existing::Set)?;
    let path = GuestPath::new(path)?;
    stage.write(&path, content.expose(), own, Existing::Set, Secrecy::Secret)?;
    Ok(())
}

/// What an account gets, one after the other.
fn passwords(
    user: &str,
    selector: &Selector,
    context: &mut Context<'_>,
    made: &mut Made,
) -> Result<Vec<Password>, StepError> {
    Ok(match selector {
        Selector::Text(text) => vec![Password::Text(text.clone())],
        Selector::Hash(hash) => vec![Password::Hash(hash.clone())],
        // shadow(5): no password has this hash.
        Selector::Disabled => vec![Password::Hash(Secret::new("*".to_owned()))],
        Selector::Random => {
            let password = draw(context.random)?;
            made.passwords.push((user.to_owned(), password.clone()));
            vec![Password::Text(password)]
        }
        Selector::Locked(inner) => {
            let mut all = match inner {
                Some(inner) => passwords(user, inner, context, made)?,
                None => Vec::new(),
            };
            all.push(Password::Locked);
            all
        }
        // It was read before.
        Selector::File(_) => Vec::new(),
    })
}

/// Whether an account is locked with this password already, which a hash that is locked does not show to an injection of the password.
fn is_locked_so(
    stage: &mut Stage<'_>,
    user: &str,
    passwords: &[Password],
) -> Result<bool, StepError> {
    let [password, Password::Locked] = passwords else {
        return Ok(false);
    };
    let shadow = stage
        .read(&GuestPath::new("/etc/shadow")?)?
        .unwrap_or_default();
    let prefix = format!("{user}:!");
    let mut lines = shadow.split(|byte| *byte == b'\n');
    let rest = lines.find_map(|line| line.strip_prefix(prefix.as_bytes()));
    let Some(hash) = rest.and_then(|it| it.split(|byte| *byte == b':').next()) else {
        return Ok(false);
    };
    Ok(match password {
        Password::Text(text) => crypt::verify(hash, text.expose().as_bytes()) == Some(true),
        Password::Hash(wanted) => wanted.expose().as_bytes() == hash,
        Password::Locked => false,
    })
}

/// Draws a password, each character as likely as the others.
fn draw(random: &mut dyn RandomSource) -> Result<Secret, Error> {
    let mut password = String::with_capacity(PASSWORD_LENGTH);
    let most = u8::MAX - u8::MAX % ALPHABET.len() as u8;
    while password.len() < PASSWORD_LENGTH {
        let mut byte = [0];
        random.fill(&mut byte).map_err(|source| Error::Random {
            purpose: "a password",
            source,
        })?;
        if byte[0] < most {
            password.push(char::from(ALPHABET[usize::from(byte[0]) % ALPHABET.len()]));
        }
    }
    Ok(Secret::new(password))
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    struct Counting(u8);

    impl RandomSource for Counting {
        fn fill(&mut self, buffer: &mut [u8]) -> io::Result<()> {
            for byte in buffer {
                *byte = self.0;
                self.0 = self.0.wrapping_add(1);
            }
            Ok(())
        }
    }

    #[test]
    fn a_password_is_drawn_evenly() {
        // What is above the last whole alphabet is drawn again.
        let password = draw(&mut Counting(215)).expect("there is enough");
        assert!(password.expose().starts_with("45678ABC"), "it is drawn");
        let fresh = draw(&mut Counting(0)).expect("there is enough");
        assert_eq!(fresh.expose().len(), PASSWORD_LENGTH);
        assert!(fresh.expose().starts_with("ABCDEFGH"));
    }
}
