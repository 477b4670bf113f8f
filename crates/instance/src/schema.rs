//! The JSON Schema of a description, made from the same table as the walk.

use crate::Value;
use crate::description::fields::{INSTANCE, objects};
use crate::description::format::{Field, Object, Shape, Text};

/// Returns the JSON Schema (draft 2020-12) of a description.
///
/// Whatever the schema refuses, [`crate::description::parse`] refuses too. The reverse does
/// not hold: limits that options raise, files, and rules between values are judged there
/// alone.
pub fn json_schema() -> Value {
    let definitions = objects()
        .into_iter()
        .filter(|object| object.name != INSTANCE.name)
        .map(|known| (known.name.to_owned(), object(known)))
        .collect();
    let mut schema = vec![
        (
            "$schema".to_owned(),
            "https://json-schema.org/draft/2020-12/schema".into(),
        ),
        ("title".to_owned(), "christen instance description".into()),
    ];
    if let Value::Object(members) = object(&INSTANCE) {
        schema.extend(members);
    }
    schema.push(("$defs".to_owned(), Value::Object(definitions)));
    Value::Object(schema)
}

fn members<const N: usize>(members: [(&str, Value); N]) -> Value {
    Value::Object(
        members
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    )
}

fn object(object: &Object) -> Value {
    let properties = object
        .fields
        .iter()
        .map(|known| (known.name.to_owned(), field(object, known)))
        .collect();
    let required: Vec<Value> = object
        .fields
        .iter()
        .filter(|field| field.required)
        .map(|field| field.name.into())
        .collect();
    let mut schema = vec![
        ("type".to_owned(), "object".into()),
        ("description".to_owned(), object.doc.into()),
        ("properties".to_owned(), Value::Object(properties)),
        ("additionalProperties".to_owned(), false.into()),
    ];
    if !required.is_empty() {
        schema.push(("required".to_owned(), Value::Array(required)));
    }
    if !object.exactly_one.is_empty() {
        let choices = object
            .exactly_one
            .iter()
            .map(|name| members([("required", Value::Array(vec![(*name).into()]))]))
            .collect();
        schema.push(("oneOf".to_owned(), Value::Array(choices)));
    }
    Value::Object(schema)
}

fn field(object: &Object, field: &Field) -> Value {
    let mut described = vec![("description".to_owned(), field.doc.into())];
    let null = || members([("type", "null".into())]);
    let alternatives = match (&field.shape, object.nullable(field)) {
        (Shape::Any, _) => Vec::new(),
        (Shape::Either(shapes), nullable) => shapes
            .iter()
            .map(shape)
            .chain(nullable.then(null))
            .collect(),
        (single, true) => vec![shape(single), null()],
        (single, false) => {
            if let Value::Object(members) = shape(single) {
                described.extend(members);
            }
            Vec::new()
        }
    };
    if !alternatives.is_empty() {
        described.push(("anyOf".to_owned(), Value::Array(alternatives)));
    }
    Value::Object(described)
}

fn shape(known: &Shape) -> Value {
    match known {
        Shape::Any => Value::Bool(true),
        Shape::Flag => members([("type", "boolean".into())]),
        Shape::Integer(least, most) => {
            let mut schema = vec![
                ("type".to_owned(), "integer".into()),
                ("minimum".to_owned(), (*least).into()),
            ];
            if *most != i64::MAX {
                schema.push(("maximum".to_owned(), (*most).into()));
            }
            Value::Object(schema)
        }
        Shape::Text(rule) => text(*rule),
        Shape::List(item, most) => members([
            ("type", "array".into()),
            ("items", shape(item)),
            ("maxItems", Value::Integer(most.to_string())),
        ]),
        Shape::Object(object) => members([("$ref", format!("#/$defs/{}", object.name).into())]),
        Shape::Pairs => members([
            ("type", "object".into()),
            ("additionalProperties", members([("type", "string".into())])),
        ]),
        Shape::Mapping => members([("type", "object".into())]),
        Shape::Either(shapes) => {
            members([("anyOf", Value::Array(shapes.iter().map(shape).collect()))])
        }
    }
}

fn text(rule: Text) -> Value {
    let mut schema = vec![("type".to_owned(), Value::from("string"))];
    if let Text::Choice(words) = rule {
        let words = words.iter().map(|word| Value::from(*word)).collect();
        schema.push(("enum".to_owned(), Value::Array(words)));
    }
    if let Some(pattern) = rule.pattern() {
        schema.push(("pattern".to_owned(), pattern.into()));
    }
    if let Some(most) = rule.most() {
        schema.push(("maxLength".to_owned(), Value::Integer(most.to_string())));
    }
    Value::Object(schema)
}
