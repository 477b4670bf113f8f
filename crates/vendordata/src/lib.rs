//! Asks an operator's services for dynamic vendor data over HTTP.
