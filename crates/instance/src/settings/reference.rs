//! `docs/settings.md`, made from the table of options.

use std::fmt::Write;

use super::option::{
    Default, Effect, GROUPS_WITHOUT_EFFECT, Kind, OPTIONS, OptionDefinition, SHIPPED_TEMPLATE,
};

/// Returns the text of `docs/settings.md`.
pub fn markdown() -> String {
    let mut text = String::from(HEAD);
    for (title, number) in SECTIONS {
        let _ = write!(text, "\n## {title}\n\n{COLUMNS}");
        for option in OPTIONS
            .iter()
            .filter(|option| section(option.effect) == number)
        {
            row(&mut text, option);
        }
    }
    for (group, reason) in GROUPS_WITHOUT_EFFECT {
        let _ = writeln!(
            text,
            "\nEvery option of group `{group}` has no effect either: {reason}."
        );
    }
    text.push_str(TAIL);
    text
}

/// The titles of the tables and which one an option stands in.
const SECTIONS: [(&str, usize); 3] = [
    ("Options", 0),
    ("Options that only serve references", 1),
    ("Options without effect, reported when set", 2),
];

fn section(effect: Effect) -> usize {
    match effect {
        Effect::Used => 0,
        Effect::Reference => 1,
        Effect::None(_) => 2,
    }
}

const COLUMNS: &str = "| group | option | type | default | what it does |\n|---|---|---|---|---|\n";

fn row(text: &mut String, option: &OptionDefinition) {
    let kind = match option.kind {
        Kind::Text => "text".to_owned(),
        Kind::Choice(choices) => format!("one of {}", code(choices, ", ")),
        Kind::Flag => "true or false".to_owned(),
        Kind::Integer(minimum) => format!("integer, at least {minimum}"),
        Kind::List => "list".to_owned(),
        Kind::ChoiceList(choices) => format!("list of {}", code(choices, ", ")),
    };
    let default = match option.default {
        Default::Nothing | Default::Text("") | Default::List([]) => "empty".to_owned(),
        Default::Text(SHIPPED_TEMPLATE) => "the template that Nova ships".to_owned(),
        Default::Text(text) => format!("`{text}`"),
        Default::Flag(flag) => format!("`{flag}`"),
        Default::Integer(number) => format!("`{number}`"),
        Default::List(items) => code(items, ", "),
        Default::OfTheHost => "none known here".to_owned(),
    };
    let mut about = option.about.to_owned();
    if let Effect::None(reason) = option.effect {
        let _ = write!(about, " (no effect: {reason})");
    }
    for (group, name) in option.deprecated {
        let _ = write!(about, "; formerly `[{group}] {name}`");
    }
    let _ = writeln!(
        text,
        "| {} | `{}` | {kind} | {default} | {about} |",
        option.group, option.name
    );
}

fn code(items: &[&str], separator: &str) -> String {
    items
        .iter()
        .map(|item| format!("`{item}`"))
        .collect::<Vec<_>>()
        .join(separator)
}

const HEAD: &str = include_str!("reference_head.md");
const TAIL: &str = include_str!("reference_tail.md");

#[cfg(test)]
mod tests {
    use super::*;

    /// The committed file; `CHRISTEN_UPDATE=1` writes it.
    #[test]
    fn the_document_is_made_from_the_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/settings.md");
        let text = markdown();
        if std::env::var_os("CHRISTEN_UPDATE").is_some() {
            std::fs::write(path, &text).expect("docs/settings.md can be written");
        }
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert_eq!(committed, text, "run with CHRISTEN_UPDATE=1 to write it");
    }
}
