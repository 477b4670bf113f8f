//! A failing sequence made shorter.

use crate::model::Operation;

/// Takes out of a failing sequence what is not needed for it to fail, by halves, quarters and so on down to single operations, with at
/// most so many tries (Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002).
pub fn shrink(
    operations: &[Operation],
    tries: usize,
    fails: &mut dyn FnMut(&[Operation]) -> bool,
) -> Vec<Operation> {
    let mut shortest = operations.to_vec();
    let mut left = tries;
    let mut length = shortest.len().div_ceil(2);
    while length > 0 {
        // From the end on: what came after the failure goes first, and what is left keeps its prerequisites.
        let mut end = shortest.len();
        let mut found = false;
        while end > 0 {
            if left == 0 {
                return shortest;
            }
            left -= 1;
            let start = end.saturating_sub(length);
            let mut shorter = shortest.clone();
            shorter.drain(start..end);
            if fails(&shorter) {
                shortest = shorter;
                found = true;
            }
            end = start;
        }
        if length == 1 && !found {
            return shortest;
        }
        length = match length {
            1 => 1,
            more => more.div_ceil(2),
        };
    }
    shortest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::GuestPath;

    #[test]
    fn only_what_is_needed_is_left() {
        let operations: Vec<_> = (0..100)
            .map(|size| Operation::SetSize {
                path: GuestPath::root(),
                size,
            })
            .collect();
        let has = |operations: &[Operation], wanted| {
            operations.iter().any(
                |operation| matches!(operation, Operation::SetSize { size, .. } if *size == wanted),
            )
        };
        let mut tried = 0;
        let shortest = shrink(&operations, 400, &mut |operations| {
            tried += 1;
            has(operations, 7) && has(operations, 80)
        });
        assert_eq!(shortest.len(), 2, "after {tried} tries");
        assert_eq!(shrink(&operations, 0, &mut |_| true).len(), 100);
        assert!(shrink(&operations, 400, &mut |_| true).is_empty());
    }
}
