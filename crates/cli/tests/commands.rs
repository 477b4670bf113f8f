//! Every command from outside: what it prints and where, and how it ends.

mod mkisofs_support;
mod support;

use std::fs;
use std::process::Command;

use christen_instance::Value;
use christen_testkit::{TempDir, tools};
use mkisofs_support::{contents, contents_of_tree};
use support::{
    christen, christen_in, fail, fail_somehow, items, member, names, run, succeed, with_description,
};

const UUID: &str = "b65cee2f-8c69-4aeb-be2f-f79742548fc2";

/// Two seeds that differ in the host name, and a config drive.
fn drives() -> TempDir {
    let directory = with_description(&format!(
        "uuid: {UUID}\nname: web\nuser_data: \"#!/bin/sh\"\n"
    ));
    support::put(
        &directory,
        "other.yaml",
        format!("uuid: {UUID}\nname: db\nuser_data: \"#!/bin/bash\"\n"),
    );
    for arguments in [
        "instance.yaml --dialect nocloud -o web",
        "other.yaml --dialect nocloud -o db",
        "instance.yaml -o openstack",
    ] {
        let build = format!("drive build --no-sync --time 2026-01-15T12:00:00Z {arguments}");
        succeed(&mut christen_in(&directory, &build));
    }
    directory
}

#[test]
fn data_goes_to_standard_output_and_json_is_json() {
    let directory = drives();
    for command in [
        "drive show web",
        "drive verify web",
        "drive explain web",
        "explain instance.yaml --dialect nocloud",
        "render instance.yaml --list",
    ] {
        for (json, arguments) in [
            (false, command.to_owned()),
            (true, format!("{command} --json")),
        ] {
            let ended = succeed(&mut christen_in(&directory, &arguments));
            assert_eq!(ended.stderr, "", "{arguments}");
            assert!(ended.text().ends_with('\n'), "{arguments}");
            if json {
                ended.json();
                assert_eq!(ended.text().lines().count(), 1, "{arguments}");
            }
        }
    }
}

#[test]
fn show_lists_what_is_there() {
    let directory = drives();
    let shown = succeed(&mut christen_in(&directory, "drive show web"));
    let length = fs::metadata(directory.join("web"))
        .expect("it is there")
        .len();
    let meta_data = succeed(&mut christen_in(
        &directory,
        "drive show web --path meta-data",
    ));
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        shown.text(),
        format!(
            "format                   ISO 9660\n\
             label                    cidata\n\
             size bytes               {length}\n\
             views                    rock-ridge, joliet, plain\n\
             system                   LINUX\n\
             publisher                christen {version}\n\
             application              CHRISTEN {version}\n\
             created                  2026-01-15T12:00:00Z\n\
             \n\
             0444 {:>10}  meta-data\n\
             0444          9  user-data\n",
            meta_data.stdout.len()
        )
    );
    let json = succeed(&mut christen_in(&directory, "drive show web --json")).json();
    let entries: Vec<_> = items(member(&json, "entries"))
        .iter()
        .map(|entry| {
            assert_eq!(*member(entry, "mode"), Value::from(0o444), "{entry:?}");
            member(entry, "path").as_str().expect("a text")
        })
        .collect();
    assert_eq!(entries, ["meta-data", "user-data"]);

    let one = succeed(&mut christen_in(
        &directory,
        "drive show web --path user-data",
    ));
    assert_eq!((one.text(), &*one.stderr), ("#!/bin/sh", ""));
    fail(
        &mut christen_in(&directory, "drive show web --path nonesuch"),
        1,
        "error: `web` has no file `nonesuch`\n\
         hint: `christen drive show` without `--path` lists what there is\n",
    );
    fail_somehow(
        &mut christen_in(&directory, "drive show web --path user-data --json"),
        2,
    );
}

#[test]
fn extract_writes_what_others_read() {
    if tools::require("bsdtar").is_none() {
        return;
    }
    let directory = drives();
    for drive in ["web", "openstack"] {
        let expected = contents(&directory.join(drive));
        let bytes: usize = expected.values().map(Vec::len).sum();
        let ended = succeed(&mut christen_in(
            &directory,
            &format!("drive extract {drive} {drive}-tree"),
        ));
        assert_eq!(ended.text(), "");
        assert_eq!(
            ended.stderr,
            format!(
                "note: wrote {} files ({bytes} bytes) to {drive}-tree\n",
                expected.len()
            )
        );
        assert_eq!(
            contents_of_tree(&directory.join(format!("{drive}-tree"))),
            expected
        );
        let json = succeed(&mut christen_in(
            &directory,
            &format!("drive extract {drive} {drive}-again --json"),
        ));
        assert_eq!(json.stderr, "");
        assert_eq!(
            *member(&json.json(), "files"),
            Value::from(expected.len() as i64)
        );
    }
    let before = names(&directory);
    for (target, cause) in [
        (
            "web-tree",
            "`web-tree` exists and is not an empty directory",
        ),
        ("db", "`db` exists and is not an empty directory"),
    ] {
        fail(
            &mut christen_in(&directory, &format!("drive extract web {target}")),
            1,
            &format!(
                "error: cannot extract `web` to `{target}`: nothing was written\n  {cause}\n\
                 hint: give a directory that does not exist or is empty\n"
            ),
        );
    }
    fs::create_dir(directory.join("empty")).expect("writable");
    fail(
        &mut christen_in(&directory.join("empty"), "drive extract ../web ."),
        1,
        "error: cannot extract `../web` to `.`: nothing was written\n  cannot use `.`\n  \
         invalid input parameter\nhint: give a directory by its name\n",
    );
    fs::remove_dir(directory.join("empty")).expect("it is empty");
    fail(
        &mut christen_in(&directory, "drive extract web nowhere/tree"),
        1,
        "error: cannot extract `web` to `nowhere/tree`: nothing was written\n  \
         cannot make a directory beside `nowhere/tree`\n  \
         No such file or directory (os error 2)\n",
    );
    assert_eq!(names(&directory), before);
    assert_eq!(
        names(&directory.join("web-tree")),
        ["meta-data", "user-data"]
    );
}

#[test]
fn render_and_extract_agree() {
    let directory = drives();
    succeed(&mut christen_in(
        &directory,
        "render instance.yaml --dialect nocloud --tree rendered",
    ));
    succeed(&mut christen_in(&directory, "drive extract web extracted"));
    let rendered = contents_of_tree(&directory.join("rendered"));
    assert_eq!(rendered, contents_of_tree(&directory.join("extracted")));
    let json = succeed(&mut christen_in(
        &directory,
        "render instance.yaml --dialect nocloud --tree again --json",
    ));
    assert_eq!(json.text(), "[\"meta-data\", \"user-data\"]\n");
    fail(
        &mut christen_in(&directory, "render instance.yaml --path nonesuch"),
        1,
        "error: cannot make the documents\n  there is no document `nonesuch`\n\
         hint: `christen render INSTANCE --list` prints the paths there are\n",
    );
    fail_somehow(&mut christen_in(&directory, "render instance.yaml"), 2);
    fail_somehow(
        &mut christen_in(&directory, "render instance.yaml --list --tree x"),
        2,
    );
}

#[test]
fn diff_answers_as_diff_does() {
    let directory = drives();
    let check = |arguments: &str, status: i32, expected: &str| {
        let ended = run(&mut christen_in(
            &directory,
            &format!("drive diff {arguments}"),
        ));
        assert_eq!(
            (ended.status, ended.text(), &*ended.stderr),
            (status, expected, ""),
            "{arguments}"
        );
    };
    check("web web", 0, "");
    check("web web --json", 0, "[]\n");
    check(
        "web db",
        1,
        "meta-data: local-hostname: \"web.novalocal\" -> \"db.novalocal\"\nuser-data: differs\n",
    );
    check(
        "web db --json",
        1,
        "[{\"kind\": \"value\", \"path\": \"meta-data\", \"place\": \"local-hostname\", \
         \"before\": \"\\\"web.novalocal\\\"\", \"after\": \"\\\"db.novalocal\\\"\"}, \
         {\"kind\": \"content\", \"path\": \"user-data\", \"place\": \"\", \"before\": null, \
         \"after\": null}]\n",
    );
    fail(
        &mut christen_in(&directory, "drive diff web nowhere"),
        2,
        "error: cannot open `nowhere`\n  No such file or directory (os error 2)\n",
    );
}

#[test]
fn verify_judges_by_what_a_drive_should_be() {
    let directory = drives();
    for drive in ["web", "openstack"] {
        succeed(&mut christen_in(
            &directory,
            &format!("drive verify {drive} --strict"),
        ));
    }
    let ended = run(&mut christen_in(
        &directory,
        "drive verify web --dialect openstack --json",
    ));
    assert_eq!(ended.status, 1);
    assert_eq!(ended.stderr, "error: `web` is not as it should be\n");
    let codes: Vec<_> = items(member(&ended.json(), "findings"))
        .iter()
        .map(|finding| member(finding, "code").as_str().expect("a text").to_owned())
        .collect();
    assert_eq!(codes, ["label", "no-openstack"]);
}

#[test]
fn explain_tells_the_same_of_a_description_and_of_its_drive() {
    let directory = drives();
    let of_drive = succeed(&mut christen_in(&directory, "drive explain web --json")).json();
    let of_description = succeed(&mut christen_in(
        &directory,
        "explain instance.yaml --dialect nocloud --json",
    ))
    .json();
    assert_eq!(*member(&of_description, "explanation"), of_drive);
    assert_eq!(
        *member(&of_description, "config_drive_required"),
        Value::Bool(false)
    );
}

#[test]
fn the_schema_is_json_schema() {
    let ended = succeed(christen().arg("schema"));
    assert_eq!(ended.stderr, "");
    let schema = ended.json();
    assert_eq!(
        member(&schema, "$schema").as_str(),
        Some("https://json-schema.org/draft/2020-12/schema")
    );
    let properties = member(&schema, "properties");
    for name in ["name", "uuid", "user_data", "network", "guest"] {
        member(properties, name);
    }
}

#[test]
fn completions_know_every_command_and_bash_offers_them() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let ended = succeed(christen().args(["completions", shell]));
        assert_eq!(ended.stderr, "", "{shell}");
        for word in ["cloud-localds", "random-source", "verify"] {
            assert!(ended.text().contains(word), "{shell}: {word}");
        }
    }
    fail_somehow(christen().args(["completions", "klingon"]), 2);
    let Some(bash) = tools::require("bash") else {
        return;
    };
    // What bash itself offers for `christen drive v`.
    let script = "source <(\"$0\" completions bash); COMP_WORDS=(christen drive v); COMP_CWORD=2; \
                  _christen christen v drive; printf '%s\\n' \"${COMPREPLY[@]}\"";
    let mut command = Command::new(bash);
    command.args(["--norc", "-c", script, env!("CARGO_BIN_EXE_christen")]);
    assert_eq!(succeed(&mut command).text(), "verify\n");
}

#[test]
fn there_is_a_manual_page_for_each_command() {
    let page = succeed(christen().arg("man"));
    assert!(page.text().contains(".TH CHRISTEN 1"), "{}", page.text());
    let directory = TempDir::new();
    let ended = succeed(&mut christen_in(&directory, "man --directory ."));
    assert_eq!((ended.text(), &*ended.stderr), ("", ""));
    assert_eq!(
        names(&directory),
        [
            "christen-cat.1",
            "christen-check.1",
            "christen-chmod.1",
            "christen-chown.1",
            "christen-cloud-localds.1",
            "christen-completions.1",
            "christen-customize.1",
            "christen-diff.1",
            "christen-doctor.1",
            "christen-drive-build.1",
            "christen-drive-diff.1",
            "christen-drive-explain.1",
            "christen-drive-extract.1",
            "christen-drive-show.1",
            "christen-drive-verify.1",
            "christen-drive.1",
            "christen-edit.1",
            "christen-explain.1",
            "christen-inject.1",
            "christen-inspect.1",
            "christen-ln.1",
            "christen-ls.1",
            "christen-man.1",
            "christen-mkdir.1",
            "christen-mv.1",
            "christen-plan.1",
            "christen-put.1",
            "christen-recover.1",
            "christen-reidentify.1",
            "christen-render.1",
            "christen-rm.1",
            "christen-schema.1",
            "christen-stat.1",
            "christen-tree.1",
            "christen-verify.1",
            "christen-xattr-get.1",
            "christen-xattr-list.1",
            "christen-xattr-remove.1",
            "christen-xattr-set.1",
            "christen-xattr.1",
            "christen.1",
        ]
    );
    let first = fs::read(directory.join("christen.1")).expect("it was written");
    assert!(first == page.stdout);

    fail(
        &mut christen_in(&directory, "man --directory nowhere"),
        1,
        "error: cannot write `nowhere/christen.1`\n  No such file or directory (os error 2)\n",
    );
    fs::create_dir_all(directory.join("half/christen-drive.1")).expect("writable");
    fail(
        &mut christen_in(&directory, "man --directory half"),
        3,
        "error: cannot write `half/christen-drive.1`: pages written before it remain\n  \
         Is a directory (os error 21)\n",
    );
}

#[test]
fn help_is_data_and_no_command_is_a_mistake() {
    for arguments in [
        "--help",
        "help",
        "drive build --help",
        "help drive build",
        "cloud-localds --help",
    ] {
        let ended = succeed(christen().args(arguments.split(' ')));
        assert!(ended.text().contains("Usage: christen "), "{arguments}");
        assert_eq!(ended.stderr, "", "{arguments}");
    }
    assert_eq!(
        succeed(christen().arg("--version")).text(),
        format!("christen {}\n", env!("CARGO_PKG_VERSION"))
    );
    for arguments in ["", "drive"] {
        let ended = run(christen().args(arguments.split_whitespace()));
        assert_eq!((ended.status, ended.text()), (2, ""), "{arguments}");
        assert!(ended.stderr.contains("Usage: christen "), "{arguments}");
    }
    for arguments in [
        "bild",
        "drive show",
        "drive build x",
        "drive build x -o y --format ext4",
    ] {
        fail_somehow(christen().args(arguments.split(' ')), 2);
    }
}
