//! Development only: reference tools, random trees, the guest runner.
