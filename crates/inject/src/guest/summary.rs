//! An inspection as text for people.

use std::fmt;

use super::Inspection;

/// The longest list that is written out.
const SHOWN: usize = 12;

impl Inspection {
    /// Returns what was found as names and values, in the order in which people want them; what is not there has no line.
    pub fn summary(&self) -> Vec<(&'static str, String)> {
        let mut found: Vec<(&'static str, String)> = Vec::new();
        let mut add = |name, value: String| found.push((name, value));
        match &self.system {
            Some(it) => {
                add("system", it.name.clone());
                let version = it.version.as_deref().map(|it| format!(" {it}"));
                add("id", format!("{}{}", it.id, version.unwrap_or_default()));
            }
            None => add("system", "unknown".to_owned()),
        }
        if let Some(it) = self.immutable {
            add("immutable", it.name().to_owned());
        }
        if let Some(it) = self.architecture {
            add("architecture", it.name().to_owned());
        }
        if let Some(it) = self.init {
            add("init", it.name().to_owned());
        }
        if !self.boot.loaders.is_empty() {
            add("boot loader", self.boot.loaders.join(", "));
        }
        if !self.boot.kernels.is_empty() {
            let versions = self.boot.kernels.iter().map(|it| it.version.clone());
            add("kernels", list(versions));
        }
        for user in &self.users {
            let password = user.password.name();
            add(
                "user",
                format!("{} (uid {}, password {password})", user.name, user.uid),
            );
        }
        if let Some(it) = &self.time_zone {
            add("time zone", it.clone());
        }
        match &self.renderer {
            Some(it) => add(
                "network",
                format!("{} ({})", it.renderer.name(), it.because),
            ),
            None => add("network", "nothing configures it".to_owned()),
        }
        if let Some(it) = &self.selinux {
            add(
                "selinux",
                format!(
                    "{}, {}{}",
                    it.mode.name(),
                    it.policy,
                    if it.is_labelled { "" } else { ", no labels" }
                ),
            );
        }
        match &self.sshd {
            Some(it) => add("sshd", it.state.name().to_owned()),
            None => add("sshd", "missing".to_owned()),
        }
        match &self.cloud_init {
            Some(it) => {
                let version = it.version.as_deref().unwrap_or("of unknown version");
                add("cloud-init", format!("{version}, {}", it.state));
                let source = match &it.datasources.source {
                    Some(path) => format!("`{path}`"),
                    None => "built in".to_owned(),
                };
                let names = list(it.datasources.names.iter().cloned());
                add("datasources", format!("{names} ({source})"));
                if let Some(policy) = &it.policy {
                    add("ds-identify", policy.clone());
                }
                if let Some(user) = &it.default_user {
                    add("default user", user.clone());
                }
            }
            None => add("cloud-init", "missing".to_owned()),
        }
        if !self.agents.is_empty() {
            add("agents", self.agents.join(", "));
        }
        if let Some(it) = &self.packages {
            add(
                "packages",
                match &it.installed {
                    Some(installed) => format!("{}, {}", it.manager.name(), installed.len()),
                    None => format!("{}, not read", it.manager.name()),
                },
            );
        }
        add("machine ID", self.leftovers.machine_id.name().to_owned());
        let keys = self.leftovers.host_keys.len();
        add(
            "host keys",
            match keys {
                0 => "none".to_owned(),
                _ => list(self.leftovers.host_keys.iter().cloned()),
            },
        );
        for it in &self.fstab.entries {
            if let Some(place) = &it.mount_point {
                add("mount", format!("{place} ({})", it.spec));
            }
        }
        for it in &self.unread {
            add("unread", format!("{}: {}", it.path, it.reason));
        }
        found
    }
}

/// A list of at most [`SHOWN`] items.
fn list(mut items: impl ExactSizeIterator<Item = String>) -> String {
    let more = items.len().saturating_sub(SHOWN);
    let mut text = items.by_ref().take(SHOWN).collect::<Vec<_>>().join(", ");
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

impl fmt::Display for Inspection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in self.summary() {
            writeln!(formatter, "{name}: {value}")?;
        }
        Ok(())
    }
}
