//! What an injection did, item by item.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use christen_inject::{Change, Item, Notice, Secrecy, State};
use christen_instance::Value;
use christen_vfs::{Kind, shown};

use super::verdict::Verdicts;
use crate::image::show;
use crate::output;

/// One line for each place of each item: `+` for what was made, `~` for what was changed, `-` for what was removed, and `=` for what
/// was there already; and behind it, who has verified it.
pub(crate) fn text(changes: &[Change], verdicts: &Verdicts) -> String {
    let items = by_item(changes);
    let width = items.keys().map(|it| it.to_string().chars().count());
    let width = width.max().unwrap_or(0);
    let place_width = changes.iter().map(|it| it.path.to_string().chars().count());
    let place_width = place_width.max().unwrap_or(0);
    let mut text = String::new();
    for (item, changes) in items {
        let item = item.to_string();
        for change in changes {
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "{item:width$}  {} {:place_width$}  {}",
                sign(change),
                change.path.to_string(),
                output::visible(&verdicts.words(&change.path)),
            );
        }
    }
    text
}

/// One line for each place: what is said of it, and what it is for.
pub(crate) fn verdicts(changes: &[Change], verdicts: &Verdicts) -> String {
    let width = changes.iter().map(|it| it.path.to_string().chars().count());
    let width = width.max().unwrap_or(0);
    let mut text = String::new();
    for change in changes {
        let items: Vec<_> = change.items.iter().map(ToString::to_string).collect();
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{:width$}  {} ({})",
            change.path.to_string(),
            output::visible(&verdicts.words(&change.path)),
            items.join(", "),
        );
    }
    text
}

/// The items as a JSON array.
pub(crate) fn value(changes: &[Change]) -> Value {
    let items = by_item(changes).into_iter().map(|(item, changes)| {
        let places = changes.into_iter().map(place).collect();
        output::object([
            ("item", item.kind.name().into()),
            ("subject", item.subject.as_deref().into()),
            ("places", Value::Array(places)),
        ])
    });
    Value::Array(items.collect())
}

/// Notices as a JSON array.
pub(crate) fn notices(guest: &[String], notices: &[Notice]) -> Value {
    let guest = guest
        .iter()
        .map(|text| output::object([("item", Value::Null), ("text", text.as_str().into())]));
    let items = notices.iter().map(|it| {
        output::object([
            ("item", it.item.to_string().into()),
            ("text", it.text.as_str().into()),
        ])
    });
    Value::Array(guest.chain(items).collect())
}

fn by_item(changes: &[Change]) -> BTreeMap<&Item, Vec<&Change>> {
    let mut items = BTreeMap::<_, Vec<_>>::new();
    for change in changes {
        for item in &change.items {
            items.entry(item).or_default().push(change);
        }
    }
    items
}

/// What becomes of a place, as one sign.
pub(crate) fn sign(change: &Change) -> char {
    match (&change.before, &change.after) {
        (before, after) if before == after => '=',
        (None, _) => '+',
        (_, None) => '-',
        _ => '~',
    }
}

/// What becomes of a place, as one word.
fn word(change: &Change) -> &'static str {
    match sign(change) {
        '=' => "none",
        '+' => "added",
        '-' => "removed",
        _ => "changed",
    }
}

fn place(change: &Change) -> Value {
    let mut members = vec![("change".to_owned(), word(change).into())];
    show::add_bytes(&mut members, "path", &change.path.to_bytes());
    let is_secret = change.secrecy == Secrecy::Secret;
    members.push(("secret".to_owned(), is_secret.into()));
    for (name, state) in [("before", &change.before), ("after", &change.after)] {
        let value = state
            .as_ref()
            .map_or(Value::Null, |state| state_value(state, is_secret));
        members.push((name.to_owned(), value));
    }
    Value::Object(members)
}

/// A state without its content. Of a secret not even the size is told: a hash's length tells its kind.
fn state_value(state: &State, is_secret: bool) -> Value {
    let mut members = vec![
        ("kind".to_owned(), Value::from(show::kind_name(state.kind))),
        (
            "mode".to_owned(),
            format!("{:04o}", state.permissions).into(),
        ),
        ("uid".to_owned(), output::number(state.uid.into())),
        ("gid".to_owned(), output::number(state.gid.into())),
    ];
    if let Some(content) = state.content.as_ref().filter(|_| !is_secret) {
        members.push(("size_bytes".to_owned(), output::number(content.size)));
        members.push(("sha256".to_owned(), content.hash.to_string().into()));
    }
    if let Some(target) = &state.target {
        show::add_bytes(&mut members, "target", target);
    }
    let attributes = state.attributes.iter().map(|(name, value)| {
        let value = value.as_ref().map(|it| show::hex(it));
        (shown(name), value.as_deref().into())
    });
    members.push(("attributes".to_owned(), Value::Object(attributes.collect())));
    Value::Object(members)
}

/// A state in few words: `file 0644 0:0`.
pub(crate) fn summary(state: &State) -> String {
    let mut text = format!(
        "{} {:04o} {}:{}",
        show::kind_name(state.kind),
        state.permissions,
        state.uid,
        state.gid
    );
    if let (Kind::SymbolicLink, Some(target)) = (state.kind, &state.target) {
        let _ = write!(text, " -> {}", shown(target));
    }
    text
}
