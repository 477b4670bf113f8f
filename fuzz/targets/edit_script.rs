//! The script of `christen edit`.
//!
//! The parser needs nothing of the program around it, which would take minutes to build with coverage; its files are
//! therefore taken into this target by their paths.
#![no_main]
#![allow(dead_code, reason = "the target calls the parser alone")]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/cli/src/image"]
mod image {
    pub(crate) mod operation;
    pub(crate) mod owner;
    pub(crate) mod script;
    pub(crate) mod values;
}

fuzz_target!(|text: &[u8]| {
    let (steps, mistakes) = image::script::read(text);
    let lines = text.split(|byte| *byte == b'\n').count();
    for step in &steps {
        assert!(step.line.is_some_and(|line| (1..=lines).contains(&line)));
    }
    if !mistakes.is_empty() {
        let _ = mistakes.count();
        let shown = mistakes.render("script");
        let is_safe = |character: char| character == '\n' || !character.is_control();
        assert!(
            shown.chars().all(is_safe),
            "a message plays with a terminal"
        );
    }
});
