//! Same input, same bytes; and what `docs/reproducible.md` says of the draws.

mod support;

use std::fs;

use base64::Engine as _;
use christen_testkit::TempDir;
use support::{christen_in, fail, fail_somehow, member, put, succeed, with_description};

const UUID: &str = "b65cee2f-8c69-4aeb-be2f-f79742548fc2";

/// Bytes of which no two stretches are the same.
fn numbered(length: usize) -> Vec<u8> {
    (0..length)
        .map(|index| (index.wrapping_mul(167) ^ (index >> 8)) as u8)
        .collect()
}

/// One clear password of a user and one of root.
fn with_passwords() -> TempDir {
    let directory = with_description(
        "name: web\nguest:\n  root_password: {text: r}\n  users:\n    \
         - {name: u, password: {text: p}}\n    - {name: v, password: {locked: true}}\n",
    );
    put(&directory, "random", numbered(16 + 2 * 16 + 512));
    directory
}

#[test]
fn the_same_input_gives_the_same_drive() {
    let directory = with_passwords();
    for options in [
        "--format iso9660",
        "--format vfat",
        "--dialect nocloud",
        "--dialect nocloud --format vfat",
    ] {
        let build = |name: &str, time: &str, random: &str| {
            let arguments = format!(
                "drive build instance.yaml {options} --no-sync --time {time} \
                 --random-source {random} -o {name}"
            );
            succeed(&mut christen_in(&directory, &arguments));
            fs::read(directory.join(name)).expect("it was written")
        };
        put(&directory, "other", [1; 16 + 2 * 16 + 512]);
        let first = build("first", "2026-01-15T12:00:00Z", "random");
        let again = build("again", "2026-01-15T13:00:00+01:00", "random");
        assert!(first == again, "{options}");
        let later = build("later", "2026-01-15T12:00:02Z", "random");
        assert!(first != later, "{options}: the time is on the drive");
        let other = build("other-drive", "2026-01-15T12:00:00Z", "other");
        assert!(first != other, "{options}: randomness is on the drive");
    }
}

#[test]
fn source_date_epoch_is_the_time_unless_one_is_given() {
    let directory = with_description(&format!("uuid: {UUID}\nname: web\n"));
    put(&directory, "random", numbered(512));
    let build = |arguments: &str, epoch: Option<&str>| {
        let arguments =
            format!("drive build instance.yaml --no-sync --random-source random -o - {arguments}");
        let mut command = christen_in(&directory, &arguments);
        if let Some(epoch) = epoch {
            command.env("SOURCE_DATE_EPOCH", epoch);
        }
        command
    };
    // 2026-01-15T12:00:00Z
    let by_time = succeed(&mut build("--time 2026-01-15T12:00:00Z", None)).stdout;
    let by_epoch = succeed(&mut build("", Some("1768478400"))).stdout;
    assert!(by_time == by_epoch);
    let by_both = succeed(&mut build("--time 2026-01-15T12:00:00Z", Some("1"))).stdout;
    assert!(by_time == by_both);

    for epoch in ["", "tomorrow", "1.5", "99999999999999999999"] {
        fail(
            &mut build("", Some(epoch)),
            2,
            &format!(
                "error: SOURCE_DATE_EPOCH is `{epoch}`\n\
                 hint: it holds seconds since 1970-01-01T00:00:00Z, as a decimal number\n"
            ),
        );
    }
    for time in ["yesterday", "2026-01-15", "2026-01-15T12:00:00"] {
        fail(
            &mut build(&format!("--time {time}"), None),
            2,
            &format!(
                "error: `--time {time}` is not a time\n\
                 hint: write it as RFC 3339 with an offset: `2026-01-15T12:00:00Z`\n"
            ),
        );
    }
}

#[test]
fn draws_come_in_the_documented_order() {
    let directory = with_passwords();
    let random = numbered(16 + 2 * 16 + 512);
    let render = |path: &str| {
        let arguments =
            format!("render instance.yaml --random-source random --path openstack/latest/{path}");
        succeed(&mut christen_in(&directory, &arguments))
    };

    // A document alone draws only its own: first the uuid, then the seed.
    let alone = render("meta_data.json").json();
    let seed =
        |from: usize| base64::engine::general_purpose::STANDARD.encode(&random[from..from + 512]);
    assert_eq!(member(&alone, "random_seed").as_str(), Some(&*seed(16)));
    // RFC 9562 section 5.4: version 4 and variant 1 in the drawn bytes.
    let mut uuid = random[..16].to_vec();
    uuid[6] = uuid[6] & 0x0f | 0x40;
    uuid[8] = uuid[8] & 0x3f | 0x80;
    let digits: String = uuid.iter().map(|byte| format!("{byte:02x}")).collect();
    let found = member(&alone, "uuid").as_str().expect("a text");
    assert_eq!(found.replace('-', ""), digits);

    // In a whole tree the two salts come between them, and the file is used up.
    succeed(&mut christen_in(
        &directory,
        "render instance.yaml --random-source random --tree tree",
    ));
    let whole = fs::read_to_string(directory.join("tree/openstack/latest/meta_data.json"));
    let whole = christen_instance::json::parse(&whole.expect("it was written")).expect("JSON");
    assert_eq!(member(&whole, "random_seed").as_str(), Some(&*seed(48)));
    assert_eq!(member(&whole, "uuid").as_str(), Some(found));
    let vendor_data = fs::read(directory.join("tree/openstack/latest/vendor_data.json"));
    assert!(render("vendor_data.json").stdout != vendor_data.expect("it was written"));

    // One byte less is an error wherever it is missing, and nothing is left behind.
    for (length, purpose, missing, used) in [
        (15, "the uuid", 16, 0),
        (31, "the salt of a password", 16, 16),
        (559, "`random_seed`", 512, 48),
    ] {
        put(&directory, "short", numbered(length));
        let before = support::names(&directory);
        let arguments = "render instance.yaml --random-source short --tree other";
        let ended = fail_somehow(&mut christen_in(&directory, arguments), 1);
        let error = format!(
            "error: cannot make the documents\n  cannot draw random bytes for {purpose}\n  \
             the random source ended: {missing} more bytes are needed after byte {used}\n"
        );
        assert!(ended.stderr.ends_with(&error), "{}", ended.stderr);
        assert_eq!(support::names(&directory), before);
    }
}

#[test]
fn what_needs_no_randomness_draws_none() {
    let directory = with_description(&format!("uuid: {UUID}\nname: web\n"));
    put(&directory, "empty", "");
    let oldest = succeed(&mut christen_in(
        &directory,
        "render instance.yaml --random-source empty --path openstack/2012-08-10/meta_data.json",
    ));
    assert_eq!(oldest.stderr, "");
    assert_eq!(
        oldest.text(),
        format!(
            "{{\"uuid\": \"{UUID}\", \"hostname\": \"web.novalocal\", \"name\": \"web\", \
             \"launch_index\": 0, \"availability_zone\": null}}"
        )
    );
    succeed(&mut christen_in(
        &directory,
        "render instance.yaml --random-source empty --list",
    ));
    fail(
        &mut christen_in(
            &directory,
            "render instance.yaml --random-source empty --path openstack/latest/meta_data.json",
        ),
        1,
        "error: cannot make the documents\n  cannot draw random bytes for `random_seed`\n  \
         the random source ended: 512 more bytes are needed after byte 0\n",
    );
    fail(
        &mut christen_in(
            &directory,
            "render instance.yaml --random-source nowhere --list",
        ),
        2,
        "error: cannot read `nowhere`\n  No such file or directory (os error 2)\n",
    );
}

#[test]
fn a_uuid_that_was_made_is_told() {
    let directory = with_description("name: web\n");
    put(&directory, "random", [0; 16]);
    let ended = succeed(&mut christen_in(
        &directory,
        "render instance.yaml --random-source random --path openstack/2012-08-10/meta_data.json",
    ));
    let uuid = "00000000-0000-4000-8000-000000000000";
    assert_eq!(member(&ended.json(), "uuid").as_str(), Some(uuid));
    assert_eq!(
        ended.stderr,
        format!(
            "note: the description has no `uuid`; made {uuid}: put it there, or the next drive \
             is another instance to the guest\n"
        )
    );
}

#[test]
fn without_a_source_no_two_are_alike() {
    let directory = with_description("name: web\n");
    let [first, second] = [(); 2].map(|()| {
        succeed(&mut christen_in(
            &directory,
            "render instance.yaml --path openstack/latest/meta_data.json",
        ))
        .json()
    });
    for name in ["uuid", "random_seed"] {
        assert_ne!(member(&first, name), member(&second, name));
    }
}
