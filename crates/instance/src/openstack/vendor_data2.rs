//! `vendor_data2.json`: the answers of the operator's dynamic services, by name.
//!
//! Nova 34.0.0, `nova/api/metadata/base.py`, `_vendor_data2`, and
//! `nova/api/metadata/vendordata_dynamic.py`.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::inputs::{VendorDataRequest, VendorDataService};
use crate::json::{self, ObjectWriter};
use crate::{Error, Instance, Secret, Settings, Value};

/// Something about vendor data that the operator should know and that did not stop the
/// documents.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// `vendor_data.json` is left out: `StaticJSON` is not among the providers.
    NoStaticVendorData,
    /// A target without `@` was skipped. Its text is not repeated: it may hold a token.
    TargetWithoutName {
        /// Place in `[api] vendordata_dynamic_targets`, from 1.
        number: usize,
    },
    /// A target repeats a name and was skipped without a request.
    TargetRepeated {
        /// Place in `[api] vendordata_dynamic_targets`, from 1.
        number: usize,
        /// The name.
        name: String,
    },
    /// A service's answer was dropped: its name was already taken.
    KeyDropped {
        /// The name.
        name: String,
    },
    /// A service gave no answer; `{}` stands in its place.
    ServiceFailed {
        /// Name of the target.
        name: String,
        /// What went wrong, in one line.
        reason: String,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoStaticVendorData => formatter.write_str(
                "`vendor_data.json` is left out: `StaticJSON` is not among \
                 `[api] vendordata_providers`",
            ),
            Self::TargetWithoutName { number } => write!(
                formatter,
                "target {number} of `[api] vendordata_dynamic_targets` has no name \
                 (`NAME@URL`) and is skipped"
            ),
            Self::TargetRepeated { number, name } => write!(
                formatter,
                "target {number} of `[api] vendordata_dynamic_targets` repeats the name \
                 `{name}` and is skipped"
            ),
            Self::KeyDropped { name } => write!(
                formatter,
                "the answer of the vendor data service `{name}` is dropped: \
                 `vendor_data2.json` already has that name"
            ),
            Self::ServiceFailed { name, reason } => write!(
                formatter,
                "the vendor data service `{name}` failed, `{{}}` stands in its place: {reason}"
            ),
        }
    }
}

/// Encodes the body that every service is sent.
///
/// The host name has no domain here, and the administrator's password is deliberately not
/// among the members.
pub(super) fn request_body(instance: &Instance, uuid: &str, hostname: &str) -> String {
    let mut out = ObjectWriter::new();
    let image = instance.image.as_ref();
    let user_data = instance.user_data.as_ref();
    let roles = instance.system_metadata.iter().rev();
    let roles = roles.clone().find(|(name, _)| name == "boot_roles");

    out.optional_text("project-id", instance.project_id.as_deref());
    out.text("instance-id", uuid);
    out.optional_text("image-id", image.and_then(|image| image.id.as_deref()));
    let user_data = user_data.map(|bytes| STANDARD.encode(bytes.expose()));
    out.optional_text("user-data", user_data.as_deref());
    out.text("hostname", hostname);
    let metadata = instance.metadata.iter();
    out.texts("metadata", metadata.map(|(name, text)| (&**name, &**text)));
    out.text("boot-roles", roles.map_or("", |(_, roles)| roles));
    out.finish()
}

/// Asks every target once.
pub(super) fn ask_all(
    settings: &Settings,
    body: &str,
    service: &mut dyn VendorDataService,
    warnings: &mut Vec<Warning>,
) -> Result<Vec<(String, Value)>, Error> {
    let mut answers: Vec<(String, Value)> = Vec::new();
    for (index, target) in settings.vendordata_dynamic_targets.iter().enumerate() {
        let number = index + 1;
        let Some((name, url)) = target.split_once('@') else {
            warnings.push(Warning::TargetWithoutName { number });
            continue;
        };
        let name = name.to_owned();
        // A user and a password in an address without a name in front are split apart here.
        let said = if name.contains("://") {
            format!("number {number}")
        } else {
            name.clone()
        };
        if answers.iter().any(|(known, _)| *known == name) {
            warnings.push(Warning::TargetRepeated { number, name: said });
            continue;
        }
        let request = VendorDataRequest {
            url: url.to_owned(),
            body: Secret::new(body.to_owned()),
        };
        let answer = match ask(&said, &request, service) {
            Ok(answer) => answer,
            Err(error) if settings.vendordata_dynamic_failure_fatal => return Err(error),
            Err(error) => {
                let reason = std::error::Error::source(&error).map_or_else(
                    || error.to_string(),
                    |source| match &error {
                        Error::VendorDataAnswer { .. } => {
                            format!("the answer is not valid JSON: {source}")
                        }
                        _ => source.to_string(),
                    },
                );
                warnings.push(Warning::ServiceFailed { name: said, reason });
                Value::Object(Vec::new())
            }
        };
        answers.push((name, answer));
    }
    Ok(answers)
}

fn ask(
    name: &str,
    request: &VendorDataRequest,
    service: &mut dyn VendorDataService,
) -> Result<Value, Error> {
    let text = service
        .ask(request)
        .map_err(|source| Error::VendorDataService {
            name: name.to_owned(),
            source,
        })?;
    if text.is_empty() {
        return Ok(Value::Object(Vec::new()));
    }
    json::parse(&text).map_err(|source| Error::VendorDataAnswer {
        name: name.to_owned(),
        source,
    })
}

/// Joins the providers in configured order: `StaticJSON` sets `static`, even over a target
/// of that name; an answer whose name is taken is dropped.
pub(super) fn join(
    providers: &[String],
    static_data: &Value,
    answers: &[(String, Value)],
    warnings: &mut Vec<Warning>,
) -> Value {
    let mut members: Vec<(String, Value)> = Vec::new();
    for provider in providers {
        if provider == "StaticJSON" {
            match members.iter_mut().find(|(name, _)| name == "static") {
                Some((_, old)) => old.clone_from(static_data),
                None => members.push(("static".to_owned(), static_data.clone())),
            }
            continue;
        }
        let before = members.len();
        for (name, answer) in answers {
            if members.iter().take(before).any(|(known, _)| known == name) {
                warnings.push(Warning::KeyDropped { name: name.clone() });
            } else {
                members.push((name.clone(), answer.clone()));
            }
        }
    }
    Value::Object(members)
}
