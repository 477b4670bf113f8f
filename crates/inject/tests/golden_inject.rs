//! Byte for byte what Nova 34.0.0 does to a guest: the recorded injections of `tests/golden/`, and the recorded decisions of
//! `tests/decisions/`.

#[path = "../../instance/tests/common/case.rs"]
#[allow(dead_code, reason = "a part of a case is a part of a row")]
mod case;
mod nova_support;

use std::num::NonZeroU32;

use christen_inject::nova::decision::{
    Decision, Information, Phase, Reason, decide, is_booted_from_volume,
};
use christen_inject::nova::mount::Partition;
use christen_inject::nova::{ItemName, Items};
use christen_instance::settings::InjectPartition;
use christen_instance::{Instance, Secret, Settings, Value};
use christen_vfs::memory::Memory;
use nova_support::{
    directory, expected, found, get, list, load, members, number, plant, same, text,
};

#[test]
fn injections_are_those_of_nova() {
    for (name, vector) in nova_support::vectors() {
        let mut fs = Memory::new();
        plant(&mut fs, members(&vector, "before"));
        same(
            &name,
            &found(&mut fs),
            &expected(members(&vector, "before")),
        );
        let result = nova_support::run(&name, &vector, &mut fs);
        assert_eq!(result, nova_support::recorded(&vector), "{name}");
        same(&name, &found(&mut fs), &expected(members(&vector, "after")));
    }
}

/// The settings of a row of the table of decisions.
fn settings(row: &Value) -> Settings {
    let mut settings = case::settings(row);
    for (name, value) in members(row, "config") {
        let config = row.get("config").expect("it has a member");
        match name.as_str() {
            "libvirt.inject_key" => settings.inject_key = *value == Value::Bool(true),
            "libvirt.inject_password" => settings.inject_password = *value == Value::Bool(true),
            "libvirt.virt_type" => settings.virt_type = text(config, name).expect("a text"),
            "libvirt.inject_partition" => {
                let number = number(config, name).expect("a number");
                settings.inject_partition = match number {
                    -2 => InjectPartition::Off,
                    -1 => InjectPartition::Inspect,
                    number => NonZeroU32::new(u32::try_from(number).expect("a partition"))
                        .map_or(InjectPartition::Whole, InjectPartition::Number),
                };
            }
            "force_config_drive" | "flat_injected" | "injected_network_template" => {}
            other => panic!("{other} is new"),
        }
    }
    settings
}

/// The instance of a row, whose parts stand beside it.
fn instance(row: &Value) -> Instance {
    let mut case = members(row, "instance").to_vec();
    for part in ["network", "files", "admin_password"] {
        if let Some(value) = get(row, part) {
            case.push((part.to_owned(), value.clone()));
        }
    }
    case::instance(&Value::Object(case))
}

/// What `inject_data` is to be given.
fn expected_call(call: &Value) -> (Items, Partition, Vec<ItemName>) {
    let metadata = members(call, "metadata").iter();
    let items = Items {
        key: text(call, "key"),
        net: text(call, "net"),
        metadata: metadata
            .map(|(name, value)| (name.clone(), value.as_str().expect("a text").to_owned()))
            .collect(),
        admin_password: text(call, "admin_password").map(Secret::new),
        // The table has their paths alone.
        files: Vec::new(),
    };
    let partition = nova_support::partition(number(call, "partition"));
    (items, partition, nova_support::mandatory(call))
}

#[test]
fn what_is_injected_is_what_nova_would_inject() {
    let table = load(&directory("decisions/inject-decision.json"));
    let rows = list(&table, "rows");
    assert_eq!(rows.len(), 14, "a row is missing or new");
    for row in rows {
        let note = text(row, "note").expect("a note");
        let instance = instance(row);
        let phase = match (row.get("injection_info"), text(row, "suffix").as_deref()) {
            (Some(Value::Bool(false)), _) => Phase::Resize,
            (_, Some(".rescue")) => Phase::Rescue,
            _ => Phase::Spawn,
        };
        let decision = decide(
            &instance,
            &settings(row),
            Information::of(&instance, phase),
            is_booted_from_volume(&instance),
        );
        let decision = decision.expect("the template is Nova's own");
        let expect = row.get("expect").expect("a row has what it expects");
        match (decision, list(expect, "inject_data_calls")) {
            (Decision::Nothing(_), []) => {}
            (Decision::Inject(injection), [call]) => {
                let (mut items, partition, mandatory) = expected_call(call);
                let paths: Vec<Value> = injection
                    .items
                    .files
                    .iter()
                    .map(|it| it.path.as_str().into())
                    .collect();
                assert_eq!(paths, list(call, "files"), "{note}");
                items.files.clone_from(&injection.items.files);
                assert_eq!(injection.items, items, "{note}");
                assert_eq!(injection.partition, partition, "{note}");
                assert_eq!(injection.mandatory, mandatory, "{note}");
            }
            (decision, calls) => panic!("{note}: {decision:?} is not {calls:?}"),
        }
    }
}

/// Rules that no row of the table shows.
#[test]
fn each_reason_is_told_in_novas_order() {
    let mut instance = case::instance(&Value::Object(vec![]));
    let mut settings = Settings::default();
    let reason = |instance: &Instance, settings: &Settings, phase| {
        let information = Information::of(instance, phase);
        let volume = is_booted_from_volume(instance);
        match decide(instance, settings, information, volume).expect("Nova's template") {
            Decision::Nothing(reason) => Some(reason),
            Decision::Inject(_) => None,
        }
    };
    let check = |instance: &Instance, settings: &Settings, phase, expected| {
        assert_eq!(reason(instance, settings, phase), expected);
    };
    instance.config_drive = "no".to_owned();
    check(
        &instance,
        &settings,
        Phase::Resize,
        Some(Reason::ConfigDrive),
    );
    instance.config_drive = String::new();
    check(&instance, &settings, Phase::Resize, Some(Reason::Phase));
    check(&instance, &settings, Phase::Other, Some(Reason::Phase));
    check(&instance, &settings, Phase::Spawn, Some(Reason::Off));
    settings.inject_partition = InjectPartition::Inspect;
    check(&instance, &settings, Phase::Spawn, Some(Reason::NoItems));
    instance.metadata = vec![("k".to_owned(), "v".to_owned())];
    for phase in [Phase::Spawn, Phase::Rebuild, Phase::Rescue] {
        check(&instance, &settings, phase, None);
    }
    instance.block_devices = vec![christen_instance::model::BlockDevice {
        destination: Some("volume".to_owned()),
        boot_index: Some(0),
        ..Default::default()
    }];
    check(
        &instance,
        &settings,
        Phase::Spawn,
        Some(Reason::BootedFromVolume),
    );
    instance.block_devices[0].boot_index = Some(1);
    check(&instance, &settings, Phase::Spawn, None);
}

#[test]
fn a_rescue_has_no_files_and_a_container_no_partition() {
    let file = r#"{"files": [{"path": "/x", "text": "x"}], "metadata": {"k": "v"}, "image": {"kernel_id": ""}}"#;
    let instance = case::instance(&christen_instance::json::parse(file).expect("JSON"));
    let mut settings = Settings {
        inject_partition: InjectPartition::Number(NonZeroU32::MIN),
        ..Settings::default()
    };
    let injection = |settings: &Settings, phase| {
        let information = Information::of(&instance, phase);
        match decide(&instance, settings, information, false).expect("Nova's template") {
            Decision::Inject(injection) => injection,
            Decision::Nothing(reason) => panic!("{reason:?}"),
        }
    };
    let spawn = injection(&settings, Phase::Spawn);
    assert!(spawn.items.has(ItemName::Files));
    // An empty kernel is none.
    assert_eq!(spawn.partition, Partition::Number(NonZeroU32::MIN));
    assert!(
        !injection(&settings, Phase::Rescue)
            .items
            .has(ItemName::Files)
    );
    settings.virt_type = "lxc".to_owned();
    assert_eq!(
        injection(&settings, Phase::Spawn).partition,
        Partition::Whole
    );
}
