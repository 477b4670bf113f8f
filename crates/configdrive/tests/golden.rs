//! The trees that Nova was seen to write are clean to verify: the schemas ask for nothing
//! that Nova does not do.

use std::fs;
use std::path::Path;

use christen_configdrive::verify::{Severity, VerifyOptions, verify};
use christen_configdrive::{Drive, Timestamp, Tree, iso9660};
use christen_instance::{Value, json};

#[test]
fn novas_recorded_drives_are_clean() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../instance/tests/golden");
    let mut drives = 0;
    let mut found = Vec::new();
    for entry in fs::read_dir(golden).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let case = json::parse(&fs::read_to_string(&path).unwrap()).unwrap();
        let files = case
            .get("config_drive")
            .and_then(|drive| drive.get("files"));
        let Some(Value::Object(files)) = files else {
            continue;
        };
        let mut tree = Tree::new();
        for (name, content) in files {
            // What is no text is user data, whose bytes do not matter here.
            let text = content
                .get("text")
                .and_then(Value::as_str)
                .unwrap_or("#!\n");
            tree.add_file(name, text.as_bytes().to_vec()).unwrap();
        }
        let mut image = Vec::new();
        let options = iso9660::Options::new("config-2", Timestamp::from_seconds(0));
        iso9660::write(&tree, &options, &mut image).unwrap();
        let options = VerifyOptions {
            dialect: None,
            image_mode: Some(0o600),
        };
        let report = verify(&Drive::open(image.as_slice()).unwrap(), &options).unwrap();
        drives += 1;
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let bad = report
            .findings
            .iter()
            .filter(|finding| finding.severity > Severity::Note)
            // Some cases have a few words for user data.
            .filter(|finding| finding.code != "user-data-header");
        found.extend(bad.map(|finding| format!("{name}: {finding}")));
    }
    assert!(drives > 20, "{drives}");
    assert_eq!(found, [""; 0]);
}
