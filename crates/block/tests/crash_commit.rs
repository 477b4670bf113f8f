//! A commit that is cut at every step, with what was not synced lost, torn and reordered: after a recovery the old image or the
//! new one is there, never anything between.

mod sim;

use christen_block::commit::recover::Recovered;
use sim::{DATA, Disk, Host, IMAGE, REDO, Random, scenarios};

/// Losses that are tried for each cut; `CHRISTEN_CRASH_SEEDS` tries more.
fn seeds() -> u64 {
    std::env::var("CHRISTEN_CRASH_SEEDS").map_or(6, |seeds| seeds.parse().unwrap())
}

/// Both files of an image, which are old or new together.
fn files(disk: &Disk) -> [Option<&Vec<u8>>; 2] {
    [disk.file(IMAGE), disk.file(DATA)]
}

fn check(host: &Host, old: &Disk, new: &Disk, what: &str) -> bool {
    let disk = host.disk();
    assert_eq!(disk.file(REDO), None, "{what}: the redo file is left");
    let is_new = files(&disk) == files(new);
    assert!(
        is_new || files(&disk) == files(old),
        "{what}: neither old nor new"
    );
    is_new
}

#[test]
fn a_cut_at_every_step_leaves_the_old_image_or_the_new_one() {
    let mut seen = [0, 0];
    for scenario in scenarios() {
        let old = scenario.disk();
        let new = scenario.result();
        assert_ne!(files(&old), files(&new), "{}", scenario.name);
        let host = Host::new(old.clone());
        scenario.run(&host).unwrap();
        for at in 0..=host.steps() {
            for seed in 0..=seeds() {
                let what = format!("{}, step {at}, seed {seed}", scenario.name);
                let mut random = Random(seed * 1000 + at as u64);
                let cut = host.cut(at, (seed > 0).then_some(&mut random));
                if at == host.steps() {
                    // It would be refused as soon as a guest has run.
                    assert_eq!(cut.file(REDO), None, "{what}: the redo file comes back");
                }
                let after = Host::new(cut);
                after.recover().unwrap_or_else(|error| {
                    panic!("{what}: {error}: {:?}", std::error::Error::source(&error))
                });
                let is_new = check(&after, &old, &new, &what);
                seen[usize::from(is_new)] += 1;
                if at == host.steps() {
                    assert!(is_new, "{what}: a commit that returned is lost");
                }
                assert_eq!(after.recover().unwrap(), Recovered::Nothing, "{what}");

                // The recovery is cut as well.
                let again = random.below(after.steps() as u64 + 1) as usize;
                let twice = Host::new(after.cut(again, Some(&mut random)));
                twice.recover().unwrap();
                let still_new = check(&twice, &old, &new, &what);
                assert!(still_new || !is_new || again < after.steps(), "{what}");
            }
        }
    }
    assert!(seen[0] > 50 && seen[1] > 50, "{seen:?}");
}

#[test]
fn while_a_qcow2_image_is_between_old_and_new_it_is_marked() {
    for scenario in scenarios() {
        let mark: fn(&[u8]) -> bool = match scenario.mark {
            christen_block::commit::Mark::None => continue,
            christen_block::commit::Mark::Qcow2V2 => |image| image[4..8] != [0, 0, 0, 2],
            christen_block::commit::Mark::Qcow2V3 => |image| image[79] & 2 != 0,
        };
        let (old, new) = (scenario.disk(), scenario.result());
        let host = Host::new(old.clone());
        scenario.run(&host).unwrap();
        let mut marked = 0;
        for at in 0..=host.steps() {
            for seed in 0..=seeds() {
                let mut random = Random(seed);
                let cut = host.cut(at, (seed > 0).then_some(&mut random));
                let between = files(&cut) != files(&old) && files(&cut) != files(&new);
                let is_marked = mark(cut.file(IMAGE).unwrap());
                assert!(!between || is_marked, "{}, step {at}", scenario.name);
                marked += usize::from(is_marked);
            }
        }
        assert!(marked > 0);
    }
}
