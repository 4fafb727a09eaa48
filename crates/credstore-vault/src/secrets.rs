//! The secrets of one vault.

use std::str::FromStr;

use credstore_protocol::encoding::{base64_any, base64url};
use credstore_protocol::key_vault::{SetSecret, Tags, UpdateSecret};
use credstore_protocol::{Secret, SecretName, SecretVersion, Timestamp};

use crate::access::Caller;
use crate::error::VaultError;
use crate::vaults::Vault;

/// One version of a secret.
#[derive(Debug)]
pub struct SecretRecord {
    /// Name as it was created.
    pub name: SecretName,
    /// The version.
    pub version: SecretVersion,
    /// The value; only from `set_secret` and `secret`.
    pub value: Option<Secret>,
    /// What kind of value it is.
    pub content_type: Option<String>,
    /// Tags of the version.
    pub tags: Option<Tags>,
    /// Whether the value may be read.
    pub enabled: bool,
    /// Not to be used before. Informs only.
    pub nbf: Option<Timestamp>,
    /// Not to be used from then on. Informs only.
    pub exp: Option<Timestamp>,
    /// When the version was made.
    pub created: Timestamp,
    /// When its properties last changed.
    pub updated: Timestamp,
    /// What deletion means in this vault.
    pub retention: Retention,
    /// When the value of any version was last given out, as far as is known.
    pub last_read: Option<Timestamp>,
}

/// What deletion means in a vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// `recoveryLevel`.
    pub level: &'static str,
    /// `recoverableDays`.
    pub days: u16,
}

/// A deleted secret. Never with a value.
#[derive(Debug)]
pub struct DeletedRecord {
    /// The current version as it was.
    pub secret: SecretRecord,
    /// When it was deleted.
    pub deleted: Timestamp,
    /// When it will be purged.
    pub scheduled_purge: Timestamp,
}

/// Where the next page of a list begins. Opaque to clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageToken([u8; 16]);

/// The text is no page token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a page token")]
pub struct NotAPageToken;

impl std::fmt::Display for PageToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&base64url(&self.0))
    }
}

impl FromStr for PageToken {
    type Err = NotAPageToken;

    fn from_str(text: &str) -> Result<Self, NotAPageToken> {
        let bytes = if text.len() <= 32 { base64_any(text) } else { None };
        bytes.and_then(|bytes| bytes.try_into().ok()).map(Self).ok_or(NotAPageToken)
    }
}

/// A page of a list and where the next one begins; `None` at the end.
pub type SecretPage = (Vec<SecretRecord>, Option<PageToken>);

/// A page of deleted secrets and where the next one begins; `None` at the end.
pub type DeletedPage = (Vec<DeletedRecord>, Option<PageToken>);

#[allow(missing_docs, clippy::missing_errors_doc, unused_variables)]
impl Vault {
    pub fn set_secret(
        &self,
        caller: &Caller,
        name: &SecretName,
        set: SetSecret,
        now: Timestamp,
    ) -> Result<SecretRecord, VaultError> {
        unimplemented!()
    }

    pub fn secret(
        &self,
        caller: &Caller,
        name: &SecretName,
        version: Option<&SecretVersion>,
        now: Timestamp,
    ) -> Result<SecretRecord, VaultError> {
        unimplemented!()
    }

    pub fn update_secret(
        &self,
        caller: &Caller,
        name: &SecretName,
        version: Option<&SecretVersion>,
        update: UpdateSecret,
        now: Timestamp,
    ) -> Result<SecretRecord, VaultError> {
        unimplemented!()
    }

    pub fn secrets(&self, caller: &Caller, after: Option<&PageToken>, limit: usize) -> Result<SecretPage, VaultError> {
        unimplemented!()
    }

    pub fn secret_versions(
        &self,
        caller: &Caller,
        name: &SecretName,
        after: Option<&PageToken>,
        limit: usize,
    ) -> Result<SecretPage, VaultError> {
        unimplemented!()
    }

    pub fn delete_secret(
        &self,
        caller: &Caller,
        name: &SecretName,
        now: Timestamp,
    ) -> Result<DeletedRecord, VaultError> {
        unimplemented!()
    }

    pub fn deleted_secrets(
        &self,
        caller: &Caller,
        after: Option<&PageToken>,
        limit: usize,
        now: Timestamp,
    ) -> Result<DeletedPage, VaultError> {
        unimplemented!()
    }

    pub fn deleted_secret(
        &self,
        caller: &Caller,
        name: &SecretName,
        now: Timestamp,
    ) -> Result<DeletedRecord, VaultError> {
        unimplemented!()
    }

    pub fn recover_secret(
        &self,
        caller: &Caller,
        name: &SecretName,
        now: Timestamp,
    ) -> Result<SecretRecord, VaultError> {
        unimplemented!()
    }

    pub fn purge_secret(&self, caller: &Caller, name: &SecretName, now: Timestamp) -> Result<(), VaultError> {
        unimplemented!()
    }

    pub fn backup_secret(&self, caller: &Caller, name: &SecretName, now: Timestamp) -> Result<String, VaultError> {
        unimplemented!()
    }

    pub fn restore_secret(&self, caller: &Caller, backup: &str, now: Timestamp) -> Result<SecretRecord, VaultError> {
        unimplemented!()
    }

    pub fn last_read(&self, caller: &Caller, name: &SecretName) -> Option<Timestamp> {
        unimplemented!()
    }
}
