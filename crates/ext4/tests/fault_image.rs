//! Two filesystems of one disk, opened, changed and committed while the n-th operation of the host fails, for all n: an error that says
//! what failed, and the image as it was or a recovery that completes the change.
//!
//! The operations are a sample; with `CHRISTEN_JUDGE_FULL` all are tried.

mod staged;

use std::error::Error as StdError;
use std::io::{self, ErrorKind};

use christen_block::Error;
use christen_testkit::host::{Host, IMAGE, REDO};
use staged::{Failure, cases, is_full};

/// About how many operations fail unless all do.
const FAILURES: u64 = 40;

/// Whether an error is due to the failure that was made: a failing disk must not be told as a damaged filesystem.
fn says(error: &(dyn StdError + 'static), kind: ErrorKind) -> bool {
    let mut cause = Some(error);
    while let Some(this) = cause {
        if this
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == kind)
        {
            return true;
        }
        cause = this.source();
    }
    let text = format!("{error:?}");
    kind == ErrorKind::StorageFull && text.contains("NoSpace")
}

#[test]
fn a_failure_of_every_operation_leaves_the_image_or_a_way_to_complete_it() {
    for case in cases() {
        let (old, new) = (&case.image, &case.result());
        let count = {
            let host = Host::new(case.host_disk());
            host.fail(u64::MAX, ErrorKind::Other);
            case.run(&host).unwrap();
            host.operations()
        };
        let mut seen = [0; 4];
        for kind in [ErrorKind::Other, ErrorKind::StorageFull] {
            let stride = if is_full() {
                1
            } else {
                count.div_ceil(FAILURES)
            };
            let shift = if kind == ErrorKind::Other {
                0
            } else {
                stride / 2
            };
            for at in (shift..count).step_by(stride as usize) {
                let what = format!("{}, operation {at} of {count}, {kind}", case.name);
                let host = Host::new(case.host_disk());
                host.fail(at, kind);
                let result = case.run(&host);
                assert!(host.has_failed(), "{what}");
                host.fail(u64::MAX, kind);
                let disk = host.disk();
                let image = disk.file(IMAGE).unwrap();
                match result {
                    Ok(()) => {
                        assert!(image == new, "{what}: done, and not the new image");
                        seen[0] += 1;
                    }
                    Err(Failure::Commit(error @ Error::Interrupted { .. })) => {
                        assert!(says(&error, kind), "{what}: {error:?}");
                        host.recover().unwrap();
                        let disk = host.disk();
                        let image = disk.file(IMAGE).unwrap();
                        assert!(image == new || image == old, "{what}: neither");
                        assert_eq!(disk.file(REDO), None, "{what}");
                        seen[1] += 1;
                    }
                    Err(Failure::Commit(error)) => {
                        assert!(says(&error, kind), "{what}: {error:?}");
                        assert!(image == old, "{what}: changed");
                        assert_eq!(disk.file(REDO), None, "{what}");
                        seen[2] += 1;
                    }
                    Err(Failure::Staging(error)) => {
                        assert!(says(&*error, kind), "{what}: {error:?}");
                        assert!(image == old, "{what}: changed");
                        assert_eq!(disk.file(REDO), None, "{what}");
                        seen[3] += 1;
                    }
                }
            }
        }
        let [_, interrupted, commit, staging] = seen;
        assert!(
            interrupted > 3 && commit > 3 && staging > 3,
            "{}: done, interrupted, refused in the commit, while staging: {seen:?}",
            case.name
        );
    }
}
