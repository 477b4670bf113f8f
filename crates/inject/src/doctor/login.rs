//! Whether anybody could log in.

use super::case::{Case, Login};
use super::{Rule, Severity};
use crate::guest::{CloudInitState, PasswordState, ServiceState, SshdConfig};

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "no-login",
        severities: &[Severity::Warning],
        about: "the instance has neither a key nor a password for anybody",
        consequence: "nobody can log in, unless user data makes it so or the image has an account of its own",
        check: no_login,
    },
    Rule {
        name: "root-locked",
        severities: &[Severity::Warning, Severity::Note],
        about: "root has no password that fits: a warning if root is the only account that gets anything to log in with, and gets keys alone, else a note",
        consequence: "where SSH does not answer nobody can log in at the console and see why",
        check: root_locked,
    },
    Rule {
        name: "empty-password",
        severities: &[Severity::Error, Severity::Warning],
        about: "an account of the image has the empty password (an error if sshd takes it)",
        consequence: "everybody can log in at the console, or from the network",
        check: empty_password,
    },
    Rule {
        name: "sshd-missing",
        severities: &[Severity::Error, Severity::Note],
        about: "sshd is not installed (an error if the instance has keys)",
        consequence: "keys are of no use",
        check: sshd_missing,
    },
    Rule {
        name: "sshd-disabled",
        severities: &[Severity::Error, Severity::Warning],
        about: "sshd is installed, and neither its service nor its socket is started at boot (an error if the instance has keys)",
        consequence: "nobody can log in over SSH",
        check: sshd_disabled,
    },
    Rule {
        name: "public-keys-refused",
        severities: &[Severity::Error],
        about: "sshd takes no keys (`PubkeyAuthentication no`, `AuthorizedKeysFile none`) while the instance has some",
        consequence: "keys are of no use",
        check: public_keys_refused,
    },
    Rule {
        name: "authorized-keys-elsewhere",
        severities: &[Severity::Warning],
        about: "sshd looks for keys elsewhere than in `.ssh/authorized_keys` (`AuthorizedKeysFile`)",
        consequence: "keys that others put into the home, by hand or by scripts, are not found; injection follows the first file that is named",
        check: authorized_keys_elsewhere,
    },
    Rule {
        name: "root-login-refused",
        severities: &[Severity::Error, Severity::Warning],
        about: "sshd does not let root log in with what the instance gives it (`PermitRootLogin`): an error if nobody else gets anything",
        consequence: "root's keys, or its password, are of no use over SSH",
        check: root_login_refused,
    },
    Rule {
        name: "passwords-refused",
        severities: &[Severity::Error, Severity::Warning],
        about: "sshd takes no passwords (`PasswordAuthentication no`) while the instance gives one: an error if it gives no key at all",
        consequence: "passwords work at the console only",
        check: passwords_refused,
    },
    Rule {
        name: "key-of-locked-account",
        severities: &[Severity::Error],
        about: "an account whose password is locked with `!` gets keys and no password, and sshd runs without PAM (`UsePAM no`, the default)",
        consequence: "sshd takes the account for locked, and refuses its keys too",
        check: key_of_locked_account,
    },
    Rule {
        name: "account-not-let-in",
        severities: &[Severity::Warning],
        about: "`AllowUsers` or `DenyUsers` keeps out an account that the instance gives something to log in with",
        consequence: "sshd refuses the account, whatever it shows",
        check: account_not_let_in,
    },
    Rule {
        name: "home-open-to-others",
        severities: &[Severity::Error],
        about: "an account that gets keys has a home, or a `.ssh` in it, that others may write to or own (`StrictModes`, the default)",
        consequence: "sshd does not trust the keys in it, and refuses them",
        check: home_open,
    },
    Rule {
        name: "shell-missing",
        severities: &[Severity::Error, Severity::Warning],
        about: "an account that gets something to log in with has a shell that is not in the guest (an error), or one that lets nobody in (`nologin`, `false`)",
        consequence: "the login is refused, or ends at once",
        check: shell_missing,
    },
    Rule {
        name: "nologin-left",
        severities: &[Severity::Warning],
        about: "`/etc/nologin` is there",
        consequence: "nobody but root can log in",
        check: nologin_left,
    },
    Rule {
        name: "sshd-config-conditional",
        severities: &[Severity::Note],
        about: "a part of sshd's configuration holds for some connections only (`Match`)",
        consequence: "what is said here of sshd may be otherwise for those",
        check: conditional,
    },
];

fn has_key(logins: &[Login]) -> bool {
    logins.iter().any(|it| it.has_key)
}

fn is_root_alone(logins: &[Login]) -> bool {
    !logins.is_empty() && logins.iter().all(|it| it.name == "root")
}

/// Where a value stands, for a reason.
fn place(config: &SshdConfig, keyword: &str) -> String {
    match config.get(keyword) {
        Some(value) => format!(" (`{}`, line {})", value.path, value.line),
        None => String::new(),
    }
}

fn no_login(case: &mut Case<'_, '_>) {
    if case.instance.is_some() && case.logins().is_empty() {
        case.find(
            Severity::Warning,
            "the instance gives nobody a key or a password",
            "add `ssh_authorized_keys`, or accounts in `guest.users`",
        );
    }
}

fn root_locked(case: &mut Case<'_, '_>) {
    let Some(root) = case.user("root") else {
        return;
    };
    if !root.password.is_locked() {
        return;
    }
    let logins = case.logins();
    let gets_password = logins.iter().any(|it| it.has_password);
    let state = root.password.name();
    if is_root_alone(&logins) && !gets_password {
        case.find(
            Severity::Warning,
            format!("root's password is {state}, and root alone gets a key"),
            "give root a password too (`guest.root_password`), for the console",
        );
    } else if !gets_password {
        case.find(
            Severity::Note,
            format!("root's password is {state}: nobody logs in at the console as root"),
            "give root a password (`guest.root_password`) if the console is to be of use",
        );
    }
}

fn empty_password(case: &mut Case<'_, '_>) {
    let is_open = case.guest.sshd.as_ref().is_some_and(|it| {
        it.state == ServiceState::Enabled
            && it.config.is_yes("permitemptypasswords", false)
            && it.config.is_yes("passwordauthentication", true)
    });
    for user in &case.guest.users {
        if user.password == PasswordState::Empty {
            case.find(
                match is_open {
                    true => Severity::Error,
                    false => Severity::Warning,
                },
                match is_open {
                    true => format!("`{}` has the empty password, and sshd takes it", user.name),
                    false => format!("`{}` has the empty password", user.name),
                },
                "give the account a password, or lock it (`locked`)",
            );
        }
    }
}

fn sshd_missing(case: &mut Case<'_, '_>) {
    if case.guest.sshd.is_some() {
        return;
    }
    let (severity, reason) = match has_key(&case.logins()) {
        true => (
            Severity::Error,
            "sshd is not installed, and the instance has keys",
        ),
        false => (Severity::Note, "sshd is not installed"),
    };
    case.find(severity, reason, "install OpenSSH's server in the image");
}

fn sshd_disabled(case: &mut Case<'_, '_>) {
    let Some(sshd) = &case.guest.sshd else {
        return;
    };
    if sshd.state == ServiceState::Enabled {
        return;
    }
    let severity = match has_key(&case.logins()) {
        true => Severity::Error,
        false => Severity::Warning,
    };
    let reason = match sshd.state {
        ServiceState::Missing => "sshd has no service that could be started".to_owned(),
        state => format!(
            "sshd is not started at boot: its service is {}",
            state.name()
        ),
    };
    case.find(severity, reason, "enable sshd's service in the image");
}

fn public_keys_refused(case: &mut Case<'_, '_>) {
    let Some(sshd) = &case.guest.sshd else {
        return;
    };
    if !has_key(&case.logins()) {
        return;
    }
    let config = &sshd.config;
    for (keyword, refuses, shown) in [
        (
            "pubkeyauthentication",
            !config.is_yes("pubkeyauthentication", true),
            "PubkeyAuthentication no",
        ),
        (
            "authorizedkeysfile",
            config.word("authorizedkeysfile", "") == "none",
            "AuthorizedKeysFile none",
        ),
    ] {
        if refuses {
            case.find(
                Severity::Error,
                format!("sshd takes no keys: `{shown}`{}", place(config, keyword)),
                "change that line of sshd's configuration",
            );
        }
    }
}

fn authorized_keys_elsewhere(case: &mut Case<'_, '_>) {
    let Some(sshd) = &case.guest.sshd else {
        return;
    };
    let Some(value) = sshd.config.get("authorizedkeysfile") else {
        return;
    };
    let is_usual = value.arguments.iter().any(|it| {
        matches!(
            &it[..],
            ".ssh/authorized_keys" | "%h/.ssh/authorized_keys" | "none"
        )
    });
    if !is_usual {
        case.find(
            Severity::Warning,
            format!(
                "sshd looks for keys in `{}`{}",
                value.arguments.join(" "),
                place(&sshd.config, "authorizedkeysfile")
            ),
            "know that `.ssh/authorized_keys` is not read, or add it to that line",
        );
    }
}

fn root_login_refused(case: &mut Case<'_, '_>) {
    let Some(sshd) = &case.guest.sshd else {
        return;
    };
    let logins = case.logins();
    let Some(root) = logins.iter().find(|it| it.name == "root") else {
        return;
    };
    // sshd_config(5), `PermitRootLogin`: the second is the old name of the first.
    let setting = sshd.config.word("permitrootlogin", "prohibit-password");
    let refused = match &setting[..] {
        "no" | "forced-commands-only" => "root",
        "prohibit-password" | "without-password" if root.has_password && !root.has_key => {
            "root's password"
        }
        _ => return,
    };
    let severity = match is_root_alone(&logins) && refused == "root" {
        true => Severity::Error,
        false => Severity::Warning,
    };
    case.find(
        severity,
        format!(
            "sshd refuses {refused}: `PermitRootLogin {setting}`{}",
            place(&sshd.config, "permitrootlogin")
        ),
        match refused {
            "root" => "give keys to another account in `guest.users`, or change that line of sshd's configuration",
            _ => "give root a key, or use the password at the console",
        },
    );
}

fn passwords_refused(case: &mut Case<'_, '_>) {
    let Some(sshd) = &case.guest.sshd else {
        return;
    };
    let logins = case.logins();
    // root's own rule is another.
    let given: Vec<_> = logins
        .iter()
        .filter(|it| it.has_password && it.name != "root")
        .collect();
    if given.is_empty() {
        return;
    }
    // What cloud-init says it writes to sshd's configuration before sshd starts.
    let by_cloud_init = case
        .guest
        .cloud_init
        .as_ref()
        .filter(|it| case.facts.drive.is_some() && it.state == CloudInitState::Enabled)
        .and_then(|it| it.ssh_password);
    let takes = by_cloud_init.unwrap_or_else(|| sshd.config.is_yes("passwordauthentication", true));
    if takes {
        return;
    }
    let where_it_stands = match by_cloud_init {
        Some(_) => "cloud-init's `ssh_pwauth` says so".to_owned(),
        None => format!(
            "`PasswordAuthentication no`{}",
            place(&sshd.config, "passwordauthentication")
        ),
    };
    let severity = match has_key(&logins) {
        true => Severity::Warning,
        false => Severity::Error,
    };
    case.find(
        severity,
        format!("sshd takes no passwords: {where_it_stands}"),
        "give the account a key, use the password at the console, or change sshd's configuration",
    );
}

fn key_of_locked_account(case: &mut Case<'_, '_>) {
    let Some(sshd) = &case.guest.sshd else {
        return;
    };
    if sshd.config.is_yes("usepam", false) {
        return;
    }
    for login in case.logins() {
        let is_locked = case
            .user(&login.name)
            .is_some_and(|it| it.password == PasswordState::Locked);
        if is_locked && login.has_key && !login.has_password {
            case.find(
                Severity::Error,
                format!(
                    "the password of `{}` is locked with `!`, and an sshd without PAM then refuses keys too",
                    login.name
                ),
                "give the account a password, or set its password to `*` in the image, or set `UsePAM yes`",
            );
        }
    }
}

fn account_not_let_in(case: &mut Case<'_, '_>) {
    let Some(sshd) = &case.guest.sshd else {
        return;
    };
    let names = |keyword: &str| {
        sshd.config
            .get(keyword)
            .map(|it| it.arguments.clone())
            .unwrap_or_default()
    };
    let (allowed, denied) = (names("allowusers"), names("denyusers"));
    for login in case.logins() {
        // `USER@HOST` lets a user in from some places.
        let is_of = |patterns: &[String]| {
            patterns.iter().any(|pattern| {
                let user = pattern.split('@').next().unwrap_or(pattern);
                SshdConfig::matches(user, &login.name)
            })
        };
        let keyword = if !allowed.is_empty() && !is_of(&allowed) {
            "AllowUsers"
        } else if denied.iter().any(|it| !it.contains('@')) && is_of(&denied) {
            "DenyUsers"
        } else {
            continue;
        };
        case.find(
            Severity::Warning,
            format!(
                "sshd does not let `{}` in: `{keyword}`{}",
                login.name,
                place(&sshd.config, &keyword.to_ascii_lowercase())
            ),
            "change that line of sshd's configuration, or use another account",
        );
    }
}

/// OpenSSH `auth.c`, `auth_secure_path`: from the file up to the home everything is root's or the account's own, and nobody else may write.
fn home_open(case: &mut Case<'_, '_>) {
    let Some(sshd) = &case.guest.sshd else {
        return;
    };
    if !sshd.config.is_yes("strictmodes", true) {
        return;
    }
    for login in case.logins() {
        let Some(user) = case.user(&login.name).filter(|_| login.has_key) else {
            continue;
        };
        for path in [user.home.clone(), format!("{}/.ssh", user.home)] {
            let Some(found) = case.files.attributes(&path) else {
                continue;
            };
            let is_strange = found.uid != 0 && found.uid != user.uid;
            if found.permissions & 0o022 == 0 && !is_strange {
                continue;
            }
            case.find(
                Severity::Error,
                format!(
                    "sshd does not trust keys of `{}`: `{path}` has mode {:04o} and owner {}",
                    user.name, found.permissions, found.uid
                ),
                "take the right to write from group and others, and give it to the account (`chmod go-w`, `chown`)",
            );
        }
    }
}

fn shell_missing(case: &mut Case<'_, '_>) {
    for login in case.logins() {
        let told = case.instance.and_then(|instance| {
            let user = instance
                .guest
                .users
                .iter()
                .find(|it| it.name == login.name)?;
            user.shell.clone()
        });
        let Some(shell) = told.or_else(|| Some(case.user(&login.name)?.shell.clone())) else {
            // A new account gets a shell that is there.
            continue;
        };
        let last = shell.rsplit('/').next().unwrap_or_default();
        let name = &login.name;
        if !case.files.is_file(&shell) {
            case.find(
                Severity::Error,
                format!(
                    "the shell of `{name}` is not in the guest: `{}`",
                    shell.escape_debug()
                ),
                "name another shell in `guest.users`, or install it in the image",
            );
        } else if matches!(last, "nologin" | "false") {
            case.find(
                Severity::Warning,
                format!(
                    "the shell of `{name}` lets nobody in: `{}`",
                    shell.escape_debug()
                ),
                "name another shell in `guest.users`",
            );
        }
    }
}

fn nologin_left(case: &mut Case<'_, '_>) {
    if case.files.has("/etc/nologin") {
        case.find(
            Severity::Warning,
            "`/etc/nologin` keeps everybody but root from logging in",
            "remove the file",
        );
    }
}

fn conditional(case: &mut Case<'_, '_>) {
    if case
        .guest
        .sshd
        .as_ref()
        .is_some_and(|it| it.config.has_match)
    {
        case.find(
            Severity::Note,
            "sshd's configuration has a `Match` block, which is not looked at",
            "look whether it concerns the accounts of this machine",
        );
    }
}
