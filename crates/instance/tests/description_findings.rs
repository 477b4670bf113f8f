//! What is said of descriptions that are wrong, and where.

use std::io;

use christen_instance::description::{self, Finding, Findings, Limits, Parsed, Severity};
use christen_instance::inputs::FileSource;

/// Files by name.
struct Files(&'static [(&'static str, &'static [u8])]);

impl FileSource for Files {
    fn read(&self, path: &str, limit_bytes: u64) -> io::Result<Vec<u8>> {
        let known = self.0.iter().find(|(name, _)| *name == path);
        let (_, bytes) = known.ok_or(io::ErrorKind::NotFound)?;
        if bytes.len() as u64 > limit_bytes {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(bytes.to_vec())
    }
}

const FILES: Files = Files(&[
    ("password", b"s3cret\n"),
    ("big", &[b'x'; 200_000]),
    ("binary", b"\xff\xfe"),
    (
        "id",
        b"-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk=\n-----END OPENSSH PRIVATE KEY-----\n",
    ),
]);

fn parse(text: &str) -> Result<Parsed, Findings> {
    description::parse(text, "test.yaml", &FILES, &Limits::default())
}

fn outline(finding: &Finding) -> String {
    format!(
        "{}:{}+{} {}: {}",
        finding.line, finding.column, finding.length, finding.path, finding.message
    )
}

/// Place, field and message of each mistake in `twelve.yaml`.
const TWELVE_YAML: [&str; 12] = [
    "2:11+1 christen: version 2 of the format is not known here",
    "3:7+23 uuid: `b65cee2f-8c69-4aeb-be2f` is not a UUID",
    "4:11+14 hostname: `web_server one` is not a host name: ` ` is not allowed",
    "7:10+1 metadata.count: `count` must be text, not a number",
    "8:1+13 admin_pasword: unknown key `admin_pasword`",
    "10:10+14 network[0].mac: `52:54:00:12:34` is not a MAC address",
    "11:14+10 network[0].address: `192.0.2.17` is not an address with a prefix length",
    "14:14+11 network[1].gateway: no address of the family of the gateway `2001:db8::1` is given",
    "16:31+6 files[0]: only one of `text`, `base64` and `source` may be given",
    "20:13+5 guest.users[0].sudo: `sudo` must be text, not a list",
    "24:13+4 guest.files[0].mode: `mode` must be text, not a number",
    "25:1+8 metadata: the key `metadata` is here a second time",
];

/// The same mistakes in `twelve.json`.
const TWELVE_JSON: [&str; 12] = [
    "2:15+1", "3:11+25", "4:15+16", "5:40+1", "6:3+15", "8:13+16", "8:42+12", "9:75+13", "11:50+8",
    "13:44+7", "14:62+3", "16:3+10",
];

#[test]
fn twelve_mistakes_are_twelve_findings() {
    let yaml = include_str!("data/description/twelve.yaml");
    let findings = description::parse(yaml, "twelve.yaml", &FILES, &Limits::default()).unwrap_err();
    let outlines: Vec<_> = findings.list.iter().map(outline).collect();
    assert_eq!(outlines, TWELVE_YAML);
    assert_eq!(findings.to_string(), "`twelve.yaml` has 12 mistakes");

    let json = include_str!("data/description/twelve.json");
    let findings = description::parse(json, "twelve.json", &FILES, &Limits::default()).unwrap_err();
    let expected: Vec<_> = TWELVE_JSON
        .iter()
        .zip(TWELVE_YAML)
        .map(|(place, yaml)| format!("{place} {}", yaml.split_once(' ').unwrap().1))
        .collect();
    let outlines: Vec<_> = findings.list.iter().map(outline).collect();
    assert_eq!(outlines, expected);
}

#[test]
fn findings_are_rendered_with_their_line() {
    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(parse(text).unwrap_err().render(), expected);
    }
    check(
        "name: web\nhostnmae: web\n",
        "error: unknown key `hostnmae`\n \
         --> test.yaml:2:1 (hostnmae)\n  \
           |\n\
         2 | hostnmae: [redacted]\n  \
           | ^^^^^^^^\n\
         hint: did you mean `hostname`?\n",
    );
    check(
        "metadata: {é: 1}\n",
        "error: `é` must be text, not a number\n \
         --> test.yaml:1:15 (metadata.é)\n  \
           |\n\
         1 | metadata: {é: 1}\n  \
           |               ^\n\
         hint: put it in quotes: `\"1\"`\n",
    );
}

/// The first finding of each text: where, what, and the hint.
#[test]
fn mistakes_are_named() {
    #[track_caller]
    fn check(text: &str, place: &str, message: &str, hint: &str) {
        let findings = match parse(text) {
            Ok(parsed) => parsed.warnings,
            Err(findings) => findings.list,
        };
        let first = findings.first().expect("a finding");
        let found = format!("{}:{} {}", first.line, first.column, first.path);
        assert_eq!(found.trim_end(), place, "{first:?}");
        assert!(first.message.contains(message), "{first:?}");
        let known = first.hint.as_deref().unwrap_or_default();
        assert!(known.contains(hint), "{first:?}");
        assert!(!hint.is_empty() || known.is_empty(), "{first:?}");
    }
    // The text itself.
    check("", "1:1", "empty", "name: web-01");
    check("- a\n", "1:1", "must be a mapping, not a list", "");
    check("a: b: c\n", "1:5", "not YAML", "needs quotes");
    check("name: x\n\tuuid: y\n", "1:7", "not YAML", "spaces");
    check(
        "name: x\n---\nname: y\n",
        "2:1",
        "second document",
        "one document",
    );
    check(
        "name: &x a\n<<: {}\n",
        "2:1 <<",
        "unknown key `<<`",
        "merge keys",
    );
    check(
        "{\"name\": \"x\" \"uuid\": 1}",
        "1:14",
        "expected `,` or `}`, found `\"`",
        "",
    );
    // Kinds.
    check(
        "name: 2024\n",
        "1:7 name",
        "must be text, not a number",
        "`\"2024\"`",
    );
    check(
        "launched: yes\n",
        "1:11 launched",
        "`true` or `false`",
        "write `true`",
    );
    check(
        "launch_index: '3'\n",
        "1:15 launch_index",
        "whole number",
        "without quotes: `3`",
    );
    check(
        "launch_index: 1.5\n",
        "1:15 launch_index",
        "not a whole number",
        "",
    );
    check(
        "launch_index: -1\n",
        "1:15 launch_index",
        "not 0 or more",
        "",
    );
    check(
        "numa: [{shared: [99999999999999999999]}]\n",
        "1:18 numa[0].shared[0]",
        "between",
        "",
    );
    check(
        "security_groups: web\n",
        "1:18 security_groups",
        "a list, not text",
        "[web]",
    );
    check(
        "guest: {users: {name: a}}\n",
        "1:16 guest.users",
        "a list",
        "`- `",
    );
    check(
        "guest: {files: [{path: /a, text: a, mode: 644}]}\n",
        "1:43 guest.files[0].mode",
        "text",
        "`\"0644\"`",
    );
    check(
        "guest: {files: [{path: /a, text: a, mode: 0755}]}\n",
        "1:43 guest.files[0].mode",
        "text",
        "write `\"0755\"`",
    );
    // Keys.
    check(
        "user-data: x\n",
        "1:1 user-data",
        "unknown key",
        "`user_data`",
    );
    check(
        "runcmd: []\n",
        "1:1 runcmd",
        "unknown key",
        "first_boot_commands",
    );
    check(
        "flavor: {size: x}\n",
        "1:10 flavor.size",
        "unknown key",
        "known here: `name`",
    );
    check("network: [{}]\n", "1:11 network[0]", "`mac` is missing", "");
    check(
        "key: {name: x, public_key: }\n",
        "1:26 key.public_key",
        "has no value",
        "",
    );
    check(
        "user_data: {}\n",
        "1:12 user_data",
        "one of `text`, `base64`, `file` and `cloud_config` is missing",
        "",
    );
    check(
        "cloud_config: {a: 1, a: 2}\n",
        "1:22 cloud_config.a",
        "second time",
        "",
    );
    // Text.
    check("uuid: x\n", "1:7 uuid", "not a UUID", "12 hexadecimal");
    check("hostname: a..b\n", "1:11 hostname", "a label is empty", "");
    check(
        "hostname: -a\n",
        "1:11 hostname",
        "begins or ends with `-`",
        "",
    );
    check("hostname: web_1\n", "1:11 hostname", "unusual", "letters");
    check(
        "key: {name: a/b, public_key: x}\n",
        "1:13 key.name",
        "contains `/`",
        "",
    );
    check(
        "key: {name: \"a\\nb\", public_key: x}\n",
        "1:13 key.name",
        "one line",
        "",
    );
    check(
        "image: {properties: {img_config_drive: mandatry}}\n",
        "1:40 image.properties.img_config_drive",
        "not known",
        "`mandatory`",
    );
    check(
        "files: [{path: '', text: a}]\n",
        "1:16 files[0].path",
        "must not be empty",
        "",
    );
    check(
        "files: [{path: \"/a\\0\", text: a}]\n",
        "1:16 files[0].path",
        "NUL",
        "",
    );
    check(
        "guest: {files: [{path: /a/../b, text: a}]}\n",
        "1:24 guest.files[0].path",
        "`..`",
        "",
    );
    check(
        "guest: {files: [{path: a, text: a}]}\n",
        "1:24 guest.files[0].path",
        "absolute",
        "begin with `/`",
    );
    check(
        "guest: {users: [{name: 'a b'}]}\n",
        "1:24 guest.users[0].name",
        "account name",
        "letter",
    );
    check(
        "user_data: {base64: '*'}\n",
        "1:21 user_data.base64",
        "not base64",
        "multiple of four",
    );
    // Network.
    check("network: dhpc\n", "1:10 network", "not known", "`dhcp`");
    check(
        "network: [{mac: '52:54:00:00:00:01', address: 192.0.2.300/24}]\n",
        "1:47 network[0].address",
        "not an address",
        "192.0.2.17/24",
    );
    check(
        "network: [{mac: '52:54:00:00:00:01', address: 192.0.2.3/24, subnets: []}]\n",
        "1:47 network[0].address",
        "short form",
        "one of the two",
    );
    check(
        "network: [{mac: '52:54:00:00:00:01', address: 192.0.2.3/24, dhcp: true}]\n",
        "1:67 network[0].dhcp",
        "an IPv4 address is given too",
        "",
    );
    check(
        "network: [{mac: '52:54:00:00:00:01', dns: 192.0.2.1}]\n",
        "1:43 network[0].dns",
        "has no `address`",
        "",
    );
    check(
        "network: [{mac: '52:54:00:00:00:01', address: 192.0.2.3/24, gateway: 198.51.100.1}]\n",
        "1:70 network[0].gateway",
        "outside the subnet",
        "",
    );
    check(
        "network: [{mac: '52:54:00:00:00:01'}, {mac: '52:54:00:00:00:01'}]\n",
        "1:45 network[1].mac",
        "NIC 0 has the same",
        "find",
    );
    check(
        "network: [{mac: '52:54:00:00:00:01', subnets: [{cidr: 192.0.2.0/24, ips: [{address: 192.0.3.1}]}]}]\n",
        "1:85 network[0].subnets[0].ips[0].address",
        "not in the subnet",
        "",
    );
    check(
        "network: [{mac: '52:54:00:00:00:01', subnets: [{cidr: 192.0.2.0/24, gateway: '::1'}]}]\n",
        "1:78 network[0].subnets[0].gateway",
        "same family",
        "",
    );
    check(
        "network: [{mac: '52:54:00:00:00:01', mtu: 1, network: {mtu: 2}}]\n",
        "1:43 network[0].mtu",
        "an MTU of 2",
        "",
    );
    // Keys and passwords.
    check(
        "ssh_authorized_keys: [{file: id}]\n",
        "1:23 ssh_authorized_keys[0]",
        "private key",
        ".pub",
    );
    check(
        "ssh_authorized_keys: nonsense\n",
        "1:22 ssh_authorized_keys",
        "does not look like",
        "ssh-ed25519",
    );
    check(
        "guest: {users: [{name: a, password: $6$abc}]}\n",
        "1:37 guest.users[0].password",
        "looks like a crypt(5) hash",
        "{hash: ...}",
    );
    check(
        "guest: {root_password: {locked: false}}\n",
        "1:33 guest.root_password",
        "gives no password",
        "leave",
    );
    check(
        "guest: {ca_certificates: [x]}\n",
        "1:27 guest.ca_certificates[0]",
        "not a certificate",
        "BEGIN",
    );
    // Files and sizes.
    check(
        "user_data: {file: none}\n",
        "1:19 user_data.file",
        "cannot read `none`",
        "relative",
    );
    check(
        "user_data: {file: big}\n",
        "1:19 user_data.file",
        "more than 49149 bytes",
        "--limit user_data_base64_bytes",
    );
    check(
        "admin_password: {file: binary}\n",
        "1:24 admin_password.file",
        "not UTF-8",
        "",
    );
    check(
        "files: [{path: /a, source: big}]\n",
        "1:28 files[0].source",
        "more than 10240 bytes",
        "injected_file_content_bytes",
    );
    check(
        &format!("files: [{}]\n", "{path: /a, text: a}, ".repeat(6)),
        "1:8 files",
        "6 files, more than 5",
        "injected_files",
    );
    check(
        &format!("files: [{{path: /{}, text: a}}]\n", "a".repeat(255)),
        "1:16 files[0].path",
        "256 bytes",
        "injected_file_path_length",
    );
    check(
        &format!("metadata: {{a: {}}}\n", "a".repeat(256)),
        "1:15 metadata.a",
        "at most 255",
        "user_data",
    );
    check(
        &format!("user_data: {}\n", "a".repeat(49_150)),
        "1:12 user_data",
        "49150 bytes, more than 49149",
        "--limit user_data_base64_bytes",
    );
    check(
        "user_data: a\ncloud_config: {a: b}\n",
        "2:15 cloud_config",
        "only one of",
        "multi-part",
    );
}

#[test]
fn limits_can_be_raised() {
    let text = format!("files: [{}]\n", "{path: /a, text: aaaa}, ".repeat(6));
    let limits = Limits {
        injected_files: 6,
        ..Limits::default()
    };
    let parsed = description::parse(&text, "a.yaml", &FILES, &limits).unwrap();
    assert_eq!(parsed.instance.files.len(), 6);
    let limits = Limits {
        injected_file_content_bytes: 3,
        ..limits
    };
    let findings = description::parse(&text, "a.yaml", &FILES, &limits).unwrap_err();
    assert_eq!(findings.list.len(), 6);
    assert!(findings.list[0].message.contains("4 bytes, more than 3"));
}

/// Wherever `hunter2` stands, nothing that is said of the text repeats it.
#[test]
fn secrets_are_not_shown() {
    #[track_caller]
    fn check(text: &str) {
        let text = text.replace("SECRET", "hunter2");
        let findings = match parse(&text) {
            Ok(parsed) => parsed.warnings,
            Err(findings) => findings.list,
        };
        assert!(!findings.is_empty(), "{text}");
        for finding in &findings {
            assert!(!finding.render("x").contains("hunter2"), "{finding:?}");
            assert!(!format!("{finding:?}").contains("hunter2"), "{finding:?}");
        }
    }
    check("{admin_password: SECRET, uuid: x}");
    check("{\"admin_password\": \"SECRET\", \"uuid\": 1}");
    check("{admin_pasword: SECRET}");
    check("{admin_password: [SECRET]}");
    check("{admin_password: {txt: SECRET}}");
    check("{admin_password: {text: [SECRET]}}");
    check("{user_data: {base64: 'SECRET*'}}");
    check("{user_data: SECRET, uuid: x}");
    check("{user_data: {text: SECRET, file: none}}");
    check("{cloud_config: {a: SECRET, a: x}}");
    check("{files: [{text: SECRET}]}");
    check("{guest: {root_password: $6$SECRET}}");
    check("{guest: {users: [{name: a, password: {hash: SECRET, text: x}}]}}");
    check("{guest: {first_boot_commands: [SECRET, 1]}}");
    check("{guest: {ssh_host_keys: [{algorithm: rsa, private: SECRET}]}}");
    check("{ssh_authorized_keys: ['-----BEGIN PRIVATE KEY-----SECRET']}");
    check("{key: {name: '-----BEGIN PRIVATE KEY-----SECRET/'}}");
    check("a: &a SECRET\nadmin_password: *a\nuuid: x\n");
    check("{metadata: {a: 'BEGIN PRIVATE KEY SECRET'}, uuid: x}");
    check("SECRET");
    check("- SECRET");
    // Where there is no structure, nothing is known to be harmless.
    check("admin_password: \"SECRET\nname: x: y\n");
    check("name: x\nadmin_password: SECRET: x\n");
    check("{\"name\": \"x\", \"admin_password\": \"SECRET\" 1}");
    check("user_data: |\n  a\n SECRET: x\n");
    check("guest: {ssh_host_keys: [{private: |\nSECRET: a: b\n");
    check("name: a\nSECRET: b: c\n");
}

#[test]
fn hostile_texts_take_bounded_time() {
    let mut texts = vec![
        "[".repeat(1 << 20),
        "{\"a\":".repeat(1 << 18),
        "- ".repeat(1 << 19),
        "? ".repeat(1 << 19),
        "a: &a [*a]\n".to_owned(),
        "\u{feff}".to_owned(),
        "\0".to_owned(),
        "%YAML 1.1\n---\na".to_owned(),
        "x".repeat(christen_instance::tree::MAX_TEXT_BYTES + 1),
        format!("metadata: {{{}}}", "a: 1, ".repeat(50_000)),
        format!("{{{}}}", "\"uuid\": \"é\", ".repeat(50_000)),
        format!("network: [{}]", "{mac: a}, ".repeat(20_000)),
    ];
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..10 {
        let items = vec![format!("*a{}", level - 1); 9].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{items}]\n"));
    }
    texts.push(bomb);
    for text in texts {
        let start = std::time::Instant::now();
        let findings = parse(&text).unwrap_err();
        assert!(findings.list.len() <= 100);
        let errors = |finding: &Finding| finding.severity == Severity::Error;
        assert!(findings.list.iter().any(errors));
        let shown: String = text.chars().take(20).collect();
        // A hundredfold of what it takes, so that a slow machine is no failure.
        assert!(
            start.elapsed().as_secs() < 20,
            "{shown}: {:?}",
            start.elapsed()
        );
    }
}

/// Texts one or a few bytes away from valid ones: a result, never a panic, and findings whose
/// places lie in the text.
#[test]
fn mutated_texts_do_no_harm() {
    let seeds = [
        include_str!("../../../examples/everything.yaml"),
        include_str!("../../../examples/static-network.yaml"),
        include_str!("data/description/twelve.yaml"),
        include_str!("data/description/twelve.json"),
    ];
    const PIECES: [&str; 24] = [
        "\"", "'", ":", "- ", "{", "}", "[", "]", ",", "\n", "\t", " ", "&a ", "*a", "!x ", "|\n",
        "é", "\u{feff}", "\r\n", "#", "?", "\\", "\0", "%",
    ];
    let mut state = 1_u64;
    let mut random = |below: usize| {
        // Knuth's MMIX generator; the upper bits are good enough here.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let rounds = std::env::var("CHRISTEN_ROUNDS")
        .ok()
        .and_then(|rounds| rounds.parse().ok())
        .unwrap_or(400);
    for round in 0..rounds {
        let mut text = seeds[round % seeds.len()].to_owned();
        for _ in 0..=random(3) {
            let at = text.floor_char_boundary(random(text.len()));
            let end = text.ceil_char_boundary((at + random(4)).min(text.len()));
            text.replace_range(at..end, PIECES[random(PIECES.len())]);
        }
        for origin in ["a.yaml", "a.json"] {
            let Err(findings) = description::parse(&text, origin, &FILES, &Limits::default())
            else {
                continue;
            };
            assert!(!findings.list.is_empty());
            assert!(!findings.render().is_empty());
            for finding in &findings.list {
                let line = text.split('\n').nth(finding.line - 1).expect("the line");
                let count = line.chars().count();
                assert!(finding.column + finding.length <= count + 1, "{finding:?}");
            }
        }
    }
}
