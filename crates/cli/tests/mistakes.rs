//! What is told of wrong input: everything at once, each with its place, and a way out.

mod support;

use christen_testkit::TempDir;
use support::{christen_in, fail, fail_somehow, member, names, put, run, with_description};

/// Eleven mistakes of eleven kinds.
const WRONG: &str = "\
nmae: web
uuid: not-a-uuid
launch_index: -1
admin_password: 5
network:
  - mac: \"52:54:00:12:34\"
    address: 192.0.2.17
key: {name: desk}
guest:
  timezone: Europe/Berlin
  users:
    - {name: Bad User, password: {text: one, hash: two}}
  files:
    - {path: etc/motd, text: hello, mode: 644}
";

const MISTAKES: &str = "\
error: unknown key `nmae`
 --> instance.yaml:1:1 (nmae)
  |
1 | nmae: [redacted]
  | ^^^^
hint: did you mean `name`?

error: `not-a-uuid` is not a UUID
 --> instance.yaml:2:7 (uuid)
  |
2 | uuid: not-a-uuid
  |       ^^^^^^^^^^
hint: five groups of 8, 4, 4, 4 and 12 hexadecimal digits; leave it out and one is made

error: `-1` is not 0 or more
 --> instance.yaml:3:15 (launch_index)
  |
3 | launch_index: -1
  |               ^^

error: `admin_password` must be text or a mapping, not a number
 --> instance.yaml:4:17 (admin_password)
  |
4 | admin_password: [redacted]
  |                 ^^^^^^^^^^
hint: put it in quotes

error: `52:54:00:12:34` is not a MAC address
 --> instance.yaml:6:10 (network[0].mac)
  |
6 |   - mac: \"52:54:00:12:34\"
  |          ^^^^^^^^^^^^^^^^
hint: six pairs of hexadecimal digits, as `52:54:00:12:34:56`

error: `192.0.2.17` is not an address with a prefix length
 --> instance.yaml:7:14 (network[0].address)
  |
7 |     address: 192.0.2.17
  |              ^^^^^^^^^^
hint: add the prefix length: `192.0.2.17/24`

error: `public_key` is missing
 --> instance.yaml:8:7 (key)
  |
8 | key: {name: desk}
  |       ^^^^

error: `Bad User` is not an account name
  --> instance.yaml:12:14 (guest.users[0].name)
   |
12 |     - {name: Bad User, password: {text: [redacted], hash: [redacted]}}
   |              ^^^^^^^^
hint: a letter or `_`, then letters, digits, `_`, `-` or `.`; at most 32 characters

error: only one of `text`, `hash`, `file` and `locked` may be given
  --> instance.yaml:12:46 (guest.users[0].password)
   |
12 |     - {name: Bad User, password: {text: [redacted], hash: [redacted]}}
   |                                                     ^^^^

error: `etc/motd` is not an absolute path
  --> instance.yaml:14:14 (guest.files[0].path)
   |
14 |     - {path: etc/motd, text: [redacted], mode: 644}
   |              ^^^^^^^^
hint: begin with `/`

error: `mode` must be text, not a number
  --> instance.yaml:14:43 (guest.files[0].mode)
   |
14 |     - {path: etc/motd, text: [redacted], mode: 644}
   |                                                ^^^
hint: write the octal digits in quotes, as `\"0644\"`

error: `instance.yaml` has 11 mistakes
";

#[test]
fn all_mistakes_of_a_description_are_told_with_their_places() {
    let directory = with_description(WRONG);
    for command in [
        "render instance.yaml --list",
        "explain instance.yaml",
        "drive build instance.yaml -o drive",
    ] {
        fail(&mut christen_in(&directory, command), 2, MISTAKES);
    }
    assert_eq!(names(&directory), ["instance.yaml"]);
}

#[test]
fn text_that_is_no_description_is_told() {
    let check = |content: &[u8], message: &str| {
        let directory = TempDir::new();
        put(&directory, "instance.yaml", content);
        fail(
            &mut christen_in(&directory, "render instance.yaml --list"),
            2,
            message,
        );
    };
    check(
        b"name: \"web\n",
        "error: this is not YAML: unclosed quote\n \
         --> instance.yaml:1:7\n  \
         |\n\
         1 | name: \"web\n  \
         |       ^\n\
         \n\
         error: `instance.yaml` has 1 mistake\n",
    );
    check(
        b"- web\n",
        "error: a description must be a mapping, not a list\n \
         --> instance.yaml:1:1\n  \
         |\n\
         1 | [redacted]\n  \
         | ^^^^^^^^^^\n\
         \n\
         error: `instance.yaml` has 1 mistake\n",
    );
    check(
        b"{\"name\": \"web\",",
        "error: expected a key in double quotes, found the end of the text\n \
         --> instance.yaml:1:16\n  \
         |\n\
         1 | {\"name\": \"web\",\n  \
         |                ^\n\
         \n\
         error: `instance.yaml` has 1 mistake\n",
    );
    check(
        b"\xff\xfe",
        "error: cannot read `instance.yaml`\n  it is not UTF-8 text: byte 0 is wrong\n\
         hint: save it as UTF-8\n",
    );
}

#[test]
fn endless_input_is_cut_off() {
    let directory = with_description("name: web\n");
    put(
        &directory,
        "endless.yaml",
        "user_data: {file: /dev/zero}\nfiles: [{path: /a, source: /dev/zero}]\n\
         admin_password: {file: /dev/zero}\nssh_authorized_keys: {file: /dev/zero}\n",
    );
    let check = |arguments: &str, message: &str| {
        let arguments = format!("render --list {arguments}");
        let ended = fail_somehow(&mut christen_in(&directory, &arguments), 2);
        assert!(
            ended.stderr.contains(message),
            "{arguments}: {}",
            ended.stderr
        );
    };
    check("/dev/zero", "it has more than 16777216 bytes\n");
    check(
        "instance.yaml --settings /dev/zero",
        "it has more than 4194304 bytes\n",
    );
    check(
        "instance.yaml --nova-conf /dev/zero",
        "it has more than 4194304 bytes\n",
    );
    check(
        "instance.yaml --set api.vendordata_jsonfile_path=/dev/zero",
        "it has more than 4194304 bytes\n",
    );
    check("endless.yaml", "`endless.yaml` has 4 mistakes\n");
}

#[test]
fn a_warning_goes_to_standard_error_and_stops_nothing() {
    let directory = with_description("name: web\n");
    put(
        &directory,
        "nova.conf",
        "[DEFAULT]\nmkisofs_cmd = xorrisofs\ndebug = true\n[api]\ndhcp_domain = example.org\n",
    );
    let arguments = "render instance.yaml --nova-conf nova.conf \
                     --set guestfs.debug=true --list";
    let ended = run(&mut christen_in(&directory, arguments));
    assert_eq!(ended.status, 0);
    assert_eq!(
        ended.stderr,
        "warning: nova.conf:2: `[DEFAULT] mkisofs_cmd` has no effect: drives are written without \
         another program\n\
         warning: --set: `[guestfs] debug` has no effect: it concerns what Nova logs\n"
    );
    assert!(ended.text().contains("openstack/latest/meta_data.json\n"));
}

#[test]
fn mistakes_in_options_are_told_with_their_places() {
    let directory = with_description("name: web\n");
    put(
        &directory,
        "nova.conf",
        "[api]\nvendordata_dynamic_connect_timeout = 1\n[quota]\ninjected_files = many\n",
    );
    put(
        &directory,
        "christen.toml",
        "[api]\ndhcp_domain = 5\nfoo = 1\n[quota]\ninjected_files = \"many\"\n",
    );
    put(&directory, "broken.toml", "[api\n");
    put(&directory, "vendor.json", "{\"a\": 1,}");
    let check = |arguments: &str, status: i32, message: &str| {
        let arguments = format!("render instance.yaml {arguments}");
        fail(&mut christen_in(&directory, &arguments), status, message);
    };
    check(
        "--list --nova-conf nova.conf",
        2,
        "error: the settings cannot be used\n  \
         nova.conf:2: `[api] vendordata_dynamic_connect_timeout` must be at least 3\n  \
         nova.conf:4: `[quota] injected_files` must be an integer, not `many`\n",
    );
    check(
        "--list --settings christen.toml",
        2,
        "error: the settings cannot be used\n  \
         christen.toml:2:1: `[api] dhcp_domain` must be a string, not an integer\n  \
         christen.toml:3:1: `[api] foo` is not an option\n  \
         christen.toml:5:1: `[quota] injected_files` must be an integer, not a string\n",
    );
    check(
        "--list --settings broken.toml",
        2,
        "error: the settings cannot be used\n  \
         broken.toml:1:5: not TOML: unclosed table, expected `]`\n",
    );
    check(
        "--list --settings nowhere.toml",
        2,
        "error: cannot read `nowhere.toml`\n  \
         No such file or directory (os error 2)\n",
    );
    check(
        "--list --set api",
        2,
        "error: the settings cannot be used\n  \
         --set: is not of the form `GROUP.NAME=VALUE`\n",
    );
    check(
        "--list --set api.dhcp_domian=x",
        2,
        "error: the settings cannot be used\n  \
         --set: `[api] dhcp_domian` is not an option; `[api] dhcp_domain` is\n",
    );
    check(
        "--list --set nonesuch.option=x",
        2,
        "error: the settings cannot be used\n  \
         --set: `[nonesuch]` is not a group of options\n",
    );
    check(
        "--list --set flat_injected=perhaps",
        2,
        "error: the settings cannot be used\n  \
         --set: `[DEFAULT] flat_injected` must be one of `true`, `1`, `on`, `yes`, `false`, `0`, `off`, `no`, not `perhaps`\n",
    );
    check(
        "--list --set quota.injected_files=-2",
        2,
        "error: the settings cannot be used\n  \
         --set: `[quota] injected_files` must be at least -1\n",
    );
    check(
        "--list --set api.vendordata_jsonfile_path=nowhere.json",
        2,
        "error: the settings cannot be used\n  \
         --set: cannot read `nowhere.json`, named by `[api] vendordata_jsonfile_path`\n  \
         No such file or directory (os error 2)\n",
    );
    check(
        "--path openstack/latest/vendor_data.json --set api.vendordata_jsonfile_path=vendor.json",
        1,
        "error: cannot make the documents\n  \
         the static vendor data (`[api] vendordata_jsonfile_path`) is not valid JSON\n  \
         line 1, column 9: expected a name in double quotes\n",
    );
    check(
        "--list --limit injected_files=many",
        2,
        "error: `--limit injected_files=many` is not a limit\n\
         hint: write NAME=NUMBER, with a name of injected_files, injected_file_content_bytes, injected_file_path_length, user_data_base64_bytes, metadata_items, guest_file_bytes\n",
    );
    check(
        "--list --limit nonesuch=1",
        2,
        "error: `--limit nonesuch=1` is not a limit\n\
         hint: write NAME=NUMBER, with a name of injected_files, injected_file_content_bytes, injected_file_path_length, user_data_base64_bytes, metadata_items, guest_file_bytes\n",
    );
    check(
        "--list --time noon",
        2,
        "error: `--time noon` is not a time\n\
         hint: write it as RFC 3339 with an offset: `2026-01-15T12:00:00Z`\n",
    );
    check(
        "--list --like xen",
        2,
        "error: invalid value 'xen' for '--like <PROGRAM>'\n  \
         [possible values: nova]\n\
         \n\
         For more information, try '--help'.\n",
    );
}

#[test]
fn the_last_of_several_options_wins() {
    let directory = with_description("uuid: b65cee2f-8c69-4aeb-be2f-f79742548fc2\nname: web\n");
    for (name, domain) in [("first.conf", "first"), ("second.conf", "second")] {
        put(&directory, name, format!("[api]\ndhcp_domain = {domain}\n"));
    }
    put(
        &directory,
        "christen.toml",
        "[api]\ndhcp_domain = \"toml\"\n",
    );
    let check = |options: &str, host_name: &str| {
        let arguments =
            format!("render instance.yaml --path openstack/2012-08-10/meta_data.json {options}");
        let ended = run(&mut christen_in(&directory, &arguments));
        assert_eq!((ended.status, &*ended.stderr), (0, ""), "{options}");
        let found = ended.json();
        let found = member(&found, "hostname").as_str();
        assert_eq!(found, Some(host_name), "{options}");
    };
    check("", "web.novalocal");
    check(
        "--nova-conf first.conf --nova-conf second.conf",
        "web.second",
    );
    check(
        "--nova-conf second.conf --nova-conf first.conf",
        "web.first",
    );
    check(
        "--settings christen.toml --nova-conf first.conf",
        "web.toml",
    );
    check(
        "--set api.dhcp_domain=one --set api.dhcp_domain=two --settings christen.toml",
        "web.two",
    );
    check("--nova-conf first.conf --set api.dhcp_domain=", "web");
}

#[test]
fn limits_are_nova_s_until_they_are_raised() {
    let directory = with_description(
        "name: web\nuser_data: abc\nmetadata: {a: x, b: y}\nfiles:\n  - {path: /a, text: abc}\n  \
         - {path: /b, text: ''}\n",
    );
    put(
        &directory,
        "long.yaml",
        format!("user_data: {}\n", "x".repeat(49_153)),
    );
    let check = |arguments: &str, message: &str| {
        let arguments = format!("render --list {arguments}");
        fail(&mut christen_in(&directory, &arguments), 2, message);
    };
    check(
        "instance.yaml --limit injected_files=1",
        "error: 2 files, more than 1\n \
         --> instance.yaml:5:3 (files)\n  \
         |\n\
         5 |   - {path: /a, text: [redacted]}\n  \
         |   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^\n\
         hint: option `[quota] injected_files` of the settings raises this limit; `guest.files` has no such limit\n\
         \n\
         error: `instance.yaml` has 1 mistake\n",
    );
    check(
        "instance.yaml --limit injected_file_content_bytes=2",
        "error: 3 bytes, more than 2\n \
         --> instance.yaml:5:22 (files[0].text)\n  \
         |\n\
         5 |   - {path: /a, text: [redacted]}\n  \
         |                      ^^^^^^^^^^\n\
         hint: option `[quota] injected_file_content_bytes` of the settings raises this limit\n\
         \n\
         error: `instance.yaml` has 1 mistake\n",
    );
    check(
        "instance.yaml --set quota.injected_file_path_length=1",
        "error: a path of 2 bytes, more than 1\n \
         --> instance.yaml:5:12 (files[0].path)\n  \
         |\n\
         5 |   - {path: /a, text: [redacted]}\n  \
         |            ^^\n\
         hint: option `[quota] injected_file_path_length` of the settings raises this limit\n\
         \n\
         error: a path of 2 bytes, more than 1\n \
         --> instance.yaml:6:12 (files[1].path)\n  \
         |\n\
         6 |   - {path: /b, text: [redacted]}\n  \
         |            ^^\n\
         hint: option `[quota] injected_file_path_length` of the settings raises this limit\n\
         \n\
         error: `instance.yaml` has 2 mistakes\n",
    );
    check(
        "instance.yaml --limit metadata_items=1",
        "error: 2 items, more than 1\n \
         --> instance.yaml:3:11 (metadata)\n  \
         |\n\
         3 | metadata: {a: x, b: y}\n  \
         |           ^^^^^^^^^^^^\n\
         hint: `--limit metadata_items=NUMBER` raises this limit\n\
         \n\
         error: `instance.yaml` has 1 mistake\n",
    );
    check(
        "instance.yaml --limit user_data_base64_bytes=3",
        "error: 3 bytes, more than 0\n \
         --> instance.yaml:2:12 (user_data)\n  \
         |\n\
         2 | user_data: [redacted]\n  \
         |            ^^^^^^^^^^\n\
         hint: `--limit user_data_base64_bytes=NUMBER` raises this limit\n\
         \n\
         error: `instance.yaml` has 1 mistake\n",
    );
    check(
        "long.yaml",
        "error: 49153 bytes, more than 49149\n \
         --> long.yaml:1:12 (user_data)\n  \
         |\n\
         1 | user_data: [redacted]\n  \
         |            ^^^^^^^^^^\n\
         hint: `--limit user_data_base64_bytes=NUMBER` raises this limit\n\
         \n\
         error: `long.yaml` has 1 mistake\n",
    );
    for arguments in [
        "long.yaml --limit user_data_base64_bytes=65540",
        "instance.yaml --limit injected_files=2 --set quota.injected_files=1",
    ] {
        let ended = run(&mut christen_in(
            &directory,
            &format!("render --list {arguments}"),
        ));
        assert_eq!((ended.status, &*ended.stderr), (0, ""), "{arguments}");
    }
}
