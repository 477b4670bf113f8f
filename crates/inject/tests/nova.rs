//! Our injections against those of a real Nova, into guests that nobody has looked at.
//!
//! `tests/nova/inject.py` makes guests and items from a seed and runs Nova (PyPI) on them. `CHRISTEN_NOVA_SEED` and
//! `CHRISTEN_NOVA_CASES` choose others than the usual ones.

mod nova_support;

use std::path::Path;

use christen_instance::json;
use christen_testkit::{python, tools};
use christen_vfs::memory::Memory;
use nova_support::{expected, found, members, plant, same, text};

#[test]
fn generated_injections_are_those_of_nova() {
    let Some(interpreter) = python::require(&["nova"]) else {
        return;
    };
    let chosen = |name: &str, usual: &str| std::env::var(name).unwrap_or_else(|_| usual.into());
    let driver = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/nova/inject.py");
    let arguments = [
        driver.into_os_string(),
        chosen("CHRISTEN_NOVA_SEED", "1").into(),
        chosen("CHRISTEN_NOVA_CASES", "400").into(),
    ];
    let output = tools::output(interpreter, arguments);
    let output = String::from_utf8(output).expect("JSON is text");
    let mut cases = 0;
    for line in output.lines() {
        let vector = json::parse(line).expect("the driver writes JSON");
        let name = text(&vector, "name").expect("a case has a name");
        let mut fs = Memory::new();
        plant(&mut fs, members(&vector, "before"));
        same(
            &name,
            &found(&mut fs),
            &expected(members(&vector, "before")),
        );
        let result = nova_support::run(&name, &vector, &mut fs);
        assert_eq!(result, nova_support::recorded(&vector), "{name}");
        same(&name, &found(&mut fs), &expected(members(&vector, "after")));
        cases += 1;
    }
    assert!(cases > 0, "the driver made no case");
}
