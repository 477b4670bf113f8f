//! Directories that are labelled as if they were others (selabel_file(5), "Substitution files").

/// The two tables: of the administrator, and of the distribution.
#[derive(Debug, Default)]
pub(super) struct Substitutions {
    own: Vec<Substitution>,
    distribution: Vec<Substitution>,
}

#[derive(Debug)]
struct Substitution {
    from: Vec<u8>,
    to: Vec<u8>,
}

impl Substitutions {
    pub(super) fn parse(own: &[u8], distribution: &[u8]) -> Self {
        Self {
            own: parse(own),
            distribution: parse(distribution),
        }
    }

    /// The administrator's table comes first, and the distribution's sees its result (libselinux, `src/label_file.c`, `selabel_sub_key`).
    pub(super) fn apply(&self, path: Vec<u8>) -> Vec<u8> {
        let path = substituted(&self.own, &path).unwrap_or(path);
        substituted(&self.distribution, &path).unwrap_or(path)
    }
}

fn parse(text: &[u8]) -> Vec<Substitution> {
    text.split(|byte| *byte == b'\n')
        .filter_map(|line| {
            let mut words = line
                .split(u8::is_ascii_whitespace)
                .filter(|word| !word.is_empty());
            let from = words.next().filter(|it| !it.starts_with(b"#"))?;
            Some(Substitution {
                from: from.to_vec(),
                to: words.next()?.to_vec(),
            })
        })
        .collect()
}

/// One substitution, and only one, is made by each table.
fn substituted(table: &[Substitution], path: &[u8]) -> Option<Vec<u8>> {
    table.iter().find_map(|it| {
        let rest = path.strip_prefix(&it.from[..])?;
        match rest.first() {
            None | Some(b'/') if it.to == b"/" => {
                let rest = rest.strip_prefix(b"/").unwrap_or(rest);
                Some([b"/", rest].concat())
            }
            None | Some(b'/') => Some([&it.to, rest].concat()),
            _ => None,
        }
    })
}
