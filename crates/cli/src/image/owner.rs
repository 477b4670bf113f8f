//! Who owns a file: by number, or by a name that the guest knows.

use std::fmt;
use std::str::FromStr;

/// A user or a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Principal {
    /// By its number.
    Number(u32),
    /// By its name in the guest's `/etc/passwd` or `/etc/group`.
    Name(String),
}

/// Owner and group as asked for: `USER`, `USER:GROUP` or `:GROUP`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Owner {
    /// The owner; none leaves it.
    pub(crate) user: Option<Principal>,
    /// The group; none leaves it.
    pub(crate) group: Option<Principal>,
}

/// A text is no owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an owner: write `USER`, `USER:GROUP` or `:GROUP`, each a number or a name")]
pub(crate) struct NotAnOwner;

/// The longest name of an account that is looked for; useradd takes 32 characters.
const NAME_BYTES: usize = 256;

fn principal(text: &str) -> Result<Principal, NotAnOwner> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        // The number of all ones means "leave it" to chown(2), so that no file can have it.
        return match text.parse() {
            Ok(number) if number != u32::MAX => Ok(Principal::Number(number)),
            _ => Err(NotAnOwner),
        };
    }
    let wrong = |character: char| {
        character.is_control() || character.is_whitespace() || matches!(character, ':' | ',' | '/')
    };
    if text.len() > NAME_BYTES || text.starts_with('-') || text.contains(wrong) {
        return Err(NotAnOwner);
    }
    Ok(Principal::Name(text.to_owned()))
}

impl FromStr for Owner {
    type Err = NotAnOwner;

    fn from_str(text: &str) -> Result<Self, NotAnOwner> {
        let (user, group) = match text.split_once(':') {
            Some((user, group)) => (user, Some(group)),
            None => (text, None),
        };
        let user = if user.is_empty() {
            None
        } else {
            Some(principal(user)?)
        };
        let group = match group {
            Some("") => return Err(NotAnOwner),
            Some(group) => Some(principal(group)?),
            None => None,
        };
        if user.is_none() && group.is_none() {
            return Err(NotAnOwner);
        }
        Ok(Self { user, group })
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(formatter, "{number}"),
            Self::Name(name) => formatter.write_str(name),
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(user) = &self.user {
            write!(formatter, "{user}")?;
        }
        if let Some(group) = &self.group {
            write!(formatter, ":{group}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_are_numbers_or_names() {
        let name = |name: &str| Some(Principal::Name(name.to_owned()));
        for (text, user, group) in [
            (
                "0:0",
                Some(Principal::Number(0)),
                Some(Principal::Number(0)),
            ),
            ("1000", Some(Principal::Number(1000)), None),
            (":42", None, Some(Principal::Number(42))),
            ("www-data:adm", name("www-data"), name("adm")),
        ] {
            let owner = Owner { user, group };
            assert_eq!(text.parse(), Ok(owner.clone()));
            assert_eq!(owner.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_owner_is_refused() {
        for text in [
            "",
            ":",
            "root:",
            "4294967295",
            "99999999999",
            "a b",
            "a:b:c",
            "-m",
            "a/b",
        ] {
            assert_eq!(text.parse::<Owner>(), Err(NotAnOwner), "{text}");
        }
    }
}
