//! An inline cloud-config means to PyYAML what it would have meant in a file of its own.

use std::io;

use christen_instance::description::{self, Limits};
use christen_instance::inputs::FileSource;
use christen_instance::{Value, json};
use christen_testkit::python;

struct NoFiles;

impl FileSource for NoFiles {
    fn read(&self, _: &str, _: u64) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::NotFound.into())
    }
}

const COMPARE: &str = "
import json, sys, yaml
for written, rendered in json.load(sys.stdin):
    assert rendered.startswith('#cloud-config\\n'), rendered
    a, b = yaml.safe_load(written), yaml.safe_load(rendered)
    assert repr(a) == repr(b), (written, rendered, a, b)
print('same')
";

/// Scalars, lists and text of every awkward kind; each is read by PyYAML as written and as
/// we write it.
const CASES: [&str; 14] = [
    "a: yes\nb: No\nc: on\nd: OFF\ne: true\nf: null\ng: ~\nh:\n",
    "a: 'yes'\nb: \"no\"\nc: 'null'\nd: '~'\ne: ''\nf: 'true'\n",
    "a: 0644\nb: '0644'\nc: 1500\nd: -3\ne: 0x1f\nf: 0\n",
    "a: '1e3'\nb: 1.5\nc: '.inf'\nd: '2026-01-15'\ne: '12:30:45'\nf: '1_000'\n",
    "runcmd:\n  - [ls, -l, /]\n  - \"echo 'a: b' # no comment\"\n  - echo \\ $HOME\n",
    "text: |\n  one\n    two\n\n  three\n",
    "text: |-\n  no end\n",
    "text: |+\n  many ends\n\n\n",
    "text: >\n  folded\n  line\n",
    "text: \"  leading\\n\\ttab \\r\\n trailing \"\n",
    "text: \"control \\x01 bell \\a nbsp \\xa0 line \\u2028 emoji \\U0001f600\"\n",
    "'key: odd': 1\n'- a': 2\n'yes': 3\n'1': 4\n'': 5\n",
    "a: []\nb: {}\nc: [[], {}, [[1]]]\nd: {e: {f: [g]}}\n",
    "a: &x {b: 1}\nc: *x\nd: '@at'\ne: '%p'\nf: '!t'\ng: '*s'\nh: '`b'\n",
];

#[test]
fn rendered_and_written_mean_the_same() {
    let Some(python) = python::require(&["yaml"]) else {
        return;
    };
    let pairs = CASES.iter().map(|written| {
        let indented: String = written.lines().map(|line| format!("  {line}\n")).collect();
        let text = format!("cloud_config:\n{indented}");
        let parsed = description::parse(&text, "a.yaml", &NoFiles, &Limits::default())
            .unwrap_or_else(|findings| panic!("{}", findings.render()));
        let bytes = parsed.instance.user_data.unwrap().into_exposed();
        let rendered = String::from_utf8(bytes).unwrap();
        Value::Array(vec![(*written).into(), rendered.into()])
    });
    let question = Value::Array(pairs.collect());
    python::ask(&python, COMPARE, &json::encode(&question));
}
