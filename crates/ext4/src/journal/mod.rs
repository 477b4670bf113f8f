//! The journal (JBD2): told clean from unclean, and replayed.
