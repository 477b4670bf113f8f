//! The `meta-data` that cloud-localds makes when none is given.

use christen_instance::{Value, json};

/// The instance ID that cloud-localds gives every instance.
const INSTANCE_ID: &str = "iid-local01";

/// What goes into it.
#[derive(Debug, Default)]
pub(super) struct MetaData<'a> {
    pub(super) hostname: &'a str,
    /// The content of a file in the form of `/etc/network/interfaces`.
    pub(super) interfaces: &'a str,
    pub(super) dsmode: &'a str,
}

impl MetaData<'_> {
    /// One JSON object with a key a line; empty values are left out, and so is the last
    /// newline of `interfaces`. cloud-localds pastes the values between quotes; here they
    /// are encoded, so that a quote or a backslash arrives.
    pub(super) fn encode(&self) -> String {
        let interfaces = self.interfaces.strip_suffix('\n');
        let lines: Vec<_> = [
            ("instance-id", INSTANCE_ID),
            ("local-hostname", self.hostname),
            ("interfaces", interfaces.unwrap_or(self.interfaces)),
            ("dsmode", self.dsmode),
        ]
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(key, value)| {
            let value = json::encode(&Value::String(value.to_owned()));
            format!("\"{key}\": {value}")
        })
        .collect();
        format!("{{\n{}\n}}\n", lines.join(",\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_that_of_cloud_localds() {
        // What cloud-localds 0.33 writes for the same values.
        assert_eq!(
            MetaData::default().encode(),
            "{\n\"instance-id\": \"iid-local01\"\n}\n"
        );
        let meta_data = MetaData {
            hostname: "web",
            interfaces: "auto lo\niface lo inet loopback\n\n",
            dsmode: "local",
        };
        assert_eq!(
            meta_data.encode(),
            "{\n\"instance-id\": \"iid-local01\",\n\"local-hostname\": \"web\",\n\
             \"interfaces\": \"auto lo\\niface lo inet loopback\\n\",\n\
             \"dsmode\": \"local\"\n}\n"
        );
    }

    #[test]
    fn values_are_encoded_not_pasted() {
        let meta_data = MetaData {
            hostname: "a\"b\\c",
            ..MetaData::default()
        };
        assert_eq!(
            meta_data.encode(),
            "{\n\"instance-id\": \"iid-local01\",\n\"local-hostname\": \"a\\\"b\\\\c\"\n}\n"
        );
    }
}
