//! What each kind of text must look like: one rule for the walk, one pattern for the schema.

use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::format::Text;

/// Characters of a name, as in Nova's columns (`VARCHAR(255)`).
const MAX_NAME: usize = 255;

/// Characters of a host name in full (RFC 1035 §2.3.4, less the length bytes).
const MAX_HOSTNAME: usize = 253;

/// Characters of a label of a host name (RFC 1035 §2.3.4).
const MAX_LABEL: usize = 63;

/// Bytes of a path, as Linux limits them (`PATH_MAX`, with its NUL).
const MAX_PATH: usize = 4095;

/// What is wrong with a text, and a hint.
pub(crate) struct Fault {
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

fn fault(message: impl Into<String>) -> Result<(), Fault> {
    Err(Fault {
        message: message.into(),
        hint: None,
    })
}

fn fault_hint(message: impl Into<String>, hint: impl Into<String>) -> Result<(), Fault> {
    Err(Fault {
        message: message.into(),
        hint: Some(hint.into()),
    })
}

impl Text {
    /// Judges a text. The message names the text in backticks unless it may be long or secret.
    pub(crate) fn check(self, text: &str) -> Result<(), Fault> {
        match self {
            Self::Any => Ok(()),
            Self::Short => length(text, 0),
            Self::Name => name(text),
            Self::PathName => {
                name(text)?;
                if text.contains('/') {
                    return fault(format!(
                        "`{}` contains `/`, and it becomes part of a path",
                        shorten(text)
                    ));
                }
                Ok(())
            }
            Self::Choice(words) => choice(text, words),
            Self::Uuid if is_uuid(text) => Ok(()),
            Self::Uuid => fault_hint(
                format!("`{}` is not a UUID", shorten(text)),
                "five groups of 8, 4, 4, 4 and 12 hexadecimal digits; leave it out and one is made",
            ),
            Self::Mac if is_mac(text) => Ok(()),
            Self::Mac => fault_hint(
                format!("`{}` is not a MAC address", shorten(text)),
                "six pairs of hexadecimal digits, as `52:54:00:12:34:56`",
            ),
            Self::Address => address(text),
            Self::Range => range(text, "as `192.0.2.0/24`"),
            Self::Interface => range(text, "as `192.0.2.17/24`"),
            Self::Hostname => hostname(text),
            Self::Path => path(text),
            Self::AbsolutePath => absolute_path(text),
            Self::LocalPath => path(text),
            Self::Base64 => match decode_base64(text) {
                Some(_) => Ok(()),
                None => fault_hint(
                    "this is not base64",
                    "letters, digits, `+` and `/`, padded with `=` to a multiple of four",
                ),
            },
            Self::PublicKey => public_key(text),
            Self::Mode if mode(text).is_some() => Ok(()),
            Self::Mode => fault_hint(
                format!("`{}` is not a file mode", shorten(text)),
                "three or four octal digits, as `\"0644\"`",
            ),
            Self::Account => account(text),
            Self::Line if text.contains(['\n', '\r', '\0']) => {
                fault_hint("this is more than one line", "give each line by itself")
            }
            Self::Line => Ok(()),
            Self::MachineId if is_machine_id(text) => Ok(()),
            Self::MachineId => fault_hint(
                format!("`{}` is no machine ID", shorten(text)),
                "`reset`, `random`, or 32 hexadecimal digits that are not all 0",
            ),
        }
    }

    /// The JSON Schema pattern (ECMA 262) that the text fits, where one can say it. It
    /// accepts whatever [`Text::check`] accepts.
    pub(crate) fn pattern(self) -> Option<&'static str> {
        // An octet of an IPv4 address, four times.
        macro_rules! ipv4 {
            () => {
                "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])(\\.(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])){3}"
            };
        }
        Some(match self {
            Self::Any | Self::Short | Self::Choice(_) => return None,
            Self::Name => "^[^\\u0000-\\u001f\\u007f-\\u009f]+$",
            Self::PathName => "^[^/\\u0000-\\u001f\\u007f-\\u009f]+$",
            Self::Uuid => {
                "^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}$"
            }
            Self::Mac => "^[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}$",
            Self::Address => concat!("^(", ipv4!(), "|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)$"),
            Self::Range | Self::Interface => concat!(
                "^(",
                ipv4!(),
                "/(3[0-2]|[12]?[0-9])|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*/(12[0-8]|1[01][0-9]|[1-9]?[0-9]))$"
            ),
            Self::Hostname => "^[^-.\\s/][^\\s/]*$",
            Self::Path | Self::LocalPath => "^[^\\u0000]+$",
            Self::AbsolutePath => "^/(?!(.*/)?\\.\\.(/|$))[^\\u0000]*$",
            Self::Base64 => "^[A-Za-z0-9+/=\\s]*$",
            Self::PublicKey => "^(?![\\s\\S]*PRIVATE KEY)[\\s\\S]*\\S",
            Self::Mode => "^0?[0-7]{3,4}$",
            Self::Account => "^[A-Za-z_][A-Za-z0-9_.-]*$",
            Self::Line => "^[^\\n\\r\\u0000]*$",
            Self::MachineId => "^(reset|random|[0-9A-Fa-f]{32})$",
        })
    }

    /// The most characters the schema can state; sizes with options to raise are not here.
    pub(crate) fn most(self) -> Option<usize> {
        match self {
            Self::Short | Self::Name | Self::PathName => Some(MAX_NAME),
            Self::Hostname => Some(MAX_HOSTNAME),
            Self::Path | Self::AbsolutePath | Self::LocalPath => Some(MAX_PATH),
            Self::Account => Some(32),
            _ => None,
        }
    }

    /// Names the kind of text for the reference.
    pub(crate) fn name(self) -> String {
        match self {
            Self::Any | Self::Short | Self::Name | Self::PathName => "text".to_owned(),
            Self::Choice(words) => {
                let words: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
                words.join(", ")
            }
            Self::Uuid => "UUID".to_owned(),
            Self::Mac => "MAC address".to_owned(),
            Self::Address => "IP address".to_owned(),
            Self::Range => "address range".to_owned(),
            Self::Interface => "address/prefix length".to_owned(),
            Self::Hostname => "host name".to_owned(),
            Self::Path | Self::LocalPath => "path".to_owned(),
            Self::AbsolutePath => "absolute path".to_owned(),
            Self::Base64 => "base64".to_owned(),
            Self::PublicKey => "public key".to_owned(),
            Self::Mode => "octal digits in quotes".to_owned(),
            Self::Account => "account name".to_owned(),
            Self::Line => "one line".to_owned(),
            Self::MachineId => "`reset`, `random`, 32 hexadecimal digits".to_owned(),
        }
    }
}

/// Whether a text holds a private key, wherever it was pasted.
pub(crate) fn has_private_key(text: &str) -> bool {
    text.contains("PRIVATE KEY")
}

/// The beginning of a text, for a message.
pub(crate) fn shorten(text: &str) -> String {
    let mut short = String::new();
    push_short(&mut short, text);
    short
}

/// Appends the beginning of a text to a message or a path.
pub(crate) fn push_short(out: &mut String, text: &str) {
    const SHOWN: usize = 60;
    // Nearly all that is shown is the key of a field, which needs no look at its characters.
    let is_key = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if text.len() <= SHOWN && text.bytes().all(is_key) {
        out.push_str(text);
        return;
    }
    if has_private_key(text) {
        out.push_str("[redacted]");
        return;
    }
    out.extend(text.chars().take(SHOWN).map(|character| {
        if character.is_control() {
            '\u{fffd}'
        } else {
            character
        }
    }));
    if text.chars().nth(SHOWN).is_some() {
        out.push('…');
    }
}

fn length(text: &str, least: usize) -> Result<(), Fault> {
    let count = text.chars().count();
    if count < least {
        return fault("this must not be empty");
    }
    if count > MAX_NAME {
        return fault(format!("{count} characters, more than {MAX_NAME}"));
    }
    Ok(())
}

fn name(text: &str) -> Result<(), Fault> {
    length(text, 1)?;
    match text.chars().find(|character| character.is_control()) {
        None => Ok(()),
        Some('\n') => fault("this must be one line"),
        Some(character) => fault(format!(
            "the control character U+{:04X} is not allowed here",
            u32::from(character)
        )),
    }
}

fn choice(text: &str, words: &[&str]) -> Result<(), Fault> {
    if words.contains(&text) {
        return Ok(());
    }
    let known: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
    let hint = match super::suggest(text, words.iter().copied()) {
        Some(word) => format!("did you mean `{word}`?"),
        None => format!("one of {}", known.join(", ")),
    };
    fault_hint(format!("`{}` is not known here", shorten(text)), hint)
}

fn is_uuid(text: &str) -> bool {
    let groups: Vec<_> = text.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups
            .iter()
            .all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

fn is_mac(text: &str) -> bool {
    let mut pairs = 0;
    text.split(':').all(|pair| {
        pairs += 1;
        pair.len() == 2 && pair.bytes().all(|byte| byte.is_ascii_hexdigit())
    }) && pairs == 6
}

fn address(text: &str) -> Result<(), Fault> {
    if text.parse::<IpAddr>().is_ok() {
        return Ok(());
    }
    let message = format!("`{}` is not an IP address", shorten(text));
    match text.split_once('/') {
        Some((bare, _)) if bare.parse::<IpAddr>().is_ok() => {
            fault_hint(message, format!("without a prefix length: `{bare}`"))
        }
        _ => fault(message),
    }
}

fn range(text: &str, example: &str) -> Result<(), Fault> {
    if parse_range(text).is_some() {
        return Ok(());
    }
    let message = format!("`{}` is not an address with a prefix length", shorten(text));
    let hint = match text.parse::<IpAddr>() {
        Ok(IpAddr::V4(_)) => format!("add the prefix length: `{text}/24`"),
        Ok(IpAddr::V6(_)) => format!("add the prefix length: `{text}/64`"),
        Err(_) => example.to_owned(),
    };
    fault_hint(message, hint)
}

/// Splits `ADDRESS/LENGTH`.
pub(crate) fn parse_range(text: &str) -> Option<(IpAddr, u8)> {
    let (address, prefix) = text.split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    let digits = !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_digit());
    let leading_zero = prefix.len() > 1 && prefix.starts_with('0');
    if !digits || leading_zero {
        return None;
    }
    let prefix: u8 = prefix.parse().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    (prefix <= most).then_some((address, prefix))
}

fn hostname(text: &str) -> Result<(), Fault> {
    if text.is_empty() {
        return fault_hint(
            "a host name must not be empty",
            "leave it out and it is made from `name`",
        );
    }
    if text.chars().count() > MAX_HOSTNAME {
        return fault(format!("a host name has at most {MAX_HOSTNAME} characters"));
    }
    let shown = shorten(text);
    // Letters beyond ASCII and `_` are no host name (RFC 1123 §2.1), but Nova makes such
    // names from display names, so they are warned of where the instance is put together.
    if let Some(character) = text
        .chars()
        .find(|character| !character.is_alphanumeric() && !matches!(character, '-' | '.' | '_'))
    {
        return fault_hint(
            format!(
                "`{shown}` is not a host name: `{}` is not allowed",
                character.escape_debug()
            ),
            "letters, digits and `-`, with `.` between labels; free text belongs in `name`",
        );
    }
    for label in text.split('.') {
        if label.is_empty() {
            return fault(format!("`{shown}` is not a host name: a label is empty"));
        }
        if label.starts_with('-') || label.ends_with('-') {
            return fault(format!(
                "`{shown}` is not a host name: a label begins or ends with `-`"
            ));
        }
        if label.chars().count() > MAX_LABEL {
            return fault(format!(
                "`{shown}` is not a host name: a label has more than {MAX_LABEL} characters"
            ));
        }
    }
    Ok(())
}

fn path(text: &str) -> Result<(), Fault> {
    if text.is_empty() {
        return fault("a path must not be empty");
    }
    if text.contains('\0') {
        return fault("a path must not contain NUL");
    }
    if text.len() > MAX_PATH {
        return fault(format!(
            "a path of {} bytes, more than {MAX_PATH}",
            text.len()
        ));
    }
    Ok(())
}

fn absolute_path(text: &str) -> Result<(), Fault> {
    path(text)?;
    if !text.starts_with('/') {
        return fault_hint(
            format!("`{}` is not an absolute path", shorten(text)),
            "begin with `/`",
        );
    }
    if text.split('/').any(|part| part == "..") {
        return fault(format!("`{}` contains `..`", shorten(text)));
    }
    Ok(())
}

/// Decodes standard base64; line breaks and spaces are skipped, as people wrap it.
pub(crate) fn decode_base64(text: &str) -> Option<Vec<u8>> {
    if text.bytes().any(|byte| byte.is_ascii_whitespace()) {
        let joined: String = text.split_ascii_whitespace().collect();
        return STANDARD.decode(joined).ok();
    }
    STANDARD.decode(text).ok()
}

fn public_key(text: &str) -> Result<(), Fault> {
    if has_private_key(text) {
        return fault_hint(
            "this is a private key",
            "give the public half, the file that ends in `.pub`, and consider this key disclosed",
        );
    }
    if text.trim().is_empty() {
        return fault("a public key must not be empty");
    }
    Ok(())
}

/// machine-id(5): 32 hexadecimal digits, and not all of them 0.
fn is_machine_id(text: &str) -> bool {
    let is_id = text.len() == 32
        && text.bytes().all(|byte| byte.is_ascii_hexdigit())
        && text.bytes().any(|byte| byte != b'0');
    is_id || matches!(text, "reset" | "random")
}

/// Reads permission bits, up to `7777`.
pub(crate) fn mode(text: &str) -> Option<u32> {
    let digits = match text.len() {
        3 | 4 => text,
        5 => text.strip_prefix('0')?,
        _ => return None,
    };
    if !digits.bytes().all(|byte| (b'0'..=b'7').contains(&byte)) {
        return None;
    }
    u32::from_str_radix(digits, 8).ok()
}

/// The names that useradd(8) accepts on Debian and Fedora alike, capitals included.
fn account(text: &str) -> Result<(), Fault> {
    let mut characters = text.chars();
    let first = characters
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == '_');
    let rest = characters
        .all(|character| character.is_ascii_alphanumeric() || matches!(character, '_' | '-' | '.'));
    if first && rest && text.len() <= 32 {
        return Ok(());
    }
    fault_hint(
        format!("`{}` is not an account name", shorten(text)),
        "a letter or `_`, then letters, digits, `_`, `-` or `.`; at most 32 characters",
    )
}
