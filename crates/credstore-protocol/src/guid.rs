//! Identifiers that Entra writes as GUIDs: tenants, clients, objects. Cheap to clone: each request carries three.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The text is not a GUID of the form `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a GUID")]
pub struct NotAGuid;

fn check(text: &str) -> Result<Arc<str>, NotAGuid> {
    let hyphens = [8, 13, 18, 23];
    let well_formed = text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match hyphens.contains(&at) {
            true => byte == b'-',
            false => byte.is_ascii_hexdigit(),
        });
    if well_formed { Ok(text.to_ascii_lowercase().into()) } else { Err(NotAGuid) }
}

macro_rules! guid {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// The GUID in lower case with hyphens.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NotAGuid;
            fn from_str(text: &str) -> Result<Self, NotAGuid> {
                check(text).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NotAGuid;
            fn try_from(text: String) -> Result<Self, NotAGuid> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.as_str().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

guid! {
    /// The directory (tenant) ID.
    TenantId
}
guid! {
    /// The application (client) ID of an app registration.
    ClientId
}
guid! {
    /// The object ID of an application or service principal. Access policies name the service principal's.
    ObjectId
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guid_is_read_in_any_case_and_kept_in_lower_case() {
        let id: ClientId = "5D0C2A8E-91F3-4F0E-8A27-6C3F1D90B7F1".parse().unwrap();
        assert_eq!(id.as_str(), "5d0c2a8e-91f3-4f0e-8a27-6c3f1d90b7f1");
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "contoso.onmicrosoft.com",
            "5d0c2a8e91f34f0e8a276c3f1d90b7f1",
            "5d0c2a8e-91f3-4f0e-8a27-6c3f1d90b7fg",
            "{5d0c2a8e-91f3-4f0e-8a27-6c3f1d90b7f}",
            "5d0c2a8e-91f3-4f0e-8a27-6c3f1d90b7f1 ",
        ] {
            assert_eq!(text.parse::<TenantId>(), Err(NotAGuid), "{text}");
        }
    }
}
