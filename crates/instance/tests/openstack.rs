//! The OpenStack dialect where Nova leaves us a choice, or knows no answer.

mod common;

use std::io;

use christen_instance::inputs::RandomSource;
use christen_instance::model::{Guest, GuestUser, Nic, Password};
use christen_instance::openstack::Warning;
use christen_instance::settings::NetworkTemplate;
use christen_instance::{
    Context, Document, Documents, Error, Instance, OpenStack, Secret, Value, json,
};
use common::{Pinned, Scripted, World, case};

/// An instance in canonical form, on top of a usual one.
fn instance(extra: &str) -> Instance {
    let usual = r#""uuid": "b65cee2f-8c69-4aeb-be2f-f79742548fc2", "name": "first",
        "hostname": "first", "flavor": {"name": "m1.small"},
        "image": {"id": "155d900f-4e14-4e4c-a73d-069cbf4541e6"},
        "ec2": {"instance": 1, "image": 2}"#;
    case::instance(&json::parse(&format!("{{{usual}{extra}}}")).expect("it is JSON"))
}

fn text(document: &Document) -> &str {
    std::str::from_utf8(&document.content).expect("the document is text")
}

fn find<'a>(documents: &'a Documents, path: &str) -> &'a str {
    let found = documents.iter().find(|document| document.path == path);
    text(found.unwrap_or_else(|| panic!("there is no {path}")))
}

fn member(document: &str, name: &str) -> Value {
    let value = json::parse(document).expect("the document is JSON");
    value.get(name).cloned().unwrap_or(Value::Null)
}

/// Different bytes at every draw, so that a second draw shows.
#[derive(Default)]
struct Counting(u8);

impl RandomSource for Counting {
    fn fill(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        self.0 += 1;
        buffer.fill(self.0);
        Ok(())
    }
}

fn seeds(like_nova: bool) -> Vec<Value> {
    let instance = instance("");
    let settings = Default::default();
    let (mut random, mut services) = (Counting::default(), Scripted::default());
    let mut renderer = OpenStack::new(
        &instance,
        Context {
            settings: &settings,
            like_nova,
            random: &mut random,
            vendordata: &mut services,
        },
    );
    let documents = renderer.documents().expect("they can be rendered");
    documents
        .iter()
        .filter(|document| document.path.ends_with("/meta_data.json"))
        .map(|document| member(text(document), "random_seed"))
        .collect()
}

#[test]
fn one_seed_for_all_versions_unless_like_nova() {
    let ours = seeds(false);
    assert_eq!(ours.len(), 11);
    assert_eq!(ours[0], Value::Null, "2012-08-10 has none");
    assert_ne!(ours[1], Value::Null);
    assert!(ours[2..].iter().all(|seed| *seed == ours[1]));

    let mut novas: Vec<String> = seeds(true)[1..]
        .iter()
        .map(|seed| seed.as_str().expect("a seed").to_owned())
        .collect();
    novas.sort();
    novas.dedup();
    assert_eq!(novas.len(), 10, "each rendering draws its own");
}

fn check_draws(extra: &str, path: Option<&str>, expected: &[usize]) {
    let mut instance = instance(extra);
    if extra.contains("no uuid") {
        instance.uuid = None;
    }
    if extra.contains("no numbers") {
        instance.ec2 = Default::default();
    }
    if extra.contains("password") {
        instance.guest = guest();
    }
    let mut world = World::default();
    let mut renderer = world.renderer(&instance);
    match path {
        Some(path) => drop(renderer.document(path).expect("it can be rendered")),
        None => drop(renderer.documents().expect("they can be rendered")),
    }
    assert_eq!(world.random.draws, expected, "{extra} {path:?}");
}

fn guest() -> Guest {
    Guest {
        users: vec![GuestUser {
            name: "ada".to_owned(),
            password: Some(Password::Text(Secret::new("s3cret".to_owned()))),
            ..GuestUser::default()
        }],
        ..Guest::default()
    }
}

#[test]
fn only_what_the_output_needs_is_drawn_and_in_one_order() {
    let oldest = Some("openstack/2012-08-10/meta_data.json");
    let latest = Some("openstack/latest/meta_data.json");
    let ec2 = Some("ec2/latest/meta-data.json");
    let vendor = Some("openstack/latest/vendor_data.json");
    check_draws("", oldest, &[]);
    check_draws("", latest, &[512]);
    check_draws("", ec2, &[]);
    check_draws("", vendor, &[]);
    check_draws("", None, &[512]);
    check_draws(r#", "x": "no uuid""#, oldest, &[16]);
    check_draws(r#", "x": "no uuid""#, latest, &[16, 512]);
    check_draws(r#", "x": "no uuid""#, ec2, &[]);
    check_draws(r#", "x": "no uuid, no numbers""#, ec2, &[16]);
    check_draws(r#", "x": "password""#, vendor, &[16]);
    check_draws(r#", "x": "password""#, latest, &[512]);
    check_draws(r#", "x": "no uuid, password""#, None, &[16, 16, 512]);
}

#[test]
fn the_uuid_is_drawn_before_salts() {
    let mut instance = instance("");
    instance.uuid = None;
    instance.guest = guest();
    let settings = Default::default();
    let (mut random, mut services) = (Counting::default(), Scripted::default());
    let mut renderer = OpenStack::new(
        &instance,
        Context {
            settings: &settings,
            like_nova: false,
            random: &mut random,
            vendordata: &mut services,
        },
    );
    renderer.documents().expect("they can be rendered");
    let uuid = renderer.uuid().expect("it is drawn already");
    assert_eq!(uuid, "01010101-0101-4101-8101-010101010101");
}

#[test]
fn paths_draw_nothing_and_ask_nobody() {
    let mut instance = instance("");
    instance.uuid = None;
    let mut world = World::default();
    world.settings.vendordata_providers = vec!["DynamicJSON".into(), "StaticJSON".into()];
    world.settings.vendordata_dynamic_targets = vec!["a@http://h/".into()];
    let paths = world.renderer(&instance).paths().expect("they are known");
    assert_eq!(world.random.draws, Vec::<usize>::new());
    assert_eq!(world.services.requests, []);

    let documents = world.renderer(&instance).documents();
    let documents = documents.expect("they can be rendered");
    let rendered: Vec<_> = documents.into_iter().map(|it| it.path).collect();
    assert_eq!(paths, rendered);
}

#[test]
fn a_drawn_uuid_is_the_same_everywhere() {
    let mut instance = instance("");
    instance.uuid = None;
    instance.ec2 = Default::default();
    let mut world = World::default();
    let mut renderer = world.renderer(&instance);
    let documents = renderer.documents().expect("they can be rendered");
    let uuid = renderer.uuid().expect("it is drawn already");
    assert_eq!(uuid, "00010203-0405-4607-8809-0a0b0c0d0e0f");
    for document in documents
        .iter()
        .filter(|it| it.path.ends_with("meta_data.json"))
    {
        assert_eq!(member(text(document), "uuid"), uuid.as_str().into());
    }
    let ec2 = find(&documents, "ec2/latest/meta-data.json");
    assert_eq!(member(ec2, "instance-id"), "i-00010203".into());
    assert_eq!(member(ec2, "ami-id"), "ami-155d900f".into());
}

#[test]
fn without_static_vendor_data_the_file_is_left_out_and_said_so() {
    let instance = instance("");
    let mut world = World::default();
    world.settings.vendordata_providers = Vec::new();
    let mut renderer = world.renderer(&instance);
    let documents = renderer.documents().expect("they can be rendered");
    assert_eq!(renderer.warnings(), [Warning::NoStaticVendorData]);
    assert!(
        !documents
            .iter()
            .any(|it| it.path.ends_with("/vendor_data.json"))
    );
    assert_eq!(find(&documents, "openstack/latest/vendor_data2.json"), "{}");

    world.like_nova = true;
    let refused = world.renderer(&instance).documents();
    assert!(matches!(refused, Err(Error::NoStaticVendorData)));
}

#[test]
fn the_guest_section_travels_in_vendor_data_alone() {
    let mut instance = instance("");
    instance.guest = guest();
    let mut world = World::default();
    world.settings.vendordata_json = Some(r#"{"cloud-init": "theirs", "k": 1}"#.to_owned());
    let documents = world.renderer(&instance).documents();
    let documents = documents.expect("they can be rendered");
    for version in ["2013-10-17", "2025-04-04", "latest"] {
        let path = format!("openstack/{version}/vendor_data.json");
        let Value::Array(parts) = member(find(&documents, &path), "cloud-init") else {
            panic!("{path} has no list");
        };
        assert_eq!(parts[0], "theirs".into());
        assert!(
            parts[1]
                .as_str()
                .is_some_and(|it| it.starts_with("#cloud-config\n"))
        );
        assert!(find(&documents, &path).ends_with(r#""k": 1}"#));
    }
    assert_eq!(
        find(&documents, "openstack/latest/vendor_data2.json"),
        r#"{"static": {"cloud-init": "theirs", "k": 1}}"#
    );

    // It has a place even where the operator makes no static vendor data.
    world.settings.vendordata_providers = Vec::new();
    let documents = world.renderer(&instance).documents();
    let documents = documents.expect("they can be rendered");
    let vendor_data = find(&documents, "openstack/latest/vendor_data.json");
    assert!(member(vendor_data, "cloud-init").as_str().is_some());
}

fn check_keys(extra: &str, further: &[&str], like_nova: bool, expected: [&str; 3]) {
    let mut instance = instance(extra);
    instance.ssh_authorized_keys = further.iter().map(|key| (*key).to_owned()).collect();
    let mut world = World {
        like_nova,
        ..World::default()
    };
    let documents = world.renderer(&instance).documents();
    let documents = documents.expect("they can be rendered");
    let openstack = find(&documents, "openstack/latest/meta_data.json");
    let ec2 = find(&documents, "ec2/latest/meta-data.json");
    let found = [
        member(openstack, "public_keys"),
        member(openstack, "keys"),
        member(ec2, "public-keys"),
    ];
    assert_eq!(found.map(|it| json::encode(&it)), expected, "{extra}");
}

#[test]
fn every_key_is_shown_unless_like_nova() {
    let pair = r#", "key": {"name": "k", "public_key": "one\n"}"#;
    let first = [
        r#"{"k": "one\n"}"#,
        r#"[{"name": "k", "type": "ssh", "data": "one\n"}]"#,
        r#"{"0": {"_name": "0=k", "openssh-key": "one\n"}}"#,
    ];
    check_keys(pair, &["one"], false, first);
    check_keys(pair, &["one", "two"], true, first);
    check_keys(
        pair,
        &["one", "two", "three"],
        false,
        [
            r#"{"k": "one\n", "k-2": "two", "k-3": "three"}"#,
            r#"[{"name": "k", "type": "ssh", "data": "one\n"}, {"name": "k-2", "type": "ssh", "data": "two"}, {"name": "k-3", "type": "ssh", "data": "three"}]"#,
            r#"{"0": {"_name": "0=k", "openssh-key": "one\n"}, "1": {"_name": "1=k-2", "openssh-key": "two"}, "2": {"_name": "2=k-3", "openssh-key": "three"}}"#,
        ],
    );
    check_keys("", &[], false, ["null", "null", "null"]);
}

fn check_hostname(name: &str, expected: &str, draws: &[usize]) {
    let mut instance = instance("");
    instance.uuid = None;
    instance.hostname = None;
    instance.name = name.to_owned();
    let mut world = World::default();
    let document = world
        .renderer(&instance)
        .document("ec2/latest/meta-data.json");
    let document = document.expect("it can be rendered");
    assert_eq!(member(text(&document), "hostname"), expected.into());
    assert_eq!(world.random.draws, draws, "{name}");
}

#[test]
fn a_missing_host_name_is_made_from_the_name() {
    check_hostname("My Server", "my-server.novalocal", &[]);
    check_hostname("Server-", "server.novalocal", &[]);
    check_hostname(
        "😀",
        "Server-00010203-0405-4607-8809-0a0b0c0d0e0f.novalocal",
        &[16],
    );
}

#[test]
fn broken_static_vendor_data_stops_only_who_wants_it() {
    let instance = instance("");
    let mut world = World::default();
    world.settings.vendordata_json = Some("{".to_owned());
    let failed = |world: &mut World| {
        let rendered = world.renderer(&instance).documents();
        matches!(rendered, Err(Error::StaticVendorData(_)))
    };
    assert!(failed(&mut world));
    world.settings.vendordata_providers = vec!["DynamicJSON".to_owned()];
    assert!(!failed(&mut world));
}

#[test]
fn a_service_that_fails_is_named_without_its_address() {
    let instance = instance("");
    let mut world = World::default();
    world.settings.vendordata_providers = vec!["StaticJSON".into(), "DynamicJSON".into()];
    world.settings.vendordata_dynamic_targets = [
        "down@http://h/?token=t0ken",
        "https://nobody.example/?token=t0ken",
        "down@http://h/again",
        "static@http://h/static",
        "bad@http://h/bad",
    ]
    .map(str::to_owned)
    .into();
    world.services.answers = ["http://h/static", "http://h/bad"]
        .into_iter()
        .zip([r#"{"text": "1"}"#, r#"{"text": "{s3cret"}"#])
        .map(|(url, answer)| (url.to_owned(), json::parse(answer).expect("it is JSON")))
        .collect();
    let mut renderer = world.renderer(&instance);
    let documents = renderer.documents().expect("failures are not fatal");
    assert_eq!(
        find(&documents, "openstack/latest/vendor_data2.json"),
        r#"{"static": {}, "down": {}, "bad": {}}"#
    );
    let warnings: Vec<String> = renderer
        .warnings()
        .iter()
        .map(|it| it.to_string())
        .collect();
    assert_eq!(
        warnings,
        [
            "the vendor data service `down` failed, `{}` stands in its place: no such service \
             in this test",
            "target 2 of `[api] vendordata_dynamic_targets` has no name (`NAME@URL`) and is \
             skipped",
            "target 3 of `[api] vendordata_dynamic_targets` repeats the name `down` and is \
             skipped",
            "the vendor data service `bad` failed, `{}` stands in its place: the answer is not \
             valid JSON: line 1, column 2: expected a name in double quotes",
            "the answer of the vendor data service `static` is dropped: `vendor_data2.json` \
             already has that name",
        ]
    );
    assert_eq!(world.services.requests.len(), 3);
}

#[test]
fn what_is_not_there_is_an_error() {
    let instance = instance("");
    for path in [
        "",
        "openstack/latest/password",
        "openstack/latest/user_data",
        "openstack/content/0000",
        "ec2/1.0/meta-data.json",
        "/openstack/latest/meta_data.json",
    ] {
        let refused = World::default().renderer(&instance).document(path);
        assert!(
            matches!(refused, Err(Error::NoSuchDocument { .. })),
            "{path}"
        );
    }
}

#[test]
fn the_end_of_randomness_is_an_error() {
    struct Ended;
    impl RandomSource for Ended {
        fn fill(&mut self, _buffer: &mut [u8]) -> io::Result<()> {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    }
    let instance = instance("");
    let settings = Default::default();
    let (mut ended, mut services) = (Ended, Scripted::default());
    let mut renderer = OpenStack::new(
        &instance,
        Context {
            settings: &settings,
            like_nova: false,
            random: &mut ended,
            vendordata: &mut services,
        },
    );
    let refused = renderer.documents();
    assert!(matches!(refused, Err(Error::Random { .. })));
}

const POINT_TO_POINT: &str = r#", "network": [{"id": "p", "mac": "fa:16:3e:00:00:01",
    "network": {"id": "n", "injected": true},
    "subnets": [{"cidr": "192.0.2.0/31", "ips": [{"address": "192.0.2.1"}]}]}]"#;

#[test]
fn a_point_to_point_network_has_a_broadcast_address_unless_like_nova() {
    let check = |like_nova, expected: &str| {
        let instance = instance(POINT_TO_POINT);
        let mut world = World {
            like_nova,
            ..World::default()
        };
        let document = world.renderer(&instance).document("openstack/content/0000");
        let document = document.expect("it can be rendered");
        let line = text(&document).lines().find(|it| it.contains("broadcast"));
        assert_eq!(line, Some(expected));
    };
    check(false, "    broadcast 192.0.2.1");
    check(true, "    broadcast None");
}

fn check_template(template: &str, expected: Result<&str, &str>) {
    let instance = instance(POINT_TO_POINT);
    let mut world = World::default();
    world.settings.injected_network_template = NetworkTemplate::Text(template.to_owned());
    let rendered = world.renderer(&instance).document("openstack/content/0000");
    match (rendered, expected) {
        (Ok(document), Ok(expected)) => assert_eq!(text(&document), expected),
        (Err(Error::NetworkTemplate(error)), Err(expected)) => {
            assert_eq!(error.to_string(), expected, "{template}");
        }
        (rendered, expected) => panic!("{template}: {rendered:?} is not {expected:?}"),
    }
}

#[test]
fn operators_templates_are_bounded_and_their_errors_have_a_line() {
    check_template("{{ interfaces[0].hwaddress }}", Ok("fa:16:3e:00:00:01"));
    check_template(
        "a\n{{ b }}{% if %}",
        Err("line 2: syntax error: unexpected end of block"),
    );
    check_template(
        "\n{% include 'other' %}",
        Err("line 2: syntax error: unknown statement include"),
    );
    check_template(
        "{% for a in range(10000) %}{% for b in range(10000) %}{% endfor %}{% endfor %}",
        Err("the template takes more than 4000000 steps"),
    );
    check_template(
        "{% for a in range(5000) %}{{ 'x' * 1000 }}{% endfor %}",
        Err("the template makes more than 4194304 bytes"),
    );
    let long = " ".repeat(1024 * 1024 + 1);
    check_template(
        &long,
        Err("the template has 1048577 bytes; at most 1048576 are allowed"),
    );
}

/// Renders the document at a path for a usual instance and more.
fn render(extra: &str, path: &str) -> String {
    let instance = instance(extra);
    let document = World::default().renderer(&instance).document(path);
    text(&document.expect("it can be rendered")).to_owned()
}

// What Nova 34.0.0 does in the next tests was read in its source and seen in generated cases.

#[test]
fn host_bits_of_a_route_stay_in_the_template_and_not_in_network_data() {
    let network = r#", "network": [{"id": "p", "mac": "fa:16:3e:00:00:01",
        "network": {"id": "n", "injected": true}, "subnets": [{"cidr": "192.0.2.0/24",
        "routes": [{"to": "10.8.0.7/8", "via": "192.0.2.1"}],
        "ips": [{"address": "192.0.2.9"}]}]}]"#;
    let mut world = World::default();
    world.settings.injected_network_template =
        NetworkTemplate::Text("{{ interfaces[0].routes }}".to_owned());
    let instance = instance(network);
    let rendered = world.renderer(&instance).document("openstack/content/0000");
    assert_eq!(
        text(&rendered.expect("it can be rendered")),
        "[{'gateway': '192.0.2.1', 'cidr': '10.8.0.7/8', 'network': '10.8.0.7', \
         'netmask': '255.0.0.0'}]"
    );
    let network_data = render(network, "openstack/latest/network_data.json");
    assert!(network_data.contains(r#""network": "10.0.0.0", "netmask": "255.0.0.0""#));
}

#[test]
fn an_empty_dhcp_server_makes_a_subnet_dhcp_and_keeps_the_mtu() {
    let network_data = render(
        r#", "network": [{"id": "p", "mac": "fa:16:3e:00:00:01", "network": {"mtu": 1400},
            "subnets": [{"cidr": "192.0.2.0/24", "dhcp_server": "",
            "ips": [{"address": "192.0.2.9"}]}]}]"#,
        "openstack/latest/network_data.json",
    );
    assert!(network_data.contains(r#""mtu": 1400"#), "{network_data}");
    assert!(
        network_data.contains(r#""type": "ipv4_dhcp""#),
        "{network_data}"
    );
}

#[test]
fn addresses_of_a_nic_without_a_network_do_not_count() {
    let nic = |network: &str, address: &str| {
        format!(
            r#"{{"id": "p", "mac": "fa:16:3e:00:00:01", "network": {network}, "subnets":
               [{{"cidr": "192.0.2.0/24", "ips": [{{"address": "{address}"}}]}}]}}"#
        )
    };
    let (without, with) = (nic("null", "192.0.2.1"), nic("{}", "192.0.2.2"));
    let extra = format!(r#", "network": [{without}, {with}]"#);
    let ec2 = render(&extra, "ec2/latest/meta-data.json");
    assert_eq!(member(&ec2, "local-ipv4"), "192.0.2.2".into());
}

#[test]
fn of_several_claims_to_a_vif_the_last_counts_and_groups_before_ports() {
    let network_data = render(
        r#", "network": [{"id": "vif", "mac": "fa:16:3e:00:00:01", "network": {"id": "n"},
            "subnets": [{"cidr": "192.0.2.0/24"}]}],
            "bare_metal": {"ports": [{"id": "p", "mac": "52:54:00:00:00:01", "vif": "vif",
            "port_group": "two"}], "port_groups": [{"id": "one", "mode": "first", "vif": "vif"},
            {"id": "two", "mode": "last", "vif": "vif", "properties": {"mode": "own"}},
            {"id": "three", "mode": "idle"}]}"#,
        "openstack/latest/network_data.json",
    );
    assert_eq!(
        json::encode(&member(&network_data, "links")),
        r#"[{"id": "interface0", "vif_id": "vif", "type": "bond", "mtu": null, "ethernet_mac_address": "fa:16:3e:00:00:01", "bond_mode": "own", "bond_links": ["p"]}, {"id": "p", "type": "phy", "ethernet_mac_address": "52:54:00:00:00:01"}]"#
    );
}

#[test]
fn a_range_that_cannot_be_read_is_named() {
    let mut instance = instance(POINT_TO_POINT);
    let nics: &mut Vec<Nic> = instance.network.as_mut().expect("there is a network");
    nics[0].subnets[0].cidr = "192.0.2.0/33".to_owned();
    let refused = World::default().renderer(&instance).documents();
    let error = refused.expect_err("the range is none").to_string();
    assert_eq!(error, "NIC 0: `192.0.2.0/33` is not an address range");
}

#[test]
fn nothing_secret_is_printed() {
    let mut instance = instance(r#", "admin_password": "s3cret", "user_data": {"text": "s3cret"}"#);
    instance.guest = guest();
    let mut random = Pinned::default();
    let settings = Default::default();
    let mut services = Scripted::default();
    let mut renderer = OpenStack::new(
        &instance,
        Context {
            settings: &settings,
            like_nova: false,
            random: &mut random,
            vendordata: &mut services,
        },
    );
    let documents = renderer.documents().expect("they can be rendered");
    let printed = format!("{renderer:?} {documents:?} {instance:?}");
    assert!(!printed.contains("s3cret"), "{printed}");
}
