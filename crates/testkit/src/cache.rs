//! Where things that are expensive to make are kept between runs.

use std::env;
use std::path::PathBuf;

/// Returns `$XDG_CACHE_HOME/christen`, or `~/.cache/christen`; it need not exist.
pub fn directory() -> PathBuf {
    let base = env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        // The XDG base directory specification: a relative path is to be ignored.
        .filter(|path| path.is_absolute())
        .or_else(|| env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")))
        .unwrap_or_else(env::temp_dir);
    base.join("christen")
}
