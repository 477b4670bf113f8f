//! `docs/doctor.md`, made from the table of rules.

use std::fmt::Write;

use super::{Rule, Severity, rules};

const HEAD: &str = include_str!("reference_head.md");

/// Returns the text of `docs/doctor.md`.
pub fn markdown() -> String {
    let mut text = String::from(HEAD);
    for rule in rules() {
        entry(&mut text, rule);
    }
    text
}

fn entry(text: &mut String, rule: &Rule) {
    let severities: Vec<_> = rule
        .severities
        .iter()
        .copied()
        .map(Severity::name)
        .collect();
    let _ = write!(
        text,
        "\n### `{}`\n\n{}.\n\n- Looks for: {}.\n- What comes of it: {}.\n",
        rule.name,
        capitalised(&severities.join(" or ")),
        rule.about,
        rule.consequence
    );
}

fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => first.to_uppercase().chain(characters).collect(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_is_what_the_table_says() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/doctor.md");
        let text = markdown();
        if std::env::var_os("CHRISTEN_UPDATE").is_some() {
            std::fs::write(path, &text).expect("docs/doctor.md can be written");
        }
        let recorded = std::fs::read_to_string(path).unwrap_or_default();
        assert_eq!(
            text, recorded,
            "docs/doctor.md is not what the table says; set CHRISTEN_UPDATE=1"
        );
    }
}
