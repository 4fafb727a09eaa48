//! Where the rows of a secret lie, and how they are sealed and opened.
//!
//! A live secret is one row with its name and current version, one row for the value of each version, and one
//! row for the properties of each older version; so a list opens one row an item and no value, and a get opens
//! two rows. A deleted secret has its first row under another kind. All rows of a name carry the name's tag, a
//! keyed hash, in their key and in what they are bound to; the name itself is inside the seal.

use std::sync::Arc;

use credstore_protocol::encoding::hex_lower;
use credstore_protocol::key_vault::{SecretAttributes, Tags};
use credstore_protocol::{Secret, SecretName, SecretVersion, Timestamp};
use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{Retention, SecretRecord};
use crate::error::{CommitError, StoreFailure, VaultError};
use crate::seal::{Place, hex16, kind};
use crate::storage::{Batch, Expected, Revision, Row};
use crate::vaults::{Deletion, VaultInner, prefixed};

/// Everything about a version but its value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Properties {
    #[serde(with = "hex16")]
    pub(super) version: [u8; 16],
    /// Counts the versions of the name from 1 in the order they were made.
    pub(super) number: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) content_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) tags: Option<Tags>,
    pub(super) enabled: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) nbf: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) exp: Option<Timestamp>,
    pub(super) created: Timestamp,
    pub(super) updated: Timestamp,
}

impl Properties {
    pub(super) fn version(&self) -> SecretVersion {
        SecretVersion::from_bytes(self.version)
    }

    /// Takes over what a request gives; what it does not give stays.
    pub(super) fn change(
        &mut self,
        content_type: Option<String>,
        tags: Option<Tags>,
        attributes: Option<&SecretAttributes>,
    ) {
        self.content_type = content_type.or(self.content_type.take());
        self.tags = tags.or(self.tags.take());
        if let Some(attributes) = attributes {
            self.enabled = attributes.enabled.unwrap_or(self.enabled);
            self.nbf = attributes.nbf.or(self.nbf);
            self.exp = attributes.exp.or(self.exp);
        }
    }
}

/// The first row of a secret.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Head {
    /// As it was created.
    pub(super) name: String,
    pub(super) current: Properties,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) last_read: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) deletion: Option<Deletion>,
}

/// Most heads that are kept opened, over all vaults. Ours: half a megabyte; the rows themselves have a cache of their own.
const HEADS_KEPT: usize = 2048;

/// Heads as they were when they were last opened. They hold names and properties, never a value, and one is used only
/// for the row it was opened from.
pub(crate) struct Heads(Cache<OwnerAndTag, Opened>);

type OwnerAndTag = ([u8; 16], [u8; 16]);
type Opened = (Revision, Arc<Head>);

impl Default for Heads {
    fn default() -> Self {
        Self(Cache::new(HEADS_KEPT))
    }
}

impl Heads {
    /// The head of the row that `revision` wrote, opened by `open` unless it is kept.
    fn opened(
        &self,
        place: OwnerAndTag,
        revision: Revision,
        open: impl FnOnce() -> Result<Head, VaultError>,
    ) -> Result<Arc<Head>, VaultError> {
        if let Some((_, head)) = self.0.get(&place).filter(|(opened_from, _)| *opened_from == revision) {
            return Ok(head);
        }
        let head = Arc::new(open()?);
        self.0.insert(place, (revision, Arc::clone(&head)));
        Ok(head)
    }
}

/// The rows of one name in one vault.
pub(super) struct Slot<'a> {
    pub(super) vault: &'a VaultInner,
    pub(super) tag: [u8; 16],
    /// Absent when a scan found the row: its name is inside the seal.
    name: Option<&'a SecretName>,
}

/// 16 bytes of the key of a row; an error when the key is not of the form that its kind has.
fn part_of_key(vault: &VaultInner, part: Option<&[u8]>) -> Result<[u8; 16], VaultError> {
    part.and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| StoreFailure::damaged(format!("the key of a row of vault {}", vault.state().record.name)).into())
}

fn unless_conflicting(outcome: Result<Revision, CommitError>) -> Result<bool, VaultError> {
    match outcome {
        Ok(_) => Ok(true),
        Err(CommitError::Conflict) => Ok(false),
        Err(CommitError::Storage(error)) => Err(error.into()),
    }
}

impl<'a> Slot<'a> {
    pub(super) fn of(vault: &'a VaultInner, name: &'a SecretName) -> Self {
        Self { vault, tag: vault.key.tag(&name.canonical()), name: Some(name) }
    }

    /// The slot that a row found by a scan belongs to.
    pub(super) fn of_row(vault: &'a VaultInner, key: &[u8]) -> Result<Self, VaultError> {
        Ok(Self::of_tag(vault, part_of_key(vault, key.get(17..33))?))
    }

    /// The version that a row found by a scan is about.
    pub(super) fn version_of_row(&self, key: &[u8]) -> Result<[u8; 16], VaultError> {
        part_of_key(self.vault, key.get(33..))
    }

    /// The slot of a name that is known by its tag only.
    pub(super) fn of_tag(vault: &'a VaultInner, tag: [u8; 16]) -> Self {
        Self { vault, tag, name: None }
    }

    /// `part` of this secret, for the operator: names are told, values never.
    fn told(&self, part: &str) -> String {
        let vault = &self.vault.state().record.name;
        match self.name {
            Some(name) => format!("{part} of secret {name} in vault {vault}"),
            None => format!("{part} of a secret in vault {vault}, in the row of {}", hex_lower(&self.tag)),
        }
    }

    /// A part without which the secret cannot be used.
    pub(super) fn damaged(&self, part: &str) -> VaultError {
        StoreFailure::damaged(self.told(part)).into()
    }

    /// The value of one version: setting the secret again mends it.
    pub(super) fn damaged_value(&self, version: &[u8; 16]) -> VaultError {
        let part = format!("the value of version {}", SecretVersion::from_bytes(*version));
        StoreFailure::DamagedValue { what: self.told(&part) }.into()
    }

    fn damaged_older(&self, version: &[u8; 16]) -> VaultError {
        self.damaged(&format!("version {}", SecretVersion::from_bytes(*version)))
    }

    pub(super) fn key(&self, kind: u8) -> Vec<u8> {
        let mut key = prefixed(kind, self.vault.key.owner());
        key.extend_from_slice(&self.tag);
        key
    }

    pub(super) fn version_key(&self, kind: u8, version: &[u8; 16]) -> Vec<u8> {
        let mut key = self.key(kind);
        key.extend_from_slice(version);
        key
    }

    /// The first row of the secret, live (`kind::SECRET`) or deleted (`kind::DELETED_SECRET`).
    pub(super) fn head(&self, kind: u8) -> Result<Option<(Head, Revision)>, VaultError> {
        match self.vault.key.storage().get(&self.key(kind))? {
            Some(row) => Ok(Some((self.open_head(kind, &row)?, row.revision))),
            None => Ok(None),
        }
    }

    /// The first row of the live secret as a get needs it: opened once for each time it was written.
    pub(super) fn current(&self) -> Result<Option<(Arc<Head>, Revision)>, VaultError> {
        let Some(row) = self.vault.key.storage().get(&self.key(kind::SECRET))? else { return Ok(None) };
        let place = (*self.vault.key.owner(), self.tag);
        let head = self.vault.heads.opened(place, row.revision, || self.open_head(kind::SECRET, &row))?;
        Ok(Some((head, row.revision)))
    }

    pub(super) fn open_head(&self, kind: u8, row: &Row) -> Result<Head, VaultError> {
        let opened = self.vault.key.open(Place::named(kind, &self.tag), &row.value);
        let opened = opened.map_err(|_| self.damaged("the first record"))?;
        serde_json::from_slice(&opened).map_err(|_| self.damaged("the first record"))
    }

    pub(super) fn sealed_head(&self, kind: u8, head: &Head) -> Result<Vec<u8>, VaultError> {
        let plain = serde_json::to_vec(head).map_err(|_| self.damaged("the first record"))?;
        Ok(self.vault.key.seal(Place::named(kind, &self.tag), &plain)?)
    }

    /// The properties of a version that is not the current one.
    pub(super) fn older(&self, version: &[u8; 16]) -> Result<Option<(Properties, Revision)>, VaultError> {
        match self.vault.key.storage().get(&self.version_key(kind::VERSION, version))? {
            Some(row) => Ok(Some((self.open_older(version, &row)?, row.revision))),
            None => Ok(None),
        }
    }

    pub(super) fn open_older(&self, version: &[u8; 16], row: &Row) -> Result<Properties, VaultError> {
        let opened = self.vault.key.open(Place::versioned(kind::VERSION, &self.tag, version), &row.value);
        let opened = opened.map_err(|_| self.damaged_older(version))?;
        serde_json::from_slice(&opened).map_err(|_| self.damaged_older(version))
    }

    pub(super) fn sealed_older(&self, properties: &Properties) -> Result<Vec<u8>, VaultError> {
        let plain = serde_json::to_vec(properties).map_err(|_| self.damaged_older(&properties.version))?;
        let place = Place::versioned(kind::VERSION, &self.tag, &properties.version);
        Ok(self.vault.key.seal(place, &plain)?)
    }

    /// The value of a version. `Ok(None)`: it has no row.
    pub(super) fn value(&self, version: &[u8; 16]) -> Result<Option<Secret>, VaultError> {
        let Some(row) = self.vault.key.storage().get(&self.version_key(kind::VALUE, version))? else {
            return Ok(None);
        };
        let opened = self.vault.key.open(Place::versioned(kind::VALUE, &self.tag, version), &row.value);
        let mut opened = opened.map_err(|_| self.damaged_value(version))?;
        let text = String::from_utf8(std::mem::take(&mut *opened)).map_err(|error| {
            drop(Zeroizing::new(error.into_bytes()));
            self.damaged_value(version)
        })?;
        Ok(Some(Secret::from(text)))
    }

    pub(super) fn sealed_value(&self, version: &[u8; 16], value: &str) -> Result<Vec<u8>, VaultError> {
        let place = Place::versioned(kind::VALUE, &self.tag, version);
        Ok(self.vault.key.seal(place, value.as_bytes())?)
    }

    /// An empty batch that is refused when the vault has gone.
    pub(super) fn batch(&self) -> Batch {
        let mut batch = Batch::default();
        batch.expect(self.vault.row.clone(), Expected::Present);
        batch
    }

    /// Commits. `Ok(false)`: another write came first, or the vault has gone.
    pub(super) fn commit(&self, batch: Batch) -> Result<bool, VaultError> {
        unless_conflicting(self.vault.key.storage().commit(batch))
    }

    /// [`commit`](Self::commit) without holding the thread.
    pub(super) async fn committed(&self, batch: Batch) -> Result<bool, VaultError> {
        unless_conflicting(self.vault.key.storage().submit(batch).await)
    }

    /// What callers see of a version.
    pub(super) fn record(
        &self,
        name: &str,
        properties: Properties,
        value: Option<Secret>,
        retention: Retention,
        last_read: Option<Timestamp>,
    ) -> Result<SecretRecord, VaultError> {
        Ok(SecretRecord {
            name: name.parse().map_err(|_| self.damaged("the name"))?,
            version: properties.version(),
            value,
            content_type: properties.content_type,
            tags: properties.tags,
            enabled: properties.enabled,
            nbf: properties.nbf,
            exp: properties.exp,
            created: properties.created,
            updated: properties.updated,
            retention,
            last_read: self.vault.usage.last(&self.tag).max(last_read),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(name: &str) -> Head {
        let current = Properties {
            version: [7; 16],
            number: 1,
            content_type: None,
            tags: None,
            enabled: true,
            nbf: None,
            exp: None,
            created: Timestamp(1),
            updated: Timestamp(1),
        };
        Head { name: name.to_owned(), current, last_read: None, deletion: None }
    }

    #[test]
    fn a_head_is_kept_for_the_row_that_it_was_opened_from_and_no_other() {
        let (heads, place, other) = (Heads::default(), ([1; 16], [2; 16]), ([1; 16], [3; 16]));
        let kept =
            |place, revision| heads.opened(place, revision, || panic!("it is opened again")).unwrap().name.clone();
        let opened = |place, revision, name| heads.opened(place, revision, || Ok(head(name))).unwrap().name.clone();
        assert_eq!(opened(place, 5, "first"), "first");
        assert_eq!(kept(place, 5), "first");
        assert_eq!(opened(place, 6, "written again"), "written again");
        assert_eq!(kept(place, 6), "written again");
        // A reader with an older row, overtaken by a writer.
        assert_eq!(opened(place, 5, "first"), "first");
        assert_eq!(opened(other, 5, "another secret"), "another secret");
        let damaged = heads.opened(place, 9, || Err(StoreFailure::damaged("a row").into()));
        assert!(matches!(damaged, Err(VaultError::Store(_))));
        assert_eq!(opened(place, 9, "mended"), "mended", "a failure is not kept");
    }
}
