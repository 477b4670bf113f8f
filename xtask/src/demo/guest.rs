//! Boots a guest with the drive of the demo, and lays what it says beside what was promised.

use std::path::Path;

use christen_testkit::guest;
use christen_testkit::guest::cloud::{self, CloudDrive, CloudReport};
use serde_json::Value;

use crate::command::Failure;

/// A text of this many characters fits a column.
const COLUMN: usize = 46;

/// One thing that the drive promises, and what the guest says of it.
struct Row {
    what: &'static str,
    promised: String,
    said: String,
}

/// Boots a guest with the drive, and prints and judges what it says.
pub(super) fn boot(drive: &Path, reading: &Value) -> Result<(), Failure> {
    if !guest::require() {
        return Err(Failure::Usage(
            "a tool is missing that the guest needs".to_owned(),
        ));
    }
    let links = links(reading);
    let macs: Vec<&str> = links.iter().map(|(mac, _)| mac.as_str()).collect();
    println!(
        "\nbooting Debian with cloud-init, this drive as its CD-ROM, by QEMU without KVM; that takes \
         a minute or two, and one more the first time"
    );
    let report = cloud::boot(&CloudDrive::IdeCdrom(drive.to_owned()), &macs)?;
    let rows = rows(reading, &links, &report);
    println!(
        "the guest was done {:.0} s after power-on; on its serial port it says\n",
        report.value["uptime"].as_f64().unwrap_or_default()
    );
    println!("{:20}{:<COLUMN$} in the guest", "", "by the drive");
    for row in &rows {
        let sign = if row.holds() { "ok" } else { "NO" };
        println!(
            "  {sign} {:<14} {:<COLUMN$} {}",
            row.what,
            shortened(&row.promised),
            shortened(&row.said)
        );
    }
    let wrong = rows.iter().filter(|row| !row.holds()).count();
    if wrong == 0 {
        println!("\nthe guest became what the drive says");
        Ok(())
    } else {
        Err(Failure::Command(format!(
            "the guest differs from the drive in {wrong} of {} things",
            rows.len()
        )))
    }
}

impl Row {
    fn new(what: &'static str, promised: impl Into<String>, said: impl Into<String>) -> Self {
        Self {
            what,
            promised: promised.into(),
            said: said.into(),
        }
    }

    fn holds(&self) -> bool {
        self.promised == self.said
    }
}

/// The identity as `explain` promises it, and what else stands in the example.
fn rows(reading: &Value, links: &[(String, Vec<String>)], report: &CloudReport) -> Vec<Row> {
    let promised = |name: &str| text(&reading[name]);
    let file = |path: &str| {
        let content = report.file(path).unwrap_or_default();
        String::from_utf8_lossy(&content).trim_end().to_owned()
    };
    let value = &report.value;
    let mut rows = vec![
        Row::new("datasource", "configdrive", text(&value["cloud_id"])),
        Row::new("cloud-init", "done, no warning", ended(report)),
        Row::new(
            "instance ID",
            promised("instance_id"),
            file("/run/cloud-init/.instance-id"),
        ),
        Row::new("host name", promised("hostname"), text(&value["hostname"])),
        Row::new("full name", promised("fqdn"), text(&value["fqdn"])),
        Row::new(
            "key",
            texts(&reading["keys"]).join(", "),
            file("/home/debian/.ssh/authorized_keys").replace('\n', ", "),
        ),
    ];
    for (mac, addresses) in links {
        rows.push(Row::new(
            "address",
            format!("{} on {mac}", addresses.join(", ")),
            format!("{} on {mac}", configured(value, mac, addresses).join(", ")),
        ));
    }
    for promise in texts(&reading["files"]) {
        let path = promise.split(',').next().unwrap_or_default();
        let there = value["files"].get(path).is_some();
        rows.push(Row::new("file", path, if there { path } else { "" }));
    }
    let user = &value["users"]["deploy"];
    let conf = &value["files"]["/opt/christen/guest.conf"];
    rows.extend([
        Row::new("user data", "ran", file("/var/lib/christen/user-data")),
        Row::new("first command", "ran", file("/var/lib/christen/first-boot")),
        Row::new(
            "account",
            "deploy, 1500, Deployer, /bin/bash",
            format!(
                "deploy, {}, {}, {}",
                user["uid"],
                text(&user["gecos"]),
                text(&user["shell"])
            ),
        ),
        Row::new(
            "owned file",
            "/opt/christen/guest.conf, 640, answer = 42",
            format!(
                "/opt/christen/guest.conf, {}, {}",
                text(&conf["mode"]),
                file("/opt/christen/guest.conf")
            ),
        ),
        Row::new(
            "time zone",
            "/usr/share/zoneinfo/Europe/Berlin",
            text(&value["files"]["/etc/localtime"]["link"]),
        ),
    ]);
    rows
}

fn ended(report: &CloudReport) -> String {
    let mut lines = report.status().lines();
    // Dots stand before it, one for each time that cloud-init was not done yet.
    let status = lines.find_map(|line| line.strip_prefix("status: "));
    let status = status.unwrap_or("not known").to_owned();
    match report.value["log_warnings"].as_array() {
        Some(warnings) if warnings.is_empty() => format!("{status}, no warning"),
        Some(warnings) => format!("{status}, {} warnings", warnings.len()),
        None => status,
    }
}

/// MAC addresses with the addresses promised for them: `MAC: static ADDRESS, static ADDRESS`.
fn links(reading: &Value) -> Vec<(String, Vec<String>)> {
    let lines = texts(&reading["network"]);
    let links = lines.iter().filter_map(|line| {
        let (mac, rest) = line.split_once(": ")?;
        let addresses = rest
            .split(", ")
            .filter_map(|word| word.strip_prefix("static "))
            .map(str::to_owned);
        (mac.matches(':').count() == 5).then(|| (mac.to_owned(), addresses.collect()))
    });
    links.collect()
}

/// Those of the addresses that the link with this MAC address has.
fn configured(value: &Value, mac: &str, addresses: &[String]) -> Vec<String> {
    let links = value["addresses"].as_array();
    let link = links.and_then(|links| links.iter().find(|link| link["address"] == *mac));
    let there = link.and_then(|link| link["addr_info"].as_array());
    let there: Vec<String> = there
        .into_iter()
        .flatten()
        .map(|info| text(&info["local"]))
        .collect();
    let found = addresses.iter().filter(|address| there.contains(address));
    found.cloned().collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(text).collect()
}

/// The beginning and the end of what is too long for a column.
fn shortened(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    if characters.len() <= COLUMN {
        return text.to_owned();
    }
    let half = (COLUMN - 1) / 2;
    let begin: String = characters[..half].iter().collect();
    let end: String = characters[characters.len() - half..].iter().collect();
    format!("{begin}…{end}")
}
