use christen_vfs::Timestamp;

use super::*;
use crate::image::operation::{Operation, Ownership};

fn path(text: &str) -> christen_vfs::GuestPath {
    christen_vfs::GuestPath::new(text).expect("a path")
}

fn operations(script: &str) -> Vec<Operation> {
    let steps = parse(script.as_bytes()).unwrap_or_else(|it| panic!("{}", it.render("script")));
    steps.into_iter().map(|step| step.operation).collect()
}

fn told(script: &[u8]) -> String {
    parse(script).expect_err("it has mistakes").render("script")
}

#[test]
fn every_operation_can_be_written() {
    let ownership = |permissions, owner: &str| Ownership {
        permissions,
        owner: owner.parse().expect("an owner"),
    };
    let none = Ownership::default;
    let content = |text: &str| Content(text.as_bytes().to_vec());
    assert_eq!(
        operations(
            "# a comment\n\
             mkdir -p -m 0750 -o 33:www-data /srv/www\n\
             mkdir /a\n\
             \n\
             put -m 600 key.pem /etc/key # and why\n\
             write '/with space' \"two\\nlines\\n\"\n\
             append /etc/hosts <<END\n\
             192.0.2.1 one\n\
             # not a comment\n\
             END\n\
             truncate /a/b 3K\n\
             rm -r -f /tmp/x\n\
             chmod 4755 /bin/x\n\
             chown -h root /l\n\
             ln -s ../x /l\n\
             ln /a /b\n\
             mv /a /b\n\
             xattr set /a user.x '-v'\n\
             xattr remove /a user.x\n\
             touch -d 1970-01-01T00:00:01Z /a\n\
             touch /a"
        ),
        [
            Operation::MakeDirectory {
                path: path("/srv/www"),
                parents: true,
                ownership: ownership(Some(0o750), "33:www-data"),
            },
            Operation::MakeDirectory {
                path: path("/a"),
                parents: false,
                ownership: none(),
            },
            Operation::Put {
                source: "key.pem".into(),
                path: path("/etc/key"),
                ownership: Ownership {
                    permissions: Some(0o600),
                    ..none()
                },
            },
            Operation::Write {
                path: path("/with space"),
                content: content("two\nlines\n"),
                ownership: none(),
            },
            Operation::Append {
                path: path("/etc/hosts"),
                content: content("192.0.2.1 one\n# not a comment\n"),
            },
            Operation::Truncate {
                path: path("/a/b"),
                size: 3072,
            },
            Operation::Remove {
                path: path("/tmp/x"),
                recursive: true,
                force: true,
            },
            Operation::ChangePermissions {
                path: path("/bin/x"),
                permissions: 0o4755,
            },
            Operation::ChangeOwner {
                path: path("/l"),
                owner: "root".parse().expect("an owner"),
                link_itself: true,
            },
            Operation::SymbolicLink {
                target: b"../x".to_vec(),
                path: path("/l"),
            },
            Operation::HardLink {
                existing: path("/a"),
                path: path("/b"),
            },
            Operation::Move {
                from: path("/a"),
                to: path("/b"),
            },
            Operation::SetAttribute {
                path: path("/a"),
                name: b"user.x".to_vec(),
                value: content("-v"),
            },
            Operation::RemoveAttribute {
                path: path("/a"),
                name: b"user.x".to_vec(),
            },
            Operation::Touch {
                path: path("/a"),
                time: Some(Timestamp {
                    seconds: 1,
                    nanoseconds: 0,
                }),
            },
            Operation::Touch {
                path: path("/a"),
                time: None,
            },
        ]
    );
}

#[test]
fn lines_are_counted_over_the_text_that_follows_one() {
    let steps = parse(b"write /a <<E\n1\n2\nE\n\nrm /a\n").expect("it is right");
    let lines: Vec<_> = steps.iter().map(|step| step.line).collect();
    assert_eq!(lines, [Some(1), Some(6)]);
}

#[test]
fn all_mistakes_are_told_with_their_places() {
    assert_eq!(
        told(
            b"mkdri /a\n\
              mkdir a\n\
              mkdir -m 0999 /a\n\
              mkdir -x /a\n\
              mkdir -p -p /a\n\
              mkdir -m\n\
              put /a\n\
              rm /a /b\n\
              chown root: /a\n\
              rm '/a\n\
              xattr get /a\n\
              xattr set /a selinux x\n\
              frobnicate\n\
              truncate /a 1X\n\
              touch -d today /a\n\
              rm <<E\n\
              E\n\
              write /a <<NEVER\n\
              rm /a\n"
        ),
        "\
error: `mkdri` is not an operation
 --> script:1:1
hint: did you mean `mkdir`?

error: `a` is no path in a guest: a path in a guest begins with `/`
 --> script:2:7

error: `0999` is not a mode
 --> script:3:10
hint: write one to four octal digits, as `0644`, or five with a 0 before them

error: `mkdir` has no option `-x`
 --> script:4:7
hint: `mkdir [-p] [-m MODE] [-o OWNER] PATH`; a word in quotes is no option

error: `-p` is given twice
 --> script:5:10

error: `-m` needs a value
 --> script:6:7
hint: `mkdir [-p] [-m MODE] [-o OWNER] PATH`

error: too few words: `put` takes 2, not 1
 --> script:7:1
hint: `put [-m MODE] [-o OWNER] HOSTFILE PATH`

error: too many words: `rm` takes 1, not 2
 --> script:8:7
hint: `rm [-r] [-f] PATH`

error: `root:` is not an owner
 --> script:9:7
hint: write `USER`, `USER:GROUP` or `:GROUP`, each a number or a name

error: the closing quote is missing
 --> script:10:4
hint: quotes end on the line on which they begin; `\\n` in `\"…\"` is a new line

error: `xattr` is not an operation
 --> script:11:1
hint: `xattr set PATH NAME VALUE` or `xattr remove PATH NAME`

error: `selinux` is no name of an extended attribute
 --> script:12:14
hint: write its namespace too: `user.`, `security.`, `trusted.` or `system.`

error: `frobnicate` is not an operation
 --> script:13:1
hint: the operations are mkdir, put, write, append, truncate, rm, chmod, chown, ln, mv, xattr set, xattr remove, touch

error: `1X` is not a size
 --> script:14:13
hint: write a number of bytes, or one with `K`, `M`, `G` or `T` behind it

error: `today` is not a time
 --> script:15:10
hint: write it as RFC 3339 with an offset: `2026-01-15T12:00:00Z`, or as `@` and seconds since 1970

error: `rm` takes no text that follows it
 --> script:16:4
hint: a word that begins with `<<` and is meant as it is stands in quotes

error: no line is `NEVER`
 --> script:18:10
hint: a line with this word and nothing else ends the text

"
    );
}

#[test]
fn a_script_cannot_flood_a_terminal_or_play_with_it() {
    let told = told(&b"\x1b[2J\n\"\\x1b[2J\"\n".repeat(200));
    assert!(!told.contains('\x1b'));
    assert_eq!(told.matches("error: ").count(), MAX_MISTAKES);
    assert!(told.ends_with("note: only the first 100 are shown\n\n"));
}

#[test]
fn content_is_not_in_the_debug_form() {
    let steps = parse(b"write /a 'hunter2'\n").expect("it is right");
    assert!(!format!("{steps:?}").contains("hunter2"));
}

#[test]
fn the_document_shows_every_usage() {
    let document = include_str!("../../../../../docs/edit.md");
    for row in &operations::TABLE {
        let shown = format!("| `{}` |", row.usage);
        assert!(document.contains(&shown), "docs/edit.md lacks: {shown}");
    }
}
