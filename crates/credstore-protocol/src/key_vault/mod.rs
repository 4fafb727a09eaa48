//! Messages of the Key Vault data plane: secrets, errors, and what lists and backups of every kind share. The messages of
//! keys are in [`keys`], those of certificates in [`certificates`].
//!
//! Times are whole Unix seconds. Source: Key Vault data plane, contract sections 4 to 7. Members that a
//! later api-version adds are ignored when read, as Azure's older versions do.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, Serializer};

use crate::{Secret, Timestamp};

#[macro_use]
mod names;

pub mod certificates;
pub mod keys;

/// Largest secret value in bytes. Source: Key Vault, "About secrets": 25 KB.
pub const SECRET_VALUE_MAX: usize = 25_600;
/// Longest content type in characters. Source: Key Vault, "About secrets".
pub const CONTENT_TYPE_MAX: usize = 255;
/// Most tags on one object. Source: Key Vault, "About secrets".
pub const TAGS_MAX: usize = 15;
/// Longest name and longest value of a tag in characters. Source: Key Vault, "About secrets".
pub const TAG_TEXT_MAX: usize = 512;
/// Most versions in one backup. Source: Key Vault, "Azure Key Vault backup and restore": 500 versions.
pub const BACKUP_VERSIONS_MAX: usize = 500;
/// Bytes of one version inside a backup: the value as it is, the properties as JSON, where a control character takes
/// six bytes and any other at most four; and room for numbers, names of members and lengths.
pub const BACKUP_VERSION_MAX: usize = SECRET_VALUE_MAX + (CONTENT_TYPE_MAX + TAGS_MAX * 2 * TAG_TEXT_MAX) * 6 + 512;
/// Longest text of a backup: as many versions as it may have, each at its largest, with name and seal, in base64.
pub const BACKUP_TEXT_MAX: usize = (BACKUP_VERSIONS_MAX * BACKUP_VERSION_MAX + 1024).div_ceil(3) * 4;
/// Largest and default page. Source: Key Vault, `maxresults`.
pub const PAGE_MAX: usize = 25;

/// With the value `true` on `GET /secrets` it asks for `lastRead` in the attributes. Ours; Azure ignores it, and who
/// does not send it gets what Azure sends.
pub const LAST_READ_HEADER: &str = "x-credstore-last-read";

/// Tags: names and values that the owner chose. They are not secret.
pub type Tags = BTreeMap<String, String>;

/// Attributes of a secret, in requests and answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretAttributes {
    /// Whether the secret may be read. Absent in a request means unchanged, or true on creation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Not to be used before. Informs only: Key Vault gives the value all the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nbf: Option<Timestamp>,
    /// Not to be used from here on. Informs only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exp: Option<Timestamp>,
    /// When this version was made. Answers only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    /// When its properties last changed. Answers only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated: Option<Timestamp>,
    /// What deletion means in this vault, for example `Recoverable+Purgeable`. Answers only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recovery_level: Option<Cow<'static, str>>,
    /// Days that a deleted secret is kept. Answers only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recoverable_days: Option<u16>,
    /// When a value of the secret was last given to an app. Only in answers to [`LAST_READ_HEADER`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_read: Option<Timestamp>,
}

fn on_the_wire<S: Serializer>(value: &Option<Secret>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(secret) => serializer.serialize_str(secret.expose_secret()),
        None => serializer.serialize_none(),
    }
}

/// A secret as Set, Get and Update answer it. Only Set and Get carry the value.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretBundle {
    /// The value. This answer to an authorised caller is where it leaves the vault.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "on_the_wire")]
    pub value: Option<Secret>,
    /// `https://{vault-host}/secrets/{name}/{version}`.
    pub id: String,
    /// What kind of value it is, in the owner's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// State and times.
    #[serde(default)]
    pub attributes: SecretAttributes,
    /// Tags of this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Tags>,
    /// The key behind it, when the secret backs a certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kid: Option<String>,
    /// True when the secret backs a certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed: Option<bool>,
}

/// A secret in a list: no value; the identifier has no version, except in a list of versions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretItem {
    /// Identifier of the secret, or of the version in a list of versions.
    pub id: String,
    /// What kind of value it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// State and times of the current version.
    #[serde(default)]
    pub attributes: SecretAttributes,
    /// Tags of the current version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Tags>,
    /// True when the secret backs a certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed: Option<bool>,
}

/// A deleted secret, as Delete and Get Deleted answer it. Never a value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeletedSecret {
    /// `https://{vault-host}/deletedsecrets/{name}`.
    pub recovery_id: String,
    /// When it was deleted.
    pub deleted_date: Timestamp,
    /// When it will be purged.
    pub scheduled_purge_date: Timestamp,
    /// The secret as it was; the identifier has the version in answers about one, none in lists.
    #[serde(flatten)]
    pub secret: SecretItem,
}

/// Body of `PUT /secrets/{name}`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SetSecret {
    /// The value; the empty string is allowed.
    pub value: Secret,
    /// At most [`CONTENT_TYPE_MAX`] characters.
    #[serde(default)]
    pub content_type: Option<String>,
    /// `enabled`, `nbf`, `exp`.
    #[serde(default)]
    pub attributes: Option<SecretAttributes>,
    /// At most [`TAGS_MAX`] tags.
    #[serde(default)]
    pub tags: Option<Tags>,
}

/// What goes with a secret's value: with it in Set, alone as the body of `PATCH /secrets/{name}/{version}`, where absent
/// members stay and `tags` replaces the whole map.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretProperties {
    /// New content type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// `enabled`, `nbf`, `exp`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<SecretAttributes>,
    /// The new tags.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Tags>,
}

/// A page of a list. It may be empty and still have a `nextLink`; the end is where that is null.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Page<T> {
    /// The items of this page.
    #[serde(default = "Vec::new")]
    pub value: Vec<T>,
    /// Where the next page is, absolute.
    #[serde(default)]
    pub next_link: Option<String>,
}

/// A backup, opaque to everybody but the vault that made it: base64url without padding.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BackupBlob {
    /// The sealed blob.
    pub value: String,
}

/// The body of every error of the data plane.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ErrorBody {
    /// The error.
    pub error: ErrorDetail,
}

/// Code, text and inner code of an error.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ErrorDetail {
    /// For example `Forbidden`.
    #[serde(default)]
    pub code: String,
    /// For people.
    #[serde(default)]
    pub message: String,
    /// For example `SecretDisabled`. Some tools decide by this code.
    #[serde(default, alias = "innerError", skip_serializing_if = "Option::is_none")]
    pub innererror: Option<InnerError>,
}

/// The inner code of an error.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct InnerError {
    /// For example `ForbiddenByPolicy`.
    #[serde(default)]
    pub code: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_has_the_shape_that_azure_sends() {
        let bundle = SecretBundle {
            value: Some(Secret::from("s3cret".to_owned())),
            id: "https://v.vault.azure.net/secrets/db/4387e9f3d6e14c459867679a90fd0f79".to_owned(),
            attributes: SecretAttributes {
                enabled: Some(true),
                created: Some(Timestamp(1)),
                updated: Some(Timestamp(1)),
                recovery_level: Some("Recoverable+Purgeable".into()),
                recoverable_days: Some(90),
                ..Default::default()
            },
            ..Default::default()
        };
        // Contract section 6; the order of members does not matter to any client.
        let expected = serde_json::json!({"value": "s3cret",
            "id": "https://v.vault.azure.net/secrets/db/4387e9f3d6e14c459867679a90fd0f79",
            "attributes": {"enabled": true, "created": 1, "updated": 1,
                "recoveryLevel": "Recoverable+Purgeable", "recoverableDays": 90}});
        assert_eq!(serde_json::to_value(&bundle).unwrap(), expected);
    }

    #[test]
    fn a_value_is_not_in_the_debug_text_of_any_message() {
        let set: SetSecret = serde_json::from_str(r#"{"value":"planted"}"#).unwrap();
        let bundle = SecretBundle { value: Some(Secret::from("planted".to_owned())), ..Default::default() };
        assert!(!format!("{set:?}{bundle:?}").contains("planted"));
    }

    #[test]
    fn both_spellings_of_the_inner_error_are_read() {
        for key in ["innererror", "innerError"] {
            let text =
                format!(r#"{{"error":{{"code":"Forbidden","message":"m","{key}":{{"code":"SecretDisabled"}}}}}}"#);
            let body: ErrorBody = serde_json::from_str(&text).unwrap();
            assert_eq!(body.error.innererror.unwrap().code, "SecretDisabled");
        }
    }

    #[test]
    fn a_doubled_member_is_refused() {
        assert!(serde_json::from_str::<SetSecret>(r#"{"value":"a","value":"b"}"#).is_err());
    }
}
