//! PyYAML, which cloud-init reads with, sees in our YAML the value that went in.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use christen_instance::{Value, yaml};
use christen_testkit::{TempDir, python, tools};

/// Compares each document with its JSON twin, types included (`True` is not `1`).
const JUDGE: &str = r#"
import json, sys, yaml

def same(a, b):
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b or (a != a and b != b)

loaders = [yaml.SafeLoader] + ([yaml.CSafeLoader] if hasattr(yaml, "CSafeLoader") else [])
cases = json.load(open(sys.argv[1]))
for number, (text, expected) in enumerate(cases):
    for loader in loaders:
        try:
            got = yaml.load(text, loader)
        except yaml.YAMLError as error:
            sys.exit(f"case {number}: {loader.__name__}: {error}\n{text}")
        if not same(got, expected):
            sys.exit(f"case {number}: {loader.__name__}: {got!r}, not {expected!r}\n{text}")
print(len(cases))
"#;

/// Text that trips readers, alone and as the material of random text.
const TROUBLE: &[&str] = &[
    "",
    "~",
    "null",
    "Null",
    "true",
    "YES",
    "no",
    "off",
    "y",
    "N",
    "0",
    "-1",
    "+1",
    "010",
    "0o10",
    "0x1F",
    "0b1",
    "1_000",
    "1.5",
    "1e3",
    "1.0e+3",
    ".5",
    "-.inf",
    ".NaN",
    "12:30",
    "190:20:30.15",
    "2024-01-01",
    "2024-01-01T00:00:00Z",
    "<<",
    "=",
    "-",
    "- a",
    "?",
    "? a",
    ":",
    "a:",
    "a: b",
    ": a",
    "a #b",
    "#a",
    "a#b",
    "&a",
    "*a",
    "!a",
    "!!int 1",
    "|",
    ">",
    "%YAML 1.1",
    "---",
    "...",
    "@a",
    "`a`",
    "{a: b}",
    "[a]",
    ",",
    "a, b",
    "'",
    "it's",
    "\"",
    "\\",
    "\\n",
    " a",
    "a ",
    "\ta",
    "a\t",
    "\n",
    "\n\n",
    "a\n",
    "a\n\n",
    "a\nb",
    "a\nb\n\n\n",
    " a\nb\n",
    "\na\n",
    "a\n \nb\n",
    "a\n  b\n",
    "a \nb\n",
    "a\n ",
    "a\n\t",
    "a\r\nb",
    "\r",
    "a\u{85}b",
    "a\u{2028}b",
    "\u{2029}",
    "\u{feff}",
    "a\u{feff}\nb",
    "\0",
    "\u{1b}[0m",
    "\u{7f}",
    "\u{a0}",
    "Gr\u{fc}\u{df}e\nzwei\n",
    "\u{1f600}",
    "\u{fffe}",
    "\u{ffff}",
    "\u{10ffff}",
    "\u{e000}",
    "# a\n---\n...\n%b\n",
    "fa:16:3e:00:00:01",
    "10:20:30:40:50:60",
    "fe80::1",
    "fd00::",
    "::1",
    "192.0.2.0/24",
];

/// A small generator (xorshift64*), so that a failure comes again.
struct Generator(u64);

impl Generator {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(number).expect("31 bits fit") % limit
    }

    fn text(&mut self) -> String {
        let mut text = String::new();
        for _ in 0..self.below(4) {
            text.push_str(TROUBLE[self.below(TROUBLE.len())]);
            if self.below(2) == 0 {
                text.push(['a', ' ', '\n', ':', '#', '-', 'é', '\u{2029}'][self.below(8)]);
            }
        }
        text
    }

    fn value(&mut self, depth: usize) -> Value {
        match self.below(if depth == 0 { 6 } else { 10 }) {
            0 => Value::Null,
            1 => Value::Bool(self.below(2) == 0),
            2 => Value::from(i64::try_from(self.below(1 << 30)).expect("30 bits fit") - (1 << 29)),
            3 => Value::Float(
                [
                    0.1,
                    -0.0,
                    1e16,
                    1.25e300,
                    5e-324,
                    -1e-5,
                    f64::INFINITY,
                    f64::NAN,
                ][self.below(8)],
            ),
            4 | 5 => Value::String(self.text()),
            6 | 7 => Value::Array((0..self.below(4)).map(|_| self.value(depth - 1)).collect()),
            _ => {
                let mut members: Vec<(String, Value)> = Vec::new();
                for _ in 0..self.below(4) {
                    let name = self.text();
                    if members.iter().all(|(other, _)| *other != name) {
                        members.push((name, self.value(depth - 1)));
                    }
                }
                Value::Object(members)
            }
        }
    }
}

/// Writes JSON as Python's `json.load` reads it.
fn json(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(flag) => write!(out, "{flag}").expect("a String takes all"),
        Value::Integer(digits) => out.push_str(digits),
        Value::Float(number) if number.is_nan() => out.push_str("NaN"),
        Value::Float(number) if number.is_infinite() => {
            out.push_str(if *number > 0.0 {
                "Infinity"
            } else {
                "-Infinity"
            });
        }
        Value::Float(number) => write!(out, "{number:?}").expect("a String takes all"),
        Value::String(text) => json_text(out, text),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                out.push(if index == 0 { '[' } else { ',' });
                json(out, item);
            }
            out.push_str(if items.is_empty() { "[]" } else { "]" });
        }
        Value::Object(members) => {
            for (index, (name, item)) in members.iter().enumerate() {
                out.push(if index == 0 { '{' } else { ',' });
                json_text(out, name);
                out.push(':');
                json(out, item);
            }
            out.push_str(if members.is_empty() { "{}" } else { "}" });
        }
    }
}

fn json_text(out: &mut String, text: &str) {
    out.push('"');
    for unit in text.encode_utf16() {
        write!(out, "\\u{unit:04x}").expect("a String takes all");
    }
    out.push('"');
}

#[test]
fn pyyaml_reads_back_the_same_value() {
    let Some(python) = python::require(&["yaml"]) else {
        return;
    };
    let mut values: Vec<Value> = TROUBLE.iter().map(|text| Value::from(*text)).collect();
    for text in TROUBLE {
        values.push(Value::Object(vec![(
            (*text).to_owned(),
            Value::from(vec![Value::from(*text), Value::from(*text)]),
        )]));
    }
    values.extend((0..=0x3000).filter_map(char::from_u32).map(|character| {
        let text = format!("{character}x{character}\n{character}");
        Value::from(vec![Value::from(character.to_string()), Value::from(text)])
    }));
    for length in [900, 1022, 1023, 1024, 1100, 5000] {
        let members = vec![("k".repeat(length), Value::from(vec![Value::Null]))];
        values.push(Value::from(vec![Value::Object(members)]));
        values.push(Value::Object(vec![(
            "\u{1}".repeat(length),
            Value::from("a\nb"),
        )]));
    }
    let mut generator = Generator(0x5eed_cafe);
    values.extend((0..3000).map(|_| generator.value(4)));

    let mut cases = String::from("[");
    for (index, value) in values.iter().enumerate() {
        cases.push_str(if index == 0 { "[" } else { ",[" });
        json_text(&mut cases, &yaml::encode(value));
        cases.push(',');
        json(&mut cases, value);
        cases.push(']');
    }
    cases.push(']');

    let directory = TempDir::new();
    let file = directory.join("cases.json");
    fs::write(&file, cases).expect("the directory is writable");
    let answer = tools::run(Command::new(python).args(["-c", JUDGE]).arg(&file));
    assert_eq!(
        String::from_utf8_lossy(&answer).trim(),
        values.len().to_string()
    );
}
