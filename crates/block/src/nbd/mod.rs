//! A client of the NBD protocol.
