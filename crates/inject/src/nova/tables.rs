//! The guest's tables of users and groups, as augeas reads them.
//!
//! Nova asks augeas for `/files/etc/passwd/root/uid` and `/files/etc/group/root/gid`. augeas reads a file as a whole: one line that its
//! lens does not know, and nothing of the file is there. Two lines of one name are two nodes, and a question for one is then an error.
//! The lenses are those of augeas 1.14, `lenses/passwd.aug`, `lenses/group.aug`, `lenses/rx.aug`, `lenses/util.aug`.

/// A number of a user or a group; the lens sets no bound to its digits, and here more than 128 bits are the greatest.
pub(super) type Number = u128;

/// Returns the number of a user by the content of `/etc/passwd`.
pub(super) fn uid(passwd: &[u8], user: &[u8]) -> Option<Number> {
    one(passwd, user, passwd_line)
}

/// Returns the number of a group by the content of `/etc/group`.
pub(super) fn gid(group: &[u8], name: &[u8]) -> Option<Number> {
    one(group, name, group_line)
}

/// What a line is.
enum Line<'l> {
    /// An account: its name and its number.
    Entry(&'l [u8], &'l [u8]),
    /// Something else that the lens knows.
    Other,
}

fn one<'t>(text: &'t [u8], name: &[u8], line: fn(&'t [u8]) -> Option<Line<'t>>) -> Option<Number> {
    // augeas works with C strings (`src/transform.c`, `load_file`), and adds a final newline if there is none.
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    if text.is_empty() {
        return None;
    }
    let mut found = None;
    for bytes in text.split(|byte| *byte == b'\n') {
        if let Line::Entry(key, number) = line(bytes)?
            && key == name
            && found.replace(number).is_some()
        {
            return None;
        }
    }
    found.map(|digits| {
        digits.iter().fold(0, |number: Number, digit| {
            number
                .saturating_mul(10)
                .saturating_add(Number::from(digit - b'0'))
        })
    })
}

/// `lenses/passwd.aug`, `lns`.
fn passwd_line(line: &[u8]) -> Option<Line<'_>> {
    if is_comment_or_empty(line) {
        return Some(Line::Other);
    }
    let line_of = |rest: &[u8]| is_overridden(rest, is_text, is_shell).then_some(Line::Other);
    match line {
        [b'+', rest @ ..] if trim_end(rest).is_empty() => return Some(Line::Other),
        [b'+', b':', ..] => return line_of(&line[1..]),
        [b'+', b'@', rest @ ..] | [b'+' | b'-', rest @ ..] => {
            let at = rest.iter().position(|byte| *byte == b':')?;
            let (name, rest) = rest.split_at(at);
            return is_user(name).then(|| line_of(rest)).flatten();
        }
        _ => {}
    }
    let mut cells = line.splitn(7, |byte| *byte == b':');
    let (name, password, uid, gid) = (cells.next()?, cells.next()?, cells.next()?, cells.next()?);
    let (gecos, home, shell) = (cells.next()?, cells.next()?, cells.next()?);
    let is_entry = is_user(name)
        && is_text(password)
        && is_integer(uid)
        && is_integer(gid)
        && is_text(gecos)
        && is_text(home)
        && is_shell(shell);
    is_entry.then_some(Line::Entry(name, uid))
}

/// `lenses/group.aug`, `lns`.
fn group_line(line: &[u8]) -> Option<Line<'_>> {
    if is_comment_or_empty(line) {
        return Some(Line::Other);
    }
    if let [b'+', rest @ ..] = line {
        if trim_end(rest).is_empty() {
            return Some(Line::Other);
        }
        let cells: Vec<_> = rest.split(|byte| *byte == b':').collect();
        let [b"", password, gid, users] = cells[..] else {
            return None;
        };
        let is_default = is_group_password(password)
            && (gid.is_empty() || is_integer(gid))
            && is_user_list(users);
        return is_default.then_some(Line::Other);
    }
    let cells: Vec<_> = line.split(|byte| *byte == b':').collect();
    let [name, password, gid, users] = cells[..] else {
        return None;
    };
    let is_entry =
        is_word(name) && is_group_password(password) && is_integer(gid) && is_user_list(users);
    is_entry.then_some(Line::Entry(name, gid))
}

/// The cells behind the name of a NIS line: each may be empty.
fn is_overridden(rest: &[u8], is_text: fn(&[u8]) -> bool, is_last: fn(&[u8]) -> bool) -> bool {
    let cells: Vec<_> = rest.splitn(7, |byte| *byte == b':').collect();
    let is_number = |cell: &[u8]| cell.is_empty() || is_integer(cell);
    let [b"", password, uid, gid, gecos, home, shell] = cells[..] else {
        return false;
    };
    is_text(password)
        && is_number(uid)
        && is_number(gid)
        && is_text(gecos)
        && is_text(home)
        && is_last(shell)
}

/// `Util.comment` and `Util.empty`. A comment may end with CR, an empty line may not.
fn is_comment_or_empty(line: &[u8]) -> bool {
    let line = trim_start(line);
    if line.is_empty() {
        return true;
    }
    let [b'#', comment @ ..] = line else {
        return false;
    };
    let comment = trim_start(comment);
    if comment.is_empty() {
        return true;
    }
    let comment = trim_end(comment.strip_suffix(b"\r").unwrap_or(comment));
    !comment.is_empty() && is_spaceless_at_ends(comment)
}

/// `Passwd.username`.
fn is_user(name: &[u8]) -> bool {
    let name = name.strip_suffix(b"$").unwrap_or(name);
    !name.starts_with(b"-") && is_word(name)
}

/// `Rx.word`.
fn is_word(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|byte| is_word_byte(*byte))
}

fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-')
}

/// `Rx.integer`.
fn is_integer(cell: &[u8]) -> bool {
    !cell.is_empty() && cell.iter().all(u8::is_ascii_digit)
}

/// `Passwd.sto_to_col`, or nothing. No cell has a colon, and no line a newline.
fn is_text(cell: &[u8]) -> bool {
    !cell.contains(&b'\r')
}

/// `Rx.space_in`, or nothing, up to the end of the line.
fn is_shell(cell: &[u8]) -> bool {
    let cell = trim_end(cell);
    cell.is_empty() || is_spaceless_at_ends(cell)
}

fn is_spaceless_at_ends(text: &[u8]) -> bool {
    let is_space = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t' | b'\r'));
    !is_space(text.first()) && !is_space(text.last())
}

/// `Group.password`.
fn is_group_password(cell: &[u8]) -> bool {
    cell.iter()
        .all(|byte| is_word_byte(*byte) || matches!(byte, b'!' | b'*'))
}

/// `Group.user_list`, or nothing, up to the end of the line.
fn is_user_list(cell: &[u8]) -> bool {
    let cell = trim_end(cell);
    cell.is_empty() || cell.split(|byte| *byte == b',').all(is_word)
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn trim_start(text: &[u8]) -> &[u8] {
    let count = text.iter().take_while(|byte| is_blank(**byte)).count();
    &text[count..]
}

fn trim_end(text: &[u8]) -> &[u8] {
    let count = text
        .iter()
        .rev()
        .take_while(|byte| is_blank(**byte))
        .count();
    &text[..text.len() - count]
}
