//! The operator's own template, in Jinja2's language.
//!
//! Nova renders it with `jinja2.Environment(trim_blocks=True)`. Here minijinja does, with
//! Python's text forms (`None`, `True`) and Python's methods on text and mappings. What it
//! lacks against Jinja2 is refused by name: other files (`include`, `extends`, `import`), `%`
//! on text, and some filters (`docs/compatibility.md` has the list).

use std::fmt::Write as _;
use std::io;
use std::sync::Arc;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Enumerator, Object, Value, ValueKind};
use minijinja::{Environment, ErrorKind, Output, State};

use super::{InjectedNetwork, Interface, Netmask, TemplateRoute};

/// The longest template, in bytes. Real ones have a few KiB.
pub const MAX_TEMPLATE_BYTES: usize = 1024 * 1024;

/// The longest text that a template may make, in bytes: far above any interface
/// configuration, far below what would hurt the host.
pub const MAX_OUTPUT_BYTES: usize = 4 * 1024 * 1024;

/// How many steps a template may take. One NIC of an ordinary template takes some hundred;
/// this is far below a second. A template comes from the operator, who may be wrong but
/// not hostile: values built within the steps are not measured.
pub const MAX_FUEL: u64 = 4_000_000;

/// How deep macros and includes may call one another.
const MAX_RECURSION: usize = 100;

/// The name that a template goes by in messages.
const NAME: &str = "injected_network_template";

/// What is wrong with an operator's network template.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateError {
    /// The template is too long.
    #[error("the template has {length} bytes; at most {MAX_TEMPLATE_BYTES} are allowed")]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// The template makes too much text.
    #[error("the template makes more than {MAX_OUTPUT_BYTES} bytes")]
    OutputTooLong,
    /// The template takes too many steps.
    #[error("the template takes more than {MAX_FUEL} steps")]
    TooManySteps,
    /// The template is not in the language, or does what cannot be done.
    #[error("line {}: {}", line.unwrap_or(0), reason)]
    Invalid {
        /// Line of the template, from 1, when known.
        line: Option<usize>,
        /// What is wrong there, in the template engine's words.
        reason: String,
    },
}

impl TemplateError {
    fn from_engine(error: &minijinja::Error) -> Self {
        if error.kind() == ErrorKind::OutOfFuel {
            return Self::TooManySteps;
        }
        let kind = error.kind().to_string();
        Self::Invalid {
            line: error.line(),
            reason: match error.detail() {
                Some(detail) => format!("{kind}: {detail}"),
                None => kind,
            },
        }
    }
}

/// Renders an operator's template.
pub(super) fn render(
    text: &str,
    network: &InjectedNetwork,
    virt_type: Option<&str>,
) -> Result<String, TemplateError> {
    if text.len() > MAX_TEMPLATE_BYTES {
        return Err(TemplateError::TooLong { length: text.len() });
    }
    // Jinja2 reads every kind of line end as `\n` (its option `newline_sequence`).
    let text = text.replace("\r\n", "\n").replace('\r', "\n");

    let mut environment = Environment::new();
    // Jinja2 also drops one line end at the end of a template, and so does this.
    let syntax = SyntaxConfig::builder().trim_blocks(true).build();
    environment.set_syntax(syntax.map_err(|error| TemplateError::from_engine(&error))?);
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment.set_recursion_limit(MAX_RECURSION);
    environment.set_fuel(Some(MAX_FUEL));
    environment.set_formatter(write_value);
    environment.add_filter("string", |value: &Value| python_text(value));
    environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);

    let engine_error = |error: minijinja::Error| TemplateError::from_engine(&error);
    let template = environment
        .template_from_named_str(NAME, &text)
        .map_err(engine_error)?;
    let variables = Value::from_object(Dict(vec![
        (
            "interfaces",
            network.interfaces.iter().map(interface).collect(),
        ),
        ("use_ipv6", network.use_ipv6.into()),
        ("libvirt_virt_type", virt_type.into()),
    ]));
    let mut output = BoundedOutput::default();
    let rendered = template
        .render_captured_to(variables, &mut output)
        .map(|_| ());
    if output.overflowed {
        return Err(TemplateError::OutputTooLong);
    }
    rendered.map_err(engine_error)?;
    // The engine writes text only.
    Ok(String::from_utf8_lossy(&output.bytes).into_owned())
}

/// Keeps what a template writes, up to the limit.
#[derive(Default)]
struct BoundedOutput {
    bytes: Vec<u8>,
    overflowed: bool,
}

impl io::Write for BoundedOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() > MAX_OUTPUT_BYTES.saturating_sub(self.bytes.len()) {
            self.overflowed = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The dictionary that Nova passes for an interface.
fn interface(interface: &Interface) -> Value {
    let text = |text: &str| Value::from(text);
    let optional = |text: &Option<String>| Value::from(text.as_deref());
    let netmask = |netmask: &Option<Netmask>| match netmask {
        Some(Netmask::Address(text)) => Value::from(text.as_str()),
        Some(Netmask::Prefix(length)) => Value::from(*length),
        None => Value::from(()),
    };
    Value::from_object(Dict(vec![
        ("name", text(&interface.name)),
        ("hwaddress", text(&interface.hwaddress)),
        ("address", optional(&interface.address)),
        ("netmask", netmask(&interface.netmask)),
        ("gateway", text(&interface.gateway)),
        ("broadcast", optional(&interface.broadcast)),
        ("dns", optional(&interface.dns)),
        ("routes", interface.routes.iter().map(route).collect()),
        ("address_v6", optional(&interface.address_v6)),
        ("gateway_v6", text(&interface.gateway_v6)),
        ("netmask_v6", netmask(&interface.netmask_v6)),
        ("dns_v6", optional(&interface.dns_v6)),
    ]))
}

fn route(route: &TemplateRoute) -> Value {
    Value::from_object(Dict(vec![
        ("gateway", Value::from(route.gateway.as_str())),
        ("cidr", Value::from(route.cidr.as_str())),
        ("network", Value::from(route.network.as_str())),
        ("netmask", Value::from(route.netmask.as_str())),
    ]))
}

/// A mapping that keeps its order, as Python's do.
#[derive(Debug)]
struct Dict(Vec<(&'static str, Value)>);

impl Object for Dict {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let key = key.as_str()?;
        self.0
            .iter()
            .find_map(|(name, value)| (*name == key).then(|| value.clone()))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.0.iter().map(|(name, _)| Value::from(*name)).collect())
    }
}

/// Writes a value as Python's `str` would.
fn write_value(
    out: &mut Output<'_>,
    _state: &mut State<'_, '_>,
    value: &Value,
) -> Result<(), minijinja::Error> {
    let written = match value.as_str() {
        Some(text) => out.write_str(text),
        None => out.write_str(&python_text(value)?),
    };
    Ok(written?)
}

/// The text of a value in Python: `str(value)`.
fn python_text(value: &Value) -> Result<String, minijinja::Error> {
    if let Some(text) = value.as_str() {
        return Ok(text.to_owned());
    }
    let mut out = String::new();
    python_repr(value, 0, &mut out)?;
    Ok(out)
}

/// Appends `repr(value)`; nothing for what is undefined.
fn python_repr(value: &Value, depth: usize, out: &mut String) -> Result<(), minijinja::Error> {
    if depth > MAX_RECURSION {
        return Err(minijinja::Error::new(
            ErrorKind::InvalidOperation,
            "the value is nested too deeply to be written",
        ));
    }
    match value.kind() {
        ValueKind::Undefined => {}
        ValueKind::None => out.push_str("None"),
        ValueKind::Bool => out.push_str(if value.is_true() { "True" } else { "False" }),
        ValueKind::Number if !value.is_integer() => {
            // Python spells a float in a template as in JSON, but for what is no number.
            let number = f64::try_from(value.clone())?;
            out.push_str(&match number {
                number if number.is_nan() => "nan".to_owned(),
                number if number.is_infinite() => {
                    if number > 0.0 { "inf" } else { "-inf" }.to_owned()
                }
                number => crate::json::encode(&crate::Value::Float(number)),
            });
        }
        ValueKind::String => string_repr(value.as_str().unwrap_or_default(), out),
        ValueKind::Seq | ValueKind::Iterable => {
            let (open, close) = if value.is_tuple() {
                ('(', ')')
            } else {
                ('[', ']')
            };
            out.push(open);
            let mut count = 0_usize;
            for item in value.try_iter()? {
                if count > 0 {
                    out.push_str(", ");
                }
                python_repr(&item, depth + 1, out)?;
                count += 1;
            }
            if value.is_tuple() && count == 1 {
                out.push(',');
            }
            out.push(close);
        }
        ValueKind::Map => {
            out.push('{');
            for (index, key) in value.try_iter()?.enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                python_repr(&key, depth + 1, out)?;
                out.push_str(": ");
                python_repr(&value.get_item(&key)?, depth + 1, out)?;
            }
            out.push('}');
        }
        _ => {
            let _ = write!(out, "{value}");
        }
    }
    Ok(())
}

/// Appends `repr` of a text: in single quotes, or in double ones when it holds single
/// quotes alone.
fn string_repr(text: &str, out: &mut String) {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    out.push(quote);
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            _ if character == quote => {
                out.push('\\');
                out.push(character);
            }
            _ if character.is_control() => {
                let _ = write!(out, "\\x{:02x}", u32::from(character));
            }
            _ => out.push(character),
        }
    }
    out.push(quote);
}
