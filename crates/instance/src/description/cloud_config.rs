//! A cloud-config written inline, as bytes of user data.

use crate::tree::{Kind, Node};
use crate::{Value, yaml};

/// Writes a mapping as `#cloud-config` and YAML.
pub(crate) fn encode(node: &Node) -> Vec<u8> {
    format!("#cloud-config\n{}", yaml::encode(&value(node))).into_bytes()
}

/// The value that cloud-init would have seen in a file of its own.
///
/// cloud-init reads YAML 1.1 (PyYAML), so what stands there without quotes as `yes` is a
/// boolean and `0644` is octal; text in quotes stays text.
fn value(node: &Node) -> Value {
    match &node.kind {
        Kind::Text { text, plain: true } => match text.as_str() {
            "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Value::Bool(true),
            "no" | "No" | "NO" | "off" | "Off" | "OFF" => Value::Bool(false),
            text => text.into(),
        },
        Kind::Number(text) => octal(text).unwrap_or_else(|| node.to_value()),
        Kind::List(items) => Value::Array(items.iter().map(value).collect()),
        Kind::Mapping(members) => Value::Object(
            members
                .iter()
                .map(|member| (member.key.clone(), value(&member.value)))
                .collect(),
        ),
        _ => node.to_value(),
    }
}

/// YAML 1.1's octal numbers: `0644` is 420.
fn octal(text: &str) -> Option<Value> {
    let digits = text.strip_prefix('0').filter(|digits| !digits.is_empty())?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    i64::from_str_radix(digits, 8).ok().map(Value::from)
}

#[cfg(test)]
mod tests {
    use crate::tree::{Syntax, parse};

    #[test]
    fn scalars_mean_what_cloud_init_would_have_read() {
        #[track_caller]
        fn check(yaml: &str, expected: &str) {
            let node = parse(yaml, Syntax::Yaml).unwrap();
            let text = String::from_utf8(super::encode(&node)).unwrap();
            assert_eq!(text, format!("#cloud-config\n{expected}"));
        }
        check("package_update: yes", "package_update: true\n");
        check("a: 'yes'", "a: 'yes'\n");
        check("permissions: 0644", "permissions: 420\n");
        check("permissions: '0644'", "permissions: '0644'\n");
        check("m: -5", "m: -5\n");
        check("a: [1, {b: off}]", "a:\n  - 1\n  - b: false\n");
    }
}
