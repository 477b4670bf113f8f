//! Two filesystems of one disk, changed in one commit that is cut at every step, with what was not synced lost, torn and reordered:
//! after the recovery both are old or both are new, and `e2fsck` and `qemu-img check` find nothing.
//!
//! The cuts are a sample; with `CHRISTEN_JUDGE_FULL` all are tried.

mod staged;

use christen_block::commit::Mark;
use christen_testkit::host::{Host, IMAGE, REDO, Random};
use christen_vfs::tree::{Aspects, differences};
use staged::{cases, is_full};

/// How many places are cut unless all are.
const CUTS: usize = 25;

#[test]
fn a_cut_commit_leaves_both_filesystems_old_or_both_new() {
    let seeds = if is_full() { 8 } else { 2 };
    for case in cases() {
        let (old, new) = (&case.image, &case.result());
        let trees = [
            case.judge(old, "the old image"),
            case.judge(new, "the new image"),
        ];
        for (before, after) in trees[0].iter().zip(&trees[1]) {
            let differ = differences(before, after, &Aspects::ALL).len();
            assert!(differ > 20, "{}: {differ} differences", case.name);
        }
        let host = Host::new(case.host_disk());
        case.run(&host).unwrap();
        let steps = host.steps();
        assert!(steps > CUTS, "{}: {steps} steps", case.name);
        // Every step near both ends, where the syncs are, and a sample of those between.
        let stride = if is_full() { 1 } else { steps.div_ceil(CUTS) };
        let cuts = (0..=steps).filter(|at| at % stride == 0 || *at > steps - 6);
        let mut seen = [0, 0, 0];
        for at in cuts {
            for seed in 0..=seeds {
                let what = format!("{}, step {at} of {steps}, seed {seed}", case.name);
                let mut random = Random(seed * 7919 + at as u64);
                let cut = host.cut(at, (seed > 0).then_some(&mut random));
                let torn = cut.file(IMAGE).unwrap();
                let is_between = torn != old && torn != new;
                seen[2] += usize::from(is_between);
                assert!(
                    !is_between || cut.file(REDO).is_some(),
                    "{what}: no way forward"
                );
                let after = Host::new(cut);
                after.recover().unwrap_or_else(|error| {
                    panic!("{what}: {error}: {:?}", std::error::Error::source(&error))
                });
                let disk = after.disk();
                assert_eq!(disk.file(REDO), None, "{what}: the redo file is left");
                let image = disk.file(IMAGE).unwrap();
                let is_new = image == new;
                // What was judged above is byte for byte what is there now.
                assert!(is_new || image == old, "{what}: neither old nor new");
                assert!(
                    is_new || at < steps,
                    "{what}: a commit that returned is lost"
                );
                seen[usize::from(is_new)] += 1;
            }
        }
        assert!(
            seen.iter().all(|count| *count > 3),
            "{}: old, new, between: {seen:?}",
            case.name
        );
    }
}

#[test]
fn an_image_that_is_cut_and_not_recovered_is_what_the_judges_would_refuse() {
    // Otherwise the test above would show nothing.
    let Some(case) = cases().into_iter().find(|case| case.mark == Mark::None) else {
        return;
    };
    let host = Host::new(case.host_disk());
    case.run(&host).unwrap();
    let steps = host.steps();
    let refused = (steps / 3..steps).step_by(steps / 8).any(|at| {
        let cut = host.cut(at, None);
        std::panic::catch_unwind(|| case.judge(cut.file(IMAGE).unwrap(), "a cut image")).is_err()
    });
    assert!(refused);
}
