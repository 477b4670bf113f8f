//! Every recipe passes the suite that every backend passes, and e2fsck finds nothing afterwards.

mod judges;

use christen_testkit::{TempDir, ext};
use christen_vfs::FileSystem;
use christen_vfs::conformance::{self, Capabilities};

#[test]
fn every_recipe_conforms() {
    if !judges::require() {
        return;
    }
    let directory = TempDir::new();
    let image = directory.join("image");
    let mut failures = Vec::new();
    for (recipe, block_bytes) in judges::images() {
        let context = format!("{} with blocks of {block_bytes}", recipe.name);
        recipe.make(&image, block_bytes, 64);
        let mut fs = judges::open(&image, &context);
        let capabilities = Capabilities {
            access_lists: fs.limits().attribute_bytes > 0,
            ..Capabilities::ALL
        };
        let report = conformance::run_in(&mut fs, &capabilities);
        assert!(report.cases.len() > 80);
        if !report.is_clean() {
            failures.push(format!("{context}: {report}"));
        }
        if let Err(error) = fs.finish() {
            failures.push(format!("{context}: finish: {}", judges::chain(&error)));
            continue;
        }
        drop(fs);
        if let Err(how) = ext::check(&image) {
            ext::keep(&image);
            failures.push(format!("{context}: e2fsck {how}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
