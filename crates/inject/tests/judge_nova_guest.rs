//! What Nova leaves to other programs, held to those programs: the hash to the system's crypt(3), the owners to augeas.

mod nova_support;

use std::io;

use christen_inject::Stage;
use christen_inject::nova::{self, Exception, ItemName, Items};
use christen_instance::Secret;
use christen_instance::inputs::RandomSource;
use christen_testkit::{TempDir, python, tools};
use christen_vfs::FileSystem;
use christen_vfs::memory::Memory;
use christen_vfs::walk::{LastLink, resolve};
use nova_support::path;

/// Numbers that look like chance and are the same every time (Marsaglia, "Xorshift RNGs").
struct Drawn(u64);

impl Drawn {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

impl RandomSource for Drawn {
    fn fill(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        for byte in buffer {
            *byte = (self.next() >> 16) as u8;
        }
        Ok(())
    }
}

fn guest(files: &[(&str, &[u8])]) -> Memory {
    let mut fs = Memory::new();
    let mut stage = Stage::new(&mut fs);
    for (at, content) in files {
        let at = path(at);
        stage.parents(&at).expect("it is made");
        stage
            .overwrite(&at, content, christen_inject::Secrecy::Public)
            .expect("it is written");
    }
    fs
}

/// The hash that a guest's root gets.
fn hash(password: &str, salt: &mut Drawn) -> String {
    let mut fs = guest(&[("/etc/passwd", b"root:x\n"), ("/etc/shadow", b"root:!:1\n")]);
    let items = Items {
        admin_password: Some(Secret::new(password.to_owned())),
        ..Items::default()
    };
    let mut stage = Stage::new(&mut fs);
    let outcome = nova::inject(&mut stage, &items, &[ItemName::AdminPassword], salt);
    assert!(outcome.expect("it is set").complete);
    let shadow = stage.read(&path("/etc/shadow")).expect("it is read");
    let shadow = String::from_utf8(shadow.expect("it is there")).expect("it is text");
    shadow.split(':').nth(1).expect("a cell").to_owned()
}

/// Reads lines of a password in hexadecimal digits and a hash, and has the system hash the password anew with the salt of the hash.
const CRYPT: &str = r#"
while (<STDIN>) {
    my ($password, $hash) = split;
    print crypt(pack("H*", $password), $hash), "\n";
}
"#;

#[test]
fn the_systems_crypt_takes_the_password() {
    let Some(perl) = tools::require("perl") else {
        return;
    };
    let mut drawn = Drawn(0x1234_5678_9abc_def1);
    let mut passwords: Vec<String> = (1..=80).map(|length| "a".repeat(length)).collect();
    for length in [127, 128, 255, 256, 510, 511, 512, 600] {
        passwords.push(
            (0..length)
                .map(|_| char::from(33 + drawn.below(94) as u8))
                .collect(),
        );
    }
    for _ in 0..100 {
        let length = 1 + drawn.below(40);
        let character = |drawn: &mut Drawn| {
            let sets: [&[char]; 3] = [
                &['a', ' ', ':', '$', '~'],
                &['é', 'ß', '\u{a0}'],
                &['値', '😀'],
            ];
            let set = sets[drawn.below(3)];
            set[drawn.below(set.len())]
        };
        passwords.push((0..length).map(|_| character(&mut drawn)).collect());
    }
    let mut question = String::new();
    let mut hashes = Vec::new();
    for password in &passwords {
        let hash = hash(password, &mut drawn);
        let digits: String = password.bytes().map(|byte| format!("{byte:02x}")).collect();
        // The salt of what is no hash is for the system to refuse.
        let setting = if hash == "*0" { "$1$abcdefgh" } else { &hash };
        question.push_str(&format!("{digits} {setting}\n"));
        hashes.push(hash);
    }
    let mut child = std::process::Command::new(perl)
        .args(["-e", CRYPT])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("perl starts");
    let mut input = child.stdin.take().expect("its input is a pipe");
    let writer = std::thread::spawn(move || io::Write::write_all(&mut input, question.as_bytes()));
    let output = child.wait_with_output().expect("perl ends");
    writer
        .join()
        .expect("it does not panic")
        .expect("perl reads");
    let answer = String::from_utf8(output.stdout).expect("hashes are text");
    let answers: Vec<_> = answer.lines().collect();
    assert_eq!(answers, hashes);
    let salts: std::collections::BTreeSet<_> = hashes.iter().map(|hash| hash.get(3..11)).collect();
    assert!(salts.len() > 150, "salts are drawn anew");
}

/// Loads files with the lenses of passwd and group, and prints root's two numbers in each directory, or `-`.
const AUGEAS: &str = r#"
import ctypes, sys
aug = ctypes.CDLL("libaugeas.so.0")
aug.aug_init.restype = ctypes.c_void_p
aug.aug_init.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_uint]
for name, count in ("aug_set", 2), ("aug_load", 0):
    getattr(aug, name).argtypes = [ctypes.c_void_p] + [ctypes.c_char_p] * count
aug.aug_get.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.POINTER(ctypes.c_char_p)]
root, count = sys.stdin.read().split()
NO_MODL_AUTOLOAD = 1 << 6
handle = aug.aug_init(root.encode(), None, NO_MODL_AUTOLOAD)
for lens, file in ("Passwd", "passwd"), ("Group", "group"):
    aug.aug_set(handle, f"/augeas/load/{lens}/lens".encode(), f"{lens}.lns".encode())
    aug.aug_set(handle, f"/augeas/load/{lens}/incl".encode(), f"/*/{file}".encode())
assert aug.aug_load(handle) == 0
for number in range(int(count)):
    cells = []
    for file, cell in ("passwd", "uid"), ("group", "gid"):
        value = ctypes.c_char_p()
        found = aug.aug_get(handle, f"/files/{number}/{file}/root/{cell}".encode(), ctypes.byref(value))
        cells.append(value.value.decode() if found == 1 else "-")
    print(*cells)
"#;

const LINES: [&str; 50] = [
    "root:x:0:0:root:/root:/bin/bash",
    "root:x:17:0::/:",
    "root:x:0:5:::/bin/sh \t",
    "root::0:0:::",
    "root:x:0:0:::\t",
    "root:x y:0:0:a b, c:/ x:/bin/sh -l",
    "root:x:0:0:::/a:b:c",
    "root:x:0:0::",
    "root:x::0:::",
    "root:x:-1:0:::",
    "root:x:99999999999:0:::",
    "root:x:0:0:::/bin/sh\r",
    "root:x:0:0:a\rb:/:/bin/sh",
    "root:x:0:0:::/a\rb",
    "root:x:0:0::: /bin/sh",
    " root:x:0:0:::",
    "root",
    "rooty:x:1:1:::",
    "daemon:*:1:1:daemon:/usr/sbin:/usr/sbin/nologin",
    "machine$:x:1:1:::",
    "a$b:x:1:1:::",
    "-a:x:1:1:::",
    "A_b.c-d:x:1:1:::",
    "é:x:1:1:::",
    "u:\u{e9}:1:1:é:/:/é",
    "",
    " \t",
    "#",
    "# ",
    "# a comment",
    "  #c",
    "#c\r",
    "# c \r",
    "#\r",
    "#c\r\r",
    "\r",
    "+",
    "+ ",
    "+::::::",
    "+:x:1:1:a:/:/bin/sh",
    "+:x:1:1:a",
    "+@nis:x:::::",
    "+@nis",
    "+user::::::",
    "-user:x:1:1:::/bin/sh",
    "-:x:1:1:::",
    "+@:::::: ",
    "root:x:0:",
    "root:*:7:a,b",
    "no table at all",
];

const GROUP_LINES: [&str; 32] = [
    "root:x:0:",
    "root:x:17:a,b-c.d",
    "root::5:",
    "root:!:0:a ",
    "root:*:0:\t",
    "root:!!:0:",
    "root:a b:0:",
    "root:$1$x:0:",
    "root:x::",
    "root:x:0",
    "root:x:0:a,",
    "root:x:0:,a",
    "root:x:0:a b",
    "root:x:0: a",
    "root:x:0:a:b",
    "root:x:-1:",
    "root:x:0:a\r",
    "root:x:99999999999:",
    "daemon:x:1:",
    "-a:x:1:",
    "a$:x:1:",
    "é:x:1:",
    "g:x:1:é",
    "",
    "# a comment",
    "#c\r",
    "+",
    "+ \t",
    "+:::",
    "+:x:1:a",
    "+::",
    "+@nis:::",
];

/// A table of a few lines, most of which are plain.
fn table(drawn: &mut Drawn, lines: &[&str], plain: &[&str], root: &str) -> Vec<u8> {
    let mut chosen: Vec<&str> = (0..drawn.below(3))
        .map(|_| plain[drawn.below(plain.len())])
        .collect();
    if drawn.below(3) > 0 {
        chosen.push(root);
    }
    for _ in 0..drawn.below(3) {
        chosen.push(lines[drawn.below(lines.len())]);
    }
    let turn = drawn.below(chosen.len().max(1));
    chosen.rotate_left(turn);
    let mut text = chosen.join("\n").into_bytes();
    match drawn.below(12) {
        0 => {}
        1 => text.extend_from_slice(b"\n\0junk"),
        _ => text.push(b'\n'),
    }
    text
}

/// What our injection takes for root's numbers, in the words of the program above.
fn owners(passwd: &[u8], group: &[u8]) -> Option<(u32, u32)> {
    let mut fs = guest(&[("/etc/passwd", passwd), ("/etc/group", group)]);
    let items = Items {
        net: Some("n".to_owned()),
        ..Items::default()
    };
    let mut stage = Stage::new(&mut fs);
    let outcome = nova::inject(&mut stage, &items, &[ItemName::Net], &mut Drawn(1));
    match outcome {
        Ok(_) => {
            let at = resolve(&mut fs, &path("/etc/network"), LastLink::Followed);
            let found = fs.attributes(at.expect("it is there")).expect("it is read");
            Some((found.uid, found.gid))
        }
        Err(raised) if raised.exception == Exception::NovaException => None,
        Err(raised) => {
            assert_eq!(raised.exception, Exception::OverflowError);
            Some((u32::MAX, u32::MAX))
        }
    }
}

#[test]
fn owners_are_those_that_augeas_reads() {
    const LOADS: &str = "import ctypes; ctypes.CDLL('libaugeas.so.0')";
    let Some(interpreter) = python::require(&["ctypes"]) else {
        return;
    };
    let loads = std::process::Command::new(&interpreter)
        .args(["-c", LOADS])
        .stderr(std::process::Stdio::null())
        .status();
    if !loads.is_ok_and(|status| status.success()) {
        tools::skip("libaugeas.so.0 is not installed");
        return;
    }
    let mut drawn = Drawn(0x0dd_ba11);
    let mut tables = Vec::new();
    let (passwd, group) = ("root:x:3:4:::\n", "root:x:4:\n");
    for line in LINES {
        let text = format!("{line}\n{passwd}").into_bytes();
        tables.push((text, group.as_bytes().to_vec()));
        tables.push((format!("{line}\n").into_bytes(), group.as_bytes().to_vec()));
    }
    for line in GROUP_LINES {
        let text = format!("{line}\n{group}").into_bytes();
        tables.push((passwd.as_bytes().to_vec(), text));
        tables.push((passwd.as_bytes().to_vec(), line.as_bytes().to_vec()));
    }
    for _ in 0..600 {
        let passwd = table(
            &mut drawn,
            &LINES,
            &["a:x:1:1:::", "# c", ""],
            "root:x:3:4:::",
        );
        let group = table(
            &mut drawn,
            &GROUP_LINES,
            &["a:x:1:", "# c", ""],
            "root:x:4:",
        );
        tables.push((passwd, group));
    }
    let directory = TempDir::in_memory();
    for (number, (passwd, group)) in tables.iter().enumerate() {
        let at = directory.path().join(number.to_string());
        std::fs::create_dir(&at).expect("it is made");
        std::fs::write(at.join("passwd"), passwd).expect("it is written");
        std::fs::write(at.join("group"), group).expect("it is written");
    }
    let question = format!("{} {}", directory.path().display(), tables.len());
    let answer = python::ask(&interpreter, AUGEAS, &question);
    let mut found = 0;
    for ((passwd, group), line) in tables.iter().zip(answer.lines()) {
        let expected = line.split_once(' ').and_then(|(uid, gid)| {
            if uid == "-" || gid == "-" {
                return None;
            }
            let number = |text: &str| {
                text.parse::<u32>()
                    .ok()
                    .filter(|it| i32::try_from(*it).is_ok())
            };
            let both = number(uid).zip(number(gid));
            Some(both.unwrap_or((u32::MAX, u32::MAX)))
        });
        found += usize::from(expected.is_some());
        assert_eq!(
            owners(passwd, group),
            expected,
            "{} / {}",
            passwd.escape_ascii(),
            group.escape_ascii()
        );
    }
    assert_eq!(answer.lines().count(), tables.len());
    assert!(found > 100, "{found} tables of {} have both", tables.len());
}
