//! The `christen` binary.

fn main() {}
