//! Settings from all their sources together.

use std::collections::BTreeMap;
use std::io;
use std::num::NonZeroU32;

use christen_instance::inputs::FileSource;
use christen_instance::settings::{
    DriveFormat, Error, InjectPartition, Loaded, Loader, NetworkTemplate, OptionValue, Settings,
};

/// Files by path.
#[derive(Default)]
struct Files(BTreeMap<&'static str, &'static [u8]>);

impl FileSource for Files {
    fn read(&self, path: &str, limit_bytes: u64) -> io::Result<Vec<u8>> {
        let bytes = self
            .0
            .get(path)
            .ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        if bytes.len() as u64 > limit_bytes {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(bytes.to_vec())
    }
}

fn no_files() -> Files {
    Files::default()
}

fn nova_conf(text: &str) -> Result<Loaded, Error> {
    Loader::new()
        .nova_conf(text, "nova.conf")?
        .finish(&no_files())
}

#[test]
fn nothing_given_is_novas_defaults() {
    let loaded = Loader::new()
        .finish(&no_files())
        .expect("defaults are good");
    assert!(loaded.settings == Settings::default());
    assert!(loaded.warnings.is_empty());
    assert!(
        loaded
            .effective
            .iter()
            .all(|effective| effective.place.origin == "default")
    );
}

#[test]
fn the_stronger_source_wins_whatever_the_order_of_calls() {
    let domain = |loader: Loader| {
        let loaded = loader.finish(&no_files()).expect("good settings");
        loaded.settings.dhcp_domain
    };
    let toml = |loader: Loader| {
        loader
            .toml("[api]\ndhcp_domain = 'toml'", "christen.toml")
            .expect("good TOML")
    };
    let conf =
        |loader: Loader, text: &str| loader.nova_conf(text, "nova.conf").expect("a good file");
    let one = "[api]\ndhcp_domain = one";
    let two = "[api]\ndhcp_domain = two";
    assert_eq!(domain(conf(Loader::new(), one)), "one");
    assert_eq!(domain(conf(conf(Loader::new(), one), two)), "two");
    assert_eq!(domain(conf(toml(Loader::new()), one)), "toml");
    assert_eq!(domain(toml(conf(Loader::new(), one))), "toml");
    let set = Loader::new()
        .set("api.dhcp_domain=set")
        .expect("a good --set");
    assert_eq!(domain(toml(conf(set, one))), "set");
    let set = Loader::new()
        .set("api.dhcp_domain=a")
        .expect("a good --set");
    assert_eq!(
        domain(set.set("api.dhcp_domain=b").expect("a good --set")),
        "b"
    );
}

#[test]
fn the_partition_of_injection_is_what_nova_takes_it_for() {
    let check = |value: &str, expected| {
        let loaded = nova_conf(&format!("[libvirt]\ninject_partition={value}\n"));
        let settings = loaded.expect("good settings").settings;
        assert_eq!(settings.inject_partition, expected, "{value:?}");
    };
    check("-2", InjectPartition::Off);
    check("-1", InjectPartition::Inspect);
    check("0", InjectPartition::Whole);
    check("", InjectPartition::Whole);
    check("1", InjectPartition::Number(NonZeroU32::MIN));
    check("4294967295", InjectPartition::Number(NonZeroU32::MAX));
    assert!(nova_conf("[libvirt]\ninject_partition=-3\n").is_err());
}

#[test]
fn every_option_reaches_its_field() {
    let files = Files(BTreeMap::from([
        ("/t.j2", &b"template"[..]),
        ("/v.json", &b"{\"a\": 1}"[..]),
    ]));
    let loaded = Loader::new()
        .nova_conf(
            "[DEFAULT]\nconfig_drive_format=vfat\nforce_config_drive=on\nflat_injected=1\n\
             injected_network_template=/t.j2\n\
             [api]\nconfig_drive_skip_versions=1.0\nvendordata_providers=DynamicJSON\n\
             vendordata_jsonfile_path=/v.json\nvendordata_dynamic_targets=a@http://x/,b@y\n\
             vendordata_dynamic_ssl_certfile=/ca\nvendordata_dynamic_connect_timeout=7\n\
             vendordata_dynamic_read_timeout=\nvendordata_dynamic_failure_fatal=yes\n\
             dhcp_domain=d\n[libvirt]\ninject_key=true\ninject_partition=3\n\
             inject_password=1\nvirt_type=lxc\n\
             [quota]\ninjected_files=-1\ninjected_file_content_bytes=1\n\
             injected_file_path_length=2\n",
            "nova.conf",
        )
        .and_then(|loader| loader.finish(&files))
        .expect("good settings");
    let expected = Settings {
        config_drive_format: DriveFormat::Vfat,
        force_config_drive: true,
        flat_injected: true,
        injected_network_template: NetworkTemplate::Text("template".to_owned()),
        config_drive_skip_versions: "1.0".to_owned(),
        vendordata_providers: vec!["DynamicJSON".to_owned()],
        vendordata_json: Some("{\"a\": 1}".to_owned()),
        vendordata_dynamic_targets: vec!["a@http://x/".to_owned(), "b@y".to_owned()],
        vendordata_dynamic_ssl_certfile: "/ca".to_owned(),
        vendordata_dynamic_connect_timeout_seconds: Some(7),
        vendordata_dynamic_read_timeout_seconds: None,
        vendordata_dynamic_failure_fatal: true,
        dhcp_domain: "d".to_owned(),
        inject_key: true,
        inject_partition: InjectPartition::Number(NonZeroU32::new(3).expect("it is not 0")),
        inject_password: true,
        virt_type: "lxc".to_owned(),
        quota_injected_files: None,
        quota_injected_file_content_bytes: Some(1),
        quota_injected_file_path_length: Some(2),
    };
    assert!(loaded.settings == expected);
    assert!(loaded.warnings.is_empty());
    assert!(!format!("{loaded:?}").contains("http://x/"));
}

#[test]
fn files_of_a_christen_toml_are_beside_it() {
    let files = Files(BTreeMap::from([
        ("etc/v.json", &b"{}"[..]),
        ("/t.j2", &b"t"[..]),
    ]));
    let loaded = Loader::new()
        .toml(
            "injected_network_template = '/t.j2'\n[api]\nvendordata_jsonfile_path = 'v.json'\n\
             vendordata_dynamic_ssl_certfile = 'ca.pem'",
            "etc/christen.toml",
        )
        .and_then(|loader| loader.finish(&files))
        .expect("good settings");
    assert_eq!(loaded.settings.vendordata_json.as_deref(), Some("{}"));
    assert_eq!(
        loaded.settings.vendordata_dynamic_ssl_certfile,
        "etc/ca.pem"
    );
}

#[test]
fn the_network_template() {
    let template =
        |text: &str| nova_conf(text).map(|loaded| loaded.settings.injected_network_template);
    let shipped = "[DEFAULT]\ninjected_network_template=$pybasedir/nova/virt/interfaces.template";
    assert!(matches!(template(shipped), Ok(NetworkTemplate::Shipped)));
    let none = "[DEFAULT]\ninjected_network_template=";
    assert!(matches!(template(none), Ok(NetworkTemplate::None)));
    let missing = template("[DEFAULT]\ninjected_network_template=/t").expect_err("no such file");
    assert_eq!(
        missing.to_string(),
        "nova.conf:2: cannot read `/t`, named by `[DEFAULT] injected_network_template`"
    );
    let files = Files(BTreeMap::from([("/t", &b"\xff"[..])]));
    let error = Loader::new()
        .set("injected_network_template=/t")
        .and_then(|loader| loader.finish(&files))
        .expect_err("not UTF-8");
    assert_eq!(
        error.to_string(),
        "--set: `/t`, named by `[DEFAULT] injected_network_template`, is not UTF-8 text"
    );
}

/// Compares the value that `dhcp_domain` gets from a nova.conf, or the error.
#[track_caller]
#[test]
fn the_shipped_template_is_a_value_of_its_own_option_only() {
    for name in ["force_config_drive", "config_drive_format"] {
        let text = format!("[DEFAULT]\n{name} = $pybasedir/nova/virt/interfaces.template\n");
        let error = nova_conf(&text).expect_err("no such value");
        assert!(error.to_string().contains("pybasedir"), "{error}");
    }
}

fn check_reference(text: &str, expected: &str) {
    let found = match nova_conf(text) {
        Ok(loaded) => loaded.settings.dhcp_domain,
        Err(error) => error.to_string(),
    };
    assert_eq!(found, expected, "{text}");
}

#[test]
fn references() {
    check_reference("[api]\ndhcp_domain=$host\n[DEFAULT]\nhost=h", "h");
    check_reference("[api]\ndhcp_domain=${host}x\n[DEFAULT]\nhost=h", "hx");
    check_reference("[api]\ndhcp_domain=a$$b\\$c$", "a$b$c$");
    check_reference("[api]\ndhcp_domain=$1 ${ $-", "$1 ${ $-");
    check_reference("[api]\ndhcp_domain=$x\nx=1\n[DEFAULT]\nx=2", "1");
    check_reference("[api]\ndhcp_domain=$libvirt.virt_type", "kvm");
    check_reference("[api]\ndhcp_domain=$force_config_drive", "False");
    check_reference(
        "[api]\ndhcp_domain=${api.vendordata_dynamic_read_timeout}",
        "5",
    );
    check_reference("[api]\ndhcp_domain=<$tempdir>", "<>");
    check_reference("[api]\ndhcp_domain=$quota_injected_files", "5");
    check_reference("[api]\ndhcp_domain=$a\n[DEFAULT]\na=$$b\nb=1", "$b");
    check_reference(
        "[api]\ndhcp_domain=$nothing",
        "nova.conf:2: `[api] dhcp_domain` refers to `$nothing`, which is set nowhere and has no \
         default here",
    );
    check_reference(
        "[api]\ndhcp_domain=$state_path",
        "nova.conf:2: `[api] dhcp_domain` refers to `$pybasedir`, which is set nowhere and has \
         no default here",
    );
    check_reference(
        "[api]\ndhcp_domain=$host.example\n[DEFAULT]\nhost=h",
        "nova.conf:2: `[api] dhcp_domain` refers to `$host.example`, which is set nowhere and \
         has no default here",
    );
    check_reference(
        "[api]\ndhcp_domain=$dhcp_domain",
        "nova.conf:2: `[api] dhcp_domain` refers to itself through `$dhcp_domain`",
    );
    check_reference(
        "[api]\ndhcp_domain=$libvirt",
        "nova.conf:2: `[api] dhcp_domain` refers to `$libvirt`, which is a group of options",
    );
    check_reference(
        "[api]\ndhcp_domain=$vendordata_providers",
        "nova.conf:2: `[api] dhcp_domain` refers to `$vendordata_providers`, which is a list and \
         cannot be part of a text",
    );
    check_reference(
        "[api]\ndhcp_domain=$flat_injected\n[DEFAULT]\nflat_injected=maybe",
        "nova.conf:4: `[DEFAULT] flat_injected` must be one of `true`, `1`, `on`, `yes`, \
         `false`, `0`, `off`, `no`, not `maybe`\n\
         nova.conf:2: `[api] dhcp_domain` refers to `$flat_injected`, which must be one of \
         `true`, `1`, `on`, `yes`, `false`, `0`, `off`, `no`, not `maybe`",
    );
}

#[test]
fn set_feeds_references() {
    let loaded = Loader::new()
        .nova_conf("[api]\ndhcp_domain=$my_block_storage_ip", "nova.conf")
        .and_then(|loader| loader.set("DEFAULT.my_ip=192.0.2.7"))
        .and_then(|loader| loader.finish(&no_files()))
        .expect("good settings");
    assert_eq!(loaded.settings.dhcp_domain, "192.0.2.7");
}

#[test]
fn a_secret_drawn_in_by_a_reference_is_not_shown() {
    let error = nova_conf("[libvirt]\nvirt_type=$p\np=s3cret").expect_err("not a choice");
    assert!(!error.to_string().contains("s3cret"), "{error}");
    assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
}

#[test]
fn references_that_multiply_are_stopped() {
    let mut text = String::from("[api]\ndhcp_domain=$a0\n[DEFAULT]\n");
    for level in 0..40 {
        text.push_str(&format!("a{level}=$a{0}$a{0}\n", level + 1));
    }
    check_reference(
        &format!("{text}a40=x\n"),
        "nova.conf:2: `[api] dhcp_domain` makes more than 1048576 bytes when its references are \
         replaced",
    );
    // Nothing grows here, but there are 2 to the 40th ways down.
    check_reference(&format!("{text}a40=\n"), "");
    let mut text = String::from("[api]\ndhcp_domain=$a0\n[DEFAULT]\n");
    for level in 0..100_000 {
        text.push_str(&format!("a{level}=$a{}\n", level + 1));
    }
    check_reference(
        &text,
        "nova.conf:2: `[api] dhcp_domain` refers to other options over more than 64 steps",
    );
}

#[test]
fn options_without_effect_are_reported_once() {
    let loaded = Loader::new()
        .nova_conf(
            "[DEFAULT]\nmkisofs_cmd=a\nmkisofs_cmd=b\nquota_injected_files=3\n\
             [neutron]\nmetadata_proxy_shared_secret=s3cret\n\
             [vendordata_dynamic_auth]\nauth_type=password\nusername=u\n[glance]\nx=y\n",
            "one.conf",
        )
        .and_then(|loader| loader.nova_conf("[DEFAULT]\nmkisofs_cmd=c", "two.conf"))
        .and_then(|loader| loader.toml("[guestfs]\ndebug = true", "christen.toml"))
        .and_then(|loader| loader.finish(&no_files()))
        .expect("good settings");
    let warnings: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "two.conf:2: `[DEFAULT] mkisofs_cmd` has no effect: drives are written without \
             another program",
            "christen.toml:2:1: `[guestfs] debug` has no effect: it concerns what Nova logs",
            "one.conf:6: `[neutron] metadata_proxy_shared_secret` has no effect: it concerns \
             Nova's metadata service",
            "one.conf:4: `[DEFAULT] quota_injected_files` is now `[quota] injected_files`",
            "one.conf:8: `[vendordata_dynamic_auth]` has no effect: requests for dynamic vendor \
             data carry no Keystone token",
        ]
    );
    assert_eq!(loaded.settings.quota_injected_files, Some(3));
}

#[test]
fn a_later_file_wins_even_by_a_deprecated_name() {
    let loaded = Loader::new()
        .nova_conf("[quota]\ninjected_files=1", "one.conf")
        .and_then(|loader| loader.nova_conf("[DEFAULT]\nquota_injected_files=2", "two.conf"))
        .and_then(|loader| loader.finish(&no_files()))
        .expect("good settings");
    assert_eq!(loaded.settings.quota_injected_files, Some(2));
    let both = nova_conf("[DEFAULT]\nquota_injected_files=2\n[quota]\ninjected_files=1")
        .expect("good settings");
    assert_eq!(both.settings.quota_injected_files, Some(1));
}

/// Compares all that is wrong with a `christen.toml`, a line for each finding.
#[track_caller]
fn check_toml(text: &str, expected: &[&str]) {
    let error = Loader::new()
        .toml(text, "christen.toml")
        .expect_err("something is wrong");
    let found = error.to_string();
    assert_eq!(found.lines().collect::<Vec<_>>(), expected, "{text}");
}

#[test]
fn all_that_is_wrong_with_a_christen_toml_is_named_with_its_place() {
    check_toml(
        "flat_injected = 'yes'\n  forced_config_drive = true\n[api]\ndhcp_domian = ''\n\
         vendordata_providers = ['StaticJSON', 'Other']\nvendordata_dynamic_targets = 'a@b'\n\
         vendordata_dynamic_connect_timeout = 2\nvendordata_dynamic_read_timeout = 0x1_0000_0000\n\
         injected_files = 2\nvirt_type = 1\n[DEFAULT]\nflat_injected = true\nquota_injected_files = 1\n\
         [ap1]\nx = 1\n[libvirt]\nvirt_type = 1.5\n[glance]\n",
        &[
            "christen.toml:1:1: `[DEFAULT] flat_injected` must be `true` or `false`, not a string",
            "christen.toml:2:3: `[DEFAULT] forced_config_drive` is not an option; `[DEFAULT] \
             force_config_drive` is",
            "christen.toml:4:1: `[api] dhcp_domian` is not an option; `[api] dhcp_domain` is",
            "christen.toml:5:1: `[api] vendordata_providers` must be one of `StaticJSON`, \
             `DynamicJSON`, not `Other`",
            "christen.toml:6:1: `[api] vendordata_dynamic_targets` must be an array of strings, \
             not a string",
            "christen.toml:7:1: `[api] vendordata_dynamic_connect_timeout` must be at least 3",
            "christen.toml:8:1: `[api] vendordata_dynamic_read_timeout` must be at most 4294967295",
            "christen.toml:9:1: `[api] injected_files` is not an option; `[quota] injected_files` \
             is",
            "christen.toml:10:1: `[api] virt_type` is not an option; `[libvirt] virt_type` is",
            "christen.toml:12:1: `[DEFAULT] flat_injected` is set twice",
            "christen.toml:13:1: `[DEFAULT] quota_injected_files` is not an option; `[quota] \
             injected_files` is",
            "christen.toml:14:2: `[ap1]` is not a group of options; `[api]` is",
            "christen.toml:17:1: `[libvirt] virt_type` must be a string, not a float",
            "christen.toml:18:2: `[glance]` is not a group of options",
        ],
    );
}

#[test]
fn broken_toml() {
    let error = Loader::new()
        .toml("[api]\ndhcp_domain = s3cret\n", "christen.toml")
        .expect_err("not TOML");
    let text = error.to_string();
    assert!(text.starts_with("christen.toml:2:15: not TOML: "), "{text}");
    assert!(!text.contains("s3cret"), "{text}");
    let deep = format!("x = {}", "[".repeat(100_000));
    assert!(Loader::new().toml(&deep, "christen.toml").is_err());
    let large = " ".repeat((256 << 10) + 1);
    check_toml(
        &large,
        &["christen.toml: has 262145 bytes, more than the 262144 that a settings file may have"],
    );
}

#[test]
fn set_arguments() {
    let check = |argument: &str, expected: &str| {
        let found = match Loader::new().set(argument) {
            Ok(loader) => {
                let loaded = loader.finish(&no_files()).expect("good settings");
                let set = |place: &str| place == "--set";
                loaded
                    .effective
                    .iter()
                    .filter(|effective| set(&effective.place.origin))
                    .map(|effective| format!("{} = {}", effective.option.title(), effective.value))
                    .collect()
            }
            Err(error) => error.to_string(),
        };
        assert_eq!(found, expected, "{argument}");
    };
    check(
        "DEFAULT.flat_injected=true",
        "[DEFAULT] flat_injected = true",
    );
    check("flat_injected=no", "[DEFAULT] flat_injected = false");
    check("api.dhcp_domain=", "[api] dhcp_domain = ");
    check("api.dhcp_domain=a=$b.c", "[api] dhcp_domain = a=$b.c");
    check(
        "api.vendordata_dynamic_targets=a@b, c@d",
        "[api] vendordata_dynamic_targets = a@b,c@d",
    );
    check(
        "flat_injected",
        "--set: is not of the form `GROUP.NAME=VALUE`",
    );
    check(".x=1", "--set: is not of the form `GROUP.NAME=VALUE`");
    check("=1", "--set: is not of the form `GROUP.NAME=VALUE`");
    check(
        "dhcp_domain=x",
        "--set: `[DEFAULT] dhcp_domain` is not an option; `[api] dhcp_domain` is",
    );
    check(
        "apl.dhcp_domain=x",
        "--set: `[apl]` is not a group of options; `[api]` is",
    );
    check(
        "api.vendordata_dynamic_connect_timeout=ten",
        "--set: `[api] vendordata_dynamic_connect_timeout` must be an integer, not `ten`",
    );
    let effect = Loader::new()
        .set("vendordata_dynamic_auth.username=u")
        .and_then(|loader| loader.finish(&no_files()))
        .expect("good settings");
    assert_eq!(effect.warnings.len(), 1);
}

#[test]
fn an_empty_quota_is_refused() {
    let error = nova_conf("[quota]\ninjected_files=").expect_err("no number");
    assert_eq!(
        error.to_string(),
        "nova.conf:2: `[quota] injected_files` has no value"
    );
}

#[test]
fn effective_values_say_where_they_are_from() {
    let loaded = nova_conf("\n[api]\n\ndhcp_domain = x").expect("good settings");
    let effective = loaded
        .effective
        .iter()
        .find(|effective| effective.option.name == "dhcp_domain")
        .expect("every option is there");
    assert_eq!(effective.place.to_string(), "nova.conf:4");
    assert_eq!(effective.value, OptionValue::Text(Some("x".to_owned())));
}

/// Pieces that mean something to one of the parsers, so that nonsense gets far.
const PIECES: [&str; 40] = [
    "[",
    "]",
    "[api]",
    "[DEFAULT]",
    "\n",
    "\n",
    "\r",
    " ",
    "\t",
    "=",
    ":",
    "#",
    ";",
    "\"",
    "'",
    "$",
    "${",
    "}",
    "$$",
    "\\$",
    ".",
    ",",
    "dhcp_domain",
    "flat_injected",
    "host",
    "$host",
    "$dhcp_domain",
    "api",
    "true",
    "0x",
    "1",
    "9999999999999999999999",
    "\"\"\"",
    "{",
    "\\u00e9",
    "é",
    "\u{1f}",
    "\0",
    "vendordata_dynamic_auth",
    "\u{feff}",
];

#[test]
fn nonsense_is_refused_or_read_and_never_panics() {
    // xorshift64 from a fixed start: the same nonsense every time.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).expect("below a usize")
    };
    let mut accepted = 0;
    for _ in 0..20_000 {
        let text: String = (0..next(12)).map(|_| PIECES[next(PIECES.len())]).collect();
        let conf = Loader::new().nova_conf(&text, "nova.conf");
        let toml = Loader::new().toml(&text, "christen.toml");
        let set = Loader::new().set(&text);
        for loader in [conf, toml, set].into_iter().flatten() {
            accepted += 1;
            if let Err(error) = loader.finish(&no_files()) {
                assert!(!error.to_string().is_empty());
            }
        }
    }
    assert!(accepted > 1000, "{accepted}");
}

/// Texts as large as they may be, made to take as long as they can.
#[test]
fn large_texts_take_no_long_time() {
    let lines = |line: fn(u32) -> String, length: usize| {
        let mut text = String::new();
        for number in 0.. {
            let line = line(number);
            if text.len() + line.len() > length {
                break;
            }
            text.push_str(&line);
        }
        text
    };
    let start = std::time::Instant::now();
    let conf_bytes = (4 << 20) - 100;
    let toml_bytes = (256 << 10) - 100;
    // Many references to nothing, many names, one value of many lines.
    let references = lines(|_| "$a".to_owned(), conf_bytes);
    check_reference(
        &format!("[api]\na=\ndhcp_domain={references}"),
        "nova.conf:3: `[api] dhcp_domain` makes more than 1048576 bytes when its references are \
         replaced",
    );
    let names = lines(|number| format!("n{number}=\n"), conf_bytes);
    assert!(nova_conf(&format!("[a]\n{names}")).is_ok());
    let values = lines(|_| " x\n".to_owned(), conf_bytes);
    assert!(nova_conf(&format!("[api]\ndhcp_domain=x\n{values}")).is_ok());
    // Many mistakes, many mistakes in one line, many options without effect.
    let names = lines(|number| format!("n{number}=1\n"), toml_bytes);
    let error = Loader::new().toml(&names, "t").expect_err("no options");
    assert_eq!(error.to_string().lines().count(), 100);
    let names = lines(|number| format!("n{number}=1,"), toml_bytes);
    assert!(
        Loader::new()
            .toml(&format!("api={{{names}z=1}}"), "t")
            .is_err()
    );
    let names = lines(|number| format!("n{number}=1,"), toml_bytes);
    let inert = format!("vendordata_dynamic_auth={{{names}z=1}}");
    assert!(Loader::new().toml(&inert, "t").is_ok());
    let tables = lines(|number| format!("[n{number}]\n"), toml_bytes);
    assert!(Loader::new().toml(&tables, "t").is_err());
    let taken = start.elapsed();
    assert!(taken.as_secs() < 120, "{taken:?}");
}
