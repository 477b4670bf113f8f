//! The reference of the format, as a document.

use std::fmt::Write;

use super::fields::objects;
use super::format::Shape;

/// What a person reads before the tables.
const INTRODUCTION: &str = include_str!("reference_head.md");

/// Returns `docs/description.md`.
pub fn reference_markdown() -> String {
    let mut out = INTRODUCTION.to_owned();
    for object in objects() {
        // Writing to a `String` cannot fail.
        let _ = write!(out, "\n## `{}`\n\n{}\n\n", object.name, object.doc);
        out.push_str("| key | value | meaning |\n|---|---|---|\n");
        for field in object.fields.iter().filter(|field| !field.hidden) {
            let required = if field.required { " (required)" } else { "" };
            let _ = writeln!(
                out,
                "| `{}`{required} | {} | {} |",
                field.name,
                value(&field.shape),
                field.doc.replace('|', "\\|")
            );
        }
    }
    out
}

fn value(shape: &Shape) -> String {
    match shape {
        Shape::Any => "anything".to_owned(),
        Shape::Flag => "`true`, `false`".to_owned(),
        Shape::Integer(least, most) if least == most => format!("`{least}`"),
        Shape::Integer(least, i64::MAX) => format!("number from {least}"),
        Shape::Integer(least, most) => format!("number from {least} to {most}"),
        Shape::Text(rule) => match rule.most() {
            Some(most) => format!("{}, at most {most} characters", rule.name()),
            None => rule.name(),
        },
        Shape::List(item, _) => format!("list of: {}", value(item)),
        Shape::Object(inner) => format!("[`{0}`](#{0})", inner.name),
        Shape::Pairs => "mapping of text to text".to_owned(),
        Shape::Mapping => "mapping".to_owned(),
        Shape::Either(shapes) => {
            let values: Vec<_> = shapes.iter().map(value).collect();
            values.join("; or ")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With `CHRISTEN_UPDATE=1` the document is written instead of compared.
    #[test]
    fn the_document_is_made_from_the_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/description.md");
        if std::env::var_os("CHRISTEN_UPDATE").is_some() {
            std::fs::write(path, reference_markdown()).unwrap();
        }
        let committed = std::fs::read_to_string(path).unwrap();
        assert!(
            committed == reference_markdown(),
            "docs/description.md is not what the table says; set CHRISTEN_UPDATE=1"
        );
    }
}
