//! What only secrets have: values, their content types, and when one was last given out. Contract section 6.
//!
//! Versions, lists, soft delete and backups are those of every object: [`objects`](crate::objects).

mod heads;
pub mod limits;
mod read;
mod usage;
mod write;

use credstore_protocol::key_vault::{SecretAttributes, SecretProperties, Tags};
use credstore_protocol::{Secret, Timestamp};
use serde::{Deserialize, Serialize};

pub(crate) use heads::Heads;
pub(crate) use usage::Usage;

use crate::access::ObjectKind;
use crate::error::VaultError;
use crate::objects::{Change, ObjectRecord, ObjectType, Rows};
use crate::seal::kind;

/// The secrets of a vault, as a kind of object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Secrets {}

/// What a version of a secret has besides its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretContent {
    /// What kind of value it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
}

/// Secrets have nothing besides their versions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nothing {}

/// One version of a secret without its value.
pub type SecretRecord = ObjectRecord<Secrets>;

/// One version of a secret with its value.
#[derive(Debug)]
pub struct OpenSecret {
    /// Everything but the value.
    pub record: SecretRecord,
    /// The value.
    pub value: Secret,
}

impl ObjectType for Secrets {
    const KIND: ObjectKind = ObjectKind::Secrets;
    const NOUN: &'static str = "secret";
    const MATERIAL: &'static str = "value";
    const ROWS: Rows =
        Rows { live: kind::SECRET, deleted: kind::DELETED_SECRET, version: kind::VERSION, material: kind::VALUE };
    const READS_ARE_NOTED: bool = true;
    const BACKUP: &'static [u8; 16] = b"secret backup 1\0";
    const BACKUP_SCOPE: &'static [u8] = b"secret";
    const LEADS: bool = false;

    type Content = SecretContent;
    type Standing = Nothing;
    /// `contentType`.
    type Update = Option<String>;

    fn fits(_content: &SecretContent, material: &[u8]) -> bool {
        std::str::from_utf8(material).is_ok_and(|value| limits::check_value(value).is_ok())
    }

    fn change(
        content: &mut SecretContent,
        _standing: Option<&mut Nothing>,
        content_type: Option<String>,
        _now: Timestamp,
    ) -> Result<(), VaultError> {
        limits::check_content_type(content_type.as_deref())?;
        content.content_type = content_type.or(content.content_type.take());
        Ok(())
    }
}

impl Change<Secrets> {
    fn of(content_type: Option<String>, tags: Option<Tags>, attributes: Option<SecretAttributes>) -> Self {
        let attributes = attributes.unwrap_or_default();
        Self { tags, enabled: attributes.enabled, nbf: attributes.nbf, exp: attributes.exp, update: content_type }
    }
}

impl From<SecretProperties> for Change<Secrets> {
    fn from(update: SecretProperties) -> Self {
        Self::of(update.content_type, update.tags, update.attributes)
    }
}
