//! Changing disk images, judged by e2fsck and debugfs.

mod support;

use christen_testkit::TempDir;
use support::{christen_in, fail_somehow, member, put, succeed};

#[test]
fn recover_without_a_cut_commit_says_so() {
    let directory = TempDir::new();
    put(&directory, "a.img", vec![0; 1 << 20]);
    let ended = succeed(&mut christen_in(&directory, "recover a.img"));
    assert_eq!(
        (ended.text(), &*ended.stderr),
        (
            "",
            "note: no commit to `a.img` was cut; there is nothing to do\n"
        )
    );
    let json = succeed(&mut christen_in(&directory, "recover a.img --json")).json();
    assert_eq!(member(&json, "recovered").as_str(), Some("nothing"));
    fail_somehow(&mut christen_in(&directory, "recover none.img"), 2);
}
