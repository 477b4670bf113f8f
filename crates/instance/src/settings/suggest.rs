//! What a misspelt name may have been meant to be.

/// Returns the candidate closest to `name`, when it is close enough to be meant.
pub(super) fn closest<'c>(
    name: &str,
    candidates: impl Iterator<Item = &'c str>,
) -> Option<&'c str> {
    // Texts far longer than any option are no misspellings, and comparing takes time.
    if name.len() > MAX_COMPARED_BYTES {
        return None;
    }
    candidates
        .map(|candidate| (distance(name, candidate), candidate))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| *distance <= 1 + name.chars().count() / 4)
        .map(|(_, candidate)| candidate)
}

/// Twice the longest name in the table.
const MAX_COMPARED_BYTES: usize = 80;

/// How many characters must be added, removed or replaced to get from one text to the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (index, letter) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = index + 1;
        for (column, other) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, expected: Option<&str>) {
        let candidates = ["dhcp_domain", "virt_type", "flat_injected"];
        assert_eq!(closest(name, candidates.into_iter()), expected, "{name}");
    }

    #[test]
    fn near_names_are_suggested_and_far_ones_are_not() {
        check("dhcp_domian", Some("dhcp_domain"));
        check("virttype", Some("virt_type"));
        check("flat_inject", Some("flat_injected"));
        check("user_data", None);
        check("", None);
        check(&"x".repeat(1000), None);
    }
}
