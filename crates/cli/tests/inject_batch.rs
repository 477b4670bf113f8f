//! Many injections in one run of the real binary, judged by e2fsck and debugfs.

mod image_support;
mod support;

use std::fs::{self, File};
use std::path::Path;
use std::process::Stdio;

use christen_instance::{Value, json};
use christen_testkit::{TempDir, phony};
use image_support::{Tools, hash};
use support::{Ended, christen_in, fail_somehow, items, member, put, run, succeed};

/// A directory with a description and some images of a guest.
fn with_images(tools: &Tools, names: &[&str]) -> TempDir {
    let directory = support::with_description("name: from-a-file\nhostname: from-a-file\n");
    let mut guest = phony::debian_12().file("/etc/fstab", "LABEL=root / ext4 defaults 0 1\n");
    let first = directory.join(names[0]);
    tools.tree(&first, 24, &["-t", "ext4", "-L", "root"], guest.fs());
    for name in &names[1..] {
        fs::copy(&first, directory.join(name)).expect("there is room");
    }
    directory
}

/// The results by the number of their lines.
fn results(ended: &Ended) -> Vec<Value> {
    let lines = ended.text().lines();
    let mut results: Vec<_> = lines
        .map(|it| json::parse(it).expect("each line is JSON"))
        .collect();
    results.sort_by_key(|it| number(it, "line"));
    results
}

fn number(value: &Value, name: &str) -> u64 {
    match member(value, name) {
        Value::Integer(digits) => digits.parse().expect("it is a small number"),
        other => panic!("no number: {other:?}"),
    }
}

fn error(value: &Value) -> &str {
    assert_eq!(member(value, "changed"), &Value::Bool(false), "{value:?}");
    member(value, "error").as_str().expect("a text")
}

fn host_name(tools: &Tools, image: &Path) -> String {
    tools.check(image);
    tools.debugfs(image, "cat /etc/hostname\n")
}

#[test]
fn each_job_is_done_and_a_bad_one_stops_no_other() {
    let Some(tools) = Tools::require() else {
        return;
    };
    let directory = with_images(&tools, &["a.img", "b.img", "c.img", "d.img"]);
    put(&directory, "no.img", [0; 4096]);
    let jobs = [
        r#"{"image": "a.img", "instance": "instance.yaml"}"#,
        r#"{"image": "b.img", "instance": {"name": "b", "hostname": "inline-b", "guest": {"root_password": "Unspeakable1"}}}"#,
        "",
        r#"{"image": "no.img", "instance": "instance.yaml"}"#,
        r#"{"image": "c.img", "instance": {"nmae": "c"}}"#,
        "{",
        r#"{"image": "c.img", "instance": "-"}"#,
        r#"{"image": "c.img", "instance": "instance.yaml", "colour": "red"}"#,
        r#"{"image": "c.img", "instance": "instance.yaml", "partition": 1, "lv": "a/b"}"#,
        r#"{"image": "d.img", "instance": "instance.yaml", "format": "raw", "output": "e.qcow2", "output_kind": "overlay"}"#,
        r#"{"image": "d.img", "instance": "instance.yaml", "output": "e.qcow2"}"#,
    ];
    put(&directory, "jobs", jobs.join("\n"));
    let untouched = [
        hash(&directory.join("c.img")),
        hash(&directory.join("d.img")),
    ];
    let ended = run(&mut christen_in(
        &directory,
        "inject --batch jobs --format raw --jobs 1",
    ));
    assert_eq!(ended.status, 1, "{}", ended.stderr);
    assert_eq!(ended.stderr, "error: 7 of 10 injections failed\n");
    assert!(!ended.text().contains("Unspeakable1"), "{}", ended.text());
    let results = results(&ended);
    let lines: Vec<_> = results.iter().map(|it| number(it, "line")).collect();
    assert_eq!(lines, [1, 2, 4, 5, 6, 7, 8, 9, 10, 11]);
    for index in [0, 1, 8] {
        let result = &results[index];
        assert_eq!(member(result, "changed"), &Value::Bool(true), "{result:?}");
        assert_eq!(member(result, "verified"), &Value::Bool(true), "{result:?}");
        assert!(number(result, "places") > 0, "{result:?}");
        assert!(number(result, "bytes_written") > 0, "{result:?}");
    }
    for (index, words) in [
        (2, "`no.img` has no volume"),
        (3, "line 5 of `jobs`"),
        (4, "line 6 of `jobs` cannot be used: the line is not a JSON"),
        (5, "`instance` must be a file or an object"),
        (6, "`colour` is not known"),
        (7, "only one of `partition`"),
        (9, "another job of the batch writes `e.qcow2`"),
    ] {
        let told = error(&results[index]);
        let messages = items(member(&results[index], "messages"))
            .iter()
            .filter_map(|it| it.as_str())
            .collect::<String>();
        assert!(
            told.contains(words) || messages.contains(words),
            "{words}: {:?}",
            results[index]
        );
    }
    let name = |image: &str| host_name(&tools, &directory.join(image));
    assert!(name("a.img").ends_with("from-a-file\n"));
    assert!(name("b.img").ends_with("inline-b\n"));
    assert_eq!(
        [
            hash(&directory.join("c.img")),
            hash(&directory.join("d.img"))
        ],
        untouched
    );
    let inspect = "cat e.qcow2 /etc/hostname --allow-backing .";
    let inspected = succeed(&mut christen_in(&directory, inspect));
    assert_eq!(inspected.text(), "from-a-file\n");

    // What is done needs nothing, and standard input has jobs too.
    let again = put(&directory, "again", format!("{}\n{}", jobs[0], jobs[1]));
    let ended = succeed(
        christen_in(&directory, "inject --batch - --format raw")
            .stdin(Stdio::from(File::open(again).expect("it is there"))),
    );
    assert_eq!(ended.stderr, "note: 2 injections are done\n");
    for result in self::results(&ended) {
        assert_eq!(member(&result, "changed"), &Value::Bool(false));
        assert_eq!(member(&result, "verified"), &Value::Bool(true));
    }
}

#[test]
fn a_batch_says_what_it_does_not_take() {
    let directory = support::with_description("name: a\n");
    put(&directory, "jobs", "\n\n");
    let ended = succeed(&mut christen_in(&directory, "inject --batch jobs"));
    assert_eq!(
        (ended.text(), &*ended.stderr),
        ("", "note: there are no jobs\n")
    );
    for arguments in [
        "inject --batch nothing",
        "inject --batch jobs a.img instance.yaml",
        "inject --batch jobs --dry-run",
        "inject --batch jobs --output b.img",
        "inject --batch jobs --random-source jobs",
        "inject --batch jobs --jobs 0",
        "inject a.img",
        "inject a.img instance.yaml --jobs 2",
        "inject --batch .",
    ] {
        fail_somehow(&mut christen_in(&directory, arguments), 2);
    }
    put(
        &directory,
        "jobs",
        r#"{"image": "a.img", "instance": "instance.yaml"}"#,
    );
    let ended = run(&mut christen_in(&directory, "inject --batch jobs"));
    assert_eq!(ended.status, 1);
    let results = results(&ended);
    assert!(error(&results[0]).starts_with("the format of `a.img` must be said"));
    let hint = member(&results[0], "hint").as_str();
    assert_eq!(hint, Some("pass `--format raw` or `--format qcow2`"));
}
