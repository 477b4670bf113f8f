//! A commit in which the n-th operation of the host fails, for all n: the image is as it was, or a recovery completes it.

mod sim;

use std::io::ErrorKind;

use christen_block::Error;
use sim::{DATA, Disk, Host, IMAGE, REDO, scenarios};

fn files(disk: &Disk) -> [Option<&Vec<u8>>; 2] {
    [disk.file(IMAGE), disk.file(DATA)]
}

#[test]
fn a_failure_of_every_operation_leaves_the_image_or_a_way_to_complete_it() {
    let mut seen = [0, 0, 0];
    for scenario in scenarios() {
        let (old, new) = (scenario.disk(), scenario.result());
        for failure in [ErrorKind::Other, ErrorKind::StorageFull] {
            for at in 0.. {
                let what = format!("{}, operation {at}, {failure}", scenario.name);
                let host = Host::new(old.clone());
                host.fail(at, failure);
                let result = scenario.run(&host);
                let failed = host.has_failed();
                host.fail(u64::MAX, failure);
                let disk = host.disk();
                match result {
                    Ok(_) => {
                        assert_eq!(files(&disk), files(&new), "{what}");
                        seen[0] += 1;
                    }
                    Err(Error::Interrupted { .. }) => {
                        host.recover().unwrap();
                        let disk = host.disk();
                        assert_eq!(disk.file(REDO), None, "{what}");
                        let is_old = files(&disk) == files(&old);
                        assert!(is_old || files(&disk) == files(&new), "{what}");
                        seen[1] += 1;
                    }
                    Err(_) => {
                        assert_eq!(files(&disk), files(&old), "{what}");
                        assert_eq!(disk.file(REDO), None, "{what}");
                        seen[2] += 1;
                    }
                }
                if !failed {
                    break;
                }
            }
        }
    }
    assert!(seen.iter().all(|count| *count > 10), "{seen:?}");
}

#[test]
fn a_failure_of_every_operation_of_a_recovery_can_be_followed_by_another_one() {
    for scenario in scenarios() {
        let (old, new) = (scenario.disk(), scenario.result());
        let host = Host::new(old.clone());
        scenario.run(&host).unwrap();
        for cut in 0..host.steps() {
            for at in (0..).step_by(3) {
                let what = format!("{}, cut {cut}, operation {at}", scenario.name);
                let after = Host::new(host.cut(cut, None));
                after.fail(at, ErrorKind::Other);
                let result = after.recover();
                let failed = after.has_failed();
                after.fail(u64::MAX, ErrorKind::Other);
                assert!(result.is_ok() || failed, "{what}");
                after.recover().unwrap();
                let disk = after.disk();
                assert_eq!(disk.file(REDO), None, "{what}");
                let is_old = files(&disk) == files(&old);
                assert!(is_old || files(&disk) == files(&new), "{what}");
                if !failed {
                    break;
                }
            }
        }
    }
}
