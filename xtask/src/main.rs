//! Repository chores: `cargo xtask`.

fn main() {}
