//! The `christen` command: arguments, messages, exit statuses and wiring.
